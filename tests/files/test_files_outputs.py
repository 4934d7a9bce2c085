import io
import json

import pytest
from files.made import csv_input, outcome

from contactsdk import Contact, InvalidContactError, RejectedError, UnavailableError, UncertainError
from contactsdk.files import (
    FileError,
    Format,
    Outputs,
    Result,
    ResultsWriter,
    RowsWriter,
    State,
    not_started,
    open_input,
    open_outputs,
    result_of,
)

RESULTS = [
    Result(line=2, id=7, state=State.SUCCEEDED, attempts=1),
    Result(line=3, state=State.FAILED, message='a "b", c', attempts=2),
    Result(line=4, state=State.NOT_STARTED, message="ü"),
]


@pytest.mark.parametrize(
    "text",
    [
        b"firstName;lastName;email\nAda;;ada@example.com\n;;x\n",
        b'id\tphone\n7\t"1\r2\n3"\n8\t "x"\n9\t\xe4\xf6\n',
        b"\xef\xbb\xbfid,groups,,\n7,1;2,,x\n8,1,2,3,4,5\n",
    ],
)
def test_rejects_make_the_same_items_when_they_are_imported_again(text, tmp_path):
    source = csv_input(text)
    rows = list(source)
    rejects = tmp_path / "rejects.csv"
    with open_outputs(source, "-", rejects=str(rejects)) as outputs:
        for row in rows:
            outputs.write(row, not_started(row.line))
    with open_input(str(rejects)) as again:
        kept = [again.item(row) for row in again]
    before = [source.item(row) for row in rows]
    assert [type(item) for item in kept] == [type(item) for item in before]
    assert [i for i in kept if isinstance(i, Contact)] == [
        i for i in before if isinstance(i, Contact)
    ]


def test_text_of_another_encoding_is_written_back_as_utf8(tmp_path):
    source = csv_input(b"id,phone\n7,\xe4\n")
    rejects = tmp_path / "rejects.csv"
    with open_outputs(source, "-", rejects=str(rejects)) as outputs:
        for row in source:
            outputs.write(row, not_started(row.line))
    assert "\n7,\u00e4,not sent" in rejects.read_text("utf-8-sig")


def test_results_are_csv():
    stream = io.StringIO()
    writer = ResultsWriter(stream, Format.CSV)
    for result in RESULTS:
        writer.write(result)
    assert stream.getvalue() == (
        "line,id,state,message,attempts\n"
        "2,7,succeeded,,1\n"
        '3,,failed,"a ""b"", c",2\n'
        "4,,not_started,ü,0\n"
    )


def test_results_are_json_lines():
    stream = io.StringIO()
    writer = ResultsWriter(stream, Format.JSONL)
    for result in RESULTS:
        writer.write(result)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"line": 2, "id": 7, "state": "succeeded", "message": "", "attempts": 1},
        {"line": 3, "id": None, "state": "failed", "message": 'a "b", c', "attempts": 2},
        {"line": 4, "id": None, "state": "not_started", "message": "ü", "attempts": 0},
    ]


def test_each_row_goes_to_the_files_of_its_state():
    source = csv_input("id\n1\n2\n3\n4\n")
    results, rejects, uncertain = io.StringIO(), io.StringIO(), io.StringIO()
    outputs = Outputs(
        results=ResultsWriter(results, Format.CSV),
        rejects=RowsWriter(rejects, source),
        uncertain=RowsWriter(uncertain, source),
    )
    for row, state in zip(source, State, strict=True):
        outputs.write(row, Result(line=row.line, state=state, message=state))
    assert len(results.getvalue().splitlines()) == 5
    assert rejects.getvalue().split() == ["id,contactsdk_message", "2,failed", "4,not_started"]
    assert uncertain.getvalue().split() == ["id,contactsdk_message", "3,uncertain"]


def test_rejects_of_a_run_that_can_go_on_hold_only_what_it_leaves_out():
    source = csv_input("id\n1\n2\n3\n4\n5\n6\n")
    outcomes = [
        outcome(id=7),
        outcome(RejectedError("refused")),
        outcome(InvalidContactError([((), "invalid")]), attempts=0),
        outcome(UncertainError("uncertain")),
        outcome(UnavailableError("declined"), attempts=5),
        outcome(UnavailableError("unsent"), attempts=0),
    ]
    rejects, uncertain = io.StringIO(), io.StringIO()
    outputs = Outputs(
        results=None,
        rejects=RowsWriter(rejects, source),
        uncertain=RowsWriter(uncertain, source),
        resumable=True,
    )
    for row, came in zip(source, outcomes, strict=True):
        outputs.write(row, result_of(row.line, came))
    assert rejects.getvalue().split() == ["id,contactsdk_message", "2,refused", "3,invalid"]
    assert uncertain.getvalue().split() == ["id,contactsdk_message", "4,uncertain"]


def test_what_was_not_asked_for_is_not_written():
    source = csv_input("id\n1\n2\n3\n4\n")
    with open_outputs(source, "-") as outputs:
        assert outputs == Outputs(results=None, rejects=None, uncertain=None)
        for row, state in zip(source, State, strict=True):
            outputs.write(row, Result(line=row.line, state=state))


def test_name_of_the_results_tells_their_format(tmp_path):
    path = tmp_path / "results.JSONL"
    with open_outputs(csv_input("id\n7\n"), "-", results=str(path)) as outputs:
        outputs.results.write(RESULTS[0])
    assert json.loads(path.read_text())["id"] == 7


def test_results_go_to_standard_output_as_utf8(capfdbinary):
    with open_outputs(csv_input("id\n7\n"), "-", results="-") as outputs:
        outputs.results.write(RESULTS[2])
    print("after")
    assert capfdbinary.readouterr().out.endswith("ü,0\nafter\n".encode())


def test_no_output_may_overwrite_the_input_or_another(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id\n7\n")
    other = tmp_path / "b.csv"
    with open_input(str(path)) as source:
        for names in (
            {"rejects": str(tmp_path / ".." / tmp_path.name / "a.csv")},
            {"results": str(other), "uncertain": str(other)},
            {"results": "-", "rejects": "-"},
        ):
            with (
                pytest.raises(FileError, match="must be different files"),
                open_outputs(source, str(path), **names),
            ):
                pass
    assert path.read_text() == "id\n7\n"
    assert not other.exists()


def test_output_that_cannot_be_written_is_an_error(tmp_path):
    name = str(tmp_path / "none" / "x.csv")
    with (
        pytest.raises(FileError, match="No such file"),
        open_outputs(csv_input("id\n7\n"), "-", results=name),
    ):
        pass
