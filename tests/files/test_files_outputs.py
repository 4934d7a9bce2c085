import json
import os
import stat
import threading
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from contactsdk import Contact, InvalidContactError, RejectedError, UnavailableError, UncertainError
from contactsdk.files import (
    FileError,
    Format,
    OutputNames,
    Outputs,
    Result,
    State,
    check_output_names,
    not_started,
    open_input,
    open_outputs,
    open_text,
    result_of,
)
from contactsdk.files.output_files import open_sheet
from tests.files.made import csv_input, jsonl_input, outcome

RESULT = Result(line=4, row=3, state=State.NOT_STARTED, message="ü")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sheet(name: str) -> list[list[Any]]:
    """The cells of the only sheet of a workbook."""
    with open(name, "rb") as file:
        return [list(row) for row in openpyxl.load_workbook(file).worksheets[0].values]


def change_time_of(name: str) -> None:
    """Change the time at which a workbook says that it was made."""
    with zipfile.ZipFile(name) as book:
        parts = {part: book.read(part) for part in book.namelist()}
    parts["docProps/core.xml"] = b"<another/>"
    with zipfile.ZipFile(name, "w") as book:
        for part, content in parts.items():
            book.writestr(part, content)


def write_all(source: Any, rows: Any, *, resumable: bool = False, **names: Any) -> None:
    """Write (row, result) pairs to the files of these names."""
    with open_outputs(OutputNames(**names), source, resumable=resumable) as outputs:
        for row, result in rows:
            outputs.write(result, row)


@pytest.mark.parametrize(
    "text",
    [
        b"firstName;lastName;email\nAda;;ada@example.com\n;;x\n",
        b'id\tphone\n7\t"1\r2\n3"\n8\t "x"\n9\t\xe4\xf6\n',
        b"\xef\xbb\xbfid,groups,,\n7,1;2,,x\n8,1,2,3,4,5\n",
    ],
)
def test_rejects_make_the_same_items_when_they_are_imported_again(text: str) -> None:
    source = csv_input(text)
    rows = list(source)
    write_all(source, [(row, not_started(row.line, 2)) for row in rows], rejects="rejects.csv")
    with open_input("rejects.csv") as again:
        kept = [again.item(row) for row in again]
    before = [source.item(row) for row in rows]
    assert [type(item) for item in kept] == [type(item) for item in before]
    assert [i for i in kept if isinstance(i, Contact)] == [
        i for i in before if isinstance(i, Contact)
    ]


def test_text_of_another_encoding_is_written_back_as_utf8() -> None:
    source = csv_input(b"id,phone\n7,\xe4\n")
    write_all(source, [(row, RESULT) for row in source], rejects="rejects.csv")
    assert "\n7,\u00e4,\u00fc" in Path("rejects.csv").read_text("utf-8-sig")


def test_each_row_goes_to_the_files_of_its_state() -> None:
    source = csv_input("id\n1\n2\n3\n4\n")
    rows = [
        (row, Result(line=row.line, row=row.line, state=state, message=state.value))
        for row, state in zip(source, State, strict=True)
    ]
    names = ("results", "rejects", "uncertain", "merged")
    files: dict[str, Any] = {name: f"{name}.csv" for name in names}
    write_all(source, rows, **files)
    assert len(Path("results.csv").read_text().splitlines()) == 5
    assert len(Path("merged.csv").read_text().splitlines()) == 5
    assert Path("rejects.csv").read_text().split() == [
        "id,contactsdk_message",
        "2,failed",
        "4,not_started",
    ]
    assert Path("uncertain.csv").read_text().split() == ["id,contactsdk_message", "3,uncertain"]


def test_rejects_of_a_run_that_can_go_on_hold_only_what_it_leaves_out() -> None:
    source = csv_input("id\n1\n2\n3\n4\n5\n6\n")
    outcomes = [
        outcome(id=7),
        outcome(RejectedError("refused")),
        outcome(InvalidContactError([((), "invalid")]), attempts=0),
        outcome(UncertainError("uncertain")),
        outcome(UnavailableError("declined"), attempts=5),
        outcome(UnavailableError("unsent"), attempts=0),
    ]
    rows = [
        (row, result_of(row.line, row.line, it)) for row, it in zip(source, outcomes, strict=True)
    ]
    write_all(source, rows, resumable=True, rejects="rejects.csv", uncertain="unsure.csv")
    assert Path("rejects.csv").read_text().split() == [
        "id,contactsdk_message",
        "2,refused",
        "3,invalid",
    ]
    assert Path("unsure.csv").read_text().split() == ["id,contactsdk_message", "4,uncertain"]


def test_what_was_not_asked_for_is_not_written(folder: Path) -> None:
    source = csv_input("id\n1\n")
    with open_outputs(OutputNames(), source) as outputs:
        assert outputs == Outputs()
        outputs.write(RESULT, next(iter(source)))
    assert list(folder.iterdir()) == []


def test_results_need_no_input() -> None:
    write_all(None, [(None, RESULT)], results="results.csv")
    assert Path("results.csv").read_text().endswith("4,3,,not_started,ü,0\n")


@pytest.mark.parametrize("name", ["results.JSONL", "results.ndjson"])
def test_name_of_the_results_says_their_format(name: str) -> None:
    write_all(csv_input("id\n7\n"), [(None, RESULT)], results=name)
    assert json.loads(Path(name).read_text())["row"] == 3


def test_results_go_to_standard_output_as_utf8(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_all(csv_input("id\n7\n"), [(None, RESULT)], results="-")
    print("after")
    assert capfdbinary.readouterr().out.endswith("ü,0\nafter\n".encode())


def test_pipe_has_no_ending_and_is_written_directly() -> None:
    os.mkfifo("pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text()))
    reader.start()
    write_all(csv_input("id\n7\n"), [(None, RESULT)], results="pipe")
    reader.join()
    assert read[0].startswith("line,row,")
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


def test_rejects_of_json_lines_on_standard_output_are_json_lines(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    source = jsonl_input('{"id": 7}\n')
    write_all(source, [(row, RESULT) for row in source], rejects="-")
    assert json.loads(capfdbinary.readouterr().out)["id"] == 7


@pytest.mark.parametrize("option", ["results", "rejects", "uncertain", "merged"])
@pytest.mark.parametrize("name", ["out", "out.xls", "out.csv.gz"])
def test_unknown_ending_is_refused_before_anything_is_opened(
    option: str, name: str, folder: Path
) -> None:
    with pytest.raises(FileError, match=r"a name that ends in \.xlsx, \.csv or \.jsonl"):
        check_output_names(OutputNames(**{option: name}), Format.CSV)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("option", ["rejects", "uncertain", "merged"])
def test_rows_of_json_lines_are_not_csv(option: str) -> None:
    with pytest.raises(FileError, match=r"is JSON Lines: use a name that ends in \.jsonl"):
        check_output_names(OutputNames(**{option: "out.csv"}), Format.JSONL)
    with pytest.raises(FileError, match=r"is JSON Lines: use a name that ends in \.jsonl"):
        check_output_names(OutputNames(**{option: "out.xlsx"}), Format.JSONL)
    check_output_names(OutputNames(results="out.csv", **{option: "out.jsonl"}), Format.JSONL)


def test_rows_without_their_input_are_refused() -> None:
    check_output_names(OutputNames(results="out.csv"), None)
    with pytest.raises(FileError, match="give it as --input FILE"):
        check_output_names(OutputNames(rejects="out.csv"), None)


def test_file_that_was_there_is_replaced_once_the_new_one_is_complete() -> None:
    Path("out.csv").write_text("old")
    Path("out.csv").chmod(0o640)
    with open_text("out.csv") as stream:
        stream.write("new")
        stream.flush()
        assert Path("out.csv").read_text() == "old"
        assert Path("out.partial.csv").read_text() == "new"
    assert Path("out.csv").read_text() == "new"
    assert stat.S_IMODE(Path("out.csv").stat().st_mode) == 0o640
    assert not Path("out.partial.csv").exists()


def test_file_that_is_replaced_is_kept_beside_the_new_one(folder: Path) -> None:
    (folder / "sub").mkdir()
    Path("link.csv").symlink_to("sub/out.csv")
    for text in ("first", "second", "third", "fourth"):
        with open_text("link.csv") as stream:
            stream.write(text)
    assert {path.name: path.read_text() for path in (folder / "sub").iterdir()} == {
        "out.csv": "fourth",
        "out.bak.csv": "first",
        "out.bak2.csv": "second",
        "out.bak3.csv": "third",
    }


def test_file_that_would_be_the_same_is_not_kept(folder: Path) -> None:
    for _ in range(2):
        with open_text("out.csv") as stream:
            stream.write("text")
        with open_sheet("out.xlsx") as book:
            book.write(["Ada", 7])
        change_time_of("out.xlsx")
    assert sorted(path.name for path in folder.iterdir()) == ["out.csv", "out.xlsx"]
    with open_sheet("out.xlsx") as book:
        book.write(["Ada", 8])
    assert (folder / "out.bak.xlsx").exists()


def test_workbook_that_replaces_something_else_keeps_it(folder: Path) -> None:
    Path("out.xlsx").write_text("no workbook")
    with open_sheet("out.xlsx") as book:
        book.write(["Ada", 7])
    assert Path("out.bak.xlsx").read_text() == "no workbook"


def test_empty_file_is_replaced_and_not_kept(folder: Path) -> None:
    Path("out.csv").touch()
    with open_text("out.csv") as stream:
        stream.write("new")
    assert [path.name for path in folder.iterdir()] == ["out.csv"]


def test_rows_are_written_into_a_workbook_as_texts() -> None:
    text = 'id,phone,contactsdk_message,note\n7,0412345678,old,=1+1\n8,+61 4,,"x\ny"\n'
    source = csv_input(text, ignored=["note"])
    rows = [
        (row, Result(line=2, row=2, id=10**15, state=State.FAILED, message="-why"))
        for row in source
    ]
    write_all(source, rows, rejects="rejects.xlsx", merged="merged.xlsx", results="results.xlsx")
    assert sheet("rejects.xlsx") == [
        ["id", "phone", "note", "contactsdk_message"],
        ["7", "0412345678", "=1+1", "-why"],
        ["8", "+61 4", "x\ny", "-why"],
    ]
    assert sheet("merged.xlsx")[1] == [
        "7",
        "0412345678",
        "=1+1",
        "1000000000000000",
        "failed",
        "-why",
    ]
    assert sheet("results.xlsx")[1] == [2, 2, "1000000000000000", "failed", "-why", 0]


def test_workbook_with_rejects_is_imported_again() -> None:
    source = csv_input("id,phone,groups\n7,0412345678,10;11\n8,+61 4,\n")
    rows = list(source)
    write_all(source, [(row, RESULT) for row in rows], rejects="rejects.xlsx")
    with open_input("rejects.xlsx") as again:
        assert [again.item(row) for row in again] == [source.item(row) for row in rows]


def test_row_that_cannot_be_divided_is_in_a_workbook_as_it_was() -> None:
    source = csv_input('id,phone\n7,1\n8,"x"y\n')
    write_all(source, [(row, RESULT) for row in source], rejects="rejects.xlsx")
    assert sheet("rejects.xlsx")[2] == ['8,"x"y\n', None, "ü"]


def test_workbook_is_there_under_its_other_name_after_an_error() -> None:
    source = csv_input("id\n7\n")
    with (
        pytest.raises(ZeroDivisionError),
        open_outputs(OutputNames(rejects="bad.xlsx"), source) as outputs,
    ):
        outputs.write(RESULT, next(iter(source)))
        1 / 0  # noqa: B018  # whatever goes wrong
    assert not Path("bad.xlsx").exists()
    assert sheet("bad.partial.xlsx")[1] == ["7", "ü"]


def test_workbook_is_not_a_pipe() -> None:
    os.mkfifo("pipe.xlsx")
    with pytest.raises(FileError, match="cannot be written to a pipe or a device"):
        check_output_names(OutputNames(results="pipe.xlsx"), Format.CSV)


def test_more_rows_than_a_sheet_has_are_refused_beforehand() -> None:
    names = OutputNames(rejects="bad.xlsx")
    check_output_names(names, Format.CSV, rows=1_048_575)
    with pytest.raises(FileError, match="a sheet holds 1,048,576 rows with its header"):
        check_output_names(names, Format.CSV, rows=1_048_576)


def test_file_that_could_not_be_completed_says_so_by_its_name() -> None:
    Path("out.csv").write_text("old")
    with pytest.raises(ZeroDivisionError), open_text("out.csv") as stream:
        stream.write("new")
        1 / 0  # noqa: B018  # whatever goes wrong
    assert Path("out.csv").read_text() == "old"
    assert Path("out.partial.csv").read_text() == "new"


def test_file_that_a_link_points_to_is_replaced_and_the_link_stays(folder: Path) -> None:
    (folder / "sub").mkdir()
    Path("link.csv").symlink_to("sub/out.csv")
    with open_text("link.csv") as stream:
        stream.write("new")
    assert Path("link.csv").is_symlink()
    assert Path("sub/out.csv").read_text() == "new"


def test_output_that_cannot_be_written_is_an_error() -> None:
    with (
        pytest.raises(FileError, match="File name too long"),
        open_outputs(OutputNames(results=f"{'x' * 300}.csv"), None),
    ):
        pass


@pytest.mark.parametrize(
    ("names", "has_rows", "takes_standard_output"),
    [
        (OutputNames(), False, False),
        (OutputNames(results="-"), False, True),
        (OutputNames(results="x"), False, False),
        (OutputNames(rejects="-"), True, True),
        (OutputNames(uncertain="x"), True, False),
        (OutputNames(merged="x"), True, False),
    ],
)
def test_names_say_what_the_files_hold_and_where_they_go(
    names: Any, has_rows: Any, takes_standard_output: Any
) -> None:
    assert names.has_rows == has_rows
    assert names.takes_standard_output == takes_standard_output


def test_folder_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(FileError, match=r"^out: there is no such folder; make it first$"),
        open_text("out/results.csv"),
    ):
        pass


def test_output_that_cannot_be_completed_when_it_is_closed_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"), open_text("/dev/full") as stream:
        stream.write("no end of the line, so that it is only written at the end")


def test_output_that_cannot_be_completed_is_reported_once() -> None:
    failures: list[str] = []

    def note(name: str, error: OSError) -> None:
        failures.append(name)

    with open_text("/dev/full", note) as stream:
        stream.write("written at the end")
    assert failures == ["/dev/full"]
