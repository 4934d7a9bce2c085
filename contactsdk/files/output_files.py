"""A file while it is written: under another name beside its own, which it gets at the end.

A row is in its file as soon as it is written, so a run that breaks off leaves whole rows behind; a
workbook is there once it is complete.
"""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO, TypeAlias

from contactsdk.files.distinct import STANDARD, is_special, kept_as, partial_name
from contactsdk.files.formats import FileError
from contactsdk.files.sheet_output import SheetOutput

OnFailure: TypeAlias = Callable[[str, OSError], None]
"""Called with the name of a file that cannot be written any more, and the error."""


@contextmanager
def open_text(name: str, on_failure: OnFailure | None = None) -> Iterator[TextIO]:
    """Open a file to be written; it has its own name once it is complete, as all outputs here.

    `on_failure` is as in `open_outputs`.

    Raises:
        FileError: It cannot be opened.
        OSError: It cannot be written any more.
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
    """Open a workbook to be written, as `open_text` does with a text."""
    failed = on_failure or _raise
    with _replacing(name, failed) as (partial, fail), closing(SheetOutput(partial, fail)) as sheet:
        yield sheet


@contextmanager
def _replacing(name: str, on_failure: OnFailure) -> Iterator[tuple[Path, OnFailure]]:
    """Another name beside this one, and whom to tell of a failure.

    What was written there has this name at the end, if nothing has failed; what had it before is
    kept beside it.
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
    """A text file in which each line is written at once; the first error closes it to more."""

    def __init__(self, stream: BinaryIO, shown: str, on_failure: OnFailure) -> None:
        # Whatever the terminal's encoding: what is piped on is UTF-8.
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
    if (kept := kept_as(str(path))) is not None:
        os.replace(path, kept)  # somebody may have corrected rows in it
    os.replace(partial, path)


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
            # Else the interpreter tries again to write what is left, and complains.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        stream.detach()


def _open(path: Path, on_failure: OnFailure) -> _OutputStream:
    try:
        return _OutputStream(path.open("wb"), str(path), on_failure)
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror}") from exc
