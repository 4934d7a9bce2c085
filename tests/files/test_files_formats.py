import pytest

from contactsdk.files import FileError, Format, format_of


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.csv", Format.CSV), ("b/c.CSV", Format.CSV), ("d.tar.jsonl", Format.JSONL)],
)
def test_name_tells_the_format(name, format):
    assert format_of(name) is format


@pytest.mark.parametrize("name", ["a.txt", "csv", "", "a.json"])
def test_name_that_tells_no_format_is_an_error(name):
    with pytest.raises(FileError, match="csv or jsonl"):
        format_of(name)


@pytest.mark.parametrize("name", ["a.xlsx", "a.XLS", "a.ods", "a.numbers"])
def test_spreadsheet_is_to_be_saved_as_csv(name):
    with pytest.raises(FileError, match=f"{name}: a spreadsheet cannot be read: save it as CSV"):
        format_of(name)
