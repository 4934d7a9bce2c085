"""Divides JSON text into objects: one on each line, or the items of one array."""

import json
from collections.abc import Iterator
from typing import Any, Final, TextIO

from contactsdk.files.columns import folded
from contactsdk.files.formats import FileError, Row
from contactsdk.wire import FIELD_NAMES

_CHUNK: Final = 1 << 16
_BLANK: Final = " \t\r\n"


class DuplicateKeyError(ValueError):
    """An object has a key twice, so it is not clear which value is meant."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def parsed(text: str) -> Any:
    """The value of this JSON text.

    Raises:
        DuplicateKeyError: An object in the text has a key twice.
        ValueError: The text is not JSON; NaN and infinities are not JSON.
        RecursionError: The value is nested too deeply.
    """
    # Not orjson: it silently reads an integer of more than 64 bits as a float.
    return _decoder.decode(text)


def json_rows(text: TextIO, name: str) -> Iterator[Row]:
    """The objects of JSON text in order, read lazily.

    Each object is on a line of its own, with or without a comma at the end, or is an item of an
    array; objects one after another may also have several lines each. The number of a row is its
    line, or its place if it is an item of an array or has several lines.

    Raises:
        FileError: The list is inside an object, or an array is broken.
    """
    lines = _numbered(text)
    first = next(lines, None)
    if first is None:
        return
    number, line = first
    start = line.strip(_BLANK)
    if start.startswith("[") or _is_split(start):
        yield from _items(line, number, text, name)
        return
    _check_not_wrapped(start, name)
    yield _row(number, start)
    for number, line in lines:
        yield _row(number, line.strip(_BLANK))


def _numbered(text: TextIO) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(iter(text.readline, ""), 1):
        if line.strip(_BLANK):
            yield number, line


def _row(number: int, text: str) -> Row:
    return Row(line=number, number=number, cells=(text,))


def _is_split(line: str) -> bool:
    """Whether an object begins on this line and continues on the next."""
    return line == "{" or (line.startswith("{") and line.endswith(("[", "{")))


def _check_not_wrapped(line: str, name: str) -> None:
    try:
        value = parsed(line)
    except (ValueError, RecursionError):
        return
    if not isinstance(value, dict) or any(folded(key) in FIELD_NAMES for key in value):
        return
    for key, item in value.items():
        if isinstance(item, list) and item and all(isinstance(it, dict) for it in item):
            raise FileError(
                f"{name}: the list is inside an object, under the key '{key}': save only the list, "
                "as an array or with each contact on a line of its own"
            )


def _items(line: str, number: int, text: TextIO, name: str) -> Iterator[Row]:
    """The items of an array, or objects one after another; each may have several lines."""
    scanner = _Scanner(line, number, text, name)
    is_array = scanner.skip("[")
    count = 0
    while not scanner.at_end() and not (is_array and scanner.peek() == "]"):
        count += 1
        line_number = scanner.line
        item = scanner.value()
        if not is_array:
            _check_not_wrapped(item, name)
        yield Row(line=line_number, number=count, cells=(item,))
        scanner.skip(",")
    if is_array and not scanner.skip("]"):
        raise FileError(f"{name}: the array at the start of the file is not closed: add a ]")
    if not scanner.at_end():
        raise FileError(
            f"{name}, line {scanner.line}: there is text after the end of the array: delete it"
        )


class _Scanner:
    """Reads JSON values from a stream of text, and counts its lines."""

    def __init__(self, start: str, line: int, text: TextIO, name: str) -> None:
        self.line = line
        self._buffer = start
        self._text = text
        self._name = name

    def peek(self) -> str:
        """The next character that is not blank; an empty text at the end."""
        while True:
            rest = self._buffer.lstrip(_BLANK)
            self.line += self._buffer[: len(self._buffer) - len(rest)].count("\n")
            self._buffer = rest
            if rest or not self._read():
                return rest[:1]

    def at_end(self) -> bool:
        return not self.peek()

    def skip(self, char: str) -> bool:
        if self.peek() != char:
            return False
        self._buffer = self._buffer[1:]
        return True

    def value(self) -> str:
        """The text of the next value."""
        self.peek()
        while True:
            try:
                _, end = _lenient.raw_decode(self._buffer)
            except (ValueError, RecursionError) as exc:
                if isinstance(exc, RecursionError) or not self._read():
                    what = f"{self._name}, line {self.line}: this is not JSON"
                    raise FileError(f"{what}: correct it, or put each object on one line") from exc
                continue
            if end < len(self._buffer) or not self._read():
                break
        value, self._buffer = self._buffer[:end], self._buffer[end:]
        self.line += value.count("\n")
        return value

    def _read(self) -> bool:
        chunk = self._text.read(_CHUNK)
        self._buffer += chunk
        return bool(chunk)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise DuplicateKeyError(next(key for key in keys if keys.count(key) > 1))
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON: omit it, or write null")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)
# Used only to find where a value ends; `parsed` then checks the value.
_lenient: Final = json.JSONDecoder(parse_int=str, parse_float=str)
