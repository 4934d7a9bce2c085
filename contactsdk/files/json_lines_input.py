"""Contacts in JSON Lines."""

import json
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from contactsdk.errors import InvalidContactError, Path
from contactsdk.files.formats import BYTE_ORDER_MARK, MESSAGE, Row, is_text, json_line
from contactsdk.models import Item
from contactsdk.wire import FIELD_NAMES, contact_from


class JsonLinesInput:
    """Contacts in JSON Lines: an object on each line, as `contact_from` takes it."""

    def __init__(self, stream: BinaryIO, name: str, ignored: Collection[str] = ()) -> None:
        self._stream = stream
        self._ignored = {MESSAGE, *map(str.casefold, ignored)}

    def __iter__(self) -> Iterator[Row]:
        for line, raw in enumerate(self._stream, 1):
            text = raw.strip().decode("utf-8", "surrogateescape").removeprefix(BYTE_ORDER_MARK)
            if text:
                yield Row(line=line, cells=(text,))

    def item(self, row: Row) -> Item:
        if not is_text(row.cells[0]):
            return InvalidContactError([((), "the line is not UTF-8 text: save the file as UTF-8")])
        try:
            # Not orjson: it reads an integer past 64 bits as a float, without a word.
            value = json.loads(row.cells[0])
        except json.JSONDecodeError as exc:
            return InvalidContactError([((), f"the line is not JSON (see column {exc.colno})")])
        except (ValueError, RecursionError):
            return InvalidContactError([((), "the line is JSON beyond what can be read")])
        try:
            return contact_from(self._without_ignored(value))
        except InvalidContactError as error:
            return InvalidContactError([(path, _told(path, what)) for path, what in error.errors])

    def head(self) -> str:
        return ""

    def with_message(self, row: Row, message: str) -> str:
        text = row.cells[0]
        with suppress(ValueError, RecursionError):
            value = json.loads(text)
            if isinstance(value, dict):
                kept = {key: item for key, item in value.items() if key.casefold() != MESSAGE}
                return json_line({**kept, MESSAGE: message})
        return json_line({"line": text, MESSAGE: message})

    def _without_ignored(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if key.casefold() not in self._ignored}


def _told(path: Path, what: str) -> str:
    is_unknown = bool(path) and str(path[0]).casefold() not in FIELD_NAMES
    return f"{what}; to let a key pass, use --ignore-columns" if is_unknown else what
