"""What a column of CSV holds, and the value of a field that a cell of it is."""

import difflib
import re
from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any, Final

from attrs import frozen

from contactsdk.models import EmailStatus, SmsStatus
from contactsdk.wire import FIELD_NAMES

_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_FIELD_ID: Final = re.compile(r"[1-9][0-9]{0,17}")
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "1"), True),
    **dict.fromkeys(("false", "no", "0"), False),
}


@frozen
class Column:
    """What a column holds: a field of a contact or, with a key, one part of it."""

    field: str
    key: int | str | None = None


IGNORED: Final = Column("ignored")
NAMELESS: Final = Column("nameless")


def folded(name: str) -> str:
    """A name without what makes no difference."""
    return name.strip().casefold()


def column_of(name: str) -> Column | None:
    """What a column of this name holds; `None` if it is unknown."""
    stem, dot, key = name.partition(".")
    match FIELD_NAMES.get(stem.casefold().replace(" ", "").replace("_", "")):
        case None:
            return None if name else NAMELESS
        case "custom_fields":
            return Column("custom_fields", int(key)) if _FIELD_ID.fullmatch(key) else None
        case "external_urls":
            return Column("external_urls", key) if key else None
        case field:
            return None if dot else Column(field)


def near(name: str) -> str:
    """The name of a known column that is most like this one."""
    stem, _, key = folded(name).partition(".")
    field = FIELD_NAMES[difflib.get_close_matches(stem, FIELD_NAMES, n=1, cutoff=0.0)[0]]
    match field:
        case "custom_fields":
            return f"custom_fields.{key if _FIELD_ID.fullmatch(key) else '<field id>'}"
        case "external_urls":
            return f"external_urls.{key or '<ref>'}"
    return field


def value_of(field: str, cell: str) -> Any:
    """What a field is by this text, which stays as it is where it cannot be read.

    The contact then says what is wrong with it.
    """
    return _READ.get(field, str)(cell)


def _number(cell: str) -> int | str:
    text = cell.strip()
    return int(text) if _NUMBER.fullmatch(text) else cell


def _numbers(cell: str) -> list[int | str]:
    return [_number(part) for part in cell.split(";")]


def _boolean(cell: str) -> bool | str:
    return _BOOLEANS.get(folded(cell), cell)


def _status(kind: type[IntEnum], cell: str) -> int | str:
    name = cell.strip().upper().replace(" ", "_")
    return kind[name] if name in kind.__members__ else _number(cell)


_READ: Final[dict[str, Callable[[str], Any]]] = {
    "id": _number,
    "groups": _numbers,
    "companies": _numbers,
    "status": partial(_status, EmailStatus),
    "sms_status": partial(_status, SmsStatus),
    "update_if_exists": _boolean,
    "privacy_consent": _boolean,
}
