"""Converts the text of a cell into the value of a field.

A reader takes the text of a cell and returns the value, or `None` for an empty cell. It raises
`CellError` for text that nobody wrote on purpose, such as `#REF!` or `6.14E+10`.
"""

import re
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any, Final, TypeAlias

from contactsdk.models import EmailStatus, SmsStatus


class CellError(ValueError):
    """A cell has no value that can be sent; the message says what to do, and not what is in it."""


CellReader: TypeAlias = Callable[[str], Any]
"""Takes the text of a cell; returns the value of a field, `None` for an empty cell."""

# Invisible characters that `\s` does not match: soft hyphen, zero-width blanks and joiners, marks
# of the direction of text.
_UNSEEN: Final = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_BLANKS_AT_ENDS: Final = re.compile(rf"^[\s{_UNSEEN}]+|[\s{_UNSEEN}]+$")
_UNSEEN_IN_NAMES: Final = re.compile("[\u00ad\u200b\u2060\ufeff\u200e\u200f\u202a-\u202e]")
_OTHER_BLANKS: Final = re.compile(r"[^\S \t\r\n]")  # no-break, thin and ideographic ones
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")

_ROUNDED: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE][-+]?[0-9]{1,3}")
_SURELY_ROUNDED: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+[0-9]{1,3}")
_ERROR_VALUES: Final = frozenset(
    (
        "#n/a", "#ref!", "#error!", "#value!", "#name?", "#div/0!", "#num!", "#null!", "#spill!",
        "#calc!", "#field!", "#blocked!", "#connect!", "#unknown!", "#busy!", "#getting_data",
        "#external!", "#nv", "#bezug!", "#wert!", "#zahl!", "#n/d", "#valeur!", "#nombre!",
        "#nom?", "#nul!", "#¡ref!", "#¡valor!", "#¿nombre?", "#¡div/0!", "#¡num!", "#rif!",
        "#valore!", "#nome?", "#valor!", "#núm!",
    )
)  # fmt: skip
_TOO_NARROW: Final = re.compile(r"#{3,}")
_LIBRE_OFFICE: Final = re.compile(r"Err:[0-9]{3}")

# Only a cell that begins with one of these can be a value that a spreadsheet changed.
_SUSPECT: Final = frozenset("#'E0123456789")
_DUTCH: Final = re.compile(r"'[nst][- ]", re.IGNORECASE)  # 't Hooft, 's-Gravesande

_WHOLE_AS_FLOAT: Final = re.compile(r"([0-9]+)[.,]0")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_SEPARATORS: Final = re.compile(r"[;,\r\n]+")
_SEVERAL: Final = ":::"  # how Google Contacts joins the values of one label
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "no", "n", "0"), False),
}


def text_of(cell: str) -> str | None:
    """The text of a cell, without what a spreadsheet put around it; `None` if it is empty.

    Blanks and invisible characters at its ends are dropped; those within it and line breaks stay.

    Raises:
        CellError: The cell holds a rounded number, an error of a spreadsheet, or a control
            character.
    """
    # Printable text has no control character, no invisible character and no blank but the space.
    text = cell.strip() if cell.isprintable() else _without_unseen(cell)
    if text and text[0] in _SUSPECT:
        text = _without_spreadsheet(text)
    return text or None


def name_of(cell: str) -> str | None:
    """A name: like `text_of`, and each other blank within it becomes a space."""
    text = text_of(cell)
    if text is None or text.isprintable():
        return text
    return _OTHER_BLANKS.sub(" ", _UNSEEN_IN_NAMES.sub("", text)) or None


def phone_of(cell: str) -> str | None:
    """A phone number, also if a spreadsheet took it for a number."""
    text = name_of(cell)
    if text is None:
        return None
    if text[0] == "=":
        raise CellError("is a formula: replace it by its value")
    if _SEVERAL in text:
        raise CellError("holds several numbers: keep one")
    return as_whole_number(text)


def external_id_of(cell: str) -> str | None:
    """An id of another system, also if a spreadsheet took it for a number."""
    text = name_of(cell)
    return text if text is None else as_whole_number(text)


def number_of(cell: str) -> int | str | None:
    """A whole number; other text is returned as it is, and then makes the contact invalid."""
    text = text_of(cell)
    if text is None:
        return None
    whole = as_whole_number(text)
    return int(whole) if _NUMBER.fullmatch(whole) else text


def numbers_of(cell: str) -> list[int | str] | None:
    """Whole numbers, divided by `;`, `,` or a line break."""
    return [number for part in parts_of(cell) if (number := number_of(part)) is not None] or None


def companies_of(cell: str) -> list[int | str] | None:
    """The ids of companies, divided by `;`, `,` or a line break."""
    ids = numbers_of(cell)
    if ids is not None and any(isinstance(number, str) for number in ids):
        raise CellError("must be ids, such as 12;13: names of companies cannot be used")
    return ids


def groups_of(cell: str) -> list[int] | None:
    """The ids of groups, divided by `;`, `,` or a line break."""
    ids = numbers_of(cell)
    if ids is None:
        return None
    found = [number for number in ids if isinstance(number, int) and number > 0]
    if len(found) < len(ids):
        raise CellError(
            "holds something that is not an id: give ids, such as 10;11 (contactsdk fields lists "
            "them)"
        )
    return found


def parts_of(cell: str) -> list[str]:
    """The items of a cell, divided by `;`, `,` or a line break, without blanks at their ends."""
    text = text_of(cell)
    if text is None:
        return []
    whole = _WHOLE_AS_FLOAT.fullmatch(text)
    if whole and "." in text:
        return [whole[1]]
    return [part for piece in _SEPARATORS.split(text) if (part := piece.strip())]


def boolean_of(cell: str) -> bool | str | None:
    """True or false; other text is returned as it is, and then makes the contact invalid."""
    text = text_of(cell)
    return None if text is None else _BOOLEANS.get(text.casefold(), text)


def _status_of(kind: type[IntEnum], cell: str) -> int | str | None:
    text = text_of(cell)
    if text is None:
        return None
    name = re.sub(r"[\s_-]+", "_", text).upper()
    if name in kind.__members__:
        return kind[name].value
    number = number_of(text)
    if isinstance(number, str):
        raise CellError(f"must be one of {_listed(kind)}: the word or its number")
    return number


def _listed(kind: type[IntEnum]) -> str:
    return ", ".join(f"{it.name.lower().replace('_', ' ')} ({it.value})" for it in kind)


READERS: Final[dict[str, CellReader]] = {
    "id": number_of,
    "external_id": external_id_of,
    "first_name": name_of,
    "last_name": name_of,
    "phone": phone_of,
    "groups": groups_of,
    "companies": companies_of,
    "status": partial(_status_of, EmailStatus),
    "sms_status": partial(_status_of, SmsStatus),
    "update_if_exists": boolean_of,
    "privacy_consent": boolean_of,
}
"""Field of a contact -> the reader of its cells; the reader of emails is in `emails.py`."""


CHOICES: Final = (
    "groups",
    "companies",
    "status",
    "sms_status",
    "update_if_exists",
    "privacy_consent",
    "custom_fields",
)
"""The fields that have one of a few values, so that many contacts share a value."""


def as_whole_number(text: str) -> str:
    """Some programs write the number 10 as `10.0`: this gives `10`, and other text as it is."""
    if text[-2:] not in (".0", ",0"):
        return text
    whole = _WHOLE_AS_FLOAT.fullmatch(text)
    return whole[1] if whole else text


def _without_unseen(cell: str) -> str:
    if _CONTROL.search(cell):
        raise CellError("holds a control character: remove it")
    return _BLANKS_AT_ENDS.sub("", cell)


def _without_spreadsheet(text: str) -> str:
    if _ROUNDED.fullmatch(text) and (_SURELY_ROUNDED.fullmatch(text) or "." in text or "," in text):
        raise CellError(
            "holds a number that a spreadsheet rounded: format its column as text, and enter the "
            "number again"
        )
    folded = text.casefold()
    if folded in _ERROR_VALUES or _TOO_NARROW.fullmatch(text) or _LIBRE_OFFICE.fullmatch(text):
        raise CellError("holds an error of a spreadsheet: correct the cell, or clear it")
    if text[0] == "'" and not _DUTCH.match(text):
        quoted = len(text) > 2 and text[-1] == "'"
        return (text[1:-1] if quoted else text[1:]).strip()
    return text
