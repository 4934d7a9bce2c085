"""Removes a contact's values from a message about the contact."""

import re
from collections.abc import Iterator
from typing import Any, Final

from contactsdk.models import Contact

_HIDDEN: Final = "[...]"
_LEAST: Final = 2  # a single letter identifies nobody, and is in every sentence


def without_values(message: str, contact: Contact | None) -> str:
    """The message with `[...]` in place of each text of the contact that it contains.

    Ids of groups and companies stay: they belong to the account, and tell the user what to correct.
    If the contact is `None`, the message stays as it is.
    """
    if contact is None or not message:
        return message
    texts = {text.strip() for text in _texts(contact)}
    # The longest text first, since an email may contain the first name.
    for text in sorted((text for text in texts if len(text) >= _LEAST), key=len, reverse=True):
        pattern = rf"(?<!\w){re.escape(text)}(?!\w)"
        message = re.sub(pattern, lambda _: _HIDDEN, message, flags=re.IGNORECASE)
    return message


def _texts(contact: Contact) -> Iterator[str]:
    values: list[Any] = [
        contact.id,
        contact.external_id,
        contact.first_name,
        contact.last_name,
        contact.email,
        contact.phone,
    ]
    values += [part.value for part in contact.custom_fields or ()]
    for url in contact.external_urls or ():
        values += [url.url, url.label]
    for value in values:
        yield from _texts_in(value)


def _texts_in(value: Any) -> Iterator[str]:
    match value:
        case None | bool():
            return
        case tuple():
            for item in value:
                yield from _texts_in(item)
        case dict():
            for item in value.values():
                yield from _texts_in(item)
        case _:
            yield str(value)
