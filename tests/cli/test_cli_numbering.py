import pytest
from files.made import csv_input, jsonl_input

from contactsdk.cli.numbering import RowNumbers
from contactsdk.files import Format


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("id\n7\n8\n", [2, 3]),
        ("id\r\n\r\n7\r\n\r\n8\r\n", [3, 5]),
        ('id,phone\n7,"1\n2"\n8,"1\r\n2\r3"\n9,\n', [2, 3, 4]),
        ('id,"pho\nne"\n7,\n8,\n', [2, 3]),
    ],
)
def test_rows_of_csv_are_numbered_as_in_a_spreadsheet(text: str, numbers: list[int]) -> None:
    source = csv_input(text, ["pho\nne"])
    rows = RowNumbers(Format.CSV, source.head())
    assert [rows.number(row) for row in source] == numbers


def test_row_of_json_lines_has_the_number_of_its_line() -> None:
    source = jsonl_input('{"id": 7}\n\n{"id": 8}\n')
    rows = RowNumbers(Format.JSONL, source.head())
    assert [rows.number(row) for row in source] == [1, 3]
