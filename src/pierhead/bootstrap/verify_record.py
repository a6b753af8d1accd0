"""Every chain there is, recomputed: the journals on this disk, and the registry's copy of them.

Where a record is kept in both places, both must say the same. Not here: what a chain is (`core/chain`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pierhead.adapters.internal_client import InternalClient
from pierhead.adapters.journal import read, verify_all
from pierhead.bootstrap.wire_commands import console
from pierhead.core.chain import START, Head, follow, read_line
from pierhead.core.errors import Invalid, UpstreamUnreachable

_PAGE: Final = 2000


@dataclass(frozen=True, slots=True)
class ChainFound:
    """One chain: where it is kept, whose it is, how many records, and its first fault or nothing."""

    place: str
    writer: str
    records: int
    broken: str


@dataclass(slots=True)
class _Kept:
    """The registry's chain of one writer, as far as it was read."""

    head: Head = START
    records: int = 0
    broken: str = ""
    hashes: dict[int, str] = field(default_factory=dict[int, str])

    def add(self, line: bytes) -> None:
        if self.broken:
            return
        try:
            record = read_line(line)
            self.head = follow(self.head, record)
        except Invalid as fault:
            self.broken = f"after record {self.head.sequence}: {fault.message}"
            return
        self.records += 1
        self.hashes[record.sequence] = record.hash


def verify_record(data: Path) -> list[ChainFound]:
    """Check all chains. Without a running platform, the journals alone."""
    found = [
        ChainFound("journal", report.writer, report.records, report.broken) for report in verify_all(data / "journal")
    ]
    try:
        client = console(data).internal
    except UpstreamUnreachable:
        return found
    kept: dict[str, _Kept] = {}
    for writer, line in kept_lines(client):
        kept.setdefault(writer, _Kept()).add(line)
    for writer, chain in kept.items():
        broken = chain.broken or _difference(data / "journal" / writer, chain)
        found.append(ChainFound("registry", writer, chain.records, broken))
    return found


def kept_lines(client: InternalClient) -> Iterator[tuple[str, bytes]]:
    """Every record that the registry keeps, writer by writer, in order."""
    after: dict[str, Any] | None = {"writer": "", "sequence": 0}
    while after is not None:
        page = client.get("/audit/export", {**after, "limit": _PAGE})
        for kept in page["lines"]:
            yield kept["writer"], kept["line"].encode()
        after = page["next"]


def _difference(directory: Path, chain: _Kept) -> str:
    """The first record that the journal and the registry keep differently; a broken journal is reported by itself."""
    if not directory.is_dir():
        return ""
    try:
        for record in read(directory):
            if chain.hashes.get(record.sequence, record.hash) != record.hash:
                return f"record {record.sequence} is another one than in the journal"
    except Invalid:
        return ""
    return ""
