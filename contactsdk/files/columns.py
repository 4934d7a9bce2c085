"""Finds the field of a contact, or the part of a field, that a header names."""

import string
from typing import Final

from attrs import frozen

from contactsdk.field_values import ADDRESS_PARTS, address_part
from contactsdk.files.custom_values import KnownNames
from contactsdk.files.formats import FileError
from contactsdk.wire import FIELD_NAMES, platform_name

_INVISIBLE: Final = dict.fromkeys(map(ord, "_\ufeff\u200b\u200c\u200d\u2060\u00ad"))
_FULL_NAME: Final = ("first_name", "last_name")
_PARTED: Final = ("custom_fields", "external_urls")


_NO_NAMES: Final = KnownNames()


@frozen
class Column:
    """What a column holds: a field of a contact or, with a key, one item of the field.

    The field `full_name` means a first and a last name in one cell; its key is their order.
    """

    field: str
    key: int | str | None = None
    part: str | None = None
    """The part of a custom field of type address, such as `city`; `None` for the whole value."""


def folded(name: str) -> str:
    """A header in lower case and without blanks and underscores, which make no difference."""
    return "".join(name.translate(_INVISIBLE).split()).casefold()


def letter_of(place: int) -> str:
    """A spreadsheet's letters for the column at `place`, from 0: A to Z, then AA and so on."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = string.ascii_uppercase[rest] + letters
    return letters


def spelled(column: Column) -> str:
    """What a column holds, as a user writes it behind `--map "header=`."""
    if column.field == "full_name":
        return " ".join(map(platform_name, str(column.key).split()))
    parts = (platform_name(column.field), column.key, column.part)
    return ".".join(str(part) for part in parts if part is not None)


def column_of(name: str, names: KnownNames = _NO_NAMES, *, whole: bool = False) -> Column | None:
    """What a header names, looked at without the other columns; `None` if it names nothing.

    With `whole`, it may name all custom fields or all links at once.
    """
    stem, dot, rest = name.strip().partition(".")
    match FIELD_NAMES.get(folded(stem)):
        case ("custom_fields" | "external_urls") as field if whole and not dot:
            return Column(field)
        case "custom_fields":
            return _custom_column(rest)
        case "external_urls":
            return Column("external_urls", rest) if rest else None
        case str(field) if not dot:
            return Column(field)
    field_id = names.id_of(name)
    if field_id is not None:
        return Column("custom_fields", field_id)
    stem, _, part = name.strip().rpartition(".")
    field_id = names.id_of(stem)
    if field_id is not None and (known := address_part(folded(part))):
        return Column("custom_fields", field_id, known)
    return None


def target_of(text: str, names: KnownNames) -> Column:
    """What the text after the `=` of `--map` names: a field, an item of one, or a full name.

    Raises:
        FileError: The text names nothing that a contact has.
    """
    both = [FIELD_NAMES.get(folded(word)) for word in text.replace(",", " ").split()]
    if len(both) == 2 and set(both) == set(_FULL_NAME):
        return Column("full_name", " ".join(map(str, both)))
    column = column_of(text, names)
    if column is None and (problem := custom_field_problem(text)):
        raise FileError(f"'{text}': {problem}")
    if column is None:
        raise FileError(f"'{text}' is not a field of a contact; fields are {fields_listed()}")
    return column


def fields_listed() -> str:
    """A list of everything that a column may hold, for a message."""
    plain = [name for name in dict.fromkeys(FIELD_NAMES.values()) if name not in _PARTED]
    return (
        f"{', '.join(map(platform_name, plain))}, customFields.<its id>, externalUrls.<your name "
        'for the link>, or "firstName lastName" for a full name'
    )


def custom_field_problem(name: str) -> str | None:
    """What is wrong with a name such as `customFields.Dietary`; `None` if it is not such a name."""
    stem, dot, rest = name.strip().partition(".")
    if FIELD_NAMES.get(folded(stem)) != "custom_fields" or not dot:
        return None
    key, _, part = rest.partition(".")
    if part and _custom_column(key) is not None:
        return f"an address has the parts {', '.join(ADDRESS_PARTS)}"
    return "a custom field is named by its id, such as customFields.33443"


def _custom_column(text: str) -> Column | None:
    key, dot, part = text.partition(".")
    if not (key.isascii() and key.isdigit() and len(key) <= 18 and not key.startswith("0")):
        return None
    if not dot:
        return Column("custom_fields", int(key))
    known = address_part(folded(part))
    return Column("custom_fields", int(key), known) if known else None


def overlap(one: Column, other: Column) -> bool:
    """Whether two columns set the same value."""
    if "full_name" in (one.field, other.field):
        return {one.field, other.field} <= {"full_name", *_FULL_NAME}
    if one.field != other.field or one.key != other.key:
        return False
    return one.part is None or other.part is None or one.part == other.part
