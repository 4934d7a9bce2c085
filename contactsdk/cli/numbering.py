"""The numbers that a spreadsheet shows beside the rows of a file."""

import re
from typing import Final

from contactsdk.files import Format, Row

_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")


class RowNumbers:
    """Gives each row of a file its number, in order: the header is row 1, blank rows count.

    A line of the file is no row where a quoted cell before it holds line breaks.
    """

    def __init__(self, format: Format, head: str) -> None:
        self._is_table = format is Format.CSV
        # The head ends with the line break after it.
        self._breaks = max(0, len(_LINE_BREAK.findall(head)) - 1) if self._is_table else 0

    def number(self, row: Row) -> int:
        """The number of the next row."""
        number = row.line - self._breaks
        if self._is_table:
            for cell in row.cells:
                if "\n" in cell or "\r" in cell:
                    self._breaks += len(_LINE_BREAK.findall(cell))
        return number
