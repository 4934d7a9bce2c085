"""Keeps values in a temporary file, so that memory does not grow with their number."""

import pickle
import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

_T = TypeVar("_T")

_BLOCK: Final = 256  # values that are written and read together


class Spool(Generic[_T]):
    """A sequence of values in a temporary file that no other process can open by name.

    Values are appended. They can be read from the start any number of times, by several readers in
    turn, and between two appends.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by __exit__
        self._block: list[_T] = []
        self._end = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, value: _T) -> None:
        """Add one value at the end."""
        self._block.append(value)
        self._count += 1
        if len(self._block) == _BLOCK:
            self._write()

    def extend(self, values: Iterable[_T]) -> Iterator[_T]:
        """Append these values as one part, and return a reader of that part alone."""
        self._write()
        start = self._end
        for value in values:
            self.append(value)
        self._write()
        return self._read(start, self._end)

    def __iter__(self) -> Iterator[_T]:
        self._write()
        return self._read(0, self._end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def _write(self) -> None:
        if not self._block:
            return
        self._file.seek(self._end)
        pickle.dump(self._block, self._file, pickle.HIGHEST_PROTOCOL)
        # Flushed, so that a full disk is noticed here, while the block is still in memory.
        self._file.flush()
        self._end = self._file.tell()
        self._block = []

    def _read(self, start: int, end: int) -> Iterator[_T]:
        place = start
        while place < end:
            # Another reader, or a writer, may have moved the file's position meanwhile.
            self._file.seek(place)
            block: list[_T] = pickle.load(self._file)  # noqa: S301  # only this process wrote it
            place = self._file.tell()
            yield from block
