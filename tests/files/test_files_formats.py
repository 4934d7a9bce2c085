import pytest

from contactsdk.files import FileError, Format, format_of
from contactsdk.files.formats import csv_line, json_line


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.csv", Format.CSV),
        ("b/c.CSV", Format.CSV),
        ("a.tsv", Format.CSV),
        ("a.txt", Format.CSV),
        ("a.csv.gz", Format.CSV),
        ("d.tar.jsonl", Format.JSONL),
        ("a.ndjson", Format.JSONL),
        ("a.json", Format.JSONL),
        ("a.xlsx", Format.EXCEL),
        ("a.XLS", Format.EXCEL),
        ("a.ods", Format.EXCEL),
    ],
)
def test_name_tells_the_format(name: str, format: Format) -> None:
    assert format_of(name) is format


@pytest.mark.parametrize("name", ["a.dat", "csv", "", "a.numbers", "a.gz"])
def test_name_that_tells_no_format_is_an_error(name: str) -> None:
    with pytest.raises(FileError, match="--format csv or --format jsonl"):
        format_of(name)


def test_cells_are_quoted_where_they_must_be() -> None:
    assert csv_line(["a", "b;c", 'd"e', ""], ";") == 'a;"b;c";"d""e";\r\n'


def test_json_of_a_line_has_no_lone_surrogates() -> None:
    assert json_line({"\ud800": "\u00fc"}) == '{"\\ud800": "\u00fc"}\n'
