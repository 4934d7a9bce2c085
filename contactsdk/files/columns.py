"""Which field of a contact each column of a list holds, by its header and by what the user says."""

import string
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import evolve, frozen

from contactsdk.files.custom_values import ADDRESS_PARTS, CustomFieldNames
from contactsdk.files.formats import OURS, FileError
from contactsdk.files.suggestions import suggested_map
from contactsdk.files.vendors import VENDORS, Vendor
from contactsdk.wire import FIELD_NAMES

_INVISIBLE: Final = dict.fromkeys(map(ord, "_\ufeff\u200b\u200c\u200d\u2060\u00ad"))
_FULL_NAME: Final = ("first_name", "last_name")


_NO_NAMES: Final = CustomFieldNames()


@frozen
class Column:
    """What a column holds: a field of a contact or, with a key, one part of it.

    The field `full_name` stands for a first and a last name in one cell; its key is the order in
    which they come.
    """

    field: str
    key: int | str | None = None
    part: str | None = None
    """The part of an address, such as `city`; `None` for the whole value."""


@frozen(kw_only=True)
class ColumnUse:
    """What became of one column of a list."""

    place: int
    """Its place, counted from 0."""
    name: str
    """Its header, as in the file."""
    column: Column | None = None
    """What it holds; `None` where it is left out."""
    reason: str = ""
    """Why it is left out, as a part of a sentence; empty where it is not."""

    @property
    def holds(self) -> str:
        """The name of what it holds, as a user writes it; empty where it is left out."""
        return "" if self.column is None else spelled(self.column)


@frozen(kw_only=True)
class ColumnRules:
    """What the user says about the columns."""

    maps: tuple[tuple[str, Column], ...] = ()
    """Header, or `column D`, and what it holds."""
    ignored: tuple[str, ...] = ()
    """Headers to leave out, or several of them in one text, divided by commas."""
    ignore_unknown: bool = False
    names: CustomFieldNames = _NO_NAMES
    """The account's custom fields, by which columns are known as well."""
    whole: bool = False
    """Whether a column may hold all custom fields or all links at once, as a key of JSON may."""


@frozen(kw_only=True)
class Plan:
    """What each column of a list holds."""

    uses: tuple[ColumnUse, ...]
    vendor: Vendor | None = None
    """Whose export it is, where that was recognised."""
    problems: tuple[tuple[int, str], ...] = ()
    """Place of a column and what is wrong with it; such a list cannot be read."""
    unknown: frozenset[int] = frozenset()
    """The places of the columns that nobody knows; they are among the problems."""
    doubled: frozenset[int] = frozenset()
    """The places of columns that hold what another one holds; they are among the problems."""


def folded(name: str) -> str:
    """A header without what makes no difference: case, blanks, underscores."""
    return "".join(name.translate(_INVISIBLE).split()).casefold()


def letter_of(place: int) -> str:
    """What a spreadsheet calls the column at `place`, counted from 0: A to Z, AA and so on."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = string.ascii_uppercase[rest] + letters
    return letters


def spelled(column: Column) -> str:
    """The name of what a column holds, as a user writes it."""
    if column.field == "full_name":
        return str(column.key)
    parts = (column.field, column.key, column.part)
    return ".".join(str(part) for part in parts if part is not None)


def column_of(
    name: str, names: CustomFieldNames = _NO_NAMES, *, whole: bool = False
) -> Column | None:
    """What a header says by itself, without regard to other columns; `None` if nothing."""
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
    if field_id is not None and (known := ADDRESS_PARTS.get(folded(part))):
        return Column("custom_fields", field_id, known)
    return None


def target_of(text: str, names: CustomFieldNames) -> Column:
    """What `--map` names behind its `=`: a field, a part of one, or two names in one cell.

    Raises:
        FileError: It names none.
    """
    both = [FIELD_NAMES.get(folded(word)) for word in text.replace(",", " ").split()]
    if len(both) == 2 and set(both) == set(_FULL_NAME):
        return Column("full_name", " ".join(map(str, both)))
    column = column_of(text, names)
    if column is None:
        fields = ", ".join(dict.fromkeys(FIELD_NAMES.values()))
        raise FileError(
            f"'{text}' is no field of a contact; fields are {fields} (custom_fields.<field id>, "
            "external_urls.<ref>), or first_name last_name for a full name"
        )
    return column


def plan_of(header: Sequence[str], rules: ColumnRules) -> Plan:
    """What each of the columns with these headers holds; all that is wrong is among `problems`."""
    vendor = _vendor_of(header)
    problems: list[tuple[int, str]] = []
    uses: list[ColumnUse] = []
    mapped = _mapped(header, rules.maps)
    ignored = _ignored(header, rules.ignored)
    for place, name in enumerate(header):
        use = ColumnUse(place=place, name=name)
        if place in mapped:
            uses.append(evolve(use, column=mapped[place]))
        elif place in ignored:
            uses.append(evolve(use, reason="ignored"))
        elif isinstance(found := _by_itself(name, rules, vendor), Column):
            uses.append(evolve(use, column=found))
        elif found is not None:
            uses.append(evolve(use, reason=found))
        else:
            problems.append((place, _unknown(name, place)))
    unknown = frozenset(place for place, _ in problems)
    problems += [(use.place, what) for use in uses if (what := _unsettable(use, rules))]
    uses, doubled = _without_doubles(uses, frozenset(mapped), vendor)
    missing = [(0, what) for what in _unmatched(header, rules.maps)]
    return Plan(
        uses=tuple(uses),
        vendor=vendor,
        problems=(*problems, *doubled, *missing),
        unknown=unknown,
        doubled=frozenset(place for place, _ in doubled),
    )


def _unsettable(use: ColumnUse, rules: ColumnRules) -> str | None:
    column = use.column
    if column is None or column.field != "custom_fields" or not isinstance(column.key, int):
        return None
    return rules.names.problem_of(column.key, column.part)


def _custom_column(text: str) -> Column | None:
    key, dot, part = text.partition(".")
    if not (key.isascii() and key.isdigit() and len(key) <= 18 and not key.startswith("0")):
        return None
    if not dot:
        return Column("custom_fields", int(key))
    known = ADDRESS_PARTS.get(folded(part))
    return Column("custom_fields", int(key), known) if known else None


def _by_itself(name: str, rules: ColumnRules, vendor: Vendor | None) -> Column | str | None:
    """What a column holds, or why it is left out; `None` where nobody knows."""
    if folded(name).startswith(folded(OURS)):
        return "added by contactsdk"
    if not name.strip():
        return "no header"
    column = column_of(name, rules.names, whole=rules.whole)
    if column == Column("id") and (vendor or name.strip() == "ID"):
        # What another system calls ID is a number of its own: as the platform's id, it would
        # overwrite whoever has it there.
        column = None
        if vendor is None:
            return None if not rules.ignore_unknown else "unknown"
    if column is not None:
        return column
    if field := _FIELDS_OF_VENDORS.get(folded(name)):
        return Column(field)
    if vendor is not None:
        return f"a column of {vendor.name}"
    if owner := _OWN_OF_VENDORS.get(folded(name)):
        return f"a column of {owner}"
    return "unknown" if rules.ignore_unknown else None


def _unknown(name: str, place: int) -> str:
    if name.strip() == "ID":
        return (
            "column 'ID' may be another system's: use --map \"ID=external_id\" to keep it, "
            '--map "ID=id" if it is the platform\'s id of each contact'
        )
    return f"unknown column '{_one_line(name)}'{suggested_map(_one_line(name))}"


def _one_line(name: str) -> str:
    return " ".join(name.split())


def _mapped(header: Sequence[str], maps: Iterable[tuple[str, Column]]) -> dict[int, Column]:
    return {
        place: column
        for wanted, column in maps
        for place, name in enumerate(header)
        if _is_named(wanted, place, name, header)
    }


def _ignored(header: Sequence[str], ignored: Iterable[str]) -> set[int]:
    names: list[str] = []
    for text in ignored:
        whole = any(_is_named(text, place, name, header) for place, name in enumerate(header))
        # A header may itself have commas in it.
        names += [text] if whole else text.split(",")
    return {
        place
        for place, name in enumerate(header)
        if any(_is_named(wanted, place, name, header) for wanted in names if wanted.strip())
    }


def _is_named(wanted: str, place: int, name: str, header: Sequence[str]) -> bool:
    if folded(wanted) == folded(name):
        return True
    by_letter = folded(f"column {letter_of(place)}")
    return folded(wanted) == by_letter and all(folded(other) != by_letter for other in header)


def _unmatched(header: Sequence[str], maps: Iterable[tuple[str, Column]]) -> list[str]:
    known = ", ".join(f"'{_one_line(name)}'" for name in header if name.strip())
    return [
        f"--map names a column '{wanted}' that is not there; the columns are {known}"
        for wanted, _ in maps
        if not any(_is_named(wanted, place, name, header) for place, name in enumerate(header))
    ]


def _without_doubles(
    uses: Sequence[ColumnUse], mapped: frozenset[int], vendor: Vendor | None
) -> tuple[list[ColumnUse], list[tuple[int, str]]]:
    """The columns, those left out that another one stands for, and those that contradict it."""
    kept = list(uses)
    problems: list[tuple[int, str]] = []
    for column in dict.fromkeys(use.column for use in uses if use.column is not None):
        same = [use for use in uses if use.column is not None and _overlap(use.column, column)]
        chosen = [use for use in same if use.place in mapped]
        if len(chosen) == 1:
            losers = [use for use in same if use.place not in mapped]
        elif vendor is not None and not chosen:
            same.sort(key=lambda use: _preference(use.name, vendor))
            losers = [] if column.field == "phone" else same[1:]
        elif len(same) > 1:
            problems.append((same[1].place, _doubled(same)))
            losers = []
        else:
            losers = []
        for use in losers:
            reason = f"another column holds {spelled(column)}"
            kept[uses.index(use)] = evolve(use, column=None, reason=reason)
    return kept, problems


def _overlap(one: Column, other: Column) -> bool:
    """Whether two columns give the same value."""
    if "full_name" in (one.field, other.field):
        return {one.field, other.field} <= {"full_name", *_FULL_NAME}
    if one.field != other.field or one.key != other.key:
        return False
    return one.part is None or other.part is None or one.part == other.part


def _doubled(same: Sequence[ColumnUse]) -> str:
    letters = [f"{letter_of(use.place)} ('{_one_line(use.name)}')" for use in same]
    last = same[-1]
    return (
        f"columns {' and '.join(letters)} both hold {last.holds}: choose one with "
        f'--map "column {letter_of(last.place)}={last.holds}", or leave one out with '
        f'--ignore-columns "column {letter_of(last.place)}"'
    )


def _preference(name: str, vendor: Vendor) -> int:
    headers = [folded(header) for headers in vendor.fields.values() for header in headers]
    return headers.index(folded(name)) if folded(name) in headers else -1


def _vendor_of(header: Iterable[str]) -> Vendor | None:
    """Whose export it is: two headers that nobody else uses say so."""
    names = {folded(name) for name in header}
    counts = {vendor.name: len(names & set(map(folded, vendor.own))) for vendor in VENDORS}
    best = max(VENDORS, key=lambda vendor: counts[vendor.name])
    return best if counts[best.name] >= 2 else None


_FIELDS_OF_VENDORS: Final = {
    folded(header): field
    for vendor in VENDORS
    for field, headers in vendor.fields.items()
    for header in headers
}
_OWN_OF_VENDORS: Final = {
    folded(header): vendor.name for vendor in VENDORS for header in vendor.own
}
