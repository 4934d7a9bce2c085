import datetime
import json
from typing import Any

import pytest

from contactsdk import Contact, EmailStatus, ExternalUrl, InvalidContactError
from contactsdk.files import FileError
from tests.files.made import (
    a_field,
    a_group,
    contact_of,
    errors,
    fields_of,
    items,
    jsonl_input,
    message_of,
    one_item,
    written_back,
)

ADA = '"firstName": "Ada", "lastName": "Archer", "email": "ada@example.com"'


def test_json_lines_are_read_in_either_spelling() -> None:
    text = (
        '\ufeff{"firstName": "Ada", "LAST_NAME": "Archer", "email": "ada@example.com"}\r\n'
        ' \n{"id": 7, "groups": [], "customFields": {"1": [2]}, "externalUrls": null}'
    )
    assert items(jsonl_input(text)) == [
        Contact(first_name="Ada", last_name="Archer", email="ada@example.com"),
        Contact(id=7, groups=[], custom_fields={1: [2]}, external_urls=[]),
    ]


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('"phone": 61412345678', "phone", "61412345678"),
        ('"phone": 61412345678.0', "phone", "61412345678"),
        ('"phone": " 1 "', "phone", "1"),
        ('"phone": ""', "phone", ""),
        ('"phone": null', "phone", None),
        ('"externalId": 7', "external_id", "7"),
        ('"email": "mailto:ada@example.com"', "email", "ada@example.com"),
        ('"groups": ["10", 11.0, {"groupId": 12}]', "groups", (10, 11, 12)),
        ('"groups": "10;11"', "groups", (10, 11)),
        ('"groups": [""]', "groups", ()),
        ('"companies": [4]', "companies", (4,)),
        ('"status": "Subscribed"', "status", EmailStatus.SUBSCRIBED),
        ('"status": 5.0', "status", EmailStatus.NO_MARKETING),
        ('"updateIfExists": "true"', "update_if_exists", True),
        ('"updateIfExists": 1', "update_if_exists", True),
        ('"privacyConsent": 0', "privacy_consent", False),
        ('"privacyConsent": false', "privacy_consent", False),
        ('"Custom Fields.5": "x"', "custom_fields", {5: "x"}),
        ('"customFields.5": 5', "custom_fields", {5: 5}),
        ('"customFields": [{"fieldId": 5, "value": "x"}]', "custom_fields", {5: "x"}),
        ('"externalUrls": []', "external_urls", ()),
    ],
)
def test_value_becomes_what_its_field_holds(line: str, field: str, value: Any) -> None:
    expected = Contact(**{"id": 7, field: value})
    assert one_item(jsonl_input(f'{{"id": 7, {line}}}')) == expected


@pytest.mark.parametrize("value", ["7", "7.0", '"7"', '"7.0"'])
def test_id_may_be_written_as_any_number(value: str) -> None:
    assert one_item(jsonl_input(f'{{"id": {value}}}')) == Contact(id=7)


def test_links_are_those_of_the_platforms_json() -> None:
    text = '{"id": 7, "externalUrls": [{"ref": "a", "url": "https://example.com"}]}'
    link = ExternalUrl(ref="a", url="https://example.com")
    assert one_item(jsonl_input(text)) == Contact(id=7, external_urls=[link])


@pytest.mark.parametrize(
    ("line", "path", "what"),
    [
        ("{", (), "the line is not JSON (see column 2)"),
        ("7", (), "must be a JSON object"),
        ('{"id": 7, "fone": "1"}', ("fone",), "is not a field of a contact; to leave the key "),
        ('{"id": 7, "Id": 8}', ("Id",), "is given twice"),
        ('{"id": 7, "id": 8}', ("id",), "is given twice"),
        ('{"id": 7, "ID": 8}', ("ID",), "is not a field of a contact; "),
        ('{"id": "x"}', ("id",), "must be a positive integer"),
        ('{"id": true}', ("id",), "must be a positive integer"),
        ('{"id": 1.5}', ("id",), "must be a whole number, or text in quotes"),
        ('{"id": 99999999999999999999}', ("id",), "must be an integer up to 92233"),
        ('{"id": 7, "phone": "\\ud800"}', ("phone",), "must not hold lone surrogates"),
        ('{"id": 7, "phone": 1e20}', ("phone",), "must be a whole number, or text in quotes"),
        ('{"id": 7, "phone": true}', ("phone",), "must be a string"),
        ('{"id": 7, "phone": 6.14E+10}', ("phone",), ""),
        ('{"id": 7, "groups": [true]}', ("groups", 0), "must be a positive integer"),
        ('{"id": 7, "groups": 5}', ("groups",), "must be an iterable of ids"),
        ('{"id": 7, "updateIfExists": 2}', ("updateIfExists",), "must be true or false"),
        ('{"id": 7, "status": ""}', ("status",), "must be one of"),
        ('{"id": 7, "customFields": {"1": NaN}}', (), "NaN is not JSON"),
        ('{"id": 7, "customFields": {"1": 2, "customFields.1": 3}}', ("customFields",), ""),
        ("[" * 9 + "{" * 100_000, (), "the line is not JSON"),
        ('{"id": ' + "9" * 5000 + "}", (), "the line is too deeply nested to be read"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, (), "the line is too deeply nested to be read"),
    ],
)
def test_line_that_makes_no_contact_is_its_rows_failure(
    line: str, path: tuple[Any, ...], what: str
) -> None:
    if line == '{"id": 7, "phone": 6.14E+10}':
        assert one_item(jsonl_input(line)) == Contact(id=7, phone="61400000000")
        return
    item = items(jsonl_input(f'{{"id": 7}}\n{line}'))[1]
    assert list(errors(item)) == [path]
    assert errors(item)[path].startswith(what)


def test_integer_past_64_bits_is_not_sent_as_something_else() -> None:
    item = one_item(jsonl_input('{"id": 7, "customFields": {"1": 123456789012345678901234567890}}'))
    assert errors(item) == {("customFields", 0, "value"): "must fit in 64 bits"}


def test_ignored_keys_are_accepted() -> None:
    text = '{"id": 7, "NOTES": "y", "contactsdk_message": "x"}'
    assert one_item(jsonl_input(text, ignored=["notes"])) == Contact(id=7)


def test_keys_are_mapped_in_the_lines_that_have_them() -> None:
    text = '{"id": 7, "Mobile": "1"}\n{"id": 8}\n{"id": 9, "who": "Ada Archer"}\n'
    source = jsonl_input(text, maps=["mobile=phone", "who=firstName lastName"])
    assert items(source) == [
        Contact(id=7, phone="1"),
        Contact(id=8),
        Contact(id=9, first_name="Ada", last_name="Archer"),
    ]


def test_full_name_must_be_text() -> None:
    item = one_item(jsonl_input('{"id": 7, "who": 5}', maps=["who=firstName lastName"]))
    assert message_of(item).endswith("must be text")


def test_custom_fields_are_converted_by_their_type() -> None:
    fields = [
        a_field(1, "Seats", 8),
        a_field(2, "Colours", 3, ("Red", "Blue")),
        a_field(3, "Day", 5),
    ]
    text = (
        '{"id": 7, "customFields": {"1": "5", "Colours": ["Red"], "3": "2024-12-31"}}\n'
        '{"id": 7, "Seats": "5.0", "customFields.2": "red;blue"}\n'
        '{"id": 7, "customFields": {"Seats": "x"}}\n'
        '{"id": 7, "customFields": {"9": "x"}}\n'
        '{"id": 7, "customFields": {"nobody": ""}}\n'
    )
    first, second, third, fourth, fifth = items(jsonl_input(text, custom_fields=fields))
    assert fields_of(contact_of(first)) == [(1, 5), (2, ("Red",)), (3, datetime.date(2024, 12, 31))]
    assert fields_of(contact_of(second)) == [(1, 5), (2, ("Red", "Blue"))]
    assert "must be a whole number" in message_of(third)
    assert "has no custom field 9" in message_of(fourth)
    assert "must be a positive integer" in message_of(fifth)


def test_address_is_an_object() -> None:
    fields = [a_field(9, "Address", 4)]
    text = '{"id": 7, "customFields": {"9": {"city": "Town"}}}'
    assert fields_of(contact_of(one_item(jsonl_input(text, custom_fields=fields)))) == [
        (9, {"city": "Town"})
    ]


def test_groups_are_checked_against_those_of_the_account() -> None:
    text = '{"id": 7, "groups": [10, "VIP"]}\n{"id": 7, "groups": [99]}\n'
    good, bad = items(jsonl_input(text, groups=[a_group(10, "VIP")]))
    assert good == Contact(id=7, groups=(10, 10))
    assert "its groups are: VIP (10)" in message_of(bad)


def test_rows_of_a_table_may_be_json_lines() -> None:
    names = '"First Name": "Ada", "Last Name": "Archer", "Email": "ada@example.com"'
    text = f'{{{names}, "Groups": "10;11"}}'
    assert contact_of(one_item(jsonl_input(text))).groups == (10, 11)


def test_first_of_several_phones_of_an_export_counts() -> None:
    names = '"First Name": "Ada", "Last Name": "Archer", "E-mail Address": "a@example.com"'
    phones = '"Car Phone": "", "Home Phone": 2, "Mobile Phone": 1'
    found = contact_of(one_item(jsonl_input(f'{{{names}, "E-mail Type": "SMTP", {phones}}}')))
    assert found.phone == "1"


def test_field_that_cannot_be_set_fails_its_line() -> None:
    fields = [a_field(5, "Mine", 7)]
    item = one_item(jsonl_input('{"id": 7, "Mine": "x"}', custom_fields=fields))
    assert errors(item) == {("Mine",): "custom field 5 (Mine) is a fixed text and cannot be set"}


def test_rows_are_read_once() -> None:
    source = jsonl_input('{"id": 7}\n{"id": 8}\n')
    assert len(list(source)) == 2
    assert list(source) == []


def test_values_for_rows_that_have_none_are_set() -> None:
    source = jsonl_input(f"{{{ADA}}}", sets=["groups=10", "status=1"], update_if_exists=True)
    contact = contact_of(one_item(source))
    assert (contact.groups, contact.status, contact.update_if_exists) == ((10,), 1, True)


@pytest.mark.parametrize(
    ("line", "back"),
    [
        ('{"id": 7, "a":"\\u00e9"}', '{"id": 7, "a":"\\u00e9", "contactsdk_message": "why"}'),
        ("{ }", '{"contactsdk_message": "why"}'),
        ('{"id": 7},', '{"id": 7, "contactsdk_message": "why"}'),
        ('{"id": 7, "id": 8}', '{"id": 7, "id": 8, "contactsdk_message": "why"}'),
        ('{"id": NaN}', '{"id": NaN, "contactsdk_message": "why"}'),
        (
            '{"id": 7, "id": 8, "contactsdk_message": "a \\"b\\" }"}',
            '{"id": 7, "id": 8, "contactsdk_message": "why"}',
        ),
        ('{"contactsdk_message": "x"}', '{"contactsdk_message": "why"}'),
        ('{"contactsdk_message": "x", "id": 7}', '{"contactsdk_message": "why", "id": 7}'),
        ('{"id": 7', '{"id": 7'),
        ("7", "7"),
        ('"a"', '"a"'),
    ],
)
def test_line_is_written_back_as_it_was_with_a_message(line: str, back: str) -> None:
    source = jsonl_input(f'{{"id": 1}}\n{line}\n')
    _, row = list(source)
    assert source.with_message(row, "why") == f"{back}\n"
    assert source.head() == ""


def test_items_of_an_array_are_written_back_as_lines() -> None:
    back = written_back(jsonl_input('[\n {\n  "id": 7\n },\n {"id": 8}\n]'))
    assert [json.loads(line) for line in back.splitlines()] == [
        {"id": 7, "contactsdk_message": "why"},
        {"id": 8, "contactsdk_message": "why"},
    ]


def test_keys_of_the_first_object_are_the_columns() -> None:
    source = jsonl_input('{"id": 7, "Note": 1}\n', ignored=["note"])
    assert [(use.name, use.holds) for use in source.description.columns] == [
        ("id", "id"),
        ("Note", ""),
    ]
    assert source.warnings() == ()
    assert jsonl_input("7\n").description.columns == ()
    assert jsonl_input("nonsense\n").description.columns == ()


def test_values_of_a_row_have_their_keys() -> None:
    source = jsonl_input('{"id": 7},\n7\n')
    assert [source.values(row) for row in source] == [{"id": 7}, {"line": "7"}]


@pytest.mark.parametrize("text", ["", "\n", "[]", "[ \n ]"])
def test_file_without_objects_has_nothing_to_import(text: str) -> None:
    with pytest.raises(FileError, match="nothing to import: there are no contacts in the file"):
        jsonl_input(text)


def test_meaning_of_many_different_keys_is_not_kept() -> None:
    text = "".join(f'{{"id": 7, "customFields.{number}": 1}}\n' for number in range(1, 400))
    assert len(items(jsonl_input(text))) == 399


def test_choices_of_json_are_not_named() -> None:
    source = jsonl_input('{"id": 7, "status": "active"}\n')
    [row] = source
    item = source.item(row)
    assert isinstance(item, InvalidContactError)
    assert source.choices_in(row, item) == ()
