from typing import Any

import pytest

from contactsdk.sandbox import FieldDefinition, FieldType
from contactsdk.sandbox.account import Account
from contactsdk.sandbox.replies import RefusedError
from contactsdk.sandbox.validation import Rules, check_contact, contact_id_of, is_id
from tests.sandbox.made import BOBBY, rules

ACCOUNT = Account.declared(
    groups=[10],
    companies=[4],
    custom_fields={
        1: FieldType.WHOLE_NUMBER,
        2: FieldDefinition(field_type=FieldType.SINGLE_SELECT, select_values=["Red", "Blue"]),
        3: FieldType.STATIC_TEXT,
        4: FieldDefinition(field_type=FieldType.SMALL_TEXT, required=True),
    },
)


def urls(*refs: Any, url: Any = "https://example.com") -> list[dict[str, Any]]:
    return [{"ref": ref, "url": url} for ref in refs]


def field(field_id: Any, value: Any) -> list[dict[str, Any]]:
    return [{"fieldId": field_id, "value": value}]


def refusal(params: dict[str, Any], against: Rules | None = None) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        check_contact(params, against or rules(ACCOUNT))
    return caught.value


@pytest.mark.parametrize("name", ["firstName", "lastName", "email"])
@pytest.mark.parametrize("empty", [{}, {"": ""}, {"": None}])
def test_add_without_a_required_parameter_is_refused(name: str, empty: dict[str, Any]) -> None:
    params: dict[str, Any] = {key: value for key, value in BOBBY.items() if key != name}
    if empty:
        params[name] = empty[""]
    assert refusal(params).specific_code == 23017


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", True),
        ("id", 0),
        ("id", "0"),
        ("id", "1e3"),
        ("id", "9" * 30),
        ("id", None),
        ("externalId", 5),
        ("firstName", 5),
        ("email", 5),
        ("email", "no at"),
        ("email", "a@nodot"),
        ("phone", None),
        ("groups", None),
        ("groups", {"groupId": 10}),
        ("groups", [10]),
        ("groups", [{"groupId": 10, "more": 1}]),
        ("groups", [{"groupId": "10"}]),
        ("groups", [{"groupId": 11}]),
        ("companies", "4"),
        ("companies", ["4"]),
        ("companies", [True]),
        ("companies", [5]),
        ("customFields", {}),
        ("customFields", [{"fieldId": 1}]),
        ("customFields", field([], 1)),
        ("customFields", field(9, 1)),
        ("customFields", field(1, "1")),
        ("customFields", field(2, "Green")),
        ("customFields", field(3, "text")),
        ("status", 6),
        ("status", None),
        ("smsStatus", 5),
        ("status", True),
        ("updateIfExists", 1),
        ("updateIfExists", None),
        ("privacyConsent", "yes"),
        ("isAnonymised", "no"),
        ("externalUrls", {}),
        ("externalUrls", urls("a", "b", "c", "d")),
        ("externalUrls", ["https://example.com"]),
        ("externalUrls", [{"ref": "a"}]),
        ("externalUrls", urls("a", "a")),
        ("externalUrls", urls("")),
        ("externalUrls", urls(1)),
        ("externalUrls", urls("a", url="http://example.com")),
        ("externalUrls", urls("a", url=5)),
        ("externalUrls", [{"ref": "a", "url": "https://example.com", "label": 5}]),
        ("LastName", "Smith"),
    ],
)
def test_value_that_does_not_validate_is_refused_by_name(name: str, value: Any) -> None:
    refused = refusal({**BOBBY, name: value})
    assert (refused.error_code, refused.specific_code) == (400, 23016)
    assert refused.message == f"'{name}' does not validate"
    assert refused.details


@pytest.mark.parametrize(
    "more",
    [
        {"groups": [{"groupId": 10}], "companies": [4], "status": 5, "smsStatus": 4},
        {"customFields": field(1, 3)},
        {"customFields": field(2, "Blue")},
        {"customFields": field(1, None)},
        {"customFields": [{"fieldId": 1, "value": 3, "fieldType": 8}]},
        {"externalUrls": [{"ref": "a", "url": "https://example.com", "label": "Home"}]},
        {"externalUrls": None},
        {"externalUrls": urls("a", url=None)},
        {"isAnonymised": False, "privacyConsent": True, "updateIfExists": False},
        {"id": 7},
        {"id": "7"},
    ],
)
def test_what_is_declared_and_documented_may_be_set(more: dict[str, Any]) -> None:
    check_contact({**BOBBY, **more}, rules(ACCOUNT))


def test_any_group_company_and_field_will_do_where_none_is_declared() -> None:
    more = {"groups": [{"groupId": 9}], "companies": [9], "customFields": field(9, {"a": [1]})}
    check_contact({**BOBBY, **more}, rules())


def test_first_wrong_parameter_in_the_documented_order_decides() -> None:
    wrong = {"more": 1, "status": 9, "phone": 5, "email": "no", "externalId": 5}
    for name in ("externalId", "firstName", "email", "phone", "status", "more"):
        assert f"'{name}'" in refusal(wrong).message
        wrong |= {name: {**BOBBY, "externalId": "a", "phone": "1", "status": 1}.get(name)}
        if name == "firstName":
            wrong["lastName"] = "Smith"
        wrong = {key: value for key, value in wrong.items() if value is not None}
    check_contact(wrong, rules())


@pytest.mark.parametrize(
    ("guess", "params"),
    [
        ({"null_text": "clear"}, {"phone": None}),
        ({"null_text": "keep"}, {"externalId": None}),
        ({"null_list": "clear"}, {"groups": None}),
        ({"null_number": "keep"}, {"status": None}),
        ({"null_boolean": "keep"}, {"privacyConsent": None}),
        ({"null_id": "absent"}, {"id": None}),
        ({"unknown_parameters": "ignore"}, {"LastName": "Smith"}),
        ({"sms_status": "ignore"}, {"smsStatus": 99}),
        ({"static_text": "ignore"}, {"customFields": field(3, "text")}),
        ({"unlisted_selection": "accept"}, {"customFields": field(2, "Green")}),
    ],
)
def test_guess_lets_pass_what_is_refused_by_default(
    guess: dict[str, str], params: dict[str, Any]
) -> None:
    refusal({**BOBBY, **params})
    check_contact({**BOBBY, **params}, rules(ACCOUNT, **guess))


@pytest.mark.parametrize(
    ("guess", "params"),
    [
        ({"empty_text": "refuse"}, {"phone": ""}),
        ({"null_custom_field": "refuse"}, {"customFields": field(1, None)}),
        ({"sms_status": "refuse"}, {"smsStatus": 1}),
        ({"status_registering": "refuse"}, {"status": 4}),
        ({"required_custom_fields": "enforce"}, {"customFields": field(1, 1)}),
        ({"required_custom_fields": "enforce"}, {}),
    ],
)
def test_guess_refuses_what_passes_by_default(
    guess: dict[str, str], params: dict[str, Any]
) -> None:
    check_contact({**BOBBY, **params}, rules(ACCOUNT))
    assert refusal({**BOBBY, **params}, rules(ACCOUNT, **guess)).specific_code == 23016


def test_required_custom_field_that_is_sent_satisfies() -> None:
    params = {**BOBBY, "customFields": field(4, "text")}
    check_contact(params, rules(ACCOUNT, required_custom_fields="enforce"))


def test_required_custom_fields_are_not_asked_of_an_update() -> None:
    check_contact({"id": 7}, rules(ACCOUNT, required_custom_fields="enforce"))


def test_other_statuses_pass_where_registering_does_not() -> None:
    check_contact({**BOBBY, "status": 5}, rules(status_registering="refuse"))


@pytest.mark.parametrize(
    ("value", "contact_id"),
    [(7, 7), ("7", 7), ("007", 7), (None, None), ("", None), (-1, None), (1.0, None)],
)
def test_contact_is_named_by_a_positive_whole_number(value: Any, contact_id: int | None) -> None:
    assert contact_id_of({"id": value}) == contact_id
    assert is_id(value) == (contact_id is not None)
