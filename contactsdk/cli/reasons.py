"""Groups rows by the reason why they failed: how many rows have it, and the first of them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import Factory, define

from contactsdk.cli.text import printable

_KEPT: Final = 1000  # every row may have a reason of its own, and memory must stay bounded
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
    """Text of a cell in a column of choices -> how often it was the reason; at most 100 texts."""

    def rows_text(self, shown: int = _SHOWN_ROWS) -> str:
        """Such as `row 7`, or `rows 3, 4, 9, 12, 13 and 8 more`."""
        return rows_text(self.rows[:shown], self.count)

    def cells_text(self, shown: int = _SHOWN_CELLS) -> str:
        """Such as `'active' (8 x), 'yes' (3 x) and others`."""
        cells = self.cells.most_common(shown)
        texts = (f"'{printable(cell)[:_LONGEST_CELL]}' ({count:,} x)" for cell, count in cells)
        return ", ".join(texts) + (" and others" if len(self.cells) > shown else "")


class Reasons:
    """Counts rows by the reason why they failed.

    At most 1,000 reasons are kept apart; later ones are counted together as `other messages`.
    """

    def __init__(self) -> None:
        self._found: dict[str, Reason] = {}

    def add(self, text: str, row: int, cells: Iterable[str] = ()) -> None:
        """Count one row that failed for this reason; `cells` caused it, if they are known."""
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
        """The reasons in order; the reason with the most rows comes first."""
        return iter(sorted(self._found.values(), key=lambda reason: -reason.count))

    def lines(self, shown: int = 25) -> list[str]:
        """A line for each of the `shown` most frequent reasons, and a line for all others.

        If the cells that caused a reason are known, a line below it shows them.
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
    """Such as `row 7`, or `rows 3, 4 and 8 more`; `rows` are the first of `count` rows."""
    if count == 1:
        return f"row {rows[0]}"
    more = f" and {count - len(rows):,} more" if count > len(rows) else ""
    return f"rows {', '.join(map(str, rows))}{more}"
