"""What a writer finds at its start: where the chain ends, which calls never ended, what must be cut off.

A torn tail (a last write cut short by a crash; it was never acknowledged) is cut off and kept aside. Anything
else that does not fit is no crash but damage, and the writer refuses to start on it.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from pierhead.adapters.journal.segments import Segment, lines, segment_paths
from pierhead.core.chain import START, Head, Record, follow, read_line
from pierhead.core.errors import Invalid, Misconfigured


@dataclass(slots=True)
class Recovered:
    """The state of a journal as the disk tells it. `unfinished` maps calls to the place of their intent."""

    head: Head = START
    segments: list[Segment] = field(default_factory=list[Segment])
    unfinished: dict[str, int] = field(default_factory=dict[str, int])


def recover(directory: Path) -> Recovered:
    """Read every segment that is left.

    Errors: Misconfigured (`journal-damaged`), naming file and record.
    """
    found = Recovered()
    paths = segment_paths(directory)
    for path in paths:
        _recover_segment(path, found, is_last=path == paths[-1])
    return found


def _recover_segment(path: Path, found: Recovered, *, is_last: bool) -> None:
    segment = Segment(path, first=found.head.sequence + 1, last=found.head.sequence, size=0)
    for line in lines(path):
        try:
            record = _next(found.head, line, is_first=not found.segments and segment.size == 0)
        except Invalid as broken:
            if is_last and (b"\0" in line or _is_torn(lines(path, segment.size))):
                _cut(path, segment.size)
                break
            raise _damaged(path, broken) from broken
        segment.first = record.sequence if segment.size == 0 else segment.first
        segment.last, segment.size = record.sequence, segment.size + len(line)
        found.head = Head(record.sequence, record.hash)
        _note(record, found.unfinished)
    found.segments.append(segment)


def _next(head: Head, line: bytes, *, is_first: bool) -> Record:
    """The record on `line`; the first one left tells where the chain goes on, earlier ones were released."""
    if not line.endswith(b"\n"):
        raise Invalid("the line was cut short", code="record-unreadable")
    record = read_line(line)
    follow(Head(record.sequence - 1, record.previous) if is_first else head, record)
    return record


def _is_torn(rest: Iterable[bytes]) -> bool:
    """Whether nothing complete follows: then a write was cut short, and nobody was told that it was done."""
    return not any(_is_record(line) for line in rest)


def _is_record(line: bytes) -> bool:
    try:
        read_line(line)
    except Invalid:
        return False
    return line.endswith(b"\n")


def _cut(path: Path, size: int) -> None:
    """Cut the file after its last good record. Zeros were written ahead; anything else is kept beside it."""
    with path.open("r+b") as file:
        file.seek(size)
        rest = file.read().rstrip(b"\0")
        if rest:
            path.with_suffix(f".cut-{size}").write_bytes(rest)
        file.truncate(size)
        os.fdatasync(file.fileno())


def _note(record: Record, unfinished: dict[str, int]) -> None:
    """Keep track of intents without an outcome."""
    fact = orjson.loads(record.payload)
    if fact["kind"] == "call-started":
        unfinished[fact["call_id"]] = record.sequence
    elif fact["kind"] in {"call-finished", "call-lost"}:
        unfinished.pop(fact["call_id"], None)


def _damaged(path: Path, broken: Invalid) -> Misconfigured:
    return Misconfigured(
        f"journal {path} is damaged: {broken.message}",
        hint="run `pierhead audit verify`, keep the directory as evidence, and move it away to start a new one",
        code="journal-damaged",
    )
