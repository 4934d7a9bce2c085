"""Decides which field of a contact each column holds, by its header and the user's options."""

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import evolve, field, frozen

from contactsdk.files.columns import (
    Column,
    column_of,
    custom_field_problem,
    folded,
    letter_of,
    overlap,
    spelled,
)
from contactsdk.files.custom_values import KnownNames
from contactsdk.files.formats import OURS
from contactsdk.files.suggestions import remark_on, suggested_field
from contactsdk.files.vendors import VENDORS, Vendor


@frozen(kw_only=True)
class ColumnUse:
    """How one column of a list is used."""

    place: int
    """The place of the column, counted from 0."""
    name: str
    """The header of the column, as in the file."""
    column: Column | None = None
    """What the column holds; `None` if it is left out."""
    reason: str = ""
    """Why the column is left out, as a part of a sentence; empty if it is used."""
    rank: int = 0
    """If several columns hold one field: how many of them are looked at before this one."""

    @property
    def holds(self) -> str:
        """The name of what the column holds, as a user writes it; empty if it is left out."""
        return "" if self.column is None else spelled(self.column)


@frozen(kw_only=True)
class ColumnRules:
    """What the user's options say about the columns."""

    maps: tuple[tuple[str, Column], ...] = ()
    """Pairs of a header, or `column D` for the fourth column, and what that column holds."""
    ignored: tuple[str, ...] = ()
    """Headers of columns to leave out; one text may name several, divided by commas."""
    ignore_unknown: bool = False
    names: KnownNames = field(factory=KnownNames)
    """The account's custom fields; a header may be the name of one."""
    whole: bool = False
    """Whether one column may hold all custom fields or all links, as a key of JSON may."""


@frozen(kw_only=True)
class Plan:
    """What each column of a list holds."""

    uses: tuple[ColumnUse, ...]
    vendor: Vendor | None = None
    """The program that exported the list; `None` if it was not recognised."""
    problems: tuple[tuple[int, str], ...] = ()
    """Pairs of a column's place and what is wrong with it; if there is one, nothing can be read."""
    unknown: frozenset[int] = frozenset()
    """The places of columns with an unknown header; they are among the problems."""
    doubled: frozenset[int] = frozenset()
    """The places of columns that hold the same as another column; they are among the problems."""


def plan_of(header: Sequence[str], rules: ColumnRules) -> Plan:
    """What each of the columns with these headers holds; everything wrong is in `problems`."""
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
            uses.append(evolve(use, reason="unknown"))
            problems.append((place, _unknown(name, rules.names)))
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


def _by_itself(name: str, rules: ColumnRules, vendor: Vendor | None) -> Column | str | None:
    """What a column holds, or the reason why it is left out; `None` if the header is unknown."""
    if folded(name).startswith(folded(OURS)):
        return "added by contactsdk"
    if not name.strip():
        return "no header"
    column = column_of(name, rules.names, whole=rules.whole)
    if column == Column("id") and (vendor or name.strip() == "ID"):
        # In another system's export, ID is that system's number. If it were taken for the
        # platform's id, the row would overwrite the contact that has this id on the platform.
        column = None
        if vendor is None:
            return None if not rules.ignore_unknown else "unknown"
    if column is not None:
        return column
    if field := _FIELDS_OF_VENDORS.get(folded(name)):
        return Column(field)
    if vendor is not None:
        return f"a column of {vendor.name}"
    if field := _OTHER_NAMES.get(folded(name)):
        return Column(field)
    if owner := _OWN_OF_VENDORS.get(folded(name)):
        return f"a column of {owner}"
    return "unknown" if rules.ignore_unknown else None


def _unknown(name: str, names: KnownNames) -> str:
    if why := names.several_of(name):
        return f"column '{_one_line(name)}' {why}"
    if name.strip() == "ID":
        return (
            "column 'ID' may hold the ids of another system: to keep them, use "
            '--map "ID=external_id"; if they are the platform\'s own ids, use --map "ID=id"'
        )
    if problem := custom_field_problem(name):
        return f"unknown column '{_one_line(name)}': {problem}"
    shown = _one_line(name)
    if field := suggested_field(name):
        return f"unknown column '{shown}' (use --map \"{shown}={field}\" if it holds that)"
    remark = remark_on(name)
    return f"unknown column '{shown}'{remark and f': {remark}'}"


def _one_line(name: str) -> str:
    return " ".join(name.split())


def _mapped(header: Sequence[str], maps: Iterable[tuple[str, Column]]) -> dict[int, Column]:
    return {
        place: column
        for wanted, column in maps
        for place, name in enumerate(header)
        if _is_named(wanted, place, name, header)
    }


def not_there(header: Sequence[str], rules: ColumnRules) -> list[str]:
    """A sentence for each column that `--ignore-columns` names and the list does not have."""
    return [
        f"--ignore-columns names a column '{wanted.strip()}' that is not there."
        for wanted in _names_of_ignored(header, rules.ignored)
        if not any(_is_named(wanted, place, name, header) for place, name in enumerate(header))
    ]


def _names_of_ignored(header: Sequence[str], ignored: Iterable[str]) -> list[str]:
    names: list[str] = []
    for text in ignored:
        whole = any(_is_named(text, place, name, header) for place, name in enumerate(header))
        # A header may itself have commas in it.
        names += [text] if whole else text.split(",")
    return [name for name in names if name.strip()]


def _ignored(header: Sequence[str], ignored: Iterable[str]) -> set[int]:
    names = _names_of_ignored(header, ignored)
    return {
        place
        for place, name in enumerate(header)
        if any(_is_named(wanted, place, name, header) for wanted in names)
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
    """The columns, and a problem for each column that holds the same field as another one.

    A column that another one stands in for is left out instead, with a reason.
    """
    kept = list(uses)
    problems: list[tuple[int, str]] = []
    for column in dict.fromkeys(use.column for use in uses if use.column is not None):
        same = [use for use in uses if use.column is not None and overlap(use.column, column)]
        chosen = [use for use in same if use.place in mapped]
        if len(chosen) == 1:
            same = [*chosen, *(use for use in same if use.place not in mapped)]
        elif (
            vendor is not None and not chosen and len({folded(it.name) for it in same}) == len(same)
        ):
            same.sort(key=lambda use: _preference(use.name, vendor))
        elif len(same) > 1:
            problems.append((same[1].place, _doubled(same)))
            continue
        is_alternative = column.field == "phone" and not chosen
        for rank, use in enumerate(same[1:], 1):
            reason = f"another column holds {spelled(column)}"
            left_out = evolve(use, column=None, reason=reason)
            kept[use.place] = evolve(use, rank=rank) if is_alternative else left_out
    return kept, problems


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
    """The program that exported the list: the one of which the list has two `own` headers."""
    names = {folded(name) for name in header}
    counts = {vendor.name: len(names & set(map(folded, vendor.own))) for vendor in VENDORS}
    best = max(VENDORS, key=lambda vendor: counts[vendor.name])
    return best if counts[best.name] >= 2 else None


# These are not used in an export of a known program: there, such a column may hold something else.
_OTHER_NAMES: Final = {"e-mail": "email", "surname": "last_name"}

_FIELDS_OF_VENDORS: Final = {
    folded(header): field
    for vendor in VENDORS
    for field, headers in vendor.fields.items()
    for header in headers
}
_OWN_OF_VENDORS: Final = {
    folded(header): vendor.name for vendor in VENDORS for header in vendor.own
}
