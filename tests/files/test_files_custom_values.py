import datetime
import io
from typing import Any

import pytest

from contactsdk import Contact
from contactsdk.field_values import DateOrder
from contactsdk.files import FileError, input_options, read_input
from contactsdk.models import CustomFieldDefinition, Group
from tests.files.made import (
    a_field,
    a_group,
    an_option,
    contact_of,
    csv_input,
    fields_of,
    jsonl_input,
    message_of,
    one_item,
)

DAY = datetime.date(2024, 12, 31)
COLOURS = ("Red", "Dark blue", "Black, white")


def read(cell: str, type: int | None, *options: Any, **more: Any) -> Any:
    """The item of an update whose custom field 5 of this type has this cell."""
    fields = [a_field(5, "Mine", type, options)]
    return one_item(csv_input(f'id,Mine\n7,"{cell}"\n', custom_fields=fields, **more))


@pytest.mark.parametrize(
    ("cell", "type", "value"),
    [
        ("12", 0, "12"),
        ("10.0", 1, "10.0"),
        ("12", 8, 12),
        ("12.0", 8, 12),
        ("-3", 8, -3),
        ("2024-12-31", 5, DAY),
        ("2024/12/31", 5, DAY),
        ("2024-12-31 00:00:00", 5, DAY),
        ("2024-12-31T00:00", 5, DAY),
        ("one;two", 3, ("one", "two")),
        ("one", 2, "one"),
        ("anything", 77, "anything"),
        ("anything", None, "anything"),
    ],
)
def test_value_is_what_its_type_holds(cell: str, type: int | None, value: object) -> None:
    [(_, found)] = fields_of(contact_of(read(cell, type)))
    assert found == value
    assert isinstance(found, value.__class__)


@pytest.mark.parametrize("cell", ["1,000", "1 000", "a", "1.5", "1" * 19])
def test_number_that_is_not_whole_fails(cell: str) -> None:
    assert "must be a whole number" in message_of(read(cell, 8))


@pytest.mark.parametrize(
    ("order", "cell"),
    [
        (DateOrder.DMY, "31/12/2024"),
        (DateOrder.DMY, "31.12.2024"),
        (DateOrder.MDY, "12/31/2024"),
        (DateOrder.MDY, "12-31-2024"),
        (DateOrder.YMD, "2024 12 31"),
        (None, "31/12/2024"),
        (None, "12/31/2024"),
    ],
)
def test_date_is_read_in_its_order(order: DateOrder | None, cell: str) -> None:
    assert fields_of(contact_of(read(cell, 5, date_order=order))) == [(5, DAY)]


@pytest.mark.parametrize(
    ("order", "cell", "what"),
    [
        (None, "01/12/2024", "--date-order dmy (day, month, year) or --date-order mdy"),
        (None, "45657", "such as 2026-12-31"),
        (None, "soon", "such as 2026-12-31"),
        (None, "2024-02-30", "a date that exists"),
        (DateOrder.MDY, "31/12/2024", "a date that exists"),
        (DateOrder.DMY, "31/12/24", "four digits"),
        (None, "2024-12-31 03:04:05", "without a time"),
    ],
)
def test_date_that_cannot_be_read_fails(order: DateOrder | None, cell: str, what: str) -> None:
    assert what in message_of(read(cell, 5, date_order=order))


@pytest.mark.parametrize(
    ("header", "shown"),
    [("Mine", "customFields.5 (Mine) is a date"), ("Custom Fields.5", "customFields.5 is a date")],
)
def test_message_names_the_column_as_the_list_does(header: str, shown: str) -> None:
    source = csv_input(f"id,{header}\n7,01/12/2024\n", custom_fields=[a_field(5, "Mine", 5)])
    assert message_of(one_item(source)).startswith(shown)


@pytest.mark.parametrize(
    ("cell", "value"), [("red", "Red"), (" dark  BLUE ", "Dark blue"), ("Black, white", COLOURS[2])]
)
def test_option_of_a_select_is_sent_as_it_is_listed(cell: str, value: str) -> None:
    assert fields_of(contact_of(read(cell, 2, *COLOURS))) == [(5, value)]
    assert fields_of(contact_of(read(cell, 3, *COLOURS))) == [(5, (value,))]


def test_option_with_a_label_is_sent_as_its_value() -> None:
    options = (an_option(1, "Red"), an_option(2, "Blue"))
    assert fields_of(contact_of(read("blue", 2, *options))) == [(5, 2)]
    assert fields_of(contact_of(read("Red\n2", 3, *options))) == [(5, (1, 2))]


@pytest.mark.parametrize("type", [2, 3])
def test_unknown_option_fails_with_those_that_exist(type: int) -> None:
    message = message_of(read("green", type, *COLOURS))
    assert message.endswith("must be one of the field's options: Red, Dark blue, Black, white")


def test_parts_of_an_address_are_columns_of_their_own() -> None:
    fields = [a_field(9, "Address", 4)]
    text = "id,Address.city,customFields.9.postalCode,Address.LINE1\n7,Town,3000,\n"
    [(_, address)] = fields_of(contact_of(one_item(csv_input(text, custom_fields=fields))))
    assert address == {"city": "Town", "postalCode": "3000"}


@pytest.mark.parametrize(
    ("header", "field", "what"),
    [
        ("Mine", a_field(5, "Mine", 4), "is an address: name its parts in columns: Mine.line1"),
        ("customFields.5.city", a_field(5, "Mine", 0), "is not an address and has no parts"),
        ("Mine", a_field(5, "Mine", 7), "is a fixed text and cannot be set"),
        ("customFields.5", a_field(5, "Mine", 6), "is a file and cannot be set"),
        ("customFields.6", a_field(5, "Mine", 0), "has no custom field 6; it has 5 (Mine)"),
        ("Mine", a_field(5, "Mine", 0, is_active=False), "unknown column 'Mine'"),
        ("Mine.street", a_field(5, "Mine", 4), "unknown column 'Mine.street'"),
    ],
)
def test_field_that_a_column_cannot_hold_is_refused(
    header: str, field: CustomFieldDefinition, what: str
) -> None:
    with pytest.raises(FileError) as caught:
        csv_input(f"id,{header}\n7,x\n", custom_fields=[field])
    assert what in str(caught.value)


def test_account_that_lists_no_custom_fields_leaves_ids_to_the_platform() -> None:
    item = one_item(csv_input("id,customFields.5\n7,x\n", custom_fields=[]))
    assert fields_of(contact_of(item)) == [(5, "x")]


def test_account_that_lists_no_custom_fields_is_no_list_to_choose_from() -> None:
    with pytest.raises(FileError) as caught:
        csv_input("id,Notiz\n7,x\n", custom_fields=[])
    assert (
        "the account lists no custom fields, so make one there first (in the sandbox: contactsdk "
        'sandbox --fields "101=Notiz"), or use --map "Notiz=customFields.<its id>", which is not '
        "checked."
    ) in str(caught.value)


def test_name_of_two_fields_is_not_a_name() -> None:
    fields = [a_field(5, "Mine", 0), a_field(6, "mine", 0)]
    with pytest.raises(
        FileError, match=r"column 'Mine' is the name of several .* customFields.5, "
    ):
        csv_input("id,Mine\n7,x\n", custom_fields=fields)


GROUPS = [a_group(10, "VIP"), a_group(11, "Press, radio"), a_group(12, "11"), a_group(13, "Vip ")]


@pytest.mark.parametrize(
    ("cell", "groups"),
    [
        ("10", (10,)),
        ("10.0", (10,)),
        ("press,  RADIO", (11,)),
        ("11", (11,)),
        ("10;12", (10, 12)),
        ("\u200b", None),
        (";", None),
    ],
)
def test_groups_are_known_by_id_and_name(cell: str, groups: tuple[int, ...] | None) -> None:
    source = csv_input(f'id,groups\n7,"{cell}"\n', groups=GROUPS)
    assert one_item(source) == Contact(id=7, groups=groups)


def test_group_of_a_name_that_several_have_fails() -> None:
    source = csv_input("id,groups\n7,vip\n", groups=GROUPS)
    assert "may be any of several groups; give the id as a number: VIP (10)" in message_of(
        one_item(source)
    )


def test_unknown_group_fails() -> None:
    assert "its groups are: none" in message_of(one_item(csv_input("id,groups\n7,1\n", groups=[])))


@pytest.mark.parametrize("type", [0, 2, 3, 5, 8])
def test_custom_field_of_blanks_is_not_sent(type: int) -> None:
    assert read("\u200b", type, *COLOURS) == Contact(id=7)


def test_unknown_column_fails_with_the_custom_fields_that_exist() -> None:
    fields = [a_field(5, "Shirt size", 2), a_field(6, "Old", 0, is_active=False)]
    with pytest.raises(FileError, match=r"custom fields are: Shirt size \(--map"):
        csv_input("id,Shirt\n7,x\n", custom_fields=fields)
    item = one_item(jsonl_input('{"id": 7, "Shirt": "x"}', custom_fields=fields))
    assert message_of(item).endswith("; the account's custom fields are: Shirt size")


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("id,email,status", []),
        ("id,groups", ["groups"]),
        ("id,customFields.5", ["fields"]),
        ("id,Mine,groups", ["groups", "fields"]),
    ],
)
def test_account_is_asked_once_for_what_the_columns_need(header: str, asked: list[str]) -> None:
    found: list[str] = []

    def groups() -> list[Group]:
        found.append("groups")
        return GROUPS

    def fields() -> list[CustomFieldDefinition]:
        found.append("fields")
        return [a_field(5, "Mine", 0)]

    options = input_options(ask_groups=groups, ask_custom_fields=fields, ignore_unknown=True)
    rows = io.BytesIO(f"{header}\n7,,\n8,,\n".encode())
    with read_input(rows, "x.csv", options) as source:
        assert len([source.item(row) for row in source]) == 2
    assert sorted(found) == sorted(asked)
