import contextlib
import copy
import datetime
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.errors import InvalidContactError
from contactsdk.models import Contact, CustomField, EmailStatus, ExternalUrl, SmsStatus
from contactsdk.wire import (
    contact_from,
    contact_to_json,
    contacts_from,
    encode,
    platform_path,
)
from tests.examples import (
    a_contact,
    a_full_contact,
    a_link,
    an_update,
    any_json,
    any_text,
    contacts,
    dates,
    sendable_json,
    strict_json,
)

# The two examples of the platform's page "Add or Update Contact", word for word but for a comma
# after the last field of the second, which JSON does not allow.
ADD_EXAMPLE = """
{
  "firstName": "Bobby",
  "lastName": "Smith",
  "email": "bobbysmith@hotmail.com",
  "groups": [
    {
      "groupId": 10
    }
  ],
  "customFields": [
    {
      "fieldId": 33443,
      "value": "No"
    }
  ],
  "companies": [
    4,
    5
  ],
  "status": 2,
  "smsStatus": 2,
  "externalId" : "12345"
}
"""
UPDATE_EXAMPLE = """
{
  "id":33884,
  "firstName":"Bobby",
  "groups":[{"groupId":10}],
  "customFields":[{"fieldId":33443,"value":"No"}],
  "companies":[4,5],
  "status": 2,
  "smsStatus": 2
}
"""
EXAMPLES = [
    pytest.param(
        Contact(
            first_name="Bobby",
            last_name="Smith",
            email="bobbysmith@hotmail.com",
            groups=[10],
            custom_fields={33443: "No"},
            companies=[4, 5],
            status=EmailStatus.UNSUBSCRIBED,
            sms_status=SmsStatus.UNSUBSCRIBED,
            external_id="12345",
        ),
        ADD_EXAMPLE,
        id="add",
    ),
    pytest.param(
        Contact(
            id=33884,
            first_name="Bobby",
            groups=[10],
            custom_fields={33443: "No"},
            companies=[4, 5],
            status=EmailStatus.UNSUBSCRIBED,
            sms_status=SmsStatus.UNSUBSCRIBED,
        ),
        UPDATE_EXAMPLE,
        id="update",
    ),
]

ARABIC_FIVE = "\u0665"  # a digit to int() and str.isdigit(), but not to the platform

CUSTOM_FIELDS = "must be a mapping of field id to value, or an iterable of CustomField"

WIRE_NAMES = {
    "id": "id",
    "external_id": "externalId",
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "phone": "phone",
    "groups": "groups",
    "custom_fields": "customFields",
    "companies": "companies",
    "status": "status",
    "sms_status": "smsStatus",
    "update_if_exists": "updateIfExists",
    "external_urls": "externalUrls",
    "privacy_consent": "privacyConsent",
}


def sent(contact: Contact) -> Any:
    return strict_json(encode(contact))


@pytest.mark.parametrize(("contact", "example"), EXAMPLES)
def test_the_examples_of_the_page_are_sent_as_they_stand_there(
    contact: Contact, example: str
) -> None:
    assert sent(contact) == json.loads(example)


@pytest.mark.parametrize(("contact", "example"), EXAMPLES)
def test_the_examples_of_the_page_are_read_as_contacts(contact: Contact, example: str) -> None:
    assert contact_from(json.loads(example)) == contact


def test_every_field_of_a_contact_has_its_wire_name_here() -> None:
    assert set(WIRE_NAMES) == {field.name for field in attrs.fields(Contact)}


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("external_id", "e", "e"),
        ("first_name", "Ada", "Ada"),
        ("last_name", "Archer", "Archer"),
        ("email", "ada@example.com", "ada@example.com"),
        ("phone", "1", "1"),
        ("phone", "", ""),
        ("groups", [10, 11], [{"groupId": 10}, {"groupId": 11}]),
        ("groups", [], []),
        ("custom_fields", {5: "a"}, [{"fieldId": 5, "value": "a"}]),
        ("custom_fields", {5: None}, [{"fieldId": 5, "value": None}]),
        ("custom_fields", {}, []),
        ("companies", [4, 5], [4, 5]),
        ("companies", [], []),
        ("status", EmailStatus.NO_MARKETING, 5),
        ("sms_status", SmsStatus.FAILED, 3),
        ("update_if_exists", True, True),
        ("update_if_exists", False, False),
        (
            "external_urls",
            [a_link(label="CRM")],
            [{"ref": "crm", "url": "https://crm.example.com/7", "label": "CRM"}],
        ),
        ("external_urls", [a_link()], [{"ref": "crm", "url": "https://crm.example.com/7"}]),
        ("external_urls", [a_link(label="")], [{**attrs.asdict(a_link()), "label": ""}]),
        ("external_urls", [a_link(url=None)], [{"ref": "crm", "url": None}]),
        ("external_urls", [], None),
        ("privacy_consent", False, False),
    ],
)
def test_a_field_is_sent_by_its_wire_name_and_nothing_else_is(
    name: str, value: Any, written: Any
) -> None:
    assert sent(an_update(**{name: value})) == {"id": 7, WIRE_NAMES[name]: written}


def test_an_update_of_nothing_sends_only_the_id() -> None:
    assert encode(an_update()) == b'{"id":7}'


@pytest.mark.parametrize(
    ("date", "written"),
    [
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.date.min, "0001-01-01"),
        (datetime.date.max, "9999-12-31"),
    ],
)
def test_a_date_is_sent_as_the_platform_writes_dates(date: datetime.date, written: str) -> None:
    assert sent(an_update(custom_fields={5: {"on": [date]}}))["customFields"] == [
        {"fieldId": 5, "value": {"on": [written]}}
    ]


def test_text_is_sent_as_utf_8() -> None:
    assert encode(an_update(first_name="Zoë\U0001f600")) == '{"id":7,"firstName":"Zoë😀"}'.encode()


def test_a_subclass_of_contact_is_sent_as_the_contact_it_is() -> None:
    @attrs.frozen(kw_only=True)
    class Guest(Contact):
        table: int = 0

    assert encode(Guest(id=7, table=3)) == b'{"id":7}'


def wrong(row: Any) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """What is found wrong with a row."""
    with pytest.raises(InvalidContactError) as caught:
        contact_from(row)
    return caught.value.errors


@pytest.mark.parametrize(
    "respell", [str, str.lower, str.upper, str.title], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("names", [list(WIRE_NAMES), list(WIRE_NAMES.values())], ids=["py", "wire"])
def test_a_row_is_read_by_either_name_in_any_case(names: list[str], respell: Any) -> None:
    body = sent(a_full_contact())
    values = [body[name] for name in WIRE_NAMES.values()]
    row = {respell(name): value for name, value in zip(names, values, strict=True)}
    assert contact_from(row) == a_full_contact()


def test_a_row_is_read_by_the_odd_name_of_the_parameter_table() -> None:
    assert contact_from({"id": 7, "LastName": "Archer"}) == an_update(last_name="Archer")


def test_an_unknown_key_is_reported_with_all_else_that_is_wrong() -> None:
    assert wrong({"id": 7, "fullName": "Ada", "phone": 5}) == (
        (("fullName",), "is not a field of a contact"),
        (("phone",), "must be a string"),
    )


@pytest.mark.parametrize(
    "key", ["", "first name", "surname", "\ud800", 5, None, ("id",)], ids=ascii
)
def test_an_unknown_key_is_refused(key: Any) -> None:
    assert wrong({"id": 7, key: "m4rk"}) == (((str(key),), "is not a field of a contact"),)


@pytest.mark.parametrize("second", ["PHONE", "Phone"])
def test_the_same_field_twice_is_refused(second: str) -> None:
    assert wrong({"id": 7, "phone": "1", second: "2"}) == (((second,), "is given twice"),)


def test_the_same_field_by_both_names_is_refused() -> None:
    row = {"id": 7, "firstName": "Ada", "first_name": "Ada"}
    assert wrong(row) == ((("first_name",), "is given twice"),)


@pytest.mark.parametrize("row", [None, 5, "id", b"id", [["id", 7]], [], True], ids=repr)
def test_a_row_that_is_not_a_mapping_is_refused(row: Any) -> None:
    assert wrong(row) == (((), "must be a JSON object"),)


@pytest.mark.parametrize("name", sorted(set(WIRE_NAMES) - {"id", "phone", "external_urls"}))
def test_null_is_not_sent(name: str) -> None:
    assert encode(contact_from({"id": 7, "phone": "1", WIRE_NAMES[name]: None})) == (
        b'{"id":7,"phone":"1"}'
    )


def test_a_null_id_makes_it_an_add() -> None:
    assert contact_from({**json.loads(ADD_EXAMPLE), "id": None}).id is None


def test_null_external_urls_clears_them() -> None:
    assert contact_from({"id": 7, "externalUrls": None}).external_urls == ()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"groups": [10, 11]}, {"groups": [10, 11]}),
        ({"groups": [{"groupId": 10}, 11]}, {"groups": [10, 11]}),
        ({"groups": ({"groupId": 10},)}, {"groups": [10]}),
        ({"groups": []}, {"groups": []}),
        ({"companies": [4]}, {"companies": [4]}),
        ({"customFields": {"5": "a", 6: "b"}}, {"custom_fields": {5: "a", 6: "b"}}),
        ({"customFields": [{"fieldId": 5, "value": "a"}]}, {"custom_fields": {5: "a"}}),
        ({"customFields": []}, {"custom_fields": []}),
        (
            {"customFields": [CustomField(field_id=5, value="a")]},
            {"custom_fields": {5: "a"}},
        ),
        (
            {"externalUrls": [{"ref": "crm", "url": None}]},
            {"external_urls": [a_link(url=None)]},
        ),
        (
            {"externalUrls": [{"ref": "crm", "url": "https://crm.example.com/7", "label": "a"}]},
            {"external_urls": [a_link(label="a")]},
        ),
        ({"externalUrls": [a_link()]}, {"external_urls": [a_link()]}),
        ({"externalUrls": []}, {"external_urls": []}),
        ({"status": 2, "smsStatus": 3}, {"status": 2, "sms_status": 3}),
    ],
)
def test_the_parts_of_a_row_are_read(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert contact_from({"id": 7, **row}) == an_update(**expected)


POSITIVE = "must be a positive integer"


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        ({"groups": "10"}, [(("groups",), "must be an iterable of ids")]),
        ({"groups": [{"groupId": 0}]}, [(("groups", 0), POSITIVE)]),
        ({"groups": [{"groupId": None}]}, [(("groups", 0), POSITIVE)]),
        (
            {"groups": [10, {"groupId": 10, "name": "a"}]},
            [(("groups", 1, "name"), "is not a key of this object; known are groupId")],
        ),
        ({"groups": [{}]}, [(("groups", 0, "groupId"), "is required")]),
        (
            {"groups": [0, {"id": 3}]},
            [
                (("groups", 0), POSITIVE),
                (("groups", 1, "id"), "is not a key of this object; known are groupId"),
                (("groups", 1, "groupId"), "is required"),
            ],
        ),
        ({"customFields": "a"}, [(("customFields",), CUSTOM_FIELDS)]),
        ({"customFields": {"x": 1}}, [(("customFields", 0, "fieldId"), POSITIVE)]),
        ({"customFields": {"9" * 19: 1}}, [(("customFields", 0, "fieldId"), POSITIVE)]),
        ({"customFields": {ARABIC_FIVE: 1}}, [(("customFields", 0, "fieldId"), POSITIVE)]),
        (
            {"customFields": [{"fieldId": 5, "value": 1}, {"fieldId": "5", "value": 2**64}]},
            [
                (("customFields", 1, "fieldId"), POSITIVE),
                (("customFields", 1, "value"), "must fit in 64 bits"),
            ],
        ),
        ({"customFields": [{"value": 1}]}, [(("customFields", 0, "fieldId"), "is required")]),
        (
            {"customFields": [{"fieldId": 5, "value": 1, "name": "a"}, 5]},
            [
                (
                    ("customFields", 0, "name"),
                    "is not a key of this object; known are fieldId, value",
                ),
                (("customFields", 1), "must be a CustomField"),
            ],
        ),
        ({"externalUrls": 5}, [(("externalUrls",), "must be an iterable of ExternalUrl")]),
        (
            {"externalUrls": [{"url": "http://example.com"}]},
            [
                (("externalUrls", 0, "ref"), "is required"),
                (("externalUrls", 0, "url"), "must be an https address"),
            ],
        ),
        (
            {"externalUrls": [{"ref": ref, "url": None} for ref in ("a", "b", "c", "")]},
            [
                (("externalUrls", 3, "ref"), "is required"),
                (("externalUrls",), "must have at most 3 links"),
            ],
        ),
        (
            {
                "externalUrls": [
                    {"ref": "a", "url": "http://example.com"},
                    {"ref": "a", "url": None},
                ]
            },
            [
                (("externalUrls", 0, "url"), "must be an https address"),
                (("externalUrls",), "must not use a ref twice"),
            ],
        ),
        (
            {"externalUrls": [{"ref": "", "url": None}, {"ref": [], "url": None}, {"url": None}]},
            [
                (("externalUrls", 0, "ref"), "is required"),
                (("externalUrls", 1, "ref"), "must be a string"),
                (("externalUrls", 2, "ref"), "is required"),
            ],
        ),
    ],
)
def test_what_is_wrong_with_the_parts_of_a_row_is_reported_with_its_position(
    row: dict[str, Any], problems: Any
) -> None:
    assert wrong({"id": 7, **row}) == tuple(problems)


@pytest.mark.parametrize("row", [json.loads(ADD_EXAMPLE), {"id": 7, "groups": [{"groupId": 1}]}])
def test_reading_a_row_leaves_it_as_it_was(row: dict[str, Any]) -> None:
    before = copy.deepcopy(row)
    contact_from(row)
    assert row == before


def test_no_error_of_a_row_holds_one_of_its_values() -> None:
    row = {"id": "m4rk", "phone": ["m4rk"], "nickname": "m4rk", "customFields": {"m4rk": b"m4rk"}}
    with pytest.raises(InvalidContactError) as caught:
        contact_from({**row, "externalUrls": [{"ref": "m4rk", "url": "http://m4rk.example.com"}]})
    assert "m4rk" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


def test_each_row_gives_its_contact_or_what_is_wrong_with_it_in_order() -> None:
    rows: list[Any] = [{"id": 7}, {"id": 0}, None, {"id": 8}]
    read = list(contacts_from(rows))
    assert [getattr(item, "errors", item) for item in read] == [
        Contact(id=7),
        ((("id",), POSITIVE),),
        (((), "must be a JSON object"),),
        Contact(id=8),
    ]


def test_rows_are_read_only_as_contacts_are_asked_for() -> None:
    rows = iter([{"id": 7}, {"id": 8}, {"id": 9}])
    next(contacts_from(rows))
    assert list(rows) == [{"id": 8}, {"id": 9}]


names = st.sampled_from([*WIRE_NAMES, *WIRE_NAMES.values()]) | any_text
nested_parts = st.lists(
    st.dictionaries(
        st.sampled_from(["groupId", "fieldId", "value", "ref", "url", "label"]), any_json
    )
)


@given(st.dictionaries(names, any_json | nested_parts) | any_json)
def test_any_json_row_gives_a_contact_or_says_what_is_wrong(row: Any) -> None:
    with contextlib.suppress(InvalidContactError):
        strict_json(encode(contact_from(row)))


@given(contacts(sendable_json))
def test_a_contact_that_was_written_is_read_back_equal(contact: Contact) -> None:
    assert contact_from(sent(contact)) == contact


@given(contacts(sendable_json | dates | st.lists(dates)))
def test_a_contact_with_dates_that_was_written_is_read_back_to_the_same_body(
    contact: Contact,
) -> None:
    assert encode(contact_from(sent(contact))) == encode(contact)


def test_a_contact_is_given_as_the_json_object_that_is_sent() -> None:
    assert contact_to_json(a_full_contact()) == {
        "id": 33884,
        "externalId": "ext-1",
        "firstName": "Ada",
        "lastName": "Archer",
        "email": "ada@example.com",
        "phone": "+61 400 000 000",
        "groups": [{"groupId": 10}, {"groupId": 11}],
        "customFields": [
            {"fieldId": 33443, "value": "No"},
            {"fieldId": 33444, "value": ["red", "blue"]},
        ],
        "companies": [4, 5],
        "status": 2,
        "smsStatus": 3,
        "updateIfExists": False,
        "externalUrls": [{"ref": "crm", "url": "https://crm.example.com/7", "label": "CRM"}],
        "privacyConsent": True,
    }


@given(contacts(sendable_json))
def test_a_contact_comes_back_equal_from_its_json(contact: Contact) -> None:
    assert contact_from(contact_to_json(contact)) == contact


def test_a_date_comes_back_from_json_as_the_text_that_is_sent() -> None:
    contact = an_update(custom_fields={5: datetime.date(2026, 11, 2)})
    read = contact_from(contact_to_json(contact))
    assert read == an_update(custom_fields={5: "2026-11-02"})
    assert encode(read) == encode(contact)


@given(contacts(sendable_json | dates))
def test_the_json_of_a_contact_is_what_is_sent(contact: Contact) -> None:
    assert json.loads(json.dumps(contact_to_json(contact))) == sent(contact)


@pytest.mark.parametrize(
    ("path", "in_json"),
    [
        ((), ()),
        (("id",), ("id",)),
        (("first_name",), ("firstName",)),
        (("groups", 1), ("groups", 1, "groupId")),
        (("groups", 1, "groupId"), ("groups", 1, "groupId")),
        (("groups",), ("groups",)),
        (("custom_fields", 0, "field_id"), ("customFields", 0, "fieldId")),
        (("custom_fields", 0, "value"), ("customFields", 0, "value")),
        (("external_urls", 2, "url"), ("externalUrls", 2, "url")),
        (("fullName",), ("fullName",)),
    ],
)
def test_a_path_is_given_in_the_platforms_names(path: Any, in_json: Any) -> None:
    assert platform_path(path) == in_json


def test_an_add_is_read_back_as_an_add() -> None:
    assert contact_from(sent(a_contact())).id is None


def test_external_urls_are_read_back_as_external_urls() -> None:
    links = contact_from(sent(an_update(external_urls=[a_link()]))).external_urls
    assert links == (ExternalUrl(ref="crm", url="https://crm.example.com/7"),)


@pytest.mark.parametrize(
    ("row", "paths"),
    [
        ({"firstName": "A"}, [("lastName",), ("email",)]),
        ({"first_name": "A"}, [("last_name",), ("email",)]),
        ({"firstName": "A", "last_name": ""}, [("last_name",), ("email",)]),
        ({"id": 7, "externalId": 5, "groups": [0]}, [("externalId",), ("groups", 0)]),
    ],
)
def test_errors_call_fields_as_the_row_does(row: dict[str, Any], paths: list[Any]) -> None:
    with pytest.raises(InvalidContactError) as caught:
        contact_from(row)
    assert [path for path, _ in caught.value.errors] == paths
