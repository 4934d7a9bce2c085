"""A contact as a preview shows it: a line for each field that would be sent."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from contactsdk import wire
from contactsdk.cli.text import printable
from contactsdk.files import KnownNames
from contactsdk.models import Contact

_LONGEST_VALUE: Final = 200


def contact_lines(contact: Contact, names: KnownNames) -> list[str]:
    """A line for each field that is sent, such as `status: 1 (subscribed)`.

    The lines hold the contact's values, and the names of groups and custom fields if `names` has
    them.
    """
    return [f"{name}: {_cut(printable(value))}" for name, value in _fields(contact, names)]


def field_shown(name: str, names: KnownNames) -> str:
    """What a column holds; with the name of a custom field if `names` has it."""
    stem, _, rest = name.partition(".")
    known = names.name_of(int(rest.partition(".")[0])) if stem == "customFields" and rest else None
    return f"{name} ({known})" if known else name


def _fields(contact: Contact, names: KnownNames) -> Iterator[tuple[str, str]]:
    # The order and the names are those of the JSON that is sent.
    body: dict[str, Any] = orjson.loads(wire.encode(contact))
    for name, value in body.items():
        match name:
            case "groups":
                yield name, _listed(_with_name(group, names) for group in contact.groups or ())
            case "customFields":
                for field in value:
                    shown = field_shown(f"{name}.{field['fieldId']}", names)
                    yield shown, _text(field["value"])
            case "externalUrls":
                for link in value:
                    yield f"{name}.{link['ref']}", _text(link["url"])
            case "status":
                yield name, _status(contact.status)
            case "smsStatus":
                yield name, _status(contact.sms_status)
            case _:
                yield name, _text(value)


def _with_name(group: int, names: KnownNames) -> str:
    known = names.group_name(group)
    return f"{group} ({known})" if known else str(group)


def _status(status: Any) -> str:
    return f"{status.value} ({status.name.lower().replace('_', ' ')})"


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case dict():
            return _listed(f"{part} {_text(text)}" for part, text in value.items())
        case list():
            return _listed(map(_text, value))
    return orjson.dumps(value).decode()


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(texts) or "none"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
