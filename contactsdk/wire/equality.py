"""Compares a JSON value that was sent with one that came back.

The value that comes back may be normalised: without blanks at the ends, a number as text, keys in
another order, more keys than were sent. It still counts as the same value.
"""

import datetime
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any


def same_value(sent: Any, shown: Any) -> bool:
    """Whether `shown` is the value that was sent, apart from normalisation.

    An absent value, null, an empty text and an empty list are the same. Lists of plain values, such
    as the options of a multiple select, may be in any order. An object may have more keys than were
    sent.
    """
    if sent == shown:
        return True  # most values are equal, and what follows costs more than reading the answer
    if isinstance(sent, Mapping) and sent:
        return isinstance(shown, Mapping) and all(
            same_value(value, shown.get(key)) for key, value in sent.items()
        )
    if isinstance(sent, list | tuple) and sent:
        return isinstance(shown, list | tuple) and _same_items(sent, shown)
    return _text(sent) == _text(shown)


def same_email(sent: str, shown: Any) -> bool:
    """Whether two email addresses are the same; the platform may change their case."""
    return isinstance(shown, str) and folded(sent) == folded(shown)


def folded(text: str) -> str:
    """A text in lower case, normalised in blanks and in the form of accents."""
    return _plain(text.casefold())


def same_phone(sent: str, shown: Any) -> bool:
    """Whether two phone numbers have the same digits.

    On the platform's page, the phone of a contact is an integer, which keeps nothing but digits.
    """
    digits = _digits(sent)
    return digits == _digits(shown) if digits else same_value(sent, shown)


def _same_items(sent: list[Any] | tuple[Any, ...], shown: list[Any] | tuple[Any, ...]) -> bool:
    sent_texts, shown_texts = [list(map(_text, items)) for items in (sent, shown)]
    if None in sent_texts or None in shown_texts:
        return len(sent) == len(shown) and all(map(same_value, sent, shown))
    return Counter(sent_texts) == Counter(shown_texts)


def _text(value: Any) -> str | None:
    """A plain value as a normalised text; `None` if the value is a list or an object."""
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case datetime.date():
            return value.isoformat()
        case str():
            return _plain(value)
        case _ if not value:  # an empty list or object counts as an empty text
            return ""
    return None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _digits(value: Any) -> str:
    return "".join(filter(str.isdecimal, _text(value) or "")).lstrip("0")
