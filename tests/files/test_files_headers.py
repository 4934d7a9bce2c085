import pytest

from contactsdk.files import FileError
from tests.files.made import ADA, NAMES, csv_input, items


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"{ADA}\n{ADA}\n", "it looks like a contact; put a row with the names above it"),
        (f"Guests,,\n,,\n{NAMES}\n{ADA}\n", "it looks like a title, and row 3 like the header"),
        (f"Guests of 2026\n{NAMES}\n{ADA}\n", "it looks like a title, and row 2 like the header"),
        (f"Email,x,\n{NAMES}\n{ADA}\n", "it looks like a title, and row 2 like the header"),
        ("Guests,,\nAda,Archer,x\n", "it looks like a title; the first row must have the names"),
    ],
)
def test_first_row_that_is_no_header_is_refused_as_what_it_looks_like(text: str, what: str) -> None:
    with pytest.raises(FileError) as caught:
        csv_input(text)
    assert f"row 1: this is not a header row: {what}" in str(caught.value)


def test_row_that_names_one_known_column_is_a_header() -> None:
    with pytest.raises(FileError, match="unknown column 'Notes'"):
        csv_input("Notes,Email\nx,ada@example.com\n")


def test_header_that_names_nothing_known_is_one_of_unknown_columns() -> None:
    with pytest.raises(FileError, match="unknown column 'One'"):
        csv_input("One,Two\n1,2\n")
    with pytest.raises(FileError, match="unknown column 'One'"):
        csv_input("One\n1\n")


def test_header_with_a_wrong_quote_is_refused() -> None:
    with pytest.raises(FileError, match="row 1: text follows a closing quote"):
        csv_input('"first_name"x,email\nAda,ada@example.com\n')


def test_header_in_a_later_row_is_the_first_that_is_filled() -> None:
    assert len(items(csv_input(f"\n,,\n{NAMES}\n{ADA}\n"))) == 1


@pytest.mark.parametrize("text", ["", "\n\n", " \n;;\n", "\ufeff"])
def test_file_with_nothing_in_it_is_nothing_to_do(text: str) -> None:
    with pytest.raises(FileError, match=r"x\.csv: there is nothing to do: there is nothing in it"):
        csv_input(text)


@pytest.mark.parametrize("text", [NAMES, f"{NAMES}\n,,\n\n"])
def test_header_alone_is_nothing_to_do(text: str) -> None:
    with pytest.raises(FileError, match="nothing to do: there are no rows below the header"):
        csv_input(text)
