"""One record as a line, and what makes a run of records a chain.

Pure, and shared by who writes records (`adapters/journal`) and who receives them (`usecases/ship_facts`), so
that both refuse the same things. Below: `audit` (facts, the hash). Not here: files, tables.
"""

import re
from dataclasses import dataclass
from typing import Final

from pierhead.core.audit import GENESIS, chain
from pierhead.core.errors import Invalid

_LINE: Final = re.compile(
    rb'\{"seq":([1-9][0-9]{0,17}),"at":([0-9]{1,17}),"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})","fact":(\{.*\})\}'
)
_HINT: Final = "the record was changed or lost after it was written; keep the file and compare it with the registry's"


@dataclass(frozen=True, slots=True)
class Record:
    """One fact in its place. `payload` is the fact's exact JSON: what is hashed is what is stored."""

    sequence: int
    time_ms: int
    previous: str
    hash: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: the last record's place and hash."""

    sequence: int
    hash: str


START: Final = Head(sequence=0, hash=GENESIS)


def next_line(head: Head, time_ms: int, payload: bytes) -> tuple[Head, bytes]:
    """The line, without its line feed, that puts `payload` after `head`, and the chain's new end.

    Shapes: `payload` is one JSON object without line feeds. The order of members is the wire format.
    """
    sequence = head.sequence + 1
    digest = chain(head.hash, sequence, time_ms, payload)
    line = b'{"seq":%d,"at":%d,"prev":"%b","hash":"%b","fact":%b}' % (
        sequence,
        time_ms,
        head.hash.encode(),
        digest.encode(),
        payload,
    )
    return Head(sequence, digest), line


def read_line(line: bytes) -> Record:
    """The record of one line, with or without its line feed.

    Errors: Invalid (`record-unreadable`), if it is not exactly what `next_line` writes.
    """
    found = _LINE.fullmatch(line.rstrip(b"\n"))
    if found is None:
        raise Invalid("not a record", hint=_HINT, code="record-unreadable")
    sequence, time_ms, previous, digest, payload = found.groups()
    return Record(int(sequence), int(time_ms), previous.decode(), digest.decode(), payload)


def follow(head: Head, record: Record) -> Head:
    """The chain's new end, if `record` is the very next one.

    Errors: Invalid: `chain-gap` for a wrong place, `chain-broken` for a wrong hash.
    """
    if record.sequence != head.sequence + 1:
        message = f"record {record.sequence} stands where {head.sequence + 1} belongs"
        raise Invalid(message, hint=_HINT, code="chain-gap")
    if record.previous != head.hash:
        message = f"record {record.sequence} does not name the hash of the record before it"
        raise Invalid(message, hint=_HINT, code="chain-broken")
    if record.hash != chain(record.previous, record.sequence, record.time_ms, record.payload):
        raise Invalid(f"record {record.sequence} does not match its hash", hint=_HINT, code="chain-broken")
    return Head(record.sequence, record.hash)
