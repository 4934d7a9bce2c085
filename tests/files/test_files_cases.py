"""Small lists, each after something that people report: what is sent of each, and what is not."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from contactsdk import Contact, EmailStatus, InvalidContactError
from contactsdk.field_values import DateOrder
from contactsdk.files import FileError, input_options, open_input
from tests.files.made import a_field, a_group, options_for

CASES = Path(__file__).parent / "cases"
GROUPS = [a_group(10, "VIP"), a_group(11, "Press")]
DATE_FIELD = [a_field(8, "Birth date", 5)]
TYPED_FIELDS = [
    a_field(1, "Seats", 8),
    a_field(2, "Colours", 3, ("red", "blue")),
    a_field(3, "Day", 5),
]
STATUSES = [
    EmailStatus.SUBSCRIBED,
    EmailStatus.SUBSCRIBED,
    EmailStatus.UNSUBSCRIBED,
    EmailStatus.NO_MARKETING,
    EmailStatus.NO_MARKETING,
    EmailStatus.UNSUBSCRIBED,
    EmailStatus.SUBSCRIBED,
    EmailStatus.BOUNCED,
]


def outcome_of(name: str, **options: Any) -> tuple[dict[int, Contact], dict[int, str]]:
    """Row number -> contact, and row number -> why there is none."""
    sent, failed = {}, {}
    with open_input(str(CASES / name), options_for(**options)) as source:
        for row in source:
            item = source.item(row)
            if isinstance(item, InvalidContactError):
                failed[row.number] = item.message
            else:
                sent[row.number] = item
    return sent, failed


def names_of(contacts: dict[int, Contact]) -> dict[int, tuple[str | None, str | None]]:
    return {number: (it.first_name, it.last_name) for number, it in contacts.items()}


IDA = ("Ida", "Berg")
OLE = ("Ole", "Dahl")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("01-win1252.csv", {2: ("Jörg", "Müller"), 3: ("Anna", "Plain")}),
        ("02-utf16.csv", {2: ("Zoë", "Nür")}),
        ("02b-utf16-nobom.csv", {2: ("Zoë", "Nür")}),
        ("03-sep.csv", {2: IDA}),
        ("04-trailing-cols.csv", {2: IDA, 3: OLE}),
        ("11-linebreaks.csv", {2: IDA, 3: ("Ole", 'O"Dahl')}),
        ("13-cr.csv", {2: IDA, 3: OLE}),
        ("19-gzip.csv.gz", {2: IDA}),
        ("19b-gzip-as.csv", {2: IDA}),
        ("21-bom.jsonl", {1: IDA, 2: IDA}),
        ("21b-trailing-comma.jsonl", {1: IDA, 2: IDA}),
        ("21c-array.jsonl", {1: IDA, 2: IDA}),
        ("21k.json", {1: IDA}),
        ("21l.ndjson", {1: IDA}),
        ("24-doubles.csv", {2: IDA, 3: IDA, 4: ("ida", "berg")}),
        ("25-list.tsv", {2: IDA}),
        ("25b-list.txt", {2: IDA}),
        ("25c-pipe.csv", {2: IDA}),
    ],
)
def test_list_is_read_whole(name: str, expected: dict[int, tuple[str, str]]) -> None:
    sent, failed = outcome_of(name)
    assert names_of(sent) == expected
    assert failed == {}


@pytest.mark.parametrize(
    ("name", "encoding", "delimiter"),
    [
        ("01-win1252.csv", "Windows-1252", ";"),
        ("02-utf16.csv", "UTF-16", "\t"),
        ("02b-utf16-nobom.csv", "UTF-16", "\t"),
        ("03-sep.csv", "UTF-8", ";"),
        ("25c-pipe.csv", "UTF-8", "|"),
    ],
)
def test_how_a_list_was_read_is_known(name: str, encoding: str, delimiter: str) -> None:
    with open_input(str(CASES / name)) as source:
        assert source.description.encoding == encoding
        assert source.description.delimiter == delimiter


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("11c-unclosed.csv", "row 2: a quote that opens here is not closed"),
        ("14-dup.csv", '--map "column D=email"'),
        ("14b-dup-spelling.csv", "columns C ('Email') and D ('email') both hold email"),
        ("18-empty.csv", "nothing to import"),
        ("18b-blank.csv", "nothing to import"),
        ("18c-header-only.csv", "nothing to import"),
        ("18e-empty.jsonl", "nothing to import"),
        ("18d-no-header.csv", "this is not a header row: it looks like a contact"),
        ("18g-title-row.csv", "it looks like a title, and row 3 like the header"),
        ("20c-html.csv", "this is not a header row: the file looks like a web page"),
        ("21i-wrapped.jsonl", "the list is inside an object, under the key 'contacts'"),
        ("22f-fullname.csv", '--map "Name=firstName lastName"'),
        ("23-own-message.csv", "unknown column 'Message'"),
        ("25e-latin-header.csv", '--map "Prénom=firstName"'),
        ("25e-latin-header.csv", '--map "Nom=lastName"'),
        ("33-comma-in-header.csv", "unknown column 'Allergies, or other needs?'"),
    ],
)
def test_list_is_refused_with_what_to_do(name: str, words: str) -> None:
    with pytest.raises(FileError) as caught:
        outcome_of(name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("14-dup.csv", {"maps": ["column D=email"]}),
        ("14-dup.csv", {"ignored": ["column C"]}),
        ("14b-dup-spelling.csv", {"ignored": ["column D,column E"]}),
        ("22f-fullname.csv", {"maps": ["Name=firstName lastName", "E-mail=email"]}),
        ("25e-latin-header.csv", {"maps": ["Prénom=firstName", "Nom=lastName"]}),
        ("33-comma-in-header.csv", {"ignored": ["Allergies, or other needs?", "company name"]}),
        ("33-comma-in-header.csv", {"ignore_unknown": True}),
    ],
)
def test_what_a_refusal_advises_is_taken(name: str, options: dict[str, Any]) -> None:
    sent, failed = outcome_of(name, **options)
    assert names_of(sent) == {2: IDA}
    assert failed == {}


def test_choosing_one_of_two_columns_takes_its_values() -> None:
    sent, _ = outcome_of("14-dup.csv", maps=["column D=email"])
    assert sent[2].email == "ida@work.example.com"


def test_email_is_what_a_person_would_read_in_its_cell() -> None:
    sent, failed = outcome_of("05-emails.csv")
    emails = {contact.first_name: contact.email for contact in sent.values()}
    plain = [f"R{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 11, 12)]
    assert emails == {**dict.fromkeys(plain, "ida@example.com"), "R14": "IDA@EXAMPLE.COM"}
    assert list(failed) == [9, 10, 11, 14, 16, 17, 18]
    assert all("several addresses" in failed[number] for number in (9, 10, 11))
    assert all("invisible" in failed[number] for number in (17, 18))
    assert not any("ida" in message for message in failed.values())


def test_phone_that_a_spreadsheet_changed_fails_or_is_as_it_was() -> None:
    sent, failed = outcome_of("07-phones.csv")
    assert {number: contact.phone for number, contact in sent.items()} == {
        3: "61412345678",
        7: "+61412345678",
        8: "+61 412 345 678",
    }
    assert "rounded" in failed[2]
    assert "rounded" in failed[4]
    assert "error of a spreadsheet" in failed[5]
    assert "formula" in failed[6]


def test_status_is_read_by_name_and_number() -> None:
    sent, failed = outcome_of("10-status.csv")
    assert [contact.status for contact in sent.values()] == STATUSES
    assert list(failed) == [7, 9, 10, 12]
    assert all("no marketing (5)" in message for message in failed.values())


def test_line_breaks_within_a_cell_stay() -> None:
    sent, _ = outcome_of("11-linebreaks.csv")
    assert sent[2].custom_fields is not None
    assert sent[2].custom_fields[0].value == "1 High St\nFlat 2\nTown"


def test_stray_quotes_fail_one_row_and_join_none() -> None:
    sent, failed = outcome_of("11b-stray-quote.csv")
    assert names_of(sent) == {2: IDA, 3: ('Ole "Big" X', "Dahl"), 5: ("Uno", "Holm")}
    assert list(failed) == [4]


def test_control_characters_fail_their_rows() -> None:
    sent, failed = outcome_of("12-nul.csv")
    assert sent == {}
    assert all("control character" in message for message in failed.values())
    assert list(failed) == [2, 3]


def test_what_looks_like_a_formula_is_sent_as_given_where_it_is_valid() -> None:
    sent, failed = outcome_of("16-formula.csv")
    assert list(failed) == [2]
    assert sent[3].first_name == '=HYPERLINK("https://example.com")'
    assert sent[3].phone == "-1"


def test_dates_of_a_date_field_are_plain_or_in_a_named_order() -> None:
    sent, failed = outcome_of("17-dates.csv", custom_fields=DATE_FIELD)
    assert [
        contact.custom_fields[0].value for contact in sent.values() if contact.custom_fields
    ] == [datetime.date(2024, 12, 31)] * 2
    assert "such as 2026-12-31" in failed[4]
    sent, failed = outcome_of("17-dates.csv", custom_fields=DATE_FIELD, date_order=DateOrder.DMY)
    assert list(sent) == [2, 3]
    assert list(failed) == [4]


def test_lines_that_are_not_json_fail() -> None:
    sent, failed = outcome_of("21e-nan.jsonl")
    assert sent == {}
    assert list(failed) == [1, 2]


def test_key_that_is_there_twice_fails_its_line_which_comes_back_as_it_was() -> None:
    with open_input(str(CASES / "21f-dupkeys.jsonl")) as source:
        rows = list(source)
        assert all("is given twice" in str(source.item(row)) for row in rows)
        back = "".join(source.with_message(row, "why") for row in rows)
    for line, original in zip(back.splitlines(), rows, strict=True):
        assert line == original.cells[0][:-1] + ', "contactsdk_message": "why"}'


def test_json_numbers_become_what_their_field_holds() -> None:
    sent, failed = outcome_of("21j-json-numbers.jsonl")
    assert list(failed) == [5]
    assert sent[1].phone == "61412345678"
    assert sent[2].groups == sent[3].groups == (10,)
    assert sent[2].status is EmailStatus.SUBSCRIBED
    assert sent[3].external_id == "7"
    assert sent[4].update_if_exists is True
    assert sent[6].phone == ""


@pytest.mark.parametrize(
    ("name", "vendor", "phone"),
    [
        ("22-google.csv", "Google Contacts", "+61 400 000 001"),
        ("22c-mailchimp.csv", "Mailchimp", "+61400000001"),
        ("22e-eventbrite.csv", "Eventbrite", "+61400000001"),
    ],
)
def test_export_is_known_and_what_is_left_out_is_named(name: str, vendor: str, phone: str) -> None:
    with open_input(str(CASES / name)) as source:
        [item] = [source.item(row) for row in source]
        assert item == Contact(
            first_name="Ida", last_name="Berg", email="ida@example.com", phone=phone
        )
        assert source.description.vendor == vendor
        left_out = source.description.left_out
    assert left_out
    assert all(vendor in use.reason for use in left_out)


def test_ids_that_a_spreadsheet_rounded_fail() -> None:
    sent, failed = outcome_of("22g-eventbrite-renamed.csv")
    assert sent == {}
    assert all("rounded" in message for message in failed.values())
    assert list(failed) == [2, 3]


def test_own_message_stays_in_the_rejects_beside_ours() -> None:
    options = input_options(ignored=["message"])
    with open_input(str(CASES / "23-own-message.csv"), options) as source:
        back = source.head() + "".join(source.with_message(row, "why") for row in source)
    assert back.splitlines() == [
        "First Name,Last Name,Email,Message,contactsdk_message",
        "Ida,Berg,not-an-address,Please call me before Friday,why",
        "Ole,Dahl,ole@example.com,I need a vegan meal,why",
    ]


def test_own_message_key_is_unknown_like_any_other() -> None:
    sent, failed = outcome_of("23b-own-message.jsonl")
    assert sent == {}
    assert all("message is not a field of a contact" in it for it in failed.values())
    sent, failed = outcome_of("23b-own-message.jsonl", ignored=["message"])
    assert list(sent) == [2]


def test_invisible_blanks_do_not_make_another_person() -> None:
    sent, failed = outcome_of("24b-doubles-update.csv")
    assert failed == {}
    assert len(sent) == 4
    assert len(set(sent.values())) == 1


def test_ragged_rows_are_sent_where_they_are_short_and_fail_where_they_are_long() -> None:
    sent, failed = outcome_of("26-ragged.csv")
    assert names_of(sent) == {2: IDA}
    assert sent[2].phone is None
    assert all("more cells than" in message for message in failed.values())
    assert list(failed) == [3, 4]


def test_footer_fails_with_advice() -> None:
    sent, failed = outcome_of("27-footer.csv")
    assert names_of(sent) == {2: IDA}
    assert "if it is a title or a total, delete the row" in failed[4]


def test_values_are_converted_by_the_type_of_their_field() -> None:
    sent, failed = outcome_of("28-types.csv", custom_fields=TYPED_FIELDS, date_order=DateOrder.DMY)
    values = [contact.custom_fields[0].value for contact in sent.values() if contact.custom_fields]
    day = datetime.date(2024, 12, 31)
    assert values == [5, ("red", "blue"), day, day]
    assert failed == {}


def test_unknown_group_fails_with_the_groups_that_exist() -> None:
    sent, failed = outcome_of("31-unknown-group.csv", groups=GROUPS)
    assert sent == {}
    assert "VIP (10), Press (11)" in failed[2]
    sent, _ = outcome_of("31-unknown-group.csv")
    assert sent[2].groups == (99,)


def test_text_that_was_decoded_wrongly_before_is_warned_of() -> None:
    with open_input(str(CASES / "32-mojibake.csv")) as source:
        for row in source:
            source.item(row)
        [warning] = source.warnings()
    assert warning.startswith("rows 2, 3: the text was decoded wrongly before")


def test_update_that_says_nothing_is_warned_of() -> None:
    with open_input(str(CASES / "34-updates-clear.csv")) as source:
        assert [source.item(row) for row in source] == [Contact(id=1001)]
        [warning] = source.warnings()
    assert warning.startswith("row 2: nothing is left to update")
