import io
import zipfile

import pytest

from contactsdk import Contact
from contactsdk.files import FileError
from contactsdk.files.ods import error_cells
from tests.files.made import items, made_input, message_of

SPACES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
)
MIMETYPE = "application/vnd.oasis.opendocument.spreadsheet"
STRING = 'office:value-type="string"'


def text_cell(text: str, more: str = "") -> str:
    return f"<table:table-cell {STRING} {more}><text:p>{text}</text:p></table:table-cell>"


def document(rows: str) -> bytes:
    content = (
        f"<office:document-content {SPACES}><office:body><office:spreadsheet>"
        f'<table:table table:name="Other"><table:table-row>{text_cell("x")}</table:table-row>'
        f'</table:table><table:table table:name="List">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{MIMETYPE}"/>'
        "</manifest:manifest>"
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", MIMETYPE)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", manifest)
    return file.getvalue()


LIBRE_OFFICE = text_cell("#N/A", 'office:string-value="" calcext:value-type="error"')
BY_TEXT = text_cell("Err:502", 'office:string-value=""')
NO_TEXT = f'<table:table-cell {STRING} calcext:value-type="error"/>'
BLANK = '<table:table-cell table:number-columns-repeated="2"/>'


def errors_in(rows: str) -> dict[int, dict[int, str]]:
    with zipfile.ZipFile(io.BytesIO(document(rows))) as archive:
        return error_cells(archive, "List")


@pytest.mark.parametrize(
    ("cells", "errors"),
    [
        (LIBRE_OFFICE, {0: "#N/A"}),
        (text_cell("a") + BY_TEXT, {1: "Err:502"}),
        (BLANK + NO_TEXT, {2: "#ERROR!"}),
        (
            LIBRE_OFFICE.replace("cell ", 'cell table:number-columns-repeated="2" ', 1),
            {0: "#N/A", 1: "#N/A"},
        ),
        (text_cell("", 'office:string-value=""'), {}),
        (text_cell("#1"), {}),
    ],
)
def test_errors_are_found_with_their_place(cells: str, errors: dict[int, str]) -> None:
    blank = '<table:table-row table:number-rows-repeated="3"/>'
    found = errors_in(f"{blank}<table:table-row>{cells}</table:table-row>")
    assert found == ({4: errors} if errors else {})


def test_row_that_is_repeated_is_found_each_time() -> None:
    row = f'<table:table-row table:number-rows-repeated="2">{LIBRE_OFFICE}</table:table-row>'
    assert errors_in(row) == {1: {0: "#N/A"}, 2: {0: "#N/A"}}


def test_error_fails_its_row() -> None:
    header = f"<table:table-row>{text_cell('id')}{text_cell('phone')}</table:table-row>"
    rows = "".join(
        f"<table:table-row>{text_cell(str(id_))}{phone}</table:table-row>"
        for id_, phone in ((7, LIBRE_OFFICE), (8, text_cell("1")))
    )
    bad, good = items(made_input(document(header + rows), "x.ods", sheet="List"))
    assert "phone holds an error of a spreadsheet" in message_of(bad)
    assert good == Contact(id=8, phone="1")


def test_document_with_a_password_is_refused_as_such() -> None:
    content = document(f"<table:table-row>{text_cell('id')}</table:table-row>")
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as plain, zipfile.ZipFile(file, "w") as locked:
        for name in plain.namelist():
            data = plain.read(name)
            if name == "content.xml":
                data = b"\x8a\x01" * 99
            elif name == "META-INF/manifest.xml":
                entry = (
                    b'<manifest:file-entry manifest:full-path="content.xml" manifest:media-type='
                    b'"text/xml"><manifest:encryption-data/></manifest:file-entry>'
                )
                data = data.replace(b"</manifest:manifest>", entry + b"</manifest:manifest>")
            locked.writestr(name, data)
    with pytest.raises(FileError, match="protected with a password: save it without one"):
        made_input(file.getvalue(), "x.ods")
