"""Detects the kind of a file by its first bytes, whatever its name says."""

import zipfile
from enum import StrEnum
from typing import BinaryIO, Final

_HEAD: Final = 4096
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # an .xls, or any workbook with a password

_OTHERS: Final = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"{\\rtf": "a text document (RTF)",
    b"SQLite format 3\x00": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"Rar!": "an archive: unpack it first",
    b"7z\xbc\xaf": "an archive: unpack it first",
    b"BZh": "a bzip2 archive: unpack it first",
    b"\xfd7zXZ": "an xz archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive: unpack it first",
}

_MARKUP: Final = {
    "<!doctype html": "a web page (HTML)",
    "<html": "a web page (HTML)",
    "<head": "a web page (HTML)",
    "<body": "a web page (HTML)",
    "<meta": "a web page (HTML)",
    "<table": "a web page (HTML)",
    "<div": "a web page (HTML)",
    "<?xml": "XML",
    "begin:vcard": "a vCard file",
    "begin:vcalendar": "a calendar",
}


class Container(StrEnum):
    """What the bytes of a file are wrapped in."""

    NONE = "none"
    GZIP = "gzip"
    WORKBOOK = "workbook"


def container_of(stream: BinaryIO) -> tuple[Container, str | None]:
    """What a file is wrapped in, and its kind in words if it cannot hold a list, such as a PDF.

    The kind is `None` if the file may hold a list. The stream must be able to seek, and is left at
    its start.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    if head.startswith(_GZIP):
        return Container.GZIP, None
    if head.startswith(_OLE):
        return Container.WORKBOOK, None
    if head.startswith(_ZIP):
        what = _kind_of_zip(stream)
        stream.seek(0)
        return (Container.WORKBOOK, None) if what is None else (Container.NONE, what)
    others = (what for start, what in _OTHERS.items() if head.startswith(start))
    return Container.NONE, next(others, None)


def markup_of(text: str) -> str | None:
    """The kind of a text that begins like this, such as a web page; `None` if it may be a list."""
    start = text.lstrip("\ufeff \t\r\n").casefold()
    return next((what for tag, what in _MARKUP.items() if start.startswith(tag)), None)


def _kind_of_zip(stream: BinaryIO) -> str | None:
    """The kind of a zip archive in words; `None` if it is a workbook."""
    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype") if "mimetype" in names else b""
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        return "a damaged zip archive or workbook: get the file again"
    if kind.startswith(b"application/vnd.oasis.opendocument.spreadsheet"):
        return None
    if "xl/workbook.xml" in names:
        return None
    if "xl/workbook.bin" in names:
        return "a binary workbook: save it as .xlsx"
    if any(name.endswith(".iwa") for name in names):
        return "an Apple Numbers document: export it as Excel or CSV"
    if any(name.startswith("word/") for name in names):
        return "a Word document"
    return "a zip archive: unpack it first"
