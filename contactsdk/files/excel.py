"""Reads the rows of a sheet of a workbook as people see them, with python-calamine."""

import datetime
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from attrs import frozen

from contactsdk.files.formats import FileError, Row
from contactsdk.files.workbook_details import (
    SheetDetails,
    declares_document_type,
    details_of,
    has_password,
)

_EXACT_BELOW: Final = 1e15  # a spreadsheet keeps 15 digits of a number, and sets the others to 0


@frozen(kw_only=True)
class Sheet:
    """One sheet of a workbook."""

    name: str
    others: tuple[str, ...]
    """The names of the workbook's other visible sheets."""
    others_with_rows: tuple[str, ...]
    """The names of those `others` that have rows; empty if the user chose the sheet."""
    rows: Iterator[Row]
    """The rows of the sheet without blank ones."""
    details: SheetDetails


def sheet_of(stream: BinaryIO, name: str, wanted: str | None) -> Sheet:
    """The sheet with the name `wanted`; if that is `None`, the first visible sheet that has rows.

    Raises:
        FileError: There is no such sheet, no sheet has rows, or the workbook cannot be read.
    """
    try:
        import python_calamine as calamine
    except ImportError:
        raise FileError(
            f"{name}: to read workbooks, pip install 'contactsdk[cli]'; or save it as CSV UTF-8"
        ) from None
    try:
        workbook = calamine.load_workbook(stream)
        names = workbook.sheet_names
        visible = [
            it.name
            for it in workbook.sheets_metadata
            if it.visible is calamine.SheetVisibleEnum.Visible
            and it.typ is calamine.SheetTypeEnum.WorkSheet
        ]
        chosen = _named(names, wanted, name) if wanted else _first(workbook, visible)
        found = None if chosen is None else workbook.get_sheet_by_name(chosen)
        others = tuple(it for it in visible if it != chosen)
        filled = () if wanted else tuple(it for it in others if _has_rows(workbook, it))
    except (calamine.CalamineError, OSError) as exc:
        # For a stream, python-calamine 0.9 does not report that the workbook has a password.
        if has_password(stream):
            what = "the workbook is protected with a password: save it without one"
        else:
            what = "this workbook cannot be read: save it again as .xlsx, or as CSV UTF-8"
        raise FileError(f"{name}: {what}") from exc
    if found is None or chosen is None:
        raise FileError(f"{name}: nothing to import: the workbook has no rows")
    if declares_document_type(stream):
        raise FileError(
            f"{name}: this workbook has a DOCTYPE, so cells could be lost: save it again as .xlsx, "
            "or as CSV UTF-8"
        )
    details = details_of(stream, chosen)
    return Sheet(
        name=chosen,
        others=others,
        others_with_rows=filled,
        rows=_rows(found, details),
        details=details,
    )


def _named(names: list[str], wanted: str, file: str) -> str:
    for name in names:
        if name.strip().casefold() == wanted.strip().casefold():
            return name
    shown = ", ".join(f"'{name}'" for name in names)
    raise FileError(f"{file}: there is no sheet '{wanted}'; its sheets are {shown}")


def _first(workbook: Any, names: list[str]) -> str | None:
    return next((name for name in names if _has_rows(workbook, name)), None)


def _has_rows(workbook: Any, name: str) -> bool:
    rows = workbook.get_sheet_by_name(name).iter_rows()
    return any(any(map(_is_filled, row)) for row in rows)


def _rows(sheet: Any, details: SheetDetails) -> Iterator[Row]:
    # python-calamine leaves out empty columns before the first used one, but no empty rows.
    before = [""] * (sheet.start[1] if sheet.start else 0)
    for number, values in enumerate(sheet.iter_rows(), 1):
        cells = before + [it if type(it) is str else text_of_value(it) for it in values]
        for place, text in details.texts.get(number, {}).items():
            cells += [""] * (place + 1 - len(cells))
            cells[place] = text
        for place, width in details.padded.get(number, {}).items():
            if place < len(cells) and cells[place].isdigit():
                cells[place] = cells[place].zfill(width)
        while cells and not cells[-1]:
            cells.pop()
        if any(map(str.strip, cells)):
            yield Row(line=number, number=number, cells=tuple(cells))


def _is_filled(value: Any) -> bool:
    return bool(value != "")


def text_of_value(value: Any) -> str:
    """The value of a cell as people see it; dates become yyyy-mm-dd."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case float() | int():
            return _number_text(value)
        case datetime.datetime():
            is_day = value.time() == datetime.time()
            return value.date().isoformat() if is_day else value.isoformat(" ", "seconds")
        case datetime.date():
            return value.isoformat()
        case datetime.time():
            return value.isoformat("seconds")
        case datetime.timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        case _:
            return str(value)


def _number_text(value: float) -> str:
    if abs(value) >= _EXACT_BELOW:
        # The last digits of the number are lost. Written with an exponent, as the spreadsheet shows
        # it, it makes the row invalid.
        return f"{value:.14E}"
    if value == int(value):
        return str(int(value))
    return f"{value:.15g}"
