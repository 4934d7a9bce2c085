"""Detects the encoding of a text file by its whole content, so that no row is read wrongly."""

import codecs
import re
from typing import BinaryIO, Final

from attrs import frozen

from contactsdk.files.formats import FileError
from contactsdk.files.western import is_western

_CHUNK: Final = 1 << 20
_HEAD: Final = 1 << 16
_ADVICE: Final = "save the file as CSV UTF-8, or name its encoding with --encoding"

_MARKS: Final = (  # UTF-32 first, since its mark begins like the mark of UTF-16
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_WITH_MARK: Final = ("utf-8-sig", "utf-16", "utf-32")

# Two bytes of UTF-8 for one letter. If the second byte means a quote, a trademark sign or a blank
# in Windows-1252, it may follow a capital letter in that encoding, so it proves nothing.
_UTF8_LETTER: Final = re.compile(
    rb"\xc3[\x80-\x9f\xa1-\xbf]"
    rb"|[\xc4-\xdf][\x80-\x91\x95-\x98\x9a-\x9f\xa1-\xaa\xac-\xba\xbc-\xbf]"
)


@frozen
class Encoding:
    """The encoding of a file of text."""

    name: str
    """The name for people, such as `Windows-1252`."""
    codec: str
    """The name of the codec in Python."""
    mark: bytes = b""
    """The byte order mark at the start of the file; empty if there is none."""


def encoding_of(stream: BinaryIO, file: str, chosen: str | None = None) -> Encoding:
    """The encoding of the whole of `stream`: `chosen` by the user, or detected if that is `None`.

    UTF-8, UTF-16 with or without a byte order mark, UTF-32 with a mark and Windows-1252 are
    detected. Latin-1 text counts as Windows-1252. The stream must be able to seek, and is left at
    its start.

    Raises:
        FileError: The text is in none of these, or not in the chosen one; the message names the
            first line that shows it.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    candidate = _chosen(chosen, head) if chosen else _marked(head) or _unmarked(head)
    broken_at = _first_broken_line(stream, candidate.codec)
    stream.seek(0)
    if broken_at is None:
        return candidate
    if chosen or candidate.codec != "utf-8" or candidate.mark:
        raise FileError(f"{file}, line {broken_at}: this is not {candidate.name} text: {_ADVICE}")
    _check_windows_1252(stream, file, broken_at)
    stream.seek(0)
    return Encoding("Windows-1252", "cp1252")


def _chosen(name: str, head: bytes) -> Encoding:
    try:
        codec = codecs.lookup(name).name
        b"".decode(codec)
        # Some codecs of Python, such as base64, do not give text.
        "a".encode(codec)
    except LookupError:
        raise FileError(
            f"--encoding {name}: no such encoding; common ones are utf-8 and windows-1252"
        ) from None
    marked = _marked(head)
    if marked is not None and codec in (marked.codec, *_WITH_MARK):
        return Encoding(name, marked.codec, marked.mark)
    return Encoding(name, "utf-16-le" if codec == "utf-16" else codec)


def _marked(head: bytes) -> Encoding | None:
    for mark, codec, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, codec, mark)
    return None


def _unmarked(head: bytes) -> Encoding:
    """UTF-16 if only every other byte is often zero, as in names and addresses; else UTF-8."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if max(even, odd) / half >= 0.3 and min(even, odd) / half < 0.03:
        return Encoding("UTF-16", "utf-16-le" if odd > even else "utf-16-be")
    return Encoding("UTF-8", "utf-8")


def _first_broken_line(stream: BinaryIO, codec: str) -> int | None:
    """The first line that `codec` cannot decode, counted from 1; `None` if it decodes them all."""
    decoder = codecs.getincrementaldecoder(codec)("strict")
    line = 1
    while True:
        chunk = stream.read(_CHUNK)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as exc:
            good = exc.object[: exc.start].decode(codec, "replace")
            return line + _line_ends(good)
        if not chunk:
            return None
        line += _line_ends(text)


def _line_ends(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _check_windows_1252(stream: BinaryIO, file: str, broken_at: int) -> None:
    """Check that the whole file can be Windows-1252.

    Raises:
        FileError: A line of it cannot.
    """
    sample = bytearray()
    for line, raw in enumerate(stream, 1):
        if raw.isascii():
            continue
        if _UTF8_LETTER.search(raw):
            what = "the file mixes UTF-8 and another encoding"
            raise FileError(f"{file}, line {max(line, broken_at)}: {what}: {_ADVICE}")
        if len(sample) < _HEAD:
            sample += raw
        try:
            fits = is_western(raw.decode("cp1252"))
        except UnicodeDecodeError:
            fits = False
        if not fits:
            what = f"neither UTF-8, UTF-16 nor Windows-1252{_likely(bytes(sample))}"
            raise FileError(f"{file}, line {line}: the text is {what}: {_ADVICE}")


def _likely(sample: bytes) -> str:
    """The probable encoding of a text, as a part of a sentence; empty if none is probable."""
    try:
        import charset_normalizer
    except ImportError:
        return ""
    best = charset_normalizer.from_bytes(sample).best()
    return "" if best is None else f" (it may be {best.encoding.replace('_', '-')})"
