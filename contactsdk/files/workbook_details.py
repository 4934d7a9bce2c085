"""Reads what python-calamine leaves out of a sheet: errors, leading zeros, hidden rows, day zero.

python-calamine 0.9 gives an error such as #REF! as an empty cell, so the contact would be sent
without that value. It gives 412 for a number that its format shows as 0412.
"""

import datetime
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import BinaryIO, Final
from xml.etree import ElementTree
from xml.parsers import expat

from attrs import Factory, frozen

from contactsdk.files import biff, ods

_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRICT: Final = "{http://purl.oclc.org/ooxml/spreadsheetml/main}"
_CHUNK: Final = 1 << 20
_PROLOG: Final = 1 << 12  # the text before the first element is shorter than this
_CONTENT: Final = re.compile(r"content\.xml|xl/.*\.xml")
_OVERLAP: Final = 64  # the end of a chunk may cut an attribute in two
_ZEROS: Final = re.compile(r'(?:"[^"]*"|\\.)*(0{2,})')
_REFERENCE: Final = re.compile(r"([A-Z]+)([0-9]+)")

DAY_ZERO: Final = datetime.date(1899, 12, 30)
"""The day from which a workbook counts dates; it is right for dates from March 1900 on."""
_DAY_ZERO_1904: Final = datetime.date(1904, 1, 1)  # in workbooks from old Macintoshes


@frozen(kw_only=True)
class SheetDetails:
    """What python-calamine does not give of a sheet."""

    texts: Mapping[int, Mapping[int, str]] = Factory(dict)
    """Row number -> place of a cell -> the error that the cell shows."""
    padded: Mapping[int, Mapping[int, int]] = Factory(dict)
    """Row number -> place of a number -> how many digits are shown, leading zeros included."""
    hidden_rows: int = 0
    """How many rows are hidden, for example by a filter."""
    day_zero: datetime.date | None = None
    """The day from which dates are counted; `None` if it is not known."""


def details_of(stream: BinaryIO, sheet: str) -> SheetDetails:
    """The details of the sheet of this name; the stream must be able to seek."""
    stream.seek(0)
    if stream.read(2) != b"PK":
        return SheetDetails(texts=biff.error_cells(stream, sheet))
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            if "content.xml" in archive.namelist():
                return SheetDetails(texts=ods.error_cells(archive, sheet))
            return _details(archive, sheet)
    except (zipfile.BadZipFile, ElementTree.ParseError, KeyError, ValueError):
        # python-calamine has read the workbook, so a fault that is found here is ignored.
        return SheetDetails()


def declares_document_type(stream: BinaryIO) -> bool:
    """Whether a part of the workbook with cells has a DOCTYPE, which can declare entities.

    python-calamine 0.9 drops such entities, so a cell could be lost. The stream must be able to
    seek.
    """
    stream.seek(0)
    if stream.read(2) != b"PK":
        return False
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            parts = [it for it in archive.namelist() if _CONTENT.fullmatch(it)]
            return any(_has_document_type(archive, part) for part in parts)
    except zipfile.BadZipFile:
        return False  # as in details_of


def _has_document_type(archive: zipfile.ZipFile, part: str) -> bool:
    found: list[bool] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_: found.append(True)
    parser.StartElementHandler = lambda *_: found.append(False)
    with archive.open(part) as stream, suppress(expat.ExpatError):
        while not found and (chunk := stream.read(_PROLOG)):
            parser.Parse(chunk)
    return bool(found) and found[0]


def has_password(stream: BinaryIO) -> bool:
    """Whether this workbook needs a password; the stream must be able to seek."""
    stream.seek(0)
    if stream.read(2) != b"PK":
        return biff.has_password(stream)
    with zipfile.ZipFile(stream) as archive:
        manifest = "META-INF/manifest.xml"  # of .ods
        return manifest in archive.namelist() and b"encryption-data" in archive.read(manifest)


def _details(archive: zipfile.ZipFile, sheet: str) -> SheetDetails:
    workbook = _root(archive, "xl/workbook.xml")
    properties = _first(workbook, "workbookPr")
    is_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    day_zero = _DAY_ZERO_1904 if is_1904 else DAY_ZERO
    part = _part_of(archive, workbook, sheet)
    widths = _padded_styles(archive)
    texts: dict[int, dict[int, str]] = {}
    padded: dict[int, dict[int, int]] = {}
    hidden = 0
    if _holds_any(archive, part, [b't="e"', b'hidden="', *(b's="%d"' % s for s in widths)]):
        for number, is_hidden, cells in _rows(archive, part):
            hidden += is_hidden
            for place, cell in cells:
                if cell.get("t") == "e":
                    texts.setdefault(number, {})[place] = _value_of(cell) or "#ERROR!"
                elif (width := widths.get(int(cell.get("s", "0")))) and cell.get("t", "n") == "n":
                    padded.setdefault(number, {})[place] = width
    return SheetDetails(texts=texts, padded=padded, hidden_rows=hidden, day_zero=day_zero)


def _root(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    # Expat, the parser of ElementTree, limits how far entities may expand.
    return ElementTree.fromstring(archive.read(name))  # noqa: S314


def _all(root: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    yield from root.iter(_MAIN + name)
    yield from root.iter(_STRICT + name)


def _first(root: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next(_all(root, name), None)


def _part_of(archive: zipfile.ZipFile, workbook: ElementTree.Element, sheet: str) -> str:
    [element] = (it for it in _all(workbook, "sheet") if it.get("name") == sheet)
    [id_] = (value for key, value in element.items() if key.endswith("}id"))
    relations = _root(archive, "xl/_rels/workbook.xml.rels")
    [target] = (it.get("Target", "") for it in relations if it.get("Id") == id_)
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _padded_styles(archive: zipfile.ZipFile) -> dict[int, int]:
    """Number of a style that shows leading zeros -> how many digits it shows."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    styles = _root(archive, "xl/styles.xml")
    widths: dict[str, int] = {}
    for element in _all(styles, "numFmt"):
        code = element.get("formatCode", "").split(";")[0]
        zeros = _ZEROS.fullmatch(code)
        if zeros:
            widths[element.get("numFmtId", "")] = len(zeros[1])
    formats = _first(styles, "cellXfs")
    found = enumerate(formats if formats is not None else ())
    return {place: width for place, it in found if (width := widths.get(it.get("numFmtId", "")))}


def _holds_any(archive: zipfile.ZipFile, part: str, wanted: list[bytes]) -> bool:
    """Whether the part contains one of these attributes; if not, it need not be parsed."""
    tail = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK):
            window = tail + chunk
            if any(it in window for it in wanted):
                return True
            tail = chunk[-_OVERLAP:]
    return False


def _rows(
    archive: zipfile.ZipFile, part: str
) -> Iterator[tuple[int, bool, list[tuple[int, ElementTree.Element]]]]:
    """For each row: its number, whether it is hidden, and its cells with their places."""
    number = 0
    with archive.open(part) as stream:
        for _, element in ElementTree.iterparse(stream):  # noqa: S314  # as in _root
            if element.tag not in (_MAIN + "row", _STRICT + "row"):
                continue
            number = int(element.get("r", number + 1))
            yield number, element.get("hidden") in ("1", "true"), list(_cells(element))
            element.clear()


def _cells(row: ElementTree.Element) -> Iterator[tuple[int, ElementTree.Element]]:
    place = -1
    for element in row:
        reference = _REFERENCE.fullmatch(element.get("r", ""))
        place = _place_of(reference[1]) if reference else place + 1
        yield place, element


def _place_of(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _value_of(cell: ElementTree.Element) -> str:
    value = next((it for it in cell if it.tag.endswith("}v")), None)
    return "" if value is None else value.text or ""
