"""The JSON schema that OpenAPI documents show says what the code does."""

import json
from typing import Any

import jsonschema
import pytest
from examples import a_full_contact
from integrations.bodies import WRONG

from contactsdk.integrations.schema import CONTACT_SCHEMA
from contactsdk.wire import contact_from, encode

SCHEMA = jsonschema.Draft202012Validator(
    CONTACT_SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def test_schema_is_one() -> None:
    SCHEMA.check_schema(CONTACT_SCHEMA)


def test_schema_knows_every_field_and_takes_what_is_sent() -> None:
    sent = json.loads(encode(a_full_contact()))

    assert CONTACT_SCHEMA["properties"].keys() == sent.keys()
    SCHEMA.validate(sent)


@pytest.mark.parametrize("example", CONTACT_SCHEMA["examples"])
def test_examples_are_contacts_as_they_are_sent(example: dict[str, Any]) -> None:
    SCHEMA.validate(example)

    assert json.loads(encode(contact_from(example))) == example


@pytest.mark.parametrize("body", [body for body, _ in WRONG])
def test_schema_refuses_what_is_no_contact(body: Any) -> None:
    assert not SCHEMA.is_valid(body)
