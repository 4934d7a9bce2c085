import io

import pytest
from files.made import items

from contactsdk import Contact
from contactsdk.files import FileError, Format, open_input, standard_input


@pytest.mark.parametrize("format", Format)
def test_file_is_opened_and_closed(format, tmp_path):
    path = tmp_path / "x"
    path.write_text('{"id": 7}' if format is Format.JSONL else "id,x\n7,y\n")
    with open_input(str(path), format, ["X"]) as source:
        assert items(source) == [Contact(id=7)]


def test_file_that_is_not_there_is_an_error(tmp_path):
    with (
        pytest.raises(FileError, match=r"x\.csv: there is no such file"),
        open_input(str(tmp_path / "x.csv"), Format.CSV),
    ):
        pass


def test_folder_is_no_file(tmp_path):
    with (
        pytest.raises(FileError, match="it is no regular file"),
        open_input(str(tmp_path), Format.CSV),
    ):
        pass


def test_file_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.touch()

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    # Not by its mode: whoever runs the tests as root may read everything.
    monkeypatch.setattr("builtins.open", refuse)
    with (
        pytest.raises(FileError, match=r"x\.csv: Permission denied"),
        open_input(str(path), Format.CSV),
    ):
        pass


def test_standard_input_is_named_in_errors(monkeypatch):
    monkeypatch.setattr("builtins.open", lambda *_args, **_options: io.BytesIO(b"unknown"))
    with pytest.raises(FileError, match="standard input, line 1: unknown column"):
        standard_input(Format.CSV)
