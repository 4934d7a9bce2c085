import pytest
from cli.test_cli_survey import survey_of
from examples import a_contact, an_update

from contactsdk import InvalidContactError
from contactsdk.cli.preview import full_preview, notes, short_preview
from contactsdk.files import Layout
from contactsdk.models import Item

LAYOUT = Layout(
    encoding="Windows-1252",
    delimiter=";",
    columns=(("Vorname", "first_name"), ("E-Mail", "email")),
    left_out=("Notiz", "a\tb"),
    warnings=("rows 2, 3 were decoded wrongly once already.",),
)
INVALID = InvalidContactError([(("email",), "is required")])


def notes_of(*items: Item, has_journal: bool = True) -> str:
    return "\n".join(notes(Layout(), survey_of(*items), has_journal=has_journal))


def test_full_preview_shows_how_the_file_is_read_and_what_would_be_sent() -> None:
    text = full_preview("in.csv", LAYOUT, survey_of(a_contact(), INVALID), has_journal=True)
    assert text.splitlines() == [
        "in.csv: Windows-1252, divided by semicolons",
        "  Vorname  ->  first_name",
        "  E-Mail   ->  email",
        "Left out: Notiz, a b",
        "",
        "The first rows as they would be sent:",
        '  row 2: firstName "Ada", lastName "Archer", email "ada@example.com"',
        "",
        "2 rows",
        "1 add",
        "0 updates",
        "0 updates if they exist, or adds",
        "1 invalid",
        "",
        "Invalid:",
        "  1 x email is required (row 3)",
        "",
        "Note: rows 2, 3 were decoded wrongly once already.",
    ]


def test_full_preview_of_what_can_all_be_sent_is_short() -> None:
    layout = Layout(encoding="", sheet="Leads")
    text = full_preview("in.xlsx", layout, survey_of(an_update(phone="1")), has_journal=True)
    assert text.splitlines() == [
        "in.xlsx: sheet Leads",
        "",
        "The first rows as they would be sent:",
        '  row 2: id 7, phone "1"',
        "",
        "1 row",
        "0 adds",
        "1 update",
        "0 updates if they exist, or adds",
        "0 invalid",
    ]


def test_full_preview_of_what_is_all_invalid_shows_no_row() -> None:
    text = full_preview("in.csv", Layout(delimiter="#"), survey_of(INVALID), has_journal=True)
    assert text.startswith("in.csv: UTF-8, divided by '#'\n\n1 row\n")


def test_long_value_is_cut_in_the_preview() -> None:
    contact = a_contact(phone="1" * 100)
    text = full_preview("in.csv", Layout(), survey_of(contact), has_journal=True)
    assert f'phone "{"1" * 59}...\n' in text


def test_short_preview_shows_no_value_of_a_contact() -> None:
    text = short_preview("in.csv", LAYOUT, survey_of(a_contact(), INVALID), has_journal=False)
    assert "Archer" not in text
    assert "1 invalid\nInvalid, and not sent:\n  1 x email is required (row 3)\n" in text
    assert "decoded wrongly" in text
    assert "each time this is run, 1 contact is added again" in text


def test_short_preview_of_what_can_all_be_sent_is_counts_alone() -> None:
    text = short_preview("in.csv", Layout(), survey_of(a_contact()), has_journal=True)
    assert text.splitlines()[-1] == "0 invalid"


@pytest.mark.parametrize(
    ("items", "note"),
    [
        ([a_contact(), a_contact()], "2 rows have the same names and email; each adds a contact"),
        ([a_contact(external_id="1")] * 2, "2 rows have the same external id: rows 2, 3."),
        ([an_update()], "1 row has an id and nothing else, so nothing is updated"),
        ([a_contact(groups=[1])], "1 row has groups; they replace all groups"),
        ([a_contact(status=1), a_contact(status=1)], "2 rows have a status that subscribes"),
    ],
)
def test_what_may_be_meant_otherwise_is_said(items: list[Item], note: str) -> None:
    assert f"Note: {note}" in notes_of(*items)


def test_further_groups_of_the_same_person_are_not_named() -> None:
    items = [a_contact(first_name=name) for name in "AABBCCDD"]
    assert "8 rows have" in notes_of(*items)
    assert "rows 2, 3; rows 4, 5; rows 6, 7 and more." in notes_of(*items)


def test_what_is_safe_to_run_again_is_no_note() -> None:
    again = [an_update(phone="1"), a_contact(update_if_exists=True)]
    assert notes_of(*again, has_journal=False) == ""
    assert notes_of(a_contact(), has_journal=True) == ""
