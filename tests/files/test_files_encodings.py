import codecs
import io
import sys

import pytest

from contactsdk.files import FileError
from contactsdk.files.encodings import encoding_of
from tests.files.made import contact_of, csv_input, items, jsonl_input, written_back

TEXT = "First Name,Last Name,Email\r\nJörg,Müller,j@example.com\r\n"


def name_of(content: bytes) -> str:
    return encoding_of(io.BytesIO(content), "x.csv").name


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "UTF-8"),
        (b"id\n7\n", "UTF-8"),
        (TEXT.encode(), "UTF-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "UTF-8"),
        (TEXT.encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (TEXT.encode("utf-16-be"), "UTF-16"),
        ("Łucja,Email\nŁukasz,x@example.com\n".encode("utf-16-le"), "UTF-16"),
        (TEXT.encode("utf-32"), "UTF-32"),
        (codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), "UTF-32"),
        (TEXT.encode("cp1252"), "Windows-1252"),
        (TEXT.encode("latin-1"), "Windows-1252"),
        ("Name\n" * 9 + "Anna,O\u2019Brien \u2013 \u201cAnn\u201d 5 €\n", "Windows-1252"),
        (b"Ida,Be\x00rg\n\x00\x00", "UTF-8"),
    ],
)
def test_encoding_is_recognised(content: bytes | str, name: str) -> None:
    data = content if isinstance(content, bytes) else content.encode("cp1252")
    assert name_of(data) == name


@pytest.mark.parametrize(
    "codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_text_is_read_in_its_encoding_and_written_back(codec: str) -> None:
    [item] = items(csv_input(TEXT.encode(codec)))
    assert contact_of(item).last_name == "Müller"
    back = written_back(csv_input(TEXT.encode(codec)))
    assert items(csv_input(back)) == [item]
    # Without a mark, a spreadsheet would not read what is written back as UTF-8.
    assert back.startswith("\ufeff") is (codec != "utf-8")


def test_json_is_read_in_its_encoding() -> None:
    text = '{"firstName": "Jörg", "lastName": "Müller", "email": "j@example.com"}\n'
    for codec in ("utf-8-sig", "utf-16", "utf-16-le", "cp1252"):
        assert contact_of(items(jsonl_input(text.encode(codec)))[0]).first_name == "Jörg"


def test_all_of_a_file_is_judged() -> None:
    rows = "Ida,Berg,ida@example.com\n" * 100_000
    late = f"First Name,Last Name,Email\n{rows}Jörg,Müller,j@example.com\n".encode("cp1252")
    assert name_of(late) == "Windows-1252"
    with pytest.raises(FileError, match="line 100002: "):
        encoding_of(io.BytesIO(late), "x.csv", "utf-8")


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Иван,Петров", "cp1251"),
        ("Michał,Łukasz", "cp1250"),
        ("Jiří,Dvořák", "cp1250"),
        ("Jörg,Müller", "mac-roman"),
        ("Jörg,Müller", "cp850"),
        ("Γιώργος,Νίκου", "cp1253"),
        ("山田,太郎", "shift-jis"),
    ],
)
def test_other_encodings_are_refused_with_the_line(text: str, codec: str) -> None:
    content = f"First Name,Last Name\nIda,Berg\n{text}\n".encode(codec)
    with pytest.raises(FileError) as caught:
        name_of(content)
    assert str(caught.value).startswith(
        "x.csv, line 3: the text is neither UTF-8, UTF-16 nor Windows-1252"
    )
    assert str(caught.value).endswith("or name its encoding with --encoding")
    assert encoding_of(io.BytesIO(content), "x.csv", codec).name == codec


def test_late_line_of_another_encoding_is_refused_too() -> None:
    content = "Jörg,Müller\n".encode("cp1252") * 10_000 + "Łukasz,Michał\n".encode("cp1250")
    with pytest.raises(FileError, match="line 10001: the text is neither"):
        name_of(content)


def test_mixed_encodings_are_refused_with_the_line() -> None:
    content = "Zoë\n".encode() * 3 + "Jörg\n".encode("cp1252")
    with pytest.raises(FileError, match="line 4: the file mixes UTF-8 and another encoding"):
        name_of(content)


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-16")[:-1],
        codecs.BOM_UTF8 + b"id\n\xff\n",
        TEXT.encode("utf-16-le") + b"\x01\xd8",
    ],
)
def test_text_that_is_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(FileError, match=r"this is not UTF-(8|16) text"):
        name_of(content)


@pytest.mark.parametrize(
    ("chosen", "content"),
    [
        ("windows-1252", TEXT.encode("cp1252")),
        ("latin-1", TEXT.encode("latin-1")),
        ("utf-8", codecs.BOM_UTF8 + TEXT.encode()),
        ("UTF8", TEXT.encode()),
        ("utf-8-sig", codecs.BOM_UTF8 + TEXT.encode()),
        ("utf-16", TEXT.encode("utf-16")),
        ("utf-16", TEXT.encode("utf-16-le")),
        ("utf-16-be", TEXT.encode("utf-16-be")),
        ("utf-16-le", TEXT.encode("utf-16")),
        ("cp1250", TEXT.encode("cp1250")),
    ],
)
def test_chosen_encoding_is_taken(chosen: str, content: bytes) -> None:
    source = csv_input(content, encoding=chosen)
    assert source.description.encoding == chosen
    assert contact_of(items(source)[0]).first_name == "Jörg"


@pytest.mark.parametrize("chosen", ["no-such", "base64", "rot13"])
def test_encoding_that_there_is_not_is_refused(chosen: str) -> None:
    with pytest.raises(FileError, match=f"--encoding {chosen}: no such encoding"):
        csv_input("id\n7\n", encoding=chosen)


def test_chosen_encoding_that_is_wrong_is_refused_with_the_line() -> None:
    with pytest.raises(FileError, match="line 2: this is not utf-8 text"):
        csv_input(TEXT.encode("cp1252"), encoding="utf-8")


def test_no_encoding_is_suggested_where_nothing_can_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    content = "First Name\nФилипп Юдин\n".encode("cp1251") * 20
    with pytest.raises(FileError, match=r"Windows-1252 \(it may be "):
        name_of(content)
    monkeypatch.setitem(sys.modules, "charset_normalizer", None)
    with pytest.raises(FileError, match="Windows-1252: save the file"):
        name_of(content)


def test_no_encoding_is_suggested_for_noise() -> None:
    with pytest.raises(FileError, match="Windows-1252: save the file"):
        name_of(bytes(range(1, 256)))
