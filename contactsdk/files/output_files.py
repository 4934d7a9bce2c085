"""Writes a file under another name in the same folder, and renames it when it is complete.

Each row is in the file as soon as it is written, so a run that breaks off leaves whole rows behind.
A workbook appears only when it is complete.
"""

import filecmp
import io
import os
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO, TypeAlias

from contactsdk.files.distinct import STANDARD, is_special, kept_as, partial_name
from contactsdk.files.formats import FileError
from contactsdk.files.sheet_output import SheetOutput

OnFailure: TypeAlias = Callable[[str, OSError], None]
"""Called with the name of a file that can no longer be written, and the error."""


@contextmanager
def open_text(name: str, on_failure: OnFailure | None = None) -> Iterator[TextIO]:
    """Open a text file to write; it gets its name when it is complete.

    `on_failure` is called if the file can no longer be written; what is written to it afterwards is
    dropped. If it is `None`, the error is raised.

    Raises:
        FileError: The file cannot be opened.
        OSError: The file can no longer be written.
    """
    failed = on_failure or _raise
    if name == STANDARD:
        with _standard_output(failed) as stream:
            yield stream
    elif is_special(name):
        with _open(Path(name), failed) as stream:
            yield stream
    else:
        with _replacing(name, failed) as (partial, fail), _open(partial, fail) as stream:
            yield stream


@contextmanager
def open_sheet(name: str, on_failure: OnFailure | None = None) -> Iterator[SheetOutput]:
    """Open a workbook to write, in the way in which `open_text` opens a text file."""
    failed = on_failure or _raise
    with _replacing(name, failed) as (partial, fail), closing(SheetOutput(partial, fail)) as sheet:
        yield sheet


@contextmanager
def _replacing(name: str, on_failure: OnFailure) -> Iterator[tuple[Path, OnFailure]]:
    """Yields a temporary name in the same folder, and the function to call on a failure.

    At the end, the file that was written there is renamed to `name`, unless a failure was reported.
    An older file of this name is kept beside it.
    """
    partial, path = partial_name(name), Path(os.path.realpath(name))
    if not path.parent.is_dir():
        raise FileError(f"{Path(name).parent}: there is no such folder; make it first")
    failures: list[OSError] = []

    def fail(shown: str, error: OSError) -> None:
        failures.append(error)
        on_failure(shown, error)

    yield partial, fail
    if failures:
        return
    try:
        _rename(partial, path)
    except OSError as exc:
        on_failure(str(partial), exc)


class _OutputStream(io.TextIOWrapper):
    """A text file that writes each line at once, and drops everything after the first error."""

    def __init__(self, stream: BinaryIO, shown: str, on_failure: OnFailure) -> None:
        # Always UTF-8, whatever the terminal's encoding is, since other programs read the file.
        super().__init__(stream, "utf-8", errors="surrogateescape", newline="", line_buffering=True)
        self.has_failed = False
        self._shown = shown
        self._on_failure = on_failure

    def write(self, text: str, /) -> int:
        if self.has_failed:
            return len(text)
        try:
            return super().write(text)
        except OSError as exc:
            self._fail(exc)
            return len(text)

    def close(self) -> None:
        try:
            super().close()
        except OSError as exc:
            if not self.has_failed:
                self._fail(exc)

    def _fail(self, error: OSError) -> None:
        self.has_failed = True
        self._on_failure(self._shown, error)


def _raise(_name: str, error: OSError) -> None:
    raise error


def _rename(partial: Path, path: Path) -> None:
    with suppress(FileNotFoundError):
        os.chmod(partial, stat.S_IMODE(path.stat().st_mode))
    if (kept := kept_as(str(path))) is not None and not _are_equal(partial, path):
        os.replace(path, kept)  # kept, since somebody may have corrected rows in it
    os.replace(partial, path)


def _are_equal(file: Path, other: Path) -> bool:
    """Whether two files have the same content; in workbooks, the time of writing does not count."""
    with suppress(zipfile.BadZipFile):
        return _parts(file) == _parts(other)
    return filecmp.cmp(file, other, shallow=False)


def _parts(book: Path) -> list[tuple[str, int, int]]:
    """Name, size and checksum of each file in a workbook, except the one that tells the time."""
    with zipfile.ZipFile(book) as parts:
        return [
            (part.filename, part.file_size, part.CRC)
            for part in parts.infolist()
            if part.filename != "docProps/core.xml"
        ]


@contextmanager
def _standard_output(on_failure: OnFailure) -> Iterator[TextIO]:
    if sys.__stdout__ is None:
        raise FileError("standard output is closed: name a file to write")
    sys.stdout.flush()
    stream = _OutputStream(sys.stdout.buffer, "standard output", on_failure)
    try:
        yield stream
    finally:
        if stream.has_failed:
            # Otherwise the interpreter tries to write the rest at exit, and reports an error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stream.detach()


def _open(path: Path, on_failure: OnFailure) -> _OutputStream:
    try:
        return _OutputStream(path.open("wb"), str(path), on_failure)
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror}") from exc
