"""What a preview shows of an input: how it was read, and what is unusual about its rows."""

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
    """The encoding of the text, such as `Windows-1252`; `None` for a workbook."""
    delimiter: str | None = None
    """The character that divides the cells of CSV; `None` for other formats."""
    is_compressed: bool = False
    """Whether the file was compressed with gzip."""
    sheet: str | None = None
    """The sheet of a workbook that was read; `None` for other formats."""
    other_sheets: tuple[str, ...] = ()
    """The sheets of a workbook that were not read."""
    vendor: str | None = None
    """The program that exported the file; `None` if it was not recognised."""
    columns: tuple[ColumnUse, ...] = ()
    """How each column is used, in order; for JSON, each key of the first object."""
    notes: tuple[str, ...] = ()
    """Whole sentences that the user should read before importing."""

    @property
    def left_out(self) -> tuple[ColumnUse, ...]:
        """The columns that have a header and are not imported, each with its reason."""
        return tuple(use for use in self.columns if use.column is None and use.name.strip())


class Remarks:
    """Collects remarks on rows that can be sent although something about them is unusual."""

    def __init__(self) -> None:
        self._rows: dict[str, list[int]] = {}
        self._counts: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def add(self, what: str, number: int) -> None:
        """Note that the remark `what` is true of row `number`; each row counts once."""
        if number <= self._last.get(what, 0):
            return
        self._last[what] = number
        self._counts[what] = self._counts.get(what, 0) + 1
        rows = self._rows.setdefault(what, [])
        if len(rows) < _SHOWN:
            rows.append(number)

    def texts(self) -> tuple[str, ...]:
        """A sentence for each remark, with the first rows of which it is true."""
        return tuple(f"{self._rows_text(what)}: {what}" for what in self._rows)

    def _rows_text(self, what: str) -> str:
        rows = ", ".join(map(str, self._rows[what]))
        more = self._counts[what] - len(self._rows[what])
        if more:
            return f"rows {rows} and {more:,} more"
        return f"row{'s' if len(self._rows[what]) > 1 else ''} {rows}"
