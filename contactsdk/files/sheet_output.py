"""Writes a workbook row by row, with XlsxWriter; every text in it stays text.

So a phone number keeps its leading zeros, and no text from a list is run as a formula.
"""

import errno
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from contactsdk.files.formats import FileError

LONGEST_SHEET: Final = 1_048_576
"""How many rows a sheet can have, the header included."""

_LONGEST_CELL: Final = 32_767  # XlsxWriter would cut off what is longer
_LARGEST_NUMBER: Final = 10**15  # a spreadsheet keeps only 15 digits of a number


class SheetOutput:
    """An .xlsx file; it is complete when it is closed. After the first error, rows are dropped.

    `on_failure` is called with the file's name and the error.

    Raises:
        FileError: The file cannot be opened, or XlsxWriter is not installed.
    """

    def __init__(self, path: Path, on_failure: Callable[[str, OSError], None]) -> None:
        try:
            import xlsxwriter  # type: ignore[import-untyped]  # it has no annotations
            from xlsxwriter.exceptions import (  # type: ignore[import-untyped]  # as above
                XlsxWriterException,
            )
        except ImportError:
            raise FileError(
                f"{path}: to write workbooks, install contactsdk[cli]; or use a name that ends in "
                ".csv"
            ) from None
        try:
            self._file = path.open("wb")
        except OSError as exc:
            raise FileError(f"{path}: {exc.strerror}") from exc
        # XlsxWriter keeps the rows in a temporary file until it writes the workbook, and reports
        # errors in its own way if it cannot write the workbook. So the workbook is written in a
        # temporary folder, and copied when it is complete.
        self._spool = tempfile.TemporaryDirectory(prefix="contactsdk-")
        self.has_failed = False
        self._shown = str(path)
        self._on_failure = on_failure
        self._errors = (OSError, XlsxWriterException)
        self._complete = Path(self._spool.name, "book.xlsx")
        self._book: Any = xlsxwriter.Workbook(
            str(self._complete), {"constant_memory": True, "tmpdir": self._spool.name}
        )
        self._book.use_zip64()
        self._sheet: Any = self._book.add_worksheet()
        # Spreadsheets warn about text that looks like a number; here it is intended.
        self._sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{LONGEST_SHEET}"})
        # With this format, a cell stays text even after somebody edits it.
        self._format: Any = self._book.add_format({"num_format": "@"})
        self._row = 0

    def write(self, cells: Sequence[Any]) -> None:
        """Write the next row."""
        if self.has_failed:
            return
        try:
            for place, cell in enumerate(cells):
                self._write_cell(place, cell)
        except self._errors as exc:
            self._fail(exc)
        self._row += 1

    def close(self) -> None:
        """Write the file."""
        try:
            self._book.close()
            with self._complete.open("rb") as complete:
                shutil.copyfileobj(complete, self._file)
            self._file.close()
        except self._errors as exc:
            self._fail(exc)
        finally:
            with suppress(OSError):
                self._file.close()
            self._spool.cleanup()

    def _write_cell(self, place: int, cell: Any) -> None:
        if isinstance(cell, int) and cell < _LARGEST_NUMBER:
            self._sheet.write_number(self._row, place, cell)
        elif cell is not None and cell != "":
            text = str(cell)
            if len(text) > _LONGEST_CELL or self._row >= LONGEST_SHEET:
                raise OSError(
                    errno.EFBIG, "a sheet holds 1,048,576 rows, and a cell 32,767 characters"
                )
            # Bytes that are not text become a question mark.
            text = text.encode("utf-8", "replace").decode()
            self._sheet.write_string(self._row, place, text, self._format)

    def _fail(self, error: Exception) -> None:
        if self.has_failed:
            return
        self.has_failed = True
        if not isinstance(error, OSError):
            error = OSError(
                errno.EIO, str(error)
            )  # one of XlsxWriter's own, such as FileCreateError
        self._on_failure(self._shown, error)
