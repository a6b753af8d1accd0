"""The files of one writer's journal: appended to, repaired, rotated, released.

Knows bytes and places, not facts. What was synced is never touched again; what was not is cut off before the
next append, so a failed write can neither be acknowledged nor leave a hole. The open segment ends in zeros,
written ahead: a sync that need not grow the file costs half the CPU and half the time.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

_NAME: Final = re.compile(r"([0-9]{8})\.jsonl")
_AHEAD: Final = 256 * 1024


class Disk(Protocol):
    """The calls whose failure a journal must survive."""

    def write(self, file: int, data: bytes, offset: int) -> int: ...

    def sync(self, file: int) -> None: ...

    def truncate(self, file: int, size: int) -> None: ...


class SystemDisk:
    """The operating system's own."""

    def write(self, file: int, data: bytes, offset: int) -> int:
        return os.pwrite(file, data, offset)

    def sync(self, file: int) -> None:
        os.fdatasync(file)

    def truncate(self, file: int, size: int) -> None:
        os.ftruncate(file, size)


@dataclass(slots=True)
class Segment:
    """One file: the places of its first and last record, and its durable bytes."""

    path: Path
    first: int
    last: int
    size: int


def segment_paths(directory: Path) -> list[Path]:
    """The segments in their order; other files are none of ours."""
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))


def lines(path: Path, offset: int = 0) -> Iterator[bytes]:
    """The lines from `offset` on, each with its line feed; the last may lack it."""
    with path.open("rb") as file:
        file.seek(offset)
        yield from file


def sync_directory(path: Path) -> None:
    """Make a created or removed name durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(slots=True)
class Segments:
    """All segments; the last one is open for appending."""

    directory: Path
    disk: Disk
    closed: list[Segment]
    current: Segment
    _file: int = field(init=False)
    _unsure: bool = field(default=False, init=False)
    _closed_bytes: int = field(default=0, init=False)
    _length: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._closed_bytes = sum(segment.size for segment in self.closed)
        self._length = self.current.size
        self._file = os.open(self.current.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        sync_directory(self.directory)

    @property
    def size(self) -> int:
        """Bytes on disk, all segments."""
        return self.current.size + self._closed_bytes

    def append(self, data: bytes, last: int) -> None:
        """Write and sync `data`, which ends with record `last`.

        Errors: OSError, and then nothing of it counts.
        """
        if self._unsure:
            self._cut()
        self._unsure = True
        end = self.current.size + len(data)
        if end > self._length:
            self._write(bytes(end + _AHEAD - self._length), self._length)
            self._length = end + _AHEAD
        self._write(data, self.current.size)
        self.disk.sync(self._file)
        self._unsure = False
        self.current.size = end
        self.current.last = last

    def rotate(self) -> None:
        """Close the current segment and open the next.

        Errors: OSError, and then the current one stays open.
        """
        self._cut()
        path = self.directory / f"{int(self.current.path.stem) + 1:08d}.jsonl"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            sync_directory(self.directory)
        except OSError:
            os.close(file)
            raise
        os.close(self._file)
        self.closed.append(self.current)
        self._closed_bytes += self.current.size
        self._file, self._length = file, 0
        self.current = Segment(path, first=self.current.last + 1, last=self.current.last, size=0)

    def release(self, before: int) -> None:
        """Remove the closed segments all of whose records come before place `before`.

        One segment with a record always stays: it tells a restart where the chain goes on.
        """
        while self.closed and self.closed[0].last < before and (len(self.closed) > 1 or self.current.size):
            self.closed[0].path.unlink()
            self._closed_bytes -= self.closed[0].size
            del self.closed[0]

    def close(self) -> None:
        """Leave a file that ends with its last record; where even that fails, the next start cuts it."""
        with suppress(OSError):
            self._cut()
        os.close(self._file)

    def _write(self, data: bytes, offset: int) -> None:
        written = 0
        while written < len(data):
            written += self.disk.write(self._file, data[written:] if written else data, offset + written)

    def _cut(self) -> None:
        """Cut off what is no record: zeros, and what a failed write left (its callers were told it is not there)."""
        self.disk.truncate(self._file, self.current.size)
        self.disk.sync(self._file)
        self._length, self._unsure = self.current.size, False
