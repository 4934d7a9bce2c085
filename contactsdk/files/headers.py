"""Whether the first row of a list is a header, and what it looks like if it is not."""

from collections.abc import Sequence
from typing import Final

from contactsdk.files.column_plan import ColumnRules, Plan, plan_of
from contactsdk.files.formats import FileError, Row

SEARCHED: Final = 20
"""How many rows are looked at for the header, if the first one is not."""

_EXAMPLE: Final = "First Name,Last Name,Email"
_ADVICE: Final = (
    "; to leave a column out, use --ignore-columns, or --ignore-unknown for all of them"
)


def plan_of_header(header: Row, following: Sequence[Row], rules: ColumnRules, name: str) -> Plan:
    """What the columns below this header hold.

    Raises:
        FileError: It is not a header, or a column is unknown or given twice; the message says what
            to do. `following` are the next few rows, in which the header may be.
    """
    where = f"{name}, row {header.number}"
    if header.problem:
        raise FileError(f"{where}: {header.problem}")
    plan = plan_of(header.cells, rules)
    if plan.problems and (what := _no_header(header, following, plan, rules)):
        raise FileError(f"{where}: this is not a header row: {what}")
    if plan.problems:
        problems = "; ".join(what for _, what in plan.problems)
        raise FileError(f"{where}: {problems}{_advice(plan, rules) if plan.unknown else ''}")
    return plan


def _advice(plan: Plan, rules: ColumnRules) -> str:
    name = " ".join(plan.uses[min(plan.unknown)].name.split())
    if known := rules.names.shown():
        return f'{_ADVICE}; {known} (--map "{name}=<the name of one>")'
    return (
        f'{_ADVICE}; a custom field is --map "{name}=customFields.<its id>" (contactsdk fields '
        "lists the ids)"
    )


def _no_header(header: Row, following: Sequence[Row], plan: Plan, rules: ColumnRules) -> str | None:
    """What the first row looks like, and what to do; `None` where it is a header after all."""
    known = sum(use.column is not None for use in plan.uses)
    if known < 2 and (number := _header_among(following, rules, known)):
        return f"it looks like a title, and row {number} like the header; delete what is above it"
    if not known and any(map(_is_address, header.cells)):
        return f"it looks like a contact; put a row with the names above it, such as {_EXAMPLE}"
    is_wider = any(len(row.cells) > 1 for row in (header, *following))
    if not known and is_wider and sum(bool(cell.strip()) for cell in header.cells) == 1:
        return f"it looks like a title; the first row must have the names, such as {_EXAMPLE}"
    return None


def _header_among(rows: Sequence[Row], rules: ColumnRules, known: int) -> int | None:
    for row in rows:
        plan = plan_of(row.cells, rules)
        found = sum(use.column is not None for use in plan.uses)
        if found >= max(2, known + 1):
            return row.number
    return None


def _is_address(cell: str) -> bool:
    name, at, domain = cell.strip().rpartition("@")
    return bool(name and at) and "." in domain and " " not in domain
