from typing import Any

import pytest

from contactsdk import Contact, EmailStatus, ExternalUrl, SmsStatus
from contactsdk.files.cells import CellError, external_id_of, name_of, number_of, phone_of, text_of
from tests.files.made import csv_input, errors, one_item


def one_cell(column: str, cell: str) -> Any:
    """The item of a row to update with this one further cell."""
    return one_item(csv_input(f'id,"{column}"\n7,"{cell}"\n'))


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("externalId", "x-1", "external_id", "x-1"),
        ("externalId", "10.0", "external_id", "10"),
        ("externalId", "10.00", "external_id", "10.00"),
        ("externalId", "12E5", "external_id", "12E5"),
        ("PHONE", " 1 ", "phone", "1"),
        ("groups", "10;11", "groups", (10, 11)),
        ("groups", "10, 11", "groups", (10, 11)),
        ("groups", "10\n11\r\n12", "groups", (10, 11, 12)),
        ("groups", "10.0", "groups", (10,)),
        ("groups", "10;", "groups", (10,)),
        ("companies", " 4 ; 5 ", "companies", (4, 5)),
        ("status", "5", "status", EmailStatus.NO_MARKETING),
        ("status", "5.0", "status", EmailStatus.NO_MARKETING),
        ("status", "No  Marketing", "status", EmailStatus.NO_MARKETING),
        ("status", "no_marketing", "status", EmailStatus.NO_MARKETING),
        ("smsStatus", "FAILED", "sms_status", SmsStatus.FAILED),
        ("sms_status", "4", "sms_status", SmsStatus.NO_MARKETING),
        ("updateIfExists", "TRUE", "update_if_exists", True),
        ("update_if_exists", "Yes", "update_if_exists", True),
        ("update_if_exists", "y", "update_if_exists", True),
        ("update_if_exists", "1", "update_if_exists", True),
        ("privacyConsent", "false", "privacy_consent", False),
        ("privacyconsent", "No", "privacy_consent", False),
        ("privacy_consent", "N", "privacy_consent", False),
        ("privacy_consent", "0", "privacy_consent", False),
        (
            "externalUrls.CRM",
            "https://example.com/7",
            "external_urls",
            (ExternalUrl(ref="CRM", url="https://example.com/7"),),
        ),
    ],
)
def test_cell_becomes_the_value_of_its_field(
    column: str, cell: str, field: str, value: object
) -> None:
    assert one_cell(column, cell) == Contact(**{"id": 7, field: value})  # type: ignore[arg-type]  # a field by its name


@pytest.mark.parametrize("cell", ["", "  ", "\u00a0", "\u200b", ";", "\ufeff \u200b"])
@pytest.mark.parametrize("column", ["groups", "companies"])
def test_list_with_nothing_in_it_is_not_sent(column: str, cell: str) -> None:
    assert one_cell(column, cell) == Contact(id=7)


@pytest.mark.parametrize("cell", ["", "  ", "\u00a0", "\u200b", "\ufeff \u200b"])
@pytest.mark.parametrize(
    "column",
    [
        "phone",
        "email",
        "externalId",
        "status",
        "updateIfExists",
        "customFields.1",
        "externalUrls.a",
    ],
)
def test_empty_cell_is_not_sent(column: str, cell: str) -> None:
    assert one_cell(column, cell) == Contact(id=7)


@pytest.mark.parametrize(
    ("column", "cell", "path"),
    [
        ("groups", "10;x", ("groups",)),
        ("companies", "-4", ("companies",)),
        ("companies", "\u0664", ("companies",)),
        ("companies", "Abt AG", ("companies",)),
        ("status", "Foo", ("status",)),
        ("status", "6", ("status",)),
        ("smsStatus", "Bounced", ("smsStatus",)),
        ("updateIfExists", "maybe", ("updateIfExists",)),
        ("externalUrls.a", "http://example.com", ("externalUrls", 0, "url")),
    ],
)
def test_cell_that_cannot_be_read_is_its_rows_failure(
    column: str, cell: str, path: tuple[str | int, ...]
) -> None:
    assert list(errors(one_cell(column, cell))) == [path]


@pytest.mark.parametrize(
    "text",
    ["6.14E+10", "6,14E+10", "1E+11", "1e+11", "1.5E5", "1.23457E+11"],
)
def test_number_that_a_spreadsheet_rounded_is_an_error(text: str) -> None:
    with pytest.raises(CellError, match="rounded: format its column as text"):
        text_of(text)


@pytest.mark.parametrize(
    "text", ["#REF!", "#N/A", "#ERROR!", "#n/a", "#NV", "#####", "Err:502", "#VALUE!", "#NAME?"]
)
def test_error_of_a_spreadsheet_is_an_error(text: str) -> None:
    with pytest.raises(CellError, match="an error of a spreadsheet: correct the cell"):
        text_of(text)


@pytest.mark.parametrize("text", ["#1", "#vip", "Eva", "E5", "12E5", "3E", "Error", "10.0", "1.5"])
def test_text_that_only_looks_odd_stays(text: str) -> None:
    assert text_of(text) == text


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("'+61 400", "+61 400"),
        ("'Berg", "Berg"),
        ("'Berg'", "Berg"),
        ("' Berg", "Berg"),
        ("'t Hooft", "'t Hooft"),
        ("'s-Gravesande", "'s-Gravesande"),
        ("O'Brien", "O'Brien"),
        ("''", "'"),
    ],
)
def test_apostrophe_of_a_spreadsheets_text_is_dropped(cell: str, text: str) -> None:
    assert text_of(cell) == text


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\x7f", "\x9f"])
def test_control_character_is_an_error(char: str) -> None:
    with pytest.raises(CellError, match="control character"):
        text_of(f"Be{char}rg")


def test_line_breaks_and_tabs_are_not_control_characters() -> None:
    assert text_of("\t1 High St\r\n\tTown\n") == "1 High St\r\n\tTown"


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u200b", "\ufeff", "\u202a", "\u3000", "\u00ad"])
def test_blanks_at_the_ends_are_dropped(blank: str) -> None:
    assert text_of(f"{blank}Ida{blank}{blank}") == "Ida"


def test_blanks_within_a_name_are_plain_ones() -> None:
    assert name_of("Anna\u00a0Maria \u200bBerg") == "Anna Maria Berg"


def test_joiners_within_a_name_stay() -> None:
    assert name_of("\u0646\u200c\u0627") == "\u0646\u200c\u0627"


def test_large_text_keeps_the_blanks_within_it() -> None:
    assert text_of("10\u00a0%") == "10\u00a0%"


@pytest.mark.parametrize("cell", ["61412345678.0", "61412345678,0", "61412345678"])
def test_phone_has_no_decimals(cell: str) -> None:
    assert phone_of(cell) == "61412345678"


def test_formula_is_not_a_phone() -> None:
    with pytest.raises(CellError, match="is a formula"):
        phone_of("=+61412345678")


@pytest.mark.parametrize("read", [name_of, phone_of, external_id_of, number_of])
def test_nothing_is_read_from_blanks(read: Any) -> None:
    assert read(" \u200b") is None
