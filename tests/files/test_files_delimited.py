import io

import pytest

from contactsdk import Contact
from contactsdk.files import FileError
from contactsdk.files.delimited import DelimitedRows
from contactsdk.files.formats import Row
from tests.files.made import (
    ADA,
    NAMES,
    contact_of,
    csv_input,
    errors,
    fields_of,
    items,
    written_back,
)

ADA_ARCHER = Contact(first_name="Ada", last_name="Archer", email="ada@example.com")


def rows_of(text: str) -> list[Row]:
    return list(DelimitedRows(io.StringIO(text, newline=""), "x.csv"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_conventions_of_spreadsheets_are_found_out(delimiter: str, mark: bytes, end: str) -> None:
    text = f"{NAMES}{end}{ADA}{end}".replace(",", delimiter)
    assert items(csv_input(mark + text.encode())) == [ADA_ARCHER]


def test_line_ends_may_be_mixed() -> None:
    assert len(items(csv_input(f"{NAMES}\r\n{ADA}\r{ADA}\n{ADA}"))) == 3


@pytest.mark.parametrize("hint", ["sep=;", "SEP=;", '"sep=;"'])
def test_hint_of_excel_names_the_delimiter_and_is_not_a_row(hint: str) -> None:
    source = csv_input(f"{hint}\r\nid;phone,2\r\n7;1\r\n", ignored=["phone,2"])
    [row] = source
    assert (row.number, row.line) == (2, 3)
    assert source.description.delimiter == ";"


def test_hint_may_name_a_delimiter_that_is_not_looked_for() -> None:
    assert items(csv_input("sep=^\nid^phone\n7^1\n")) == [Contact(id=7, phone="1")]


def test_delimiter_within_quotes_does_not_count() -> None:
    [item] = items(csv_input('id,"externalUrls.a;b;c",phone\n7,https://example.com,1\n'))
    assert [link.ref for link in contact_of(item).external_urls or ()] == ["a;b;c"]


def test_delimiter_divides_the_rows_evenly() -> None:
    source = csv_input("id;customFields.1\n7;a, b, c\n8;d, e, f\n")
    assert source.description.delimiter == ";"


def test_one_column_needs_no_delimiter() -> None:
    assert items(csv_input("id\n7\n8")) == [Contact(id=7), Contact(id=8)]


def test_rows_have_the_numbers_that_a_spreadsheet_shows() -> None:
    text = f'{NAMES}\n\n"A\nd\r\na",B,a@example.com\n{ADA}\n,,\n \n{ADA}'
    rows = list(csv_input(text))
    assert [row.number for row in rows] == [3, 4, 7]
    assert [row.line for row in rows] == [3, 6, 9]
    assert rows[0].cells[0] == "A\nd\r\na"


def test_whole_lines_in_quotes_are_divided() -> None:
    text = f'"{NAMES}"\n"{ADA}"\n"""Ada"",Archer,ada@example.com"\n'
    assert items(csv_input(text)) == [ADA_ARCHER] * 2


def test_one_line_in_quotes_is_divided_where_that_gives_the_columns() -> None:
    good, bad = items(csv_input(f'{NAMES}\n"{ADA}"\n"Ada,Archer"\n'))
    assert good == ADA_ARCHER
    assert ("last_name",) in errors(bad)


def test_line_in_quotes_whose_own_quotes_are_wrong_stays_one_cell() -> None:
    [row] = rows_of('a,b\n"""x""y,z"\n')[1:]
    assert row.cells == ('"x"y,z',)


@pytest.mark.parametrize(
    "text",
    [
        f'{NAMES}\n{ADA}\nAda,"Archer,ada@example.com\n{ADA}\n',
        f'{NAMES}\n{ADA}\nAda,"Archer,ada@example.com',
        f'{NAMES}\n{ADA}\nAda,"Archer,ada@example.com\n"Ada",Archer,ada@example.com\n',
        f'{NAMES}\n{ADA}\nAda,"Archer,ada@example.com\n{"x" * 999}\n' + f"{'y' * 999}\n" * 200,
    ],
)
def test_quote_that_is_not_closed_is_refused_with_its_row(text: str) -> None:
    with pytest.raises(FileError, match=r"x\.csv, row 3: a quote that opens here is not closed"):
        list(csv_input(text))


def test_refusal_names_the_line_as_well_where_it_is_not_the_row() -> None:
    text = f'{NAMES}\n"A\na",B,a@example.com\nAda,"Archer,ada@example.com\n'
    with pytest.raises(FileError, match="row 3, line 4: a quote"):
        list(csv_input(text))


def test_quotes_that_swallow_a_row_fail_it() -> None:
    text = f'{NAMES},customFields.7\n{ADA},"open\n{ADA},"\n{ADA},x\n'
    bad, good = items(csv_input(text))
    assert "holds text that looks like another row" in errors(bad)[()]
    assert fields_of(contact_of(good)) == [(7, "x")]


def test_text_after_a_closing_quote_fails_its_row_which_comes_back_as_it_was() -> None:
    source = csv_input(f'{NAMES}\n"Ada"x,Archer,ada@example.com\r\n{ADA}\n')
    bad, good = list(source)
    assert "text follows a closing quote" in errors(source.item(bad))[()]
    assert source.with_message(bad, "why") == '"Ada"x,Archer,ada@example.com,why\r\n'
    assert source.item(good) == ADA_ARCHER


@pytest.mark.parametrize("quote", ["", '"'])
def test_very_long_cell_fails_its_row_alone(quote: str) -> None:
    text = f"{NAMES},customFields.7\n{ADA},{quote}{'x' * 200_000}{quote}\n{ADA},y\n"
    bad, good = items(csv_input(text))
    assert errors(bad) == {(): "a cell is longer than 131,072 characters: shorten it"}
    assert fields_of(contact_of(good)) == [(7, "y")]


def test_very_long_cell_with_line_breaks_is_refused_as_an_open_quote() -> None:
    long = "x" * 100_000
    with pytest.raises(FileError, match="row 2: a quote that opens here is not closed"):
        list(csv_input(f'id,customFields.7\n7,"{long}\n{long}"\n8,x\n'))


def test_very_long_header_is_refused() -> None:
    with pytest.raises(FileError, match="row 1: a cell is longer than"):
        csv_input(f"{'x' * 200_000},id\n1,2\n")


def test_rows_are_read_as_they_are_asked_for() -> None:
    class Endless(io.StringIO):
        def __next__(self) -> str:  # type: ignore[override]  # as of any text
            return f"{ADA}\n"

    rows = iter(DelimitedRows(Endless(), "x.csv"))
    assert [next(rows).number for _ in range(100)] == list(range(1, 101))


def test_rows_are_written_back_with_a_message() -> None:
    text = f'{NAMES}\r\n"A ""d""\na",B;C,x\r\nAda,Archer\r\n'
    back = written_back(csv_input(text.replace(",", "\t")))
    expected = f'{NAMES},contactsdk_message\r\n"A ""d""\na",B;C,x,why\r\nAda,Archer,,why\r\n'
    assert back == expected.replace(",", "\t")
