"""Appending facts: one write and one sync for all records that wait, by a thread; a lone record by its own caller.

`record` returns when its fact is on disk. Handing one record to a thread and back costs as much CPU as its sync, so
while one call is under way and the disk is quick, its records are written on the spot (decision 22). A disk
that fails refuses every waiting record and each later one until it takes writes again; no restart is needed. Above:
`usecases/call_tool` through the port Audit.
"""

import asyncio
import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import orjson

from pierhead.adapters.journal.recovery import Recovered, recover
from pierhead.adapters.journal.segments import Disk, Segment, Segments, SystemDisk, lines, sync_directory
from pierhead.core.audit import CallFinished, CallLost, CallStarted, Fact
from pierhead.core.chain import next_line
from pierhead.core.errors import Misconfigured, RecordFailed
from pierhead.usecases.ports import Clock
from pierhead.usecases.steadfast import Steadfast

_LARGEST_BATCH: Final = 1024
_BRIEF_S: Final = 0.001
"""How long an event loop may stand still for a record that nobody shares."""
_HINT: Final = "free space or repair the disk under the data directory; calls go on by themselves"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes a segment, and bytes in all: past that, new calls are refused until the registry took some."""

    segment_bytes: int = 16 * 2**20
    capacity_bytes: int = 2 * 2**30


_Waiting = tuple[Fact, bytes, Steadfast]


class Journal:
    """One writer's journal. Made by `open`, used from one event loop at a time, ended by `close`."""

    def __init__(self, lock: int, found: Recovered, segments: Segments, clock: Clock, limits: Limits) -> None:
        self._lock = lock
        self._head = found.head
        self._unfinished = found.unfinished
        self._segments = segments
        self._clock = clock
        self._limits = limits
        self._waiting: deque[_Waiting] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._ringing: asyncio.AbstractEventLoop | None = None
        self._first: asyncio.Task[object] | None = None  # the task that was first to record in this turn of the loop
        self._writing = threading.Lock()
        self._is_calm = True  # the last commit was brief, and of one record
        self._failure = ""
        self._is_closed = False
        self._cursor = (0, segments.current.path, 0)
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)

    @classmethod
    def open(
        cls, path: Path, writer: str, clock: Clock, limits: Limits | None = None, disk: Disk | None = None
    ) -> "Journal":
        """The journal of `writer` under `path`, recovered: calls without an outcome are recorded as lost.

        Errors: Misconfigured, if another process holds it or it is damaged; RecordFailed, if it takes no writes.
        """
        directory = path / writer
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(path)
        lock = _hold(directory)
        try:
            found = recover(directory)
            journal = cls(lock, found, _segments(directory, found, disk or SystemDisk()), clock, limits or Limits())
            journal._report_lost()
        except (Misconfigured, RecordFailed, OSError):
            os.close(lock)
            raise
        journal._thread.start()
        return journal

    def record(self, fact: Fact) -> Steadfast:
        """Done once `fact` is on disk, and not cancelled before: who waits for it needs neither task nor shield.

        Errors: RecordFailed, and then it is not, nor will it be after a repair.
        """
        if self._is_closed:
            raise RecordFailed("the journal is closed", hint="the process is stopping; call again")
        if self._segments.size > self._limits.capacity_bytes and not isinstance(fact, CallFinished):
            # Outcomes of calls that ran are still taken: refusing them would hide an effect.
            raise RecordFailed("the journal is full and the registry takes nothing", hint="start the registry")
        loop = asyncio.get_running_loop()
        written = Steadfast(loop=loop)
        waiting = (fact, _encode(fact), written)
        if not (self._is_alone(fact, loop) and self._write_now(waiting)):
            self._waiting.append(waiting)
        if self._ringing is not loop:
            # Once for all that this turn of the loop records: waking the thread costs more than a record.
            self._ringing = loop
            self._first = asyncio.current_task(loop)
            loop.call_soon(self._ring)
        return written

    @property
    def durable(self) -> int:
        """The place of the last record on disk."""
        return self._head.sequence

    @property
    def failure(self) -> str:
        """Why the last write failed; empty while the journal takes records."""
        return self._failure

    async def after(self, sequence: int, limit: int) -> Sequence[bytes]:
        """At most `limit` durable lines that follow record `sequence`, in order."""
        durable = self.durable
        if durable <= sequence:
            return ()
        return await asyncio.to_thread(self._read, sequence, min(limit, durable - sequence))

    async def release(self, sequence: int) -> None:
        """Records up to `sequence` are safe elsewhere: remove segments that hold nothing else, nor an open call."""
        oldest = min(self._unfinished.copy().values(), default=sequence + 1)
        await asyncio.to_thread(self._segments.release, min(sequence + 1, oldest))

    def close(self) -> None:
        """Write what waits, then let go. A second call does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._bell.put(None)
        self._thread.join()
        self._segments.close()
        os.close(self._lock)

    def _is_alone(self, fact: Fact, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether nobody is in sight to share a sync with: no other call, no other task in this turn."""
        if self._waiting or not self._is_calm:
            return False
        if isinstance(fact, CallFinished) and fact.call_id in self._unfinished:
            return len(self._unfinished) == 1
        if self._unfinished:
            return False
        if self._ringing is not loop:
            return True
        # A task that calls again has ended its call before.
        return isinstance(fact, CallStarted) and self._first is asyncio.current_task(loop) is not None

    def _write_now(self, waiting: _Waiting) -> bool:
        """Write on the spot; False if the thread is at it."""
        if not self._writing.acquire(blocking=False):
            return False
        try:
            failure = self._try([waiting])
        finally:
            self._writing.release()
        _settle([waiting[2]], failure)
        return True

    def _ring(self) -> None:
        self._ringing = self._first = None
        if self._waiting and self._bell.empty():
            self._bell.put(None)

    def _work(self) -> None:
        is_open = True
        while is_open:
            self._bell.get()
            is_open = not self._is_closed  # read first: what was recorded before the close is still written
            while self._waiting:
                with self._writing:
                    batch = self._batch()
                    failure = self._try(batch)
                _answer(batch, failure)

    def _batch(self) -> list[_Waiting]:
        """What waits now: also what came during the last sync."""
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), _LARGEST_BATCH))]

    def _try(self, batch: list[_Waiting]) -> str:
        """Commit, or say why not. Whatever goes wrong here must reach the callers: they wait."""
        try:
            self._commit([(fact, payload) for fact, payload, _ in batch])
        except Exception as failed:  # noqa: BLE001 - the top of this thread; an unanswered caller would hang
            self._failure = f"{type(failed).__name__}: {failed}"
        else:
            self._failure = ""
        return self._failure

    def _commit(self, batch: list[tuple[Fact, bytes]]) -> None:
        """One write and one sync; the chain moves on only after both."""
        if self._segments.current.size >= self._limits.segment_bytes:
            self._segments.rotate()
        head, time_ms, written = self._head, int(self._clock.now() * 1000), list[bytes]()
        for _, payload in batch:
            head, line = next_line(head, time_ms, payload)
            written.append(line)
        written.append(b"")
        before = self._clock.monotonic()
        self._segments.append(b"\n".join(written), head.sequence)
        self._is_calm = len(batch) == 1 and self._clock.monotonic() - before < _BRIEF_S
        self._note([fact for fact, _ in batch])
        self._head = head

    def _note(self, facts: Iterable[Fact]) -> None:
        """Keep the calls that have begun and not ended; called before `_head` moves past these facts."""
        for sequence, fact in enumerate(facts, self._head.sequence + 1):
            match fact:
                case CallStarted():
                    self._unfinished[fact.call_id] = sequence
                case CallFinished() | CallLost():
                    self._unfinished.pop(fact.call_id, None)
                case _:
                    pass

    def _report_lost(self) -> None:
        lost = [CallLost(call_id) for call_id in self._unfinished]
        if not lost:
            return
        try:
            self._commit([(fact, _encode(fact)) for fact in lost])
        except OSError as failed:
            raise RecordFailed(f"the journal takes no writes: {failed}", hint=_HINT) from failed

    def _read(self, sequence: int, count: int) -> list[bytes]:
        """Lines from the files; going on where the last reading ended costs no search."""
        found: list[bytes] = []
        durable = self.durable
        place, path, offset = self._locate(sequence)
        while len(found) < count and place < durable:
            for line in lines(path, offset):
                place, offset = place + 1, offset + len(line)
                if place > sequence:
                    found.append(line.rstrip(b"\n"))
                if len(found) == count or place == durable:
                    break
            self._cursor = (place, path, offset)
            place, path, offset = self._locate(place)
        return found

    def _locate(self, sequence: int) -> tuple[int, Path, int]:
        """Where to read on after record `sequence`: the place reached, and the file and offset that follow it."""
        segment = self._segment_of(sequence + 1)
        place, path, _ = self._cursor
        if path == segment.path and segment.first - 1 <= place <= sequence:
            return self._cursor
        return (segment.first - 1, segment.path, 0)

    def _segment_of(self, sequence: int) -> Segment:
        """The segment that holds `sequence`, or the first one left of what was released."""
        segments = [*self._segments.closed, self._segments.current]
        return next((segment for segment in segments if segment.last >= sequence), segments[-1])


def _encode(fact: Fact) -> bytes:
    try:
        return orjson.dumps(fact)
    except TypeError as failed:
        raise RecordFailed(f"the fact cannot be written: {failed}", hint="send valid Unicode text") from failed


def _segments(directory: Path, found: Recovered, disk: Disk) -> Segments:
    if not found.segments:
        found.segments.append(Segment(directory / "00000001.jsonl", first=1, last=0, size=0))
    return Segments(directory, disk, found.segments[:-1], found.segments[-1])


def _hold(directory: Path) -> int:
    """Two writers would fork the chain."""
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        message = f"journal {directory} is held by another process"
        raise Misconfigured(message, hint="stop the other one first", code="journal-held") from None
    return lock


def _answer(batch: list[_Waiting], failure: str) -> None:
    """Tell the callers, in their own loop; a loop that is gone has nobody left to tell."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Steadfast]] = {}
    for _, _, written in batch:
        by_loop.setdefault(written.get_loop(), []).append(written)
    for loop, waiting in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, waiting, failure)


def _settle(waiting: list[Steadfast], failure: str) -> None:
    for written in waiting:
        if written.done():
            continue
        if failure:
            written.set_exception(RecordFailed(f"the record could not be made durable: {failure}", hint=_HINT))
        else:
            written.set_result(None)
