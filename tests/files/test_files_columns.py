import pytest

from contactsdk.files import FileError
from contactsdk.files.columns import (
    Column,
    column_of,
    folded,
    letter_of,
    overlap,
    spelled,
    target_of,
)
from contactsdk.files.custom_values import KnownNames
from tests.files.made import a_field

NAMES = KnownNames(
    ask_custom_fields=lambda: (
        a_field(5, "Shirt size", 2),
        a_field(9, "Address", 4),
        a_field(8, "Email", 0),
    )
)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("First Name", Column("first_name")),
        ("first_name", Column("first_name")),
        ("FIRSTNAME", Column("first_name")),
        (" First\u00a0Name ", Column("first_name")),
        ("First\nName", Column("first_name")),
        ("\ufeffEmail", Column("email")),
        ("SMS Status", Column("sms_status")),
        ("customFields.33443", Column("custom_fields", 33443)),
        ("Custom Fields.33443", Column("custom_fields", 33443)),
        ("custom_fields.9.Postal Code", Column("custom_fields", 9, "postalCode")),
        ("externalUrls.CRM", Column("external_urls", "CRM")),
        ("shirt  SIZE", Column("custom_fields", 5)),
        ("Address.city", Column("custom_fields", 9, "city")),
        ("Email", Column("email")),
        ("first_name.1", None),
        ("customFields", None),
        ("customFields.0", None),
        ("customFields.x", None),
        ("customFields.9.street", None),
        ("customFields.\u0664", None),
        ("externalUrls", None),
        ("Shirt", None),
        ("Address.street", None),
        ("", None),
    ],
)
def test_header_names_what_its_column_holds(name: str, column: Column | None) -> None:
    assert column_of(name, NAMES) == column


@pytest.mark.parametrize("name", ["customFields", "external_urls"])
def test_key_of_json_may_hold_all_of_a_kind(name: str) -> None:
    column = column_of(name, whole=True)
    assert column is not None
    assert (column.key, column.part) == (None, None)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("email", Column("email")),
        ("firstName lastName", Column("full_name", "first_name last_name")),
        ("last_name, first_name", Column("full_name", "last_name first_name")),
        ("customFields.7", Column("custom_fields", 7)),
        ("Shirt size", Column("custom_fields", 5)),
    ],
)
def test_target_of_a_map_is_found(text: str, column: Column) -> None:
    assert target_of(text, NAMES) == column
    assert target_of(spelled(column), NAMES) == column


@pytest.mark.parametrize("text", ["", "name", "firstName email", "firstName firstName"])
def test_target_that_is_not_a_field_is_refused_with_the_fields(text: str) -> None:
    with pytest.raises(FileError, match="is not a field of a contact; fields are id, externalId"):
        target_of(text, NAMES)


@pytest.mark.parametrize(
    ("place", "letters"),
    [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA")],
)
def test_letters_of_columns_are_a_spreadsheets(place: int, letters: str) -> None:
    assert letter_of(place) == letters


def test_folded_headers_have_no_case_no_blanks_and_nothing_unseen() -> None:
    assert folded(" E-Mail\u00a01\n_\u200b- Value\ufeff") == "e-mail1-value"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (Column("email"), Column("email"), True),
        (Column("email"), Column("phone"), False),
        (Column("full_name", "first_name last_name"), Column("last_name"), True),
        (Column("full_name", "first_name last_name"), Column("email"), False),
        (Column("custom_fields", 1), Column("custom_fields", 2), False),
        (Column("custom_fields", 1, "city"), Column("custom_fields", 1), True),
        (Column("custom_fields", 1, "city"), Column("custom_fields", 1, "line1"), False),
    ],
)
def test_columns_overlap_where_they_give_the_same_value(
    one: Column, other: Column, is_same: bool
) -> None:
    assert overlap(one, other) is is_same
    assert overlap(other, one) is is_same
