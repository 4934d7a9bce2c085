from typing import Any

import pytest

from contactsdk.field_values import DateOrder
from tests.files.made import a_field, csv_input, items


def notes_of(text: str, **options: Any) -> tuple[str, ...]:
    source = csv_input(text, **options)
    items(source)
    return source.warnings()


def test_dates_in_several_forms_are_a_note() -> None:
    text = "id,Born\n1,1961-02-02\n2,01.01.1960\n3,2/13/2000\n4,01.02.2000\n5,no date\n"
    assert notes_of(text, maps=["Born=customFields.5"]) == (
        "the column 'Born' has dates in several forms, which are sent as they are: yyyy-mm-dd "
        "(1 x), dd.mm.yyyy (2 x), dd/mm/yyyy or mm/dd/yyyy (1 x).",
    )


def test_dates_in_one_form_cause_no_note() -> None:
    text = "id,customFields.5\n1,01.01.1960\n2,1.2.1961\n3,12345678\n"
    assert notes_of(text) == ()


def test_dates_of_a_field_that_takes_dates_cause_no_note() -> None:
    text = "id,customFields.5\n1,1961-02-02\n2,01.02.1960\n"
    assert notes_of(text, custom_fields=[a_field(5, "Born", 5)], date_order=DateOrder.DMY) == ()


@pytest.mark.parametrize("header", ["PLZ", "Zip code", "Postal-Code", "Home PLZ"])
def test_postcodes_that_may_have_lost_a_zero_are_a_note(header: str) -> None:
    text = f"id,{header}\n1,80331\n2,1067\n3,04109\n4,1099\n5,W1A 1AA\n6,1011 AB\n"
    assert notes_of(text, maps=[f"{header}=customFields.5"]) == (
        f"in the column '{header}', 2 postcodes have one digit less than the others; a spreadsheet "
        "may have removed a leading 0.",
    )


def test_postcode_of_an_address_may_have_lost_a_zero() -> None:
    text = "id,customFields.9.postalCode,customFields.9.city\n1,80331,A\n2,1067,B\n"
    assert "1 postcode has one digit less" in " ".join(notes_of(text))


def test_cells_that_are_not_there_do_no_harm() -> None:
    text = "id,phone,PLZ\n1,1,80331\n2,1\n"
    assert notes_of(text, maps=["PLZ=customFields.5"]) == ()


def test_numbers_in_other_columns_are_not_postcodes() -> None:
    assert notes_of("id,customFields.5\n1,80331\n2,1067\n") == ()


def test_postcodes_of_one_length_cause_no_note() -> None:
    assert notes_of("id,PLZ\n1,80331\n2,01067\n", maps=["PLZ=customFields.5"]) == ()
