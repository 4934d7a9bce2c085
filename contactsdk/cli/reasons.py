"""Why rows failed: each reason with how many rows it has and the first of them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import Factory, define

from contactsdk.cli.text import printable

_KEPT: Final = 1000  # reasons may differ for each row; memory must not follow the rows
_KEPT_ROWS: Final = 100
_SHOWN_ROWS: Final = 5
_KEPT_CELLS: Final = 100
_SHOWN_CELLS: Final = 5
_LONGEST_CELL: Final = 40
_OTHER: Final = "other messages"


@define
class Reason:
    """One reason: its text, the number of its rows, and the first of them."""

    text: str
    count: int = 0
    rows: list[int] = Factory(list)
    """The numbers of the first rows, at most 100."""
    cells: Counter[str] = Factory(Counter)
    """How often which cell was the reason, where these are choices; at most 100 different ones."""

    def rows_text(self, shown: int = _SHOWN_ROWS) -> str:
        """Such as `row 7`, or `rows 3, 4, 9, 12, 13 and 8 more`."""
        return rows_text(self.rows[:shown], self.count)

    def cells_text(self, shown: int = _SHOWN_CELLS) -> str:
        """Such as `'active' (8 x), 'yes' (3 x) and others`."""
        cells = self.cells.most_common(shown)
        texts = (f"'{printable(cell)[:_LONGEST_CELL]}' ({count:,} x)" for cell, count in cells)
        return ", ".join(texts) + (" and others" if len(self.cells) > shown else "")


class Reasons:
    """Counts rows by the reason why they failed; 1,000 reasons are told apart at most."""

    def __init__(self) -> None:
        self._found: dict[str, Reason] = {}

    def add(self, text: str, row: int, cells: Iterable[str] = ()) -> None:
        """Count one row that failed for this reason, which may be that it has these `cells`."""
        if text not in self._found and len(self._found) >= _KEPT:
            text = _OTHER
        reason = self._found.get(text)
        if reason is None:
            reason = self._found[text] = Reason(text)
        reason.count += 1
        if len(reason.rows) < _KEPT_ROWS:
            reason.rows.append(row)
        for cell in cells:
            if cell in reason.cells or len(reason.cells) < _KEPT_CELLS:
                reason.cells[cell] += 1

    def __iter__(self) -> Iterator[Reason]:
        """The reasons, that of most rows first."""
        return iter(sorted(self._found.values(), key=lambda reason: -reason.count))

    def lines(self, shown: int = 25) -> list[str]:
        """The reasons of most rows, a line for each, and how many rows the others have.

        Below a reason is what was written in the cells that it is about, where that is known.
        """
        first, others = list(self)[:shown], list(self)[shown:]
        width = len(f"{first[0].count:,}") if first else 0
        lines: list[str] = []
        for it in first:
            lines.append(f"  {it.count:>{width},} x {printable(it.text)} ({it.rows_text()})")
            if it.cells:
                lines.append(f"  {'':>{width}}   written there: {it.cells_text()}")
        if others:
            rest = sum(it.count for it in others)
            lines.append(f"  and {rest:,} with {len(others):,} other messages")
        return lines


def rows_text(rows: list[int] | tuple[int, ...], count: int) -> str:
    """The numbers of the first of `count` rows, for a reader."""
    if count == 1:
        return f"row {rows[0]}"
    more = f" and {count - len(rows):,} more" if count > len(rows) else ""
    return f"rows {', '.join(map(str, rows))}{more}"
