import csv
import io
import json
from typing import Any

import pytest

from contactsdk.files import (
    Format,
    MergedWriter,
    Result,
    ResultsWriter,
    RowsWriter,
    State,
    safe_cell,
)
from tests.files.made import csv_input, items, jsonl_input

RESULTS = [
    Result(line=2, row=2, id=7, state=State.SUCCEEDED, attempts=1),
    Result(line=3, row=3, state=State.FAILED, message='a "b", c', attempts=2),
    Result(line=5, row=4, state=State.NOT_STARTED, message="ü"),
]
SUCCEEDED, FAILED, _ = RESULTS
HARMFUL = Result(line=2, row=2, state=State.FAILED, message="=1+1")


def written(kind: Any, source: Any, format: Any, result: Result = FAILED) -> Any:
    stream = io.StringIO()
    writer = kind(stream, format, source)
    for row in source:
        writer.write(row, result)
    return stream.getvalue()


def test_results_are_csv() -> None:
    stream = io.StringIO()
    writer = ResultsWriter(stream, Format.CSV)
    for result in RESULTS:
        writer.write(result)
    assert stream.getvalue() == (
        "line,row,id,state,message,attempts\n"
        "2,2,7,succeeded,,1\n"
        '3,3,,failed,"a ""b"", c",2\n'
        "5,4,,not_started,ü,0\n"
    )


def test_results_are_json_lines() -> None:
    stream = io.StringIO()
    writer = ResultsWriter(stream, Format.JSONL)
    writer.write(FAILED)
    assert json.loads(stream.getvalue()) == {
        "line": 3,
        "row": 3,
        "id": None,
        "state": "failed",
        "message": 'a "b", c',
        "attempts": 2,
    }


@pytest.mark.parametrize("begin", "=+-@＝＋－＠")  # noqa: RUF001  # wide forms are formulas too
def test_text_that_a_spreadsheet_would_run_is_made_harmless(begin: str) -> None:
    assert safe_cell(f"{begin}cmd") == f"'{begin}cmd"
    assert safe_cell(f" {begin}cmd") == f" '{begin}cmd"
    assert safe_cell(f"a;{begin}cmd") == f"a;'{begin}cmd"
    assert safe_cell(f'a"{begin}cmd') == f"a\"'{begin}cmd"


def test_text_that_a_spreadsheet_does_not_run_stays_as_it_is() -> None:
    for text in ("", "'email' is wrong", "a-b", "x = 1", "ada@example.com", "1 + 1"):
        assert safe_cell(text) == text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_message_of_the_platform_begins_no_cell_with_a_formula(delimiter: str) -> None:
    source = csv_input("id\n7\n")
    texts = [
        written(kind, source, Format.CSV, HARMFUL)
        for kind in (RowsWriter, MergedWriter)
        for source in [csv_input("id\n7\n")]
    ]
    stream = io.StringIO()
    ResultsWriter(stream, Format.CSV).write(HARMFUL)
    for text in (*texts, stream.getvalue()):
        cells = [cell for row in csv.reader(io.StringIO(text), delimiter=delimiter) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert source


def test_rows_of_csv_are_written_back_in_their_own_columns() -> None:
    source = csv_input("\ufeffid;phone\n7;=1\n")
    text = written(RowsWriter, source, Format.CSV)
    assert text == '\ufeffid;phone;contactsdk_message\r\n7;=1;"a ""b"", c"\r\n'


def test_rows_of_json_lines_are_written_back_as_they_were() -> None:
    source = jsonl_input('{"id": 7, "x": 1}\n')
    text = written(RowsWriter, source, Format.JSONL)
    assert json.loads(text) == {"id": 7, "x": 1, "contactsdk_message": 'a "b", c'}


def test_rows_of_csv_as_json_lines_make_the_same_contact() -> None:
    source = csv_input(
        "id,First Name,groups,customFields.5,customFields.6,externalUrls.crm,status,note,\n"
        "7,Ada,1;2,x,,https://example.com,no marketing,n,\n",
        ignored=["note"],
    )
    row = next(iter(source))
    stream = io.StringIO()
    RowsWriter(stream, Format.JSONL, source).write(row, FAILED)
    [again] = items(jsonl_input(stream.getvalue(), ignored=["note"]))
    assert again == source.item(row)
    assert json.loads(stream.getvalue())["contactsdk_message"] == 'a "b", c'


def test_merged_rows_have_what_became_of_them_beside_their_own_columns() -> None:
    source = csv_input("id,phone\n7\n8,1,beyond\n")
    text = written(MergedWriter, source, Format.CSV, SUCCEEDED)
    assert text == (
        "id,phone,contactsdk_id,contactsdk_state,contactsdk_message\r\n"
        "7,,7,succeeded,\r\n"
        "8,1,7,succeeded,,beyond\r\n"
    )


def test_merged_file_that_is_merged_again_has_our_columns_once() -> None:
    source = csv_input(
        "\ufeffcontactsdk_id,id,contactsdk_state,contactsdk_message\n1,7,failed,no\n"
    )
    text = written(MergedWriter, source, Format.CSV, SUCCEEDED)
    assert text == (
        "\ufeffid,contactsdk_id,contactsdk_state,contactsdk_message\r\n7,7,succeeded,\r\n"
    )


def test_merged_rows_of_csv_can_be_json_lines() -> None:
    source = csv_input("id,note\n7,x\n", ignored=["note"])
    text = written(MergedWriter, source, Format.JSONL)
    assert json.loads(text) == {
        "id": "7",
        "note": "x",
        "contactsdk_id": None,
        "contactsdk_state": "failed",
        "contactsdk_message": 'a "b", c',
    }


def test_merged_rows_of_json_lines_keep_what_cannot_be_read() -> None:
    source = jsonl_input('{"id": 7}\n[1]\nnot JSON\n')
    text = written(MergedWriter, source, Format.JSONL, SUCCEEDED)
    ours = {"contactsdk_id": 7, "contactsdk_state": "succeeded", "contactsdk_message": ""}
    assert [json.loads(line) for line in text.splitlines()] == [
        {"id": 7, **ours},
        {"line": "[1]", **ours},
        {"line": "not JSON", **ours},
    ]
