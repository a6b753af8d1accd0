"""Finds event logs in folders, in each form that Spark writes: one file or rolling, plain or compressed, still open.

Names: `ID[_ATTEMPT][.CODEC][.inprogress]`, or a folder `eventlog_v2_ID[_ATTEMPT]` with `events_N_ID...`. Compressed
logs need pyarrow (`pierhead[spark]`). Not here: what stands in them (`event_log`).
"""

import gzip
import re
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from pierhead.servers.spark.application import Application
from pierhead.servers.spark.event_log import read_events

_MOST_BYTES: Final = 2 * 2**30
_MOST_LISTED: Final = 20_000
_CODECS: Final = ("zstd", "lz4", "snappy", "gz")
ROLLING: Final = "eventlog_v2_"
_PART: Final = re.compile(r"events_(\d+)_")
_LZ4_HEAD: Final = struct.Struct("<8sBii4s")
_STORED: Final = 0x10
_SNAPPY_HEAD: Final = 16
_LARGEST_BLOCK: Final = 64 * 2**20
_BLOCK: Final = 2**20


class Unreadable(Exception):
    """Why a log that is there cannot be read."""


@dataclass(frozen=True, slots=True)
class EventLog:
    """One log of one attempt, found by its name; nothing of it is read yet."""

    id: str
    attempt: str
    place: Path
    modified: float

    @property
    def is_open(self) -> bool:
        """Whether nobody closed it: its application runs, or died."""
        if self.place.is_dir():
            return any(each.name.endswith(".inprogress") for each in self.place.glob("appstatus_*"))
        return self.place.name.endswith(".inprogress")


def event_logs_in(folder: Path) -> Iterator[EventLog]:
    """All logs of a folder, in no order; links lead nowhere. Errors: OSError."""
    for number, place in enumerate(folder.iterdir()):
        if number >= _MOST_LISTED:
            return
        if place.is_symlink() or place.name.startswith("."):
            continue
        if place.is_dir() != place.name.startswith(ROLLING):
            continue
        name, attempt = named(place.name.removeprefix(ROLLING))
        yield EventLog(name, attempt, place, place.stat().st_mtime)


def event_log_of(folders: Sequence[Path], application: str, attempt: str = "") -> EventLog | None:
    """The newest attempt of an application, or the one that is asked for. Errors: OSError."""
    found = [
        log
        for folder in folders
        for log in event_logs_in(folder)
        if log.id == application and attempt in {"", log.attempt}
    ]
    return max(found, key=lambda log: (int(log.attempt or 0), log.modified), default=None)


def read_log(log: EventLog, seconds: float) -> Application:
    """What the log says, as far as that can be read in time. Errors: Unreadable; OSError."""
    application = Application(log.id, log.attempt)
    until, room = time.monotonic() + seconds, _MOST_BYTES
    for part in _parts(log.place):
        read_events(_lines(part), application, most_bytes=room, until=until)
        if application.unread:
            break
    return application


def named(name: str) -> tuple[str, str]:
    """The id and the attempt that a file's name holds."""
    bare = name.removesuffix(".inprogress")
    for codec in (*_CODECS, "lzf"):
        bare = bare.removesuffix(f".{codec}")
    # An id of YARN ends in digits after `_` itself: only what follows a whole id is an attempt.
    found = re.fullmatch(r"(application_\d+_\d+|(?!application_).+?)_(\d{1,4})", bare)
    return (found[1], found[2]) if found else (bare, "")


def number_of(name: str) -> int | None:
    """Of a part of a rolling log, by its name; None, if it is none."""
    found = _PART.match(name.rpartition("/")[2])
    return int(found[1]) if found else None


def is_packed(name: str) -> bool:
    """Whether a file of this name is compressed."""
    return (
        name.removesuffix(".compact")
        .removesuffix(".inprogress")
        .endswith(tuple(f".{each}" for each in (*_CODECS, "lzf")))
    )


def _parts(place: Path) -> list[Path]:
    """The files of a log, the oldest first: a compacted one stands for all before it."""
    if not place.is_dir():
        return [place]
    parts = sorted(
        (int(found[1]), not each.name.endswith(".compact"), each)
        for each in place.iterdir()
        if (found := _PART.match(each.name)) and not each.is_symlink()
    )
    compacted = max((number for number, is_plain, _ in parts if not is_plain), default=0)
    return [each for number, is_plain, each in parts if number > compacted or (number == compacted and not is_plain)]


def _lines(place: Path) -> Iterator[bytes]:
    """Lines of one file, unpacked. A last block that is cut off ends them. Errors: Unreadable."""
    name = place.name.removesuffix(".compact").removesuffix(".inprogress")
    codec = name.rpartition(".")[2] if "." in name else ""
    with place.open("rb") as file:
        if codec not in {*_CODECS, "lzf"}:
            yield from file
            return
        rest = b""
        try:
            for block in _blocks(file, codec):
                *whole, rest = (rest + block).split(b"\n")
                yield from whole
        except (OSError, EOFError, struct.error):
            pass
        yield rest


def _blocks(file: IO[bytes], codec: str) -> Iterator[bytes]:
    """Errors: Unreadable; OSError, EOFError and struct.error where the file breaks off."""
    match codec:
        case "gz":
            with gzip.open(file) as stream:
                while block := stream.read(_BLOCK):
                    yield block
        case "zstd":
            with _arrow().CompressedInputStream(file, "zstd") as stream:
                while block := stream.read(_BLOCK):
                    yield block
        case "lz4":
            yield from _lz4(file)
        case "snappy":
            yield from _snappy(file)
        case _:
            raise Unreadable(f"it is packed with {codec}, which is not read here")


def _lz4(file: IO[bytes]) -> Iterator[bytes]:
    """Blocks as Spark's LZ4 stream writes them: magic, method, both lengths, checksum."""
    while len(head := file.read(_LZ4_HEAD.size)) == _LZ4_HEAD.size:
        magic, method, packed, plain, _ = _LZ4_HEAD.unpack(head)
        if magic != b"LZ4Block" or not 0 <= plain <= _LARGEST_BLOCK:
            raise Unreadable("it is no lz4 of Spark's")
        data = file.read(packed)
        if plain and len(data) == packed:
            yield data if method & 0xF0 == _STORED else _unpack(data, plain, "lz4_raw")


def _snappy(file: IO[bytes]) -> Iterator[bytes]:
    """Chunks after a head of 16 bytes, each with its length; its first bytes say how long it is unpacked."""
    file.read(_SNAPPY_HEAD)
    while len(head := file.read(4)) == len(b"size"):
        data = file.read(int.from_bytes(head))
        size = shift = 0
        for byte in data[:5]:
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:  # noqa: PLR2004 - the last byte of a number
                break
        if size > _LARGEST_BLOCK:
            raise Unreadable("it is no snappy of Spark's")
        yield _unpack(data, size, "snappy")


def _unpack(data: bytes, size: int, codec: str) -> bytes:
    return bytes(_arrow().decompress(data, decompressed_size=size, codec=codec))


def _arrow() -> Any:  # noqa: ANN401 - pyarrow has no types
    """Loaded for packed logs alone: it is large."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - see above
    except ImportError:
        raise Unreadable("it is packed, and pyarrow is not installed (pierhead[spark])") from None
    return pa
