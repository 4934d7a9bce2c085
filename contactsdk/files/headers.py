"""Checks that the first row of a list is a header, and says what to do if it is not."""

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import evolve, frozen

from contactsdk.files.column_plan import ColumnRules, ColumnUse, Plan, plan_of
from contactsdk.files.columns import fields_listed, letter_of
from contactsdk.files.custom_values import KnownNames
from contactsdk.files.formats import FileError, HeaderError, Row
from contactsdk.files.suggestions import suggested_field
from contactsdk.wire import platform_name

SEARCHED: Final = 20
"""How many rows are searched for the header if the first row is not the header."""

_EXAMPLE: Final = "First Name,Last Name,Email"
_REQUIRED: Final = ("first_name", "last_name", "email")
_LEAST_WIDE: Final = 3


@frozen(kw_only=True)
class _Guesses:
    """Guesses of what unknown columns hold."""

    fields: dict[str, str]
    """Header -> the field that the column probably holds, if no other column holds it."""
    others: tuple[str, ...]
    """The headers of the columns without a guess, as options name them."""

    @property
    def options(self) -> list[str]:
        """The options that apply the guesses, and leave out the other unknown columns."""
        words = [
            word
            for name, field in self.fields.items()
            for word in ("--map", f"{_one_line(name)}={field}")
        ]
        together = not any("," in name for name in self.others)
        ignored = (",".join(self.others),) if together and self.others else self.others
        return [*words, *(word for name in ignored for word in ("--ignore-columns", name))]


def plan_of_header(
    header: Row,
    following: Sequence[Row],
    rules: ColumnRules,
    name: str,
    *,
    set_fields: Iterable[str] = (),
) -> Plan:
    """What each column below this header holds.

    `following` are the next rows: if `header` is not a header, the message says which of them is.
    `set_fields` are the fields that get a value in each row by `--set`.

    Raises:
        HeaderError: A column is unknown or given twice, or a required one is missing; the message
            says what to do.
        FileError: The row cannot be read, or is not a header.
    """
    where = f"{name}, row {header.number}"
    if header.problem:
        raise FileError(f"{where}: {header.problem}")
    # Checked without the account's names first: a title row is no reason to ask the account.
    nameless = evolve(rules, names=KnownNames())
    if plan_of(header.cells, nameless).problems:
        _check_is_header(header, following, nameless, where)
    plan = plan_of(header.cells, rules)
    guesses = _guesses_of(plan)
    are_unknown = all(place in plan.unknown for place, _ in plan.problems)
    given = set(set_fields)
    missing_then = _missing(plan, given | set(guesses.fields.values()))
    # If unknown columns are left out, they are no error, and no field is guessed for them.
    missing = missing_then if plan.unknown else _missing(plan, given)
    if not are_unknown:
        missing = []
    problems = [*(what for _, what in plan.problems), *missing]
    if not problems:
        return plan
    text = f" {problems[0]}" if len(problems) == 1 else "".join(f"\n  {it}" for it in problems)
    lines = [f"{where}:{text}", *_advice(plan, rules)]
    is_enough = are_unknown and not missing_then
    raise HeaderError("\n".join(lines), guesses.options if is_enough else ())


def missed(plan: Plan) -> list[str]:
    """A sentence for each unknown column that is left out although it probably holds a field."""
    return [
        f"the column '{_one_line(name)}' is left out, but may hold {field}: to import it, use "
        f'--map "{_one_line(name)}={field}".'
        for name, field in _guesses_of(plan).fields.items()
    ]


def _check_is_header(header: Row, following: Sequence[Row], rules: ColumnRules, where: str) -> None:
    """Check that the first row is a header.

    Raises:
        HeaderError: It is not; the message says what it looks like and what to do.
        FileError: As `HeaderError`.
    """
    known = _known(header, rules)
    what = f"{where}: this is not a header row"
    is_wider = any(len(row.cells) > 1 for row in (header, *following))
    is_title = is_wider and sum(bool(cell.strip()) for cell in header.cells) == 1
    number = _header_among(following, rules, known) if known < 2 else None
    if number is None and not known and is_title:
        number = _widest(following)
    if number is not None:
        raise HeaderError(
            f"{what}: it looks like a title, and row {number} like the header; use --header-row "
            f"{number}, or delete the rows above it",
            ("--header-row", str(number)),
        )
    if not known and any(map(_is_address, header.cells)):
        raise FileError(
            f"{what}: it looks like a contact; above it, add a row with the names of the columns, "
            f"such as {_EXAMPLE}"
        )
    if not known and is_title:
        raise FileError(
            f"{what}: it looks like a title; the first row must have the names of the columns, "
            f"such as {_EXAMPLE}"
        )


def _advice(plan: Plan, rules: ColumnRules) -> list[str]:
    if not plan.unknown:
        return []
    # A column that has a guess is no example of one that holds a custom field.
    others = _guesses_of(plan).others
    name = others[0] if others else _one_line(plan.uses[min(plan.unknown)].name)
    by_id = f'--map "{name}=customFields.<its id>"'
    if known := rules.names.shown():
        custom = f'{known} (--map "{name}=<the name of one>")'
    elif rules.names.has_no_custom_fields:
        custom = (
            f"the account lists no custom fields, so make one there first (in the sandbox: "
            f'contactsdk sandbox --fields "101={name}"), or use {by_id}, which is not checked'
        )
    else:
        custom = f"a custom field is {by_id} (contactsdk fields lists the ids)"
    return [
        "To leave a column out, use --ignore-columns, or --ignore-unknown for all of them; "
        f"{custom}.",
        f"A column may hold {fields_listed()}.",
    ]


def _guesses_of(plan: Plan) -> _Guesses:
    held = {it.column.field for it in plan.uses if it.column is not None}
    held |= {"first_name", "last_name"} if "full_name" in held else set()
    taken = set(map(platform_name, held))
    fields: dict[str, str] = {}
    others: list[str] = []
    for use in plan.uses:
        if use.reason != "unknown":
            continue
        field = suggested_field(use.name)
        words = set((field or "").split())
        if field is None or "<" in field or words & taken or _is_doubled(use, plan):
            others.append(_option_name(use, plan))
        else:
            fields[use.name] = field
            taken |= words
    return _Guesses(fields=fields, others=tuple(others))


def _missing(plan: Plan, given: set[str]) -> list[str]:
    """A sentence about the fields that an add needs and no column holds.

    Empty if none is missing, or if rows may be updates.
    """
    columns = [use.column for use in plan.uses if use.column is not None]
    if any(column.field == "id" for column in columns):
        return []
    named = {word for field in given for word in field.split()}
    lacking = [
        platform_name(field)
        for field in _REQUIRED
        if platform_name(field) not in named
        and not any(column.field == field for column in columns)
        and not (field != "email" and any(column.field == "full_name" for column in columns))
    ]
    if not lacking:
        return []
    known = ", ".join(f"'{_one_line(use.name)}'" for use in plan.uses if use.name.strip())
    return [
        f"no column holds {', '.join(lacking)}: each contact needs firstName, lastName and email, "
        f"or the id that the platform gave it; the columns are {known}"
    ]


def _known(row: Row, rules: ColumnRules) -> int:
    """How many cells of the row are known or guessed names of columns."""
    plan = plan_of(row.cells, rules)
    return sum(use.column is not None for use in plan.uses) + len(_guesses_of(plan).fields)


def _header_among(rows: Sequence[Row], rules: ColumnRules, known: int) -> int | None:
    """The number of the first row that names more than `known` columns; `None` if none does."""
    return next((row.number for row in rows if _known(row, rules) >= max(2, known + 1)), None)


def _widest(rows: Sequence[Row]) -> int | None:
    """The number of the first row with the most filled cells; `None` if it has only one.

    The last row cannot be a header, since no row follows it.
    """
    filled = {row.number: sum(bool(cell.strip()) for cell in row.cells) for row in rows[:-1]}
    number = max(filled, key=lambda it: filled[it], default=0)
    return number if filled.get(number, 0) >= _LEAST_WIDE else None


def _is_doubled(use: ColumnUse, plan: Plan) -> bool:
    return sum(it.name == use.name for it in plan.uses) > 1


def _option_name(use: ColumnUse, plan: Plan) -> str:
    return f"column {letter_of(use.place)}" if _is_doubled(use, plan) else _one_line(use.name)


def _one_line(name: str) -> str:
    return " ".join(name.split())


def _is_address(cell: str) -> bool:
    name, at, domain = cell.strip().rpartition("@")
    return bool(name and at) and "." in domain and " " not in domain
