import io
from typing import Any

import pytest

from contactsdk.files import FileError, HeaderError, input_options, read_input
from tests.files.made import (
    ADA,
    NAMES,
    contact_of,
    csv_input,
    items,
    jsonl_input,
    one_item,
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            f"{ADA}\n{ADA}\n",
            "it looks like a contact; above it, add a row with the names of the columns",
        ),
        (f"Guests,,\n,,\n{NAMES}\n{ADA}\n", "it looks like a title, and row 3 like the header"),
        (f"Guests of 2026\n{NAMES}\n{ADA}\n", "it looks like a title, and row 2 like the header"),
        (f"Email,x,\n{NAMES}\n{ADA}\n", "it looks like a title, and row 2 like the header"),
        (
            "Guests,,\nAda,Archer,x\n",
            "it looks like a title; the first row must have the names of the columns",
        ),
    ],
)
def test_first_row_that_is_not_a_header_is_refused_with_what_it_looks_like(
    text: str, what: str
) -> None:
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
def test_file_with_nothing_in_it_has_nothing_to_import(text: str) -> None:
    with pytest.raises(FileError, match=r"x\.csv: nothing to import: the file is empty"):
        csv_input(text)


@pytest.mark.parametrize("text", [NAMES, f"{NAMES}\n,,\n\n"])
def test_header_without_rows_has_nothing_to_import(text: str) -> None:
    with pytest.raises(FileError, match="nothing to import: there are no rows below the header"):
        csv_input(text)


GERMAN = "Anrede;Vorname;Nachname;E-Mail-Adresse;Telefon;Handy;Firma"
FELIX = "Herr;Felix;Abt;felix@example.com;+4912345678;+4911111111;Abt AG"


def refusal(text: str, **options: Any) -> HeaderError:
    with pytest.raises(HeaderError) as caught:
        csv_input(text, **options)
    return caught.value


def test_unknown_columns_come_with_options_that_take_what_is_guessed() -> None:
    error = refusal(f"{GERMAN}\n{FELIX}\n")
    assert error.options == (
        *("--map", "Vorname=firstName", "--map", "Nachname=lastName"),
        *("--map", "E-Mail-Adresse=email", "--map", "Telefon=phone"),
        *("--ignore-columns", "Anrede,Handy,Firma"),
    )
    maps = ["Vorname=firstName", "Nachname=lastName", "E-Mail-Adresse=email", "Telefon=phone"]
    source = csv_input(f"{GERMAN}\n{FELIX}\n", maps=maps, ignored=["Anrede,Handy,Firma"])
    assert contact_of(one_item(source)).phone == "+4912345678"


def test_each_unknown_column_has_its_own_line() -> None:
    lines = str(refusal(f"{GERMAN}\n{FELIX}\n")).splitlines()
    assert lines[:3] == [
        "x.csv, row 1:",
        "  unknown column 'Anrede'",
        "  unknown column 'Vorname' (use --map \"Vorname=firstName\" if it holds that)",
    ]
    assert lines[7].endswith(
        "companies can be given only by their ids, so their names cannot be imported"
    )
    assert lines[-1].startswith("A column may hold id, externalId, firstName, lastName, ")


def test_nothing_is_guessed_that_another_column_holds() -> None:
    error = refusal(f"{NAMES},Mail,Name\n{ADA},x,y\n")
    assert error.options == ("--ignore-columns", "Mail,Name")
    error = refusal("Name,Vorname,E-mail\nAda Abt,Ada,a@example.com\n")
    assert error.options == ("--map", "Name=firstName lastName", "--ignore-columns", "Vorname")


def test_columns_of_one_name_or_with_commas_are_left_out_each_by_itself() -> None:
    error = refusal(f'{NAMES},Tel,Tel,"a, b",custmFields\n{ADA},1,2,3,4\n')
    assert error.options == (
        *("--ignore-columns", "column D", "--ignore-columns", "column E"),
        *("--ignore-columns", "a, b", "--ignore-columns", "custmFields"),
    )


def test_title_above_a_header_that_can_only_be_guessed_is_seen() -> None:
    error = refusal(f"Kunden 2026\n\n{GERMAN}\n{FELIX}\n")
    assert "it looks like a title, and row 3 like the header; use --header-row 3" in str(error)
    assert error.options == ("--header-row", "3")


def test_title_above_a_header_that_nobody_knows_is_seen() -> None:
    error = refusal("Kunden 2026\nEins;Zwei;Drei\n1;2;3\n")
    assert error.options == ("--header-row", "2")


def test_account_is_not_asked_because_of_a_title() -> None:
    def ask() -> None:
        raise AssertionError

    text = f"Kunden 2026\n\n{GERMAN}\n{FELIX}\n"
    with (
        pytest.raises(HeaderError),
        read_input(io.BytesIO(text.encode()), "x.csv", input_options(ask_custom_fields=ask)),
    ):
        pass


def test_account_is_not_asked_about_columns_that_are_left_out() -> None:
    def ask() -> None:
        raise AssertionError

    options = input_options(ask_custom_fields=ask, ignored=["Note"], maps=["Cell=phone"])
    text = f"{NAMES},Note,Cell\n{ADA},x,1\n"
    with read_input(io.BytesIO(text.encode()), "x.csv", options) as source:
        assert len(items(source)) == 1
        assert source.warnings() == ()


def test_header_row_that_is_named_is_taken() -> None:
    text = f"Guests,,\n,,\n{NAMES}\n{ADA}\n"
    source = csv_input(text, header_row=3)
    [row] = list(source)
    assert row.number == 4
    assert source.item(row) == one_item(csv_input(f"{NAMES}\n{ADA}\n"))


@pytest.mark.parametrize("number", [2, 9])
def test_header_row_with_nothing_in_it_is_refused(number: int) -> None:
    with pytest.raises(FileError, match=f"--header-row {number}: that row is empty"):
        csv_input(f"Guests,,\n,,\n{NAMES}\n{ADA}\n", header_row=number)


def test_header_row_of_json_is_refused() -> None:
    with pytest.raises(FileError, match="--header-row is for tables"):
        jsonl_input('{"id": 7}', header_row=2)


def test_column_that_is_missing_is_reported_once() -> None:
    error = refusal("First Name,Phone\nAda,1\nBen,2\n")
    assert str(error) == (
        "x.csv, row 1: no column holds lastName, email: each contact needs firstName, lastName and "
        "email, or the id that the platform gave it; the columns are 'First Name', 'Phone'"
    )
    assert error.options == ()


def test_missing_column_is_named_beside_unknown_ones() -> None:
    error = refusal("First Name,Last Name,Seat\nAda,Archer,1\n")
    assert "\n  unknown column 'Seat'\n  no column holds email: " in str(error)
    assert error.options == ()


def test_value_that_is_set_for_each_row_is_not_missing() -> None:
    source = csv_input("First Name,Email\nAda,a@example.com\n", sets=["lastName=Archer"])
    assert contact_of(one_item(source)).last_name == "Archer"


def test_list_of_full_names_lacks_no_name() -> None:
    source = csv_input("Name,Email\nAda Archer,a@example.com\n", maps=["Name=firstName lastName"])
    assert contact_of(one_item(source)).last_name == "Archer"


def test_column_that_is_left_out_as_unknown_and_may_hold_a_field_is_a_note() -> None:
    source = csv_input(f"{NAMES},Telefon,x\n{ADA},1,2\n", ignore_unknown=True)
    assert source.warnings() == (
        "the column 'Telefon' is left out, but may hold phone: to import it, use "
        '--map "Telefon=phone".',
    )


def test_column_to_leave_out_that_is_not_there_is_a_note() -> None:
    source = csv_input(f"{NAMES},x\n{ADA},1\n", ignored=["x,Notes"])
    assert source.warnings() == ("--ignore-columns names a column 'Notes' that is not there.",)


def test_column_that_is_left_out_as_unknown_is_missing_and_guessed() -> None:
    error = refusal(f"{GERMAN}\n{FELIX}\n", ignore_unknown=True)
    assert "no column holds firstName, lastName, email" in str(error)
    assert "Vorname=firstName" in error.options
