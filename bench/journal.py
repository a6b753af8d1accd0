"""The journal alone: durable records a second and CPU per record, beside SQLite with the same promise.

The floor is what one would reach for: a table in SQLite (WAL, synchronous FULL), one transaction a record, in a
thread of its own. Both write to the same disk, in turn. Each writer waits for its record before it writes the next.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
import uvloop

from bench.results import Results, Target
from pierhead.adapters.journal import Journal, verify
from pierhead.adapters.system import SystemClock
from pierhead.core.audit import Actor, CallStarted, Fact, Reason

WRITERS: Final = (1, 16, 64)
SECONDS: Final = 1.0
ROUNDS: Final = 3
TARGETS: Final = (Target("journal.pierhead", "cpu_per_record_w16", "journal.sqlite", at_most=1.0),)

Record = Callable[[Fact], Awaitable[None]]


@dataclass(slots=True)
class _Tally:
    """What one kind of journal showed, by number of writers. Units: microseconds a record, records a second."""

    cpu_us: dict[int, list[float]] = field(default_factory=dict[int, list[float]])
    per_s: dict[int, list[float]] = field(default_factory=dict[int, list[float]])
    records: int = 0


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Both journals in turn, three rounds; then ours must verify, or nothing was measured."""
    tallies = {"journal.pierhead": _Tally(), "journal.sqlite": _Tally()}
    journal = Journal.open(folder, "bench", SystemClock())
    sqlite = _Sqlite(folder / "floor.db")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for number in range(ROUNDS):
            say(f"journal: round {number + 1} of {ROUNDS}")
            runner.run(_round(tallies["journal.pierhead"], journal.record))
            runner.run(_round(tallies["journal.sqlite"], sqlite.record))
    journal.close()
    sqlite.close()
    report = verify(folder / "bench")
    if report.broken or report.records != tallies["journal.pierhead"].records:
        raise ValueError(f"the journal holds {report.records} records, broken: {report.broken or 'no'}")
    for name, tally in tallies.items():
        _report(results, name, tally)
    for writers in WRITERS:
        results.compare("journal.pierhead", f"cpu_per_record_w{writers}", "journal.sqlite")
        results.compare("journal.pierhead", f"records_per_s_w{writers}", "journal.sqlite")


def _report(results: Results, name: str, tally: _Tally) -> None:
    for writers in WRITERS:
        results.add(name, f"cpu_per_record_w{writers}", min(tally.cpu_us[writers]), "us", tally.records)
        results.add(name, f"records_per_s_w{writers}", max(tally.per_s[writers]), "1/s", tally.records)


async def _round(tally: _Tally, record: Record) -> None:
    """Each number of writers for a second."""
    for writers in WRITERS:
        cpu, wall = time.process_time(), time.perf_counter()
        end = wall + SECONDS
        counts = await asyncio.gather(*(_write(record, writer, end) for writer in range(writers)))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        written = sum(counts)
        tally.records += written
        tally.cpu_us.setdefault(writers, []).append(cpu * 1e6 / written)
        tally.per_s.setdefault(writers, []).append(written / wall)


async def _write(record: Record, writer: int, end: float) -> int:
    """One writer: a record after the other until the time is up."""
    written = 0
    while time.perf_counter() < end:
        await record(fact(f"call-{writer}-{written}"))
        written += 1
    return written


def fact(call_id: str) -> CallStarted:
    """An intent as the gateway records it."""
    actor = Actor("alice", "alice", "", ("analytics", "data-eng"), "ide", "local")
    return CallStarted(
        call_id=call_id,
        actor=actor,
        server="warehouse",
        version="1.0.0",
        tool="echo",
        effect="read",
        era="2026-07-28",
        client="bench/1",
        arguments_digest="0" * 64,
        arguments_size=300,
        arguments=None,
        revision=1,
        reasons=(Reason("permit", "reach", "warehouse.access[0]", "access admits group:data-eng"),),
        minutes=1.0,
    )


class _Sqlite:
    """One table, one transaction a record, durable when it returns."""

    def __init__(self, path: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._path = path
        self._thread.submit(self._open).result()

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute("pragma synchronous=full")
        self._connection.execute("create table facts (seq integer primary key, at integer, fact blob)")

    async def record(self, written: Fact) -> None:
        """Return once it is on disk."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._insert, orjson.dumps(written))

    def _insert(self, payload: bytes) -> None:
        self._connection.execute("insert into facts (at, fact) values (?, ?)", (time.time_ns() // 1_000_000, payload))

    def close(self) -> None:
        """Let go."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()
