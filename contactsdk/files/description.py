"""What a preview shows of an input: how it was read, and what is odd about its rows."""

from typing import Final

from attrs import frozen

from contactsdk.files.column_plan import ColumnUse
from contactsdk.files.formats import Format

_SHOWN: Final = 10


@frozen(kw_only=True)
class Description:
    """How an input was read."""

    format: Format
    encoding: str | None = None
    """The encoding of its text, such as `Windows-1252`; `None` for a workbook."""
    delimiter: str | None = None
    """What divides the cells of CSV."""
    is_compressed: bool = False
    """Whether it was compressed with gzip."""
    sheet: str | None = None
    """The sheet of a workbook that was read."""
    other_sheets: tuple[str, ...] = ()
    """The sheets of a workbook that were not."""
    vendor: str | None = None
    """The program whose export it is, where that was recognised."""
    columns: tuple[ColumnUse, ...] = ()
    """What each column holds, in order; of JSON, each key of the first object."""
    notes: tuple[str, ...] = ()
    """What whoever imports it should know, in whole sentences."""

    @property
    def left_out(self) -> tuple[ColumnUse, ...]:
        """The columns with a header that are not imported, and why."""
        return tuple(use for use in self.columns if use.column is None and use.name.strip())


class Remarks:
    """What is odd about rows that can be sent all the same; counted while they are read."""

    def __init__(self) -> None:
        self._rows: dict[str, list[int]] = {}
        self._counts: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def add(self, what: str, number: int) -> None:
        """Note that `what` is so of row `number`; a row that is read again counts once."""
        if number <= self._last.get(what, 0):
            return
        self._last[what] = number
        self._counts[what] = self._counts.get(what, 0) + 1
        rows = self._rows.setdefault(what, [])
        if len(rows) < _SHOWN:
            rows.append(number)

    def texts(self) -> tuple[str, ...]:
        """A sentence for each oddity, with the first rows that have it."""
        return tuple(f"{self._rows_text(what)}: {what}" for what in self._rows)

    def _rows_text(self, what: str) -> str:
        rows = ", ".join(map(str, self._rows[what]))
        more = self._counts[what] - len(self._rows[what])
        if more:
            return f"rows {rows} and {more:,} more"
        return f"row{'s' if len(self._rows[what]) > 1 else ''} {rows}"
