"""Reading journals from outside: also while they are written, also when they are damaged.

Takes no lock and changes nothing. A last line still being written is no damage.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pierhead.adapters.journal.segments import lines, segment_paths
from pierhead.core.chain import START, Head, Record, follow, read_line
from pierhead.core.errors import Invalid

_LOOKS_S: Final = (0.01, 0.05, 0.2, 1.0)
"""How long to wait before each further look at a line that may be under way."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of one chain found. `broken` is empty for a whole chain; else it names the first bad record."""

    writer: str
    records: int
    first: int
    head: Head
    broken: str = ""


def read(directory: Path) -> Iterator[Record]:
    """The records of one writer in order, up to the last complete line.

    Errors: Invalid, at the first record that does not follow its predecessor; the message names file and line.
    """
    head: Head | None = None
    paths = segment_paths(directory)
    for path in paths:
        is_open = path == paths[-1]
        for number, line in enumerate(_settled(path) if is_open else lines(path), 1):
            if is_open and not line.endswith(b"\n"):
                return
            record = _read(line, head, f"{path.parent.name}/{path.name} line {number}")
            head = Head(record.sequence, record.hash)
            yield record


def _settled(path: Path) -> Iterator[bytes]:
    """The lines of the open segment, of which one may be seen half written.

    A write there replaces zeros, and no record has one: another look tells a line with zeros in it from damage.
    """
    place, looks = 0, list(_LOOKS_S)
    while True:
        for line in lines(path, place):
            if looks and line.endswith(b"\n") and b"\0" in line:
                time.sleep(looks.pop(0))
                break
            place, looks = place + len(line), list(_LOOKS_S)
            yield line
        else:
            return


def _read(line: bytes, head: Head | None, where: str) -> Record:
    try:
        record = read_line(line)
        # The first record left tells where it goes on: earlier segments were shipped and released.
        follow(head or Head(record.sequence - 1, record.previous), record)
    except Invalid as broken:
        raise Invalid(f"{where}: {broken.message}", hint=broken.hint, code=broken.code) from None
    return record


def verify(directory: Path) -> Report:
    """Check one writer's journal: every hash, every place."""
    first, records, head, broken = 0, 0, START, ""
    try:
        for record in read(directory):
            first = first or record.sequence
            records, head = records + 1, Head(record.sequence, record.hash)
    except Invalid as found:
        broken = found.message
    return Report(directory.name, records, first, head, broken)


def verify_all(path: Path) -> tuple[Report, ...]:
    """Check the journal of every writer under `path`; no directory, no reports."""
    if not path.is_dir():
        return ()
    return tuple(verify(directory) for directory in sorted(path.iterdir()) if directory.is_dir())
