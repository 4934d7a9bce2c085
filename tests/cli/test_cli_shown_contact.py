from typing import Any

import pytest

from contactsdk import ExternalUrl
from contactsdk.cli.shown_contact import contact_lines, field_shown
from contactsdk.files import KnownNames
from tests.examples import an_update
from tests.files.made import a_field, a_group

NOBODY = KnownNames()
ACCOUNT = KnownNames(
    ask_groups=lambda: [a_group(10, "Newsletter")],
    ask_custom_fields=lambda: [a_field(101, "Diet", 0)],
)


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"phone": "0412\t345"}, ["phone: 0412 345"]),
        ({"groups": [10, 11]}, ["groups: 10 (Newsletter), 11"]),
        ({"groups": []}, ["groups: none"]),
        ({"companies": [4, 5]}, ["companies: 4, 5"]),
        ({"status": 5}, ["status: 5 (no marketing)"]),
        ({"sms_status": 1}, ["smsStatus: 1 (subscribed)"]),
        ({"privacy_consent": True}, ["privacyConsent: true"]),
        (
            {"custom_fields": {101: "vegan", 102: 7}},
            ["customFields.101 (Diet): vegan", "customFields.102: 7"],
        ),
        (
            {"custom_fields": {9: {"city": "Bonn", "line1": "Weg 1"}, 8: ["a", "b"]}},
            ["customFields.9: city Bonn, line1 Weg 1", "customFields.8: a, b"],
        ),
        (
            {"external_urls": [ExternalUrl(ref="crm", url="https://crm.example.com/1")]},
            ["externalUrls.crm: https://crm.example.com/1"],
        ),
        ({"external_urls": [ExternalUrl(ref="crm", url=None)]}, ["externalUrls.crm: null"]),
    ],
)
def test_each_field_is_a_line(fields: Any, lines: list[str]) -> None:
    assert contact_lines(an_update(**fields), ACCOUNT)[1:] == lines


def test_without_the_account_fields_have_their_ids_alone() -> None:
    contact = an_update(groups=[10], custom_fields={101: "vegan"})
    assert contact_lines(contact, NOBODY)[1:] == ["groups: 10", "customFields.101: vegan"]


def test_long_value_is_cut() -> None:
    [_, line] = contact_lines(an_update(phone="1" * 300), NOBODY)
    assert line == f"phone: {'1' * 200}..."


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("email", "email"),
        ("customFields.101", "customFields.101 (Diet)"),
        ("customFields.101.city", "customFields.101.city (Diet)"),
        ("customFields", "customFields"),
        ("customFields.5", "customFields.5"),
    ],
)
def test_custom_field_is_shown_with_its_name(name: str, shown: str) -> None:
    assert field_shown(name, ACCOUNT) == shown
