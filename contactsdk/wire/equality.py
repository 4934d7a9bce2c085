"""Whether two JSON values say the same, where one was sent and the other came back.

What comes back may be normalised: without blanks at the ends, a number as its digits, keys in
another order, more keys than were sent. That makes it no other value.
"""

import datetime
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any


def same_value(sent: Any, shown: Any) -> bool:
    """Whether `shown` is what was sent, perhaps normalised.

    An absent value, null, an empty text and an empty list are the same. Lists of plain values may
    be in any order, as the options of a multiple select are. An object may show more than was sent.
    """
    if sent == shown:
        return True  # as most come back; the rest costs more than reading the answer
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
    """A text without what normalising takes away, and without its case."""
    return _plain(text.casefold())


def same_phone(sent: str, shown: Any) -> bool:
    """Whether two phone numbers are the same, by their digits.

    The platform's page has the phone of a contact as an integer, which keeps nothing else.
    """
    digits = _digits(sent)
    return digits == _digits(shown) if digits else same_value(sent, shown)


def _same_items(sent: list[Any] | tuple[Any, ...], shown: list[Any] | tuple[Any, ...]) -> bool:
    sent_texts, shown_texts = [list(map(_text, items)) for items in (sent, shown)]
    if None in sent_texts or None in shown_texts:
        return len(sent) == len(shown) and all(map(same_value, sent, shown))
    return Counter(sent_texts) == Counter(shown_texts)


def _text(value: Any) -> str | None:
    """A plain value as one text without what normalising takes away; `None` if it is not plain."""
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
        case _ if not value:  # an empty list or object
            return ""
    return None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _digits(value: Any) -> str:
    return "".join(filter(str.isdecimal, _text(value) or "")).lstrip("0")
