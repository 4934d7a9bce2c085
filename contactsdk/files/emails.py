"""Reads the email address in a cell, and explains what is wrong with one without repeating it."""

import re
import unicodedata
from typing import Final

from contactsdk.files.cells import CellError, text_of

_IN_BRACKETS: Final = re.compile(r"([^<>]*)<\s*([^<>\s]*@[^<>\s]*)\s*>")
_SEVERAL: Final = "holds several addresses: keep one"
INVALID: Final = "must be a valid email address"
"""The message of a contact whose email is not valid; `reason_of` adds the reason."""


def email_of(cell: str) -> str | None:
    """The address in a cell, without `mailto:`, and without a name before `<...>`.

    `None` if the cell is empty.

    Raises:
        CellError: There are several addresses, or an invisible character within one.
    """
    text = text_of(cell)
    if text is None:
        return None
    if not text.isprintable():
        raise CellError(_unseen_in(text))
    if ":" in text and text[:7].casefold() == "mailto:":
        text = text[7:].partition("?")[0].strip()
    if "<" in text:
        text = _without_brackets(text)
    if text.count("@") > 1 and '"' not in text and "@@" not in text:
        raise CellError(_SEVERAL)
    return text


def reason_of(email: str) -> str:
    """Why this is not a valid address, as the end of a sentence that begins with "email".

    The text does not repeat the address.
    """
    name, at, domain = email.rpartition("@")
    checks = (
        (not at, "has no @"),
        (any(map(str.isspace, email)), "has a blank in it"),
        ("," in email, "has a comma in it: a period, or a second address?"),
        (";" in email, "has a semicolon in it: a second address?"),
        ("@@" in email, "has two @ in a row"),
        (not name, "has nothing before its @"),
        (not domain, "has nothing after its @"),
        (email.endswith("."), "ends with a period"),
        (".." in email, "has two periods in a row"),
        (name.startswith(".") or name.endswith("."), "has a period at an end of its first part"),
        ("." not in domain, "has no period after its @: the end of its domain is missing"),
    )
    reason = next((reason for is_so, reason in checks if is_so), None)
    return f"{INVALID}: it {reason}" if reason else INVALID


def _without_brackets(text: str) -> str:
    found = _IN_BRACKETS.findall(text)
    if len(found) > 1:
        raise CellError(_SEVERAL)
    whole = _IN_BRACKETS.fullmatch(text)
    if whole is None:
        return text
    around, address = whole[1].strip(" \"'").casefold(), whole[2]
    if "@" in around and around != address.casefold():
        raise CellError(_SEVERAL)
    return address


def _unseen_in(text: str) -> str:
    place = next(place for place, char in enumerate(text, 1) if not char.isprintable())
    char = text[place - 1]
    name = unicodedata.name(char, f"U+{ord(char):04X}").lower()
    return f"holds an invisible character ({name}, character {place} of the cell): remove it"
