"""Finds error cells of an .ods workbook, which python-calamine gives as empty ones.

The format is described in OpenDocument 1.3, part 3, "Table Content". A cell shows an error if it
has an attribute that LibreOffice adds, or if it has a text and no value.
"""

import zipfile
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

_TABLE: Final = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE: Final = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_LIBRE_OFFICE: Final = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
_ERROR_STARTS: Final = ("#", "Err:")
_MOST_REPEATED: Final = 10_000  # all blank rows to the end of a sheet are stored as one, repeated


def error_cells(archive: zipfile.ZipFile, sheet: str) -> dict[int, dict[int, str]]:
    """Row number -> place of a cell -> the error that it shows, for the sheet of this name."""
    errors: dict[int, dict[int, str]] = {}
    # Expat, the parser of ElementTree, limits how far entities may expand.
    with archive.open("content.xml") as stream:
        events = ElementTree.iterparse(stream, events=("start", "end"))  # noqa: S314
        is_wanted, number = False, 1
        for event, element in events:
            if element.tag == f"{_TABLE}table" and event == "start":
                is_wanted, number = element.get(f"{_TABLE}name") == sheet, 1
            elif element.tag == f"{_TABLE}table-row" and event == "end":
                repeated = int(element.get(f"{_TABLE}number-rows-repeated", "1"))
                found = dict(_errors_of(element)) if is_wanted else {}
                if found:
                    rows = range(number, number + min(repeated, _MOST_REPEATED))
                    errors.update(dict.fromkeys(rows, found))
                number += repeated
                element.clear()
    return errors


def _errors_of(row: ElementTree.Element) -> Iterator[tuple[int, str]]:
    place = 0
    for cell in row:
        repeated = int(cell.get(f"{_TABLE}number-columns-repeated", "1"))
        text = "".join(cell.itertext()).strip()
        is_error = cell.get(f"{_LIBRE_OFFICE}value-type") == "error" or (
            cell.get(f"{_OFFICE}string-value") == "" and text.startswith(_ERROR_STARTS)
        )
        if is_error:
            for same in range(place, place + min(repeated, _MOST_REPEATED)):
                yield same, text or "#ERROR!"
        place += repeated
