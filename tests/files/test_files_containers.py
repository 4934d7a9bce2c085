import gzip
import io
import zipfile

import openpyxl
import pytest

from contactsdk.files import FileError
from contactsdk.files.containers import Container, container_of, markup_of
from tests.files.made import ADA, NAMES, items, made_input, saved, workbook

TEXT = f"{NAMES}\n{ADA}\n".encode()
COMPRESSED = gzip.compress(TEXT, mtime=0)


def archive(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, content in files.items():
            packed.writestr(name.replace("__", "/").replace("_", "."), content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "container"),
    [
        (TEXT, Container.NONE),
        (b"", Container.NONE),
        (COMPRESSED, Container.GZIP),
        (workbook([["id"], [7]]), Container.WORKBOOK),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Container.WORKBOOK),
        (
            archive(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"),
            Container.WORKBOOK,
        ),
    ],
    ids=["text", "nothing", "gzip", "xlsx", "xls", "ods"],
)
def test_container_is_known_by_its_first_bytes(content: bytes, container: Container) -> None:
    stream = io.BytesIO(content)
    assert container_of(stream) == (container, None)
    assert stream.read() == content


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7", "a PDF document"),
        (b"\x89PNG\r\n", "a picture"),
        (b"SQLite format 3\x00", "an SQLite database"),
        (archive(list_csv=TEXT), "a zip archive: unpack it first"),
        (archive(word__document_xml=b""), "a Word document"),
        (archive(Index__Document_iwa=b""), "an Apple Numbers document: export it"),
        (archive(xl__workbook_bin=b""), "a binary workbook: save it as .xlsx"),
        (workbook([["id"], [7]])[:2000], "a damaged zip archive or workbook"),
        (b"<!DOCTYPE HTML><html>", "a web page (HTML)"),
        (b"\xef\xbb\xbf \n<Table border=1>", "a web page (HTML)"),
        (b"<?xml version='1.0'?><Workbook/>", "XML"),
        (b"BEGIN:VCARD\r\n", "a vCard file"),
    ],
)
def test_file_that_is_not_a_list_is_refused_with_what_it_is(content: bytes, what: str) -> None:
    for name in ("x.csv", "x.jsonl", "x.xlsx", "x"):
        with pytest.raises(FileError) as caught:
            made_input(content, name)
        assert str(caught.value).startswith(
            f"{name}, row 1: this is not a header row: the file looks like {what}"
        )


@pytest.mark.parametrize("name", ["x.csv", "x.xlsx", "x.jsonl", "x"])
def test_workbook_is_read_whatever_its_name_says(name: str) -> None:
    source = made_input(workbook([["id", "phone"], [7, "1"]]), name)
    assert len(items(source)) == 1


@pytest.mark.parametrize("name", ["x.xlsx", "x.xls", "x"])
def test_text_is_read_whatever_its_name_says(name: str) -> None:
    assert len(items(made_input(TEXT.replace(b",", b"\t"), name))) == 1


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_compressed_text_is_read(name: str) -> None:
    source = made_input(COMPRESSED, name)
    assert source.description.is_compressed
    assert len(items(source)) == 1


def test_compressed_json_is_known_by_its_name() -> None:
    source = made_input(gzip.compress(b'{"id": 7}'), "x.jsonl.gz")
    assert len(items(source)) == 1


@pytest.mark.parametrize(
    "content", [COMPRESSED[:-9], COMPRESSED[:15] + b"x" * 20], ids=["cut", "changed"]
)
def test_damaged_compressed_file_is_refused(content: bytes) -> None:
    with pytest.raises(
        FileError, match=r"x\.csv\.gz: the compressed file is damaged: get it again"
    ):
        made_input(content, "x.csv.gz")


def test_compressed_workbook_is_to_be_unpacked() -> None:
    with pytest.raises(FileError, match="unpack it first"):
        made_input(gzip.compress(saved(openpyxl.Workbook())), "x.xlsx.gz")


def test_compressed_picture_is_not_a_list() -> None:
    with pytest.raises(FileError, match="looks like a picture"):
        made_input(gzip.compress(b"GIF89a"), "x.gz")


def test_text_is_not_markup() -> None:
    assert markup_of("First Name <b>,Last Name") is None
