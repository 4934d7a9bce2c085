"""A message without the values of the contact that it is about."""

import re
from collections.abc import Iterator
from typing import Any, Final

from contactsdk.models import Contact

_HIDDEN: Final = "[...]"
_LEAST: Final = 2  # a single letter names nobody, and is in every sentence


def without_values(message: str, contact: Contact | None) -> str:
    """The message with `[...]` in place of each text of the contact that it repeats.

    Ids of groups and companies stay: they are the account's, and say what to do.
    """
    if contact is None or not message:
        return message
    texts = {text.strip() for text in _texts(contact)}
    # The longest first: an email may hold the first name.
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
