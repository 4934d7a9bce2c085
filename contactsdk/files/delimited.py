"""Divides text into rows and cells: finds the delimiter, and reads quotes and line ends."""

import csv
import itertools
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, TextIO

from contactsdk.files.formats import FileError, Row

_DELIMITERS: Final = ",;\t|"
_SAMPLE: Final = 10
_LONGEST: Final = 131_072  # the limit of Python's csv module; a cell of Excel holds 32,767


class DelimitedRows:
    """The rows of delimited text without blank ones, read lazily; they can be iterated once.

    The delimiter is the one that divides the first rows most evenly, unless the first line names
    it, such as `sep=;`. Excel does not show such a line, so it does not count as a row. Some
    programs put whole lines in quotes; such a line is divided again. A row that cannot be divided
    has a `problem`, and its text as its only cell.
    """

    delimiter: str

    def __init__(self, text: TextIO, name: str) -> None:
        self._name = name
        self._last = ""
        sample = list(itertools.islice(text, 1))
        self._lines_before = 0
        if sample and (hint := _hint(sample[0])):
            self.delimiter = hint
            self._lines_before = 1
            sample = []
        else:
            sample += _filled_lines(text)
            self.delimiter = _best_delimiter(sample)
        self._lines = itertools.chain(sample, text)
        self._width = 0

    def __iter__(self) -> Iterator[Row]:
        """The rows in order.

        Raises:
            FileError: A quote opens in a row and is not closed, or is closed in a wrong place.
        """
        reader = csv.reader(self._kept(self._lines), delimiter=self.delimiter, strict=True)
        number = 0
        while True:
            number += 1
            start = reader.line_num
            line = start + 1 + self._lines_before
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                yield self._broken(exc, line, number, reader.line_num - start)
                continue
            if any(map(str.strip, cells)):
                yield self._row(line, number, cells, reader.line_num - start)

    def _row(self, line: int, number: int, cells: list[str], lines: int) -> Row:
        if len(cells) == 1 != self._width and self.delimiter in cells[0]:
            cells = self._within_quotes(cells)
        self._width = self._width or len(cells)
        problem = None
        if lines > 1 and any(map(self._holds_row, cells)):
            problem = (
                "a cell with line breaks holds text that looks like another row: check that each "
                "quote in it is closed"
            )
        return Row(line=line, number=number, cells=tuple(cells), problem=problem)

    def _within_quotes(self, cells: list[str]) -> list[str]:
        """The cells of a line, divided again if the line was put in quotes as a whole."""
        try:
            [inner] = csv.reader(cells, delimiter=self.delimiter, strict=True)
        except (csv.Error, ValueError):
            return cells
        return inner if self._width in (0, len(inner)) else cells

    def _holds_row(self, cell: str) -> bool:
        later = cell.splitlines()[1:]
        return any(
            "@" in line and line.count(self.delimiter) >= max(self._width - 1, 2) for line in later
        )

    def _broken(self, exc: csv.Error, line: int, number: int, lines: int) -> Row:
        is_open = "unexpected end" in str(exc)
        if lines > 1 or is_open:
            where = f"row {number}" if line == number else f"row {number}, line {line}"
            raise FileError(
                f"{self._name}, {where}: a quote that opens here is not closed, or closes in a "
                "later row: correct the quotes"
            ) from exc
        if "limit" in str(exc):
            problem = f"a cell is longer than {_LONGEST:,} characters: shorten it"
        else:
            problem = (
                "text follows a closing quote: write a quote within a quoted cell twice, "
                'such as "said ""hi"""'
            )
        return Row(line=line, number=number, cells=(self._last,), problem=problem)

    def _kept(self, lines: Iterable[str]) -> Iterator[str]:
        for self._last in lines:
            yield self._last


def _hint(line: str) -> str | None:
    """The delimiter that a first line such as `sep=;` names; `None` if it names none."""
    text = line.strip("\r\n").strip('"')
    return text[4] if len(text) == 5 and text[:4].casefold() == "sep=" else None


def _filled_lines(text: TextIO) -> list[str]:
    """The first lines of the text, until a few of them are not blank."""
    lines: list[str] = []
    filled = 0
    for line in text:
        lines.append(line)
        filled += bool(line.strip())
        if filled >= _SAMPLE:
            break
    return lines


def _best_delimiter(lines: list[str]) -> str:
    short = [line for line in lines if len(line) < _LONGEST]
    return max(_DELIMITERS, key=lambda delimiter: _evenness(short, delimiter))


def _evenness(lines: list[str], delimiter: str) -> tuple[int, int]:
    """How many rows the delimiter divides into as many cells as the first row, and their cells."""
    rows = _rows_of(lines, delimiter)
    filled = [cells for cells in rows if any(map(str.strip, cells))]
    if filled and len(filled[0]) == 1 and delimiter in filled[0][0]:
        rows = filled = _rows_of([cells[0] for cells in filled], delimiter)
    widths = [len(cells) for cells in filled]
    return sum(width == widths[0] > 1 for width in widths), sum(map(len, rows))


def _rows_of(lines: list[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    with suppress(csv.Error):  # a cell is too long: the rows before it are enough
        rows.extend(csv.reader(lines, delimiter=delimiter))
    return rows
