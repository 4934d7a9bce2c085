import gzip

import pytest

from contactsdk import InvalidContactError
from contactsdk.cli.preview import full_preview, notes, short_preview
from contactsdk.cli.recorded import Recorded
from contactsdk.files import Input, KnownNames
from contactsdk.models import Item
from tests.cli.test_cli_survey import survey_of
from tests.examples import a_contact, an_update
from tests.files.made import a_field, csv_input, made_input, workbook

NOT_KNOWN = KnownNames()
INVALID = InvalidContactError([(("email",), "is required")])


def preview_of(
    *items: Item,
    source: Input | None = None,
    full: bool = True,
    has_journal: bool = True,
    address: str = "https://api.example.com",
    names: KnownNames = NOT_KNOWN,
) -> str:
    """A preview of these items, as if they had been read from `source`."""
    source = source or csv_input("id,phone\n7,1\n")
    survey = survey_of(*items)
    recorded = Recorded(name="run.sqlite") if has_journal else None
    if full:
        return full_preview(
            "in.csv", address, source, survey, names, recorded=recorded, in_batches=False
        )
    return short_preview("in.csv", source, survey, recorded=recorded, in_batches=False)


def preview_beside(recorded: Recorded, *items: Item) -> str:
    """A preview of these items, some of which are in a journal."""
    source, survey = csv_input("id,phone\n7,1\n"), survey_of(*items)
    return short_preview("in.csv", source, survey, recorded=recorded, in_batches=False)


def notes_of(
    *items: Item,
    has_journal: bool = True,
    in_batches: bool = False,
    source: Input | None = None,
) -> str:
    source = source or csv_input("id,phone\n7,1\n")
    survey = survey_of(*items)
    recorded = Recorded(name="run.sqlite") if has_journal else None
    return "\n".join(notes(source, survey, recorded=recorded, in_batches=in_batches))


def test_full_preview_shows_how_the_file_is_read_and_what_would_be_sent() -> None:
    source = csv_input(
        "Vorname;Last Name;Email;Notiz\nJ\u00f6rg;A;a@example.com;x\n".encode("cp1252"),
        maps=["Vorname=firstName"],
        ignored=["Notiz"],
    )
    text = preview_of(a_contact(), INVALID, source=source)
    assert text.splitlines() == [
        "in.csv: Windows-1252, divided by semicolons",
        "  Vorname    ->  firstName",
        "  Last Name  ->  lastName",
        "  Email      ->  email",
        "Left out: Notiz (ignored)",
        "",
        "Row 2 would be sent as:",
        "  firstName: Ada",
        "  lastName: Archer",
        "  email: ada@example.com",
        "",
        "2 rows",
        "1 add",
        "1 invalid",
        "",
        "Invalid:",
        "  1 x email is required (row 3)",
        "",
        "This was a dry run: nothing was sent. It would go to https://api.example.com.",
    ]


def test_full_preview_names_the_sheet_of_a_workbook() -> None:
    source = made_input(workbook([["id", "phone"], [7, "1"]], title="Leads"), "in.xlsx")
    text = preview_of(an_update(phone="1"), source=source)
    assert text.startswith("in.csv: sheet Leads\n  id     ->  id\n")


def test_full_preview_says_whose_export_it_is_and_that_it_is_compressed() -> None:
    text = "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME\na@example.com,A,B,2,\n"
    source = made_input(gzip.compress(text.encode()), "in.csv.gz")
    shown = preview_of(a_contact(), source=source)
    assert shown.startswith("in.csv: an export of Mailchimp, compressed, UTF-8, divided by commas")


def test_full_preview_of_what_is_all_invalid_shows_no_row() -> None:
    text = preview_of(INVALID)
    assert "would be sent as" not in text


def test_full_preview_says_that_no_address_is_set() -> None:
    assert preview_of(a_contact(), address="").endswith("nothing was sent. No address is set.")


def test_full_preview_names_custom_fields_beside_their_headers() -> None:
    names = KnownNames(ask_custom_fields=lambda: [a_field(101, "Diet", 0)])
    source = csv_input("id,customFields.101\n7,vegan\n")
    text = preview_of(an_update(custom_fields={101: "vegan"}), source=source, names=names)
    assert "  customFields.101  ->  customFields.101 (Diet)\n" in text
    assert "  customFields.101 (Diet): vegan\n" in text


def test_short_preview_shows_no_value_of_a_contact() -> None:
    text = preview_of(a_contact(), INVALID, full=False, has_journal=False)
    assert "Archer" not in text
    assert "1 invalid\nInvalid, and not sent:\n  1 x email is required (row 3)\n" in text
    assert "each time you run this, 1 contact is added again" in text


def test_short_preview_of_what_can_all_be_sent_is_counts_alone() -> None:
    text = preview_of(a_contact(), full=False)
    assert text.splitlines()[-1] == "1 add"


def test_what_is_odd_about_the_file_is_a_note() -> None:
    source = csv_input("id,phone\n7,\n")
    items = [source.item(row) for row in source]
    assert "Note: row 2: " in notes_of(*items, source=source)


@pytest.mark.parametrize(
    ("items", "note"),
    [
        ([a_contact(), a_contact()], "2 rows have the same name and email; each adds a contact"),
        ([a_contact(external_id="1")] * 2, "2 rows have the same external id: rows 2, 3."),
        (
            [a_contact(update_if_exists=True)] * 2,
            "2 rows have the same name and email; they become one contact; later rows replace its "
            "values: rows 2, 3.",
        ),
        (
            [a_contact(), a_contact(phone="412345678")],
            "1 phone is a number without a leading 0 or +; a spreadsheet may have removed it: row "
            "3.",
        ),
        (
            [an_update(phone="412345678")] * 7,
            "7 phones are numbers without a leading 0 or +; a spreadsheet may have removed it: "
            "rows 2, 3, 4, 5, 6 and 2 more.",
        ),
        ([a_contact(groups=[1])], "1 row has groups; these replace all groups"),
        ([a_contact(status=1), a_contact(status=1)], "2 rows have a status that subscribes"),
    ],
)
def test_what_may_not_be_intended_is_shown(items: list[Item], note: str) -> None:
    assert f"Note: {note}" in notes_of(*items)


def test_further_groups_of_the_same_person_are_not_named() -> None:
    items = [a_contact(first_name=name) for name in "AABBCCDD"]
    assert "8 rows have" in notes_of(*items)
    assert "rows 2, 3; rows 4, 5; rows 6, 7 and more." in notes_of(*items)


def test_batches_are_suggested_only_for_more_than_ten_thousand_rows() -> None:
    many = [an_update(phone="1")] * 10_001
    assert "--batch-size 200" in notes_of(*many)
    assert notes_of(*many, in_batches=True) == ""
    assert notes_of(*many[:-1]) == ""


def test_what_is_safe_to_run_again_causes_no_note() -> None:
    again = [an_update(phone="1"), a_contact(update_if_exists=True)]
    assert notes_of(*again, has_journal=False) == ""
    assert notes_of(a_contact(), has_journal=True) == ""


def test_adds_that_may_be_updates_say_whose() -> None:
    text = preview_of(*[a_contact(update_if_exists=True)] * 2, full=False)
    assert "2 adds, or updates of contacts with the same name and email" in text
    assert "0 " not in text


def test_short_preview_says_which_rows_are_not_sent_again() -> None:
    recorded = Recorded(name="run.sqlite", succeeded=2, rejected=1, uncertain=1)
    assert preview_beside(recorded, *[an_update(phone="1")] * 5).splitlines()[-1] == (
        "run.sqlite has 4 of the rows: they are not sent again "
        "(2 succeeded, 1 failed, 1 uncertain)."
    )
    assert "run.sqlite has 1 of the rows: it is not sent again" in preview_beside(
        Recorded(name="run.sqlite", succeeded=1), *[an_update(phone="1")] * 5
    )


def test_short_preview_of_what_was_all_sent_says_so() -> None:
    recorded = Recorded(name="run.sqlite", succeeded=1, invalid=1)
    text = preview_beside(recorded, an_update(phone="1"), INVALID)
    assert text.endswith("All rows are in run.sqlite: nothing to send.")


def test_ids_of_an_earlier_run_that_are_left_out_are_a_note() -> None:
    merged = csv_input("firstName,lastName,email,contactsdk_id\nA,A,a@example.com,7\n")
    assert "use --map contactsdk_id=id" in notes_of(a_contact(), source=merged)
    assert "contactsdk_id" not in notes_of(an_update(phone="1"), source=merged)


def test_new_journal_says_that_it_knows_of_no_earlier_import() -> None:
    new = preview_beside(Recorded(name="run.sqlite", is_new=True), a_contact())
    assert (
        "Note: run.sqlite is a new journal, which knows of no earlier import: 1 contact is added, "
        "even if the platform has them already. If you imported them before, use "
        "--update-if-exists; if that import had a journal which you have moved or renamed, name it "
        "with --journal."
    ) in new
    assert "new journal" not in preview_beside(Recorded(name="run.sqlite"), a_contact())
    update = a_contact(update_if_exists=True)
    assert "new journal" not in preview_beside(Recorded(name="run.sqlite", is_new=True), update)
