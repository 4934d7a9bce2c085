"""A contact that is read back from what is kept of it is sent as the very same bytes."""

import orjson
from hypothesis import given

from contactsdk import Contact
from contactsdk.models import key_of
from contactsdk.wire import contact_from, encode
from tests.examples import a_full_contact, contacts


@given(contacts())
def test_contact_that_is_read_back_is_encoded_as_before(contact: Contact) -> None:
    content = encode(contact)

    again = contact_from(orjson.loads(content))

    assert encode(again) == content
    assert key_of(again) == key_of(contact)


def test_full_contact_that_is_read_back_is_encoded_as_before() -> None:
    content = encode(a_full_contact())

    assert encode(contact_from(orjson.loads(content))) == content
