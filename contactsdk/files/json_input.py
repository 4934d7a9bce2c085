"""Contacts in JSON: an object on each line, or an array of objects."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import evolve

from contactsdk.errors import InvalidContactError, Path
from contactsdk.files.column_plan import ColumnRules, Plan, plan_of
from contactsdk.files.columns import folded
from contactsdk.files.contacts import ContactMaker
from contactsdk.files.description import Description
from contactsdk.files.formats import MESSAGE, FileError, Row, json_line
from contactsdk.files.json_text import DuplicateKeyError, parsed
from contactsdk.files.options import InputOptions, for_json
from contactsdk.models import Item

_KEPT: Final = 256  # for how many different sets of keys the columns and the maker are cached
_OURS_AT_END: Final = re.compile(rf',?\s*"{MESSAGE}":\s*"(?:[^"\\]|\\.)*"\s*\}}\s*$')


class JsonInput:
    """Contacts in JSON, in the shape that `contact_from` takes, or with headers of a table as keys.

    Raises:
        FileError: There are no contacts.
    """

    def __init__(
        self, rows: Iterable[Row], name: str, options: InputOptions, description: Description
    ) -> None:
        self._options = for_json(options)
        self._makers: dict[tuple[str, ...], tuple[Plan, ContactMaker]] = {}
        self._rows = iter(rows)
        first = next(self._rows, None)
        if first is None:
            raise FileError(f"{name}: nothing to import: there are no contacts in the file")
        self._first: Row | None = first
        self.description = evolve(description, columns=self._columns_of(first))

    def __iter__(self) -> Iterator[Row]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._rows

    def item(self, row: Row) -> Item:
        try:
            value = parsed(_without_comma(row.cells[0]))
        except DuplicateKeyError as exc:
            return InvalidContactError([((exc.key,), "is given twice")])
        except json.JSONDecodeError as exc:
            return InvalidContactError([((), f"the line is not JSON (see column {exc.colno})")])
        except (ValueError, RecursionError) as exc:
            what = (
                str(exc) if "not JSON" in str(exc) else "the line is too deeply nested to be read"
            )
            return InvalidContactError([((), what)])
        if not isinstance(value, dict):
            return InvalidContactError([((), "must be a JSON object")])
        plan, maker = self._made(tuple(value))
        if plan.problems:
            return InvalidContactError(_problems_of(tuple(value), plan, self._options.rules))
        return maker.from_values(tuple(value.values()))

    def choices_in(self, row: Row, error: InvalidContactError) -> tuple[str, ...]:
        return ()

    def warnings(self) -> tuple[str, ...]:
        return self.description.notes

    def head(self) -> str:
        return ""

    def with_message(self, row: Row, message: str) -> str:
        # An item of an array may have several lines. They can be joined, since a JSON string has
        # no line breaks.
        text = _without_comma(" ".join(row.cells[0].splitlines()))
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            return f"{row.cells[0]}\n"  # not an object, so there is no place for a message
        if MESSAGE in value and not _OURS_AT_END.search(text):
            return json_line({**value, MESSAGE: message})
        # The message is added to the text: parsing and writing the object again could lose
        # something, such as a key that is there twice.
        body = _OURS_AT_END.sub("", text).rstrip().removesuffix("}").rstrip()
        separator = "" if body.endswith("{") else ", "
        return f"{body}{separator}{json_line({MESSAGE: message})[1:]}"

    def values(self, row: Row) -> dict[str, Any]:
        """The row's values by its keys."""
        value = parsed(_without_comma(row.cells[0]))
        return value if isinstance(value, dict) else {"line": row.cells[0]}

    def _made(self, keys: tuple[str, ...]) -> tuple[Plan, ContactMaker]:
        made = self._makers.get(keys)
        if made is None:
            options = self._options
            # Not every line has every key, so a key of --map that this line lacks is no mistake.
            names = set(map(folded, keys))
            maps = tuple(pair for pair in options.rules.maps if folded(pair[0]) in names)
            plan = plan_of(keys, evolve(options.rules, maps=maps))
            maker = ContactMaker(
                plan,
                options.readers,
                options.defaults,
                update_if_exists=options.update_if_exists,
            )
            made = plan, maker
            if len(self._makers) < _KEPT:
                self._makers[keys] = made
        return made

    def _columns_of(self, row: Row) -> Any:
        try:
            value = parsed(_without_comma(row.cells[0]))
        except (ValueError, RecursionError):
            return ()
        return self._made(tuple(value))[0].uses if isinstance(value, dict) else ()


def _without_comma(text: str) -> str:
    return text[:-1] if text.endswith("},") else text


def _problems_of(keys: tuple[str, ...], plan: Plan, rules: ColumnRules) -> list[tuple[Path, str]]:
    """What is wrong with the keys of an object, in words that fit JSON and not a table."""
    problems: list[tuple[Path, str]] = []
    for place, what in plan.problems:
        if place in plan.unknown:
            known = rules.names.shown()
            what = "is not a field of a contact; to leave the key out, use --ignore-columns"
            what += f"; {known}" if known else ""
        elif place in plan.doubled:
            what = "is given twice"
        problems.append(((keys[place],), what))
    return problems
