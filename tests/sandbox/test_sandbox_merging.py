from typing import Any

import pytest

from contactsdk.sandbox import FieldType
from contactsdk.sandbox.account import Account
from contactsdk.sandbox.merging import merged
from contactsdk.sandbox.replies import RefusedError
from tests.sandbox.made import BOBBY, rules

FULL = {
    **BOBBY,
    "phone": "1",
    "groups": [{"groupId": 10}],
    "companies": [4],
    "customFields": [{"fieldId": 1, "value": "a"}, {"fieldId": 2, "value": "b"}],
    "status": 1,
    "privacyConsent": True,
}


def fields(**values: Any) -> list[dict[str, Any]]:
    return [{"fieldId": int(name[1:]), "value": value} for name, value in values.items()]


def urls(*refs: str, url: str | None = "https://example.com") -> list[dict[str, Any]]:
    return [{"ref": ref, "url": url} for ref in refs]


def test_what_is_not_sent_stays_and_a_list_replaces_the_list() -> None:
    after = merged(FULL, {"groups": [{"groupId": 11}], "phone": "2"}, rules())
    assert after == {**FULL, "groups": [{"groupId": 11}], "phone": "2"}


def test_what_only_says_how_to_write_is_not_kept() -> None:
    params = {**BOBBY, "id": 5, "updateIfExists": True, "isAnonymised": False, "x": 1}
    assert merged({}, params, rules()) == BOBBY


@pytest.mark.parametrize(
    ("guess", "params", "change"),
    [
        ({}, {"customFields": fields(f2="c", f3="d")}, fields(f1="a", f2="c", f3="d")),
        ({"custom_fields": "replace"}, {"customFields": fields(f2="c")}, fields(f2="c")),
        ({}, {"customFields": []}, []),
        ({"empty_custom_fields": "keep"}, {"customFields": []}, FULL["customFields"]),
        ({}, {"customFields": fields(f1=None)}, fields(f2="b")),
        ({}, {"customFields": fields(f9=None)}, FULL["customFields"]),
        ({"null_custom_field": "keep"}, {"customFields": fields(f1=None)}, FULL["customFields"]),
        (
            {"null_custom_field": "keep", "custom_fields": "replace"},
            {"customFields": fields(f1=None, f9=None)},
            fields(f1="a"),
        ),
    ],
)
def test_custom_fields_after_an_update(
    guess: dict[str, Any], params: dict[str, Any], change: list[dict[str, Any]]
) -> None:
    assert merged(FULL, params, rules(**guess))["customFields"] == change


def test_type_of_a_custom_field_is_accepted_and_not_kept() -> None:
    params = {"customFields": [{"fieldId": 1, "value": "c", "fieldType": 0}]}
    assert merged({}, params, rules()) == {"customFields": fields(f1="c")}


def test_static_text_that_is_ignored_is_not_kept() -> None:
    account = Account.declared(custom_fields={1: FieldType.STATIC_TEXT, 2: FieldType.SMALL_TEXT})
    params = {"customFields": fields(f1="a", f2="b")}
    after = merged({}, params, rules(account, static_text="ignore"))
    assert after["customFields"] == fields(f2="b")


@pytest.mark.parametrize(
    ("guess", "params", "change"),
    [
        ({}, {"groups": []}, {"groups": []}),
        ({"empty_groups": "keep"}, {"groups": []}, {}),
        ({}, {"companies": []}, {"companies": []}),
        ({"empty_companies": "keep"}, {"companies": []}, {}),
        ({}, {"phone": ""}, {"phone": ""}),
        ({"empty_text": "keep"}, {"phone": ""}, {}),
        ({"null_list": "clear"}, {"groups": None}, {"groups": []}),
        ({"null_list": "keep"}, {"groups": None}, {}),
        ({"null_text": "clear"}, {"phone": None}, {"phone": None}),
        ({"null_text": "keep"}, {"phone": None}, {}),
        ({"null_number": "clear"}, {"status": None}, {"status": None}),
        ({"null_number": "keep"}, {"status": None}, {}),
        ({"null_boolean": "clear"}, {"privacyConsent": None}, {"privacyConsent": None}),
        ({"null_boolean": "keep"}, {"privacyConsent": None}, {}),
        ({}, {"smsStatus": 2}, {"smsStatus": 2}),
        ({"sms_status": "ignore"}, {"smsStatus": 2}, {}),
    ],
)
def test_empty_and_null_do_what_is_guessed(
    guess: dict[str, Any], params: dict[str, Any], change: dict[str, Any]
) -> None:
    expected = {name: value for name, value in {**FULL, **change}.items() if value is not None}
    assert merged(FULL, params, rules(**guess)) == expected


def test_external_urls_are_replaced_by_ref_and_removed_by_null() -> None:
    before = {"externalUrls": urls("a", "b")}
    after = merged(before, {"externalUrls": urls("a", url=None) + urls("c")}, rules())
    assert after["externalUrls"] == urls("b", "c")
    assert merged(before, {"externalUrls": None}, rules())["externalUrls"] == []


def test_fourth_external_url_is_refused_also_when_it_comes_later() -> None:
    with pytest.raises(RefusedError) as refused:
        merged({"externalUrls": urls("a", "b")}, {"externalUrls": urls("c", "d")}, rules())
    assert refused.value.specific_code == 23016
