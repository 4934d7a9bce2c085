import os
from pathlib import Path
from typing import Any

import pytest

from contactsdk.files import FileError, check_files_differ


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.sqlite").touch()
    (tmp_path / "in.csv").touch()
    return tmp_path


def clash(name: str, *, journal: Any = "run.sqlite", **others: Any) -> Any:
    outputs = {"--results": name, **others}
    with pytest.raises(FileError, match="must be different files") as caught:
        check_files_differ(outputs=outputs, inputs={"the input": "in.csv"}, journal=Path(journal))
    return str(caught.value)


def test_different_files_are_fine() -> None:
    outputs = {"--results": "out.csv", "--rejects": None, "--uncertain": "unsure.csv"}
    check_files_differ(outputs=outputs, inputs={"the input": "in.csv"}, journal=Path("run.sqlite"))
    check_files_differ(outputs=outputs, inputs={"the input": "-"})


def test_standard_input_and_standard_output_are_not_one_file() -> None:
    check_files_differ(outputs={"--results": "-"}, inputs={"the input": "-"})


def test_message_names_both_uses_of_the_file() -> None:
    assert clash("run.sqlite") == "run.sqlite: --results and --journal must be different files"


@pytest.mark.parametrize("suffix", ["", "-journal", "-wal", "-shm"])
@pytest.mark.parametrize("is_there", [True, False])
def test_output_is_not_the_journal_nor_a_file_beside_it(
    suffix: str, is_there: bool, folder: Path
) -> None:
    if is_there:
        (folder / f"run.sqlite{suffix}").touch()
    else:
        (folder / "run.sqlite").unlink()
    clash(f"run.sqlite{suffix}")
    clash(f"./run.sqlite{suffix}")
    clash(str(folder / "sub" / ".." / f"run.sqlite{suffix}"))


def test_links_to_the_journal_are_seen_through(folder: Path) -> None:
    (folder / "link").symlink_to("run.sqlite")
    os.link("run.sqlite", "hard")
    (folder / "folder").symlink_to(".")
    clash("link")
    clash("hard")
    clash("folder/run.sqlite")
    clash("run.sqlite", journal="link")


def test_side_files_of_a_linked_journal_are_beside_the_file_itself(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "link").symlink_to("sub/run.sqlite")
    clash("sub/run.sqlite-wal", journal="link")
    clash("link-wal", journal="link")


def test_link_to_a_file_that_is_not_there_yet_is_seen_through(folder: Path) -> None:
    (folder / "link").symlink_to("later.sqlite")
    clash("link", journal="later.sqlite")


def test_spelling_in_another_case_of_a_file_that_is_not_there_yet_is_the_same() -> None:
    clash("Later.SQLite", journal="later.sqlite")


def test_output_is_not_the_input_nor_another_output() -> None:
    clash("in.csv")
    clash("out.csv", **{"--rejects": "out.csv"})
    clash("-", **{"--rejects": "-"})


def test_journal_is_not_the_input() -> None:
    with pytest.raises(FileError, match="the input and --journal"):
        check_files_differ(outputs={}, inputs={"the input": "in.csv"}, journal=Path("in.csv"))


def test_file_that_standard_input_or_output_is_redirected_to_counts(folder: Path) -> None:
    Path("redirected").touch()
    with open("redirected", "rb") as file:
        before = os.dup(0)
        os.dup2(file.fileno(), 0)
        try:
            with pytest.raises(FileError, match="--results and the input"):
                check_files_differ(outputs={"--results": "redirected"}, inputs={"the input": "-"})
        finally:
            os.dup2(before, 0)
            os.close(before)


def test_output_is_not_written_over_another_file_while_it_is_not_complete(folder: Path) -> None:
    (folder / "rejects.partial.csv").touch()
    with pytest.raises(FileError, match="--rejects and the input must be different"):
        check_files_differ(
            outputs={"--rejects": "rejects.csv"}, inputs={"the input": "rejects.partial.csv"}
        )
