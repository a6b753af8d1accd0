"""The journal: order, durability, damage, recovery. Beside it: tests/integration/test_crashes.py kills it."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pierhead.adapters.journal import Journal, Limits, SystemDisk, read, verify, verify_all
from pierhead.adapters.system import SystemClock
from pierhead.core.audit import Actor, CallFinished, CallStarted, Fact
from pierhead.core.audit_policy import PolicyPublished
from pierhead.core.errors import Misconfigured, RecordFailed

ACTOR = Actor("alice", "alice", "", ("data-eng",), "ide", "local")
CLOCK = SystemClock()


def started(call_id: str) -> CallStarted:
    return CallStarted(
        call_id,
        ACTOR,
        "warehouse",
        "1",
        "run_query",
        "read",
        "2026-07-28",
        "",
        "d" * 64,
        2,
        {"é": "[text 1]"},
        1,
        (),
        5,
    )


def finished(call_id: str) -> CallFinished:
    return CallFinished(call_id, "ok", "", 10, 1.5)


def keep(path: Path, *facts: Fact, limits: Limits | None = None) -> None:
    """Write facts and close."""

    async def write() -> None:
        journal = Journal.open(path, "gateway", CLOCK, limits)
        for fact in facts:
            await journal.record(fact)
        journal.close()

    asyncio.run(write())


def segment(path: Path, number: int = 1) -> Path:
    return path / "gateway" / f"{number:08d}.jsonl"


class WatchedDisk(SystemDisk):
    """The real disk, with its calls noted, and failing when told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.threads: list[str] = []
        self.fails: dict[str, int] = {}

    def write(self, file: int, data: bytes, offset: int) -> int:
        self._note("write")
        return super().write(file, data, offset)

    def sync(self, file: int) -> None:
        self._note("sync")
        self.threads.append(threading.current_thread().name)
        super().sync(file)

    def truncate(self, file: int, size: int) -> None:
        self._note("truncate")
        super().truncate(file, size)

    def _note(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise OSError(self.fails[name], os.strerror(self.fails[name]))


def test_records_are_read_back_in_order_and_the_chain_is_whole(tmp_path: Path) -> None:
    keep(tmp_path, started("a"), finished("a"), PolicyPublished(3, "d", "alice"))
    records = list(read(tmp_path / "gateway"))
    assert [record.sequence for record in records] == [1, 2, 3]
    assert b'"kind":"call-started"' in records[0].payload
    report = verify(tmp_path / "gateway")
    assert (report.broken, report.records, report.head.hash) == ("", 3, records[-1].hash)


def test_a_record_returns_only_after_its_sync(tmp_path: Path) -> None:
    async def run() -> list[str]:
        disk = WatchedDisk()
        journal = Journal.open(tmp_path, "gateway", CLOCK, disk=disk)
        await journal.record(started("a"))
        disk.calls.append("effect")
        journal.close()
        return disk.calls

    calls = asyncio.run(run())
    assert calls[calls.index("effect") - 1] == "sync"
    assert "write" in calls[: calls.index("effect")]


def test_records_that_wait_together_share_one_sync(tmp_path: Path) -> None:
    async def run() -> int:
        disk = WatchedDisk()
        journal = Journal.open(tmp_path, "gateway", CLOCK, disk=disk)
        await asyncio.gather(*(journal.record(started(str(number))) for number in range(200)))
        syncs = disk.calls.count("sync")
        journal.close()
        return syncs

    assert asyncio.run(run()) < 20
    assert verify(tmp_path / "gateway").records == 200


def test_refusals_that_wait_together_share_one_sync(tmp_path: Path) -> None:
    async def run() -> int:
        disk = WatchedDisk()
        journal = Journal.open(tmp_path, "gateway", CLOCK, disk=disk)
        await asyncio.gather(*(journal.record(PolicyPublished(number, "d", "ann")) for number in range(200)))
        syncs = disk.calls.count("sync")
        journal.close()
        return syncs

    assert asyncio.run(run()) < 20
    assert verify(tmp_path / "gateway").records == 200


@dataclass
class SteppingClock:
    """Each look at it is `step` seconds after the one before."""

    step: float
    time: float = 1_795_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        self.time += self.step
        return self.time


@pytest.mark.parametrize("turns", [True, False])
@pytest.mark.parametrize(("step", "writer"), [(0.0001, "MainThread"), (0.002, "journal")])
def test_a_lone_call_is_recorded_on_the_spot_while_the_disk_is_quick(
    tmp_path: Path, step: float, writer: str, *, turns: bool
) -> None:
    """Nobody can share a sync with who makes one call after the other, whether the loop `turns` between them or not."""

    async def run() -> list[str]:
        disk = WatchedDisk()
        journal = Journal.open(tmp_path, "gateway", SteppingClock(step), disk=disk)
        for name in "abcd":
            await journal.record(started(name))
            await journal.record(finished(name))
            if turns:
                await asyncio.sleep(0)
        journal.close()
        return disk.threads

    assert asyncio.run(run())[1:8] == [writer] * 7
    assert verify(tmp_path / "gateway").records == 8


def test_tasks_that_record_in_one_turn_of_the_loop_share_a_sync(tmp_path: Path) -> None:
    async def call(journal: Journal, name: str) -> None:
        await journal.record(started(name))
        await journal.record(finished(name))

    async def run() -> list[str]:
        disk = WatchedDisk()
        journal = Journal.open(tmp_path, "gateway", SteppingClock(0.0), disk=disk)
        await asyncio.gather(*(call(journal, name) for name in "abcdefgh"))
        threads = list(disk.threads)
        journal.close()
        return threads

    threads = asyncio.run(run())
    assert threads[:2] == ["MainThread"] * 2, "the first one knows of nobody"
    assert set(threads[2:]) == {"journal"}
    assert len(threads) < 16


def test_a_record_beside_an_open_call_leaves_the_loop_free(tmp_path: Path) -> None:
    async def run() -> list[str]:
        disk = WatchedDisk()
        journal = Journal.open(tmp_path, "gateway", SteppingClock(0.0), disk=disk)
        await journal.record(started("long"))
        disk.threads.clear()
        for name in "ab":
            await journal.record(started(name))
            await journal.record(finished(name))
        threads = list(disk.threads)
        journal.close()
        return threads

    assert asyncio.run(run()) == ["journal"] * 4


def test_a_lone_record_that_the_disk_refuses_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        disk = WatchedDisk()
        journal = Journal.open(tmp_path, "gateway", SteppingClock(0.0), disk=disk)
        disk.fails = {"sync": errno.EIO}
        with pytest.raises(RecordFailed, match="could not be made durable"):
            await journal.record(started("a"))
        disk.fails = {}
        await journal.record(started("b"))
        journal.close()

    asyncio.run(run())
    assert [record.payload[12:13] for record in read(tmp_path / "gateway")] == [b"b"]


def test_an_intent_without_an_outcome_is_lost_at_restart_and_only_once(tmp_path: Path) -> None:
    keep(tmp_path, started("a"), finished("a"), started("b"))
    keep(tmp_path)
    keep(tmp_path)
    kinds = [record.payload for record in read(tmp_path / "gateway")]
    assert [kind for kind in kinds if b"call-lost" in kind] == [b'{"call_id":"b","kind":"call-lost"}']


@pytest.mark.parametrize("cut", [1, 2, 40, 200])
def test_a_torn_tail_is_cut_and_the_chain_goes_on(tmp_path: Path, cut: int) -> None:
    keep(tmp_path, finished("a"), finished("b"))
    size = segment(tmp_path).stat().st_size
    os.truncate(segment(tmp_path), size - cut)
    keep(tmp_path, finished("c"))
    payloads = [record.payload for record in read(tmp_path / "gateway")]
    assert [payload[12:13] for payload in payloads] == [b"a", b"c"]
    assert verify(tmp_path / "gateway").broken == ""


def test_a_batch_with_a_hole_from_a_power_cut_is_cut_at_the_hole_and_kept_aside(tmp_path: Path) -> None:
    keep(tmp_path, finished("a"), finished("b"), finished("c"))
    data = segment(tmp_path).read_bytes()
    first, second, third = data.splitlines(keepends=True)
    segment(tmp_path).write_bytes(first + bytes(50) + second[50:] + third)
    keep(tmp_path, finished("d"))
    assert [record.payload[12:13] for record in read(tmp_path / "gateway")] == [b"a", b"d"]
    assert third.strip() in next((tmp_path / "gateway").glob("*.cut-*")).read_bytes()


def _flip(data: bytes) -> bytes:
    return data.replace(b'"outcome":"ok"', b'"outcome":"no"', 1)


def _drop_second(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([lines[0], *lines[2:]])


def _swap(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([lines[0], lines[2], lines[1], *lines[3:]])


@pytest.mark.parametrize(
    ("damage", "line", "says"),
    [
        (_flip, "line 1", "does not match its hash"),
        (_drop_second, "line 2", "record 3 stands where 2 belongs"),
        (_swap, "line 2", "record 3 stands where 2 belongs"),
        (lambda data: data.replace(b'"prev":"', b'"prev":"0', 1), "line 1", "not a record"),
    ],
)
def test_verify_names_the_first_broken_record(
    tmp_path: Path, damage: Callable[[bytes], bytes], line: str, says: str
) -> None:
    keep(tmp_path, *(finished(str(number)) for number in range(4)))
    segment(tmp_path).write_bytes(damage(segment(tmp_path).read_bytes()))
    (report,) = verify_all(tmp_path)
    assert f"gateway/00000001.jsonl {line}" in report.broken
    assert says in report.broken


def test_a_writer_refuses_to_go_on_after_damage(tmp_path: Path) -> None:
    keep(tmp_path, finished("a"), finished("b"))
    segment(tmp_path).write_bytes(_flip(segment(tmp_path).read_bytes()))
    with pytest.raises(Misconfigured, match="damaged"):
        Journal.open(tmp_path, "gateway", CLOCK)


def test_two_processes_cannot_write_one_journal(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, "gateway", CLOCK)
    with pytest.raises(Misconfigured, match="held by another process"):
        Journal.open(tmp_path, "gateway", CLOCK)
    journal.close()


@pytest.mark.parametrize("call", ["write", "sync", "truncate"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_refuses_every_record_until_it_works_again(tmp_path: Path, call: str, code: int) -> None:
    async def run() -> None:
        disk = WatchedDisk()
        journal = Journal.open(tmp_path, "gateway", CLOCK, disk=disk)
        await journal.record(finished("a"))
        disk.fails = {call: code, "sync": code}
        results = await asyncio.gather(*(journal.record(finished("x")) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [RecordFailed] * 3
        assert journal.failure
        with pytest.raises(RecordFailed):
            await journal.record(finished("x"))
        disk.fails = {}
        await journal.record(finished("b"))
        assert not journal.failure
        assert len(await journal.after(0, 9)) == 2
        journal.close()

    asyncio.run(run())
    assert [record.payload[12:13] for record in read(tmp_path / "gateway")] == [b"a", b"b"]


def test_segments_rotate_are_shipped_across_and_released_once_safe(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal.open(tmp_path, "gateway", CLOCK, Limits(segment_bytes=600))
        for number in range(30):
            await journal.record(finished(f"{number:02d}"))
        shipped: list[bytes] = []
        while lines := await journal.after(len(shipped), 7):
            shipped += lines
        assert [int(line[7 : line.index(b",")]) for line in shipped] == list(range(1, 31))
        assert len(shipped) == 30
        assert await journal.after(12, 2) == shipped[12:14]
        before = len(list((tmp_path / "gateway").glob("*.jsonl")))
        await journal.release(20)
        assert 1 < len(list((tmp_path / "gateway").glob("*.jsonl"))) < before
        assert await journal.after(20, 50) == shipped[20:]
        journal.close()

    asyncio.run(run())
    report = verify(tmp_path / "gateway")
    assert report.broken == ""
    assert 1 < report.first <= 21
    assert report.head.sequence == 30
    keep(tmp_path, finished("z"))
    assert verify(tmp_path / "gateway").head.sequence == 31


def test_a_segment_with_an_open_call_is_not_released(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal.open(tmp_path, "gateway", CLOCK, Limits(segment_bytes=600))
        await journal.record(started("open"))
        for number in range(30):
            await journal.record(finished(str(number)))
        await journal.release(30)
        assert segment(tmp_path).exists()
        journal.close()

    asyncio.run(run())


def test_a_full_spool_refuses_new_calls_and_still_takes_outcomes(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal.open(tmp_path, "gateway", CLOCK, Limits(segment_bytes=500, capacity_bytes=1500))
        for number in range(6):
            await journal.record(finished(str(number)))
        with pytest.raises(RecordFailed, match="full"):
            await journal.record(started("new"))
        await journal.record(finished("late"))
        await journal.release(journal.durable)
        await journal.record(started("new"))
        journal.close()

    asyncio.run(run())


def test_a_fact_that_is_no_valid_unicode_is_refused_and_the_journal_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal.open(tmp_path, "gateway", CLOCK)
        with pytest.raises(RecordFailed, match="cannot be written"):
            await journal.record(finished("\ud800"))
        await journal.record(finished("a"))
        journal.close()
        journal.close()
        with pytest.raises(RecordFailed, match="closed"):
            await journal.record(finished("b"))

    asyncio.run(run())


def test_a_caller_who_went_away_does_not_stop_the_batch(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal.open(tmp_path, "gateway", CLOCK)
        gone = asyncio.ensure_future(journal.record(finished("a")))
        await asyncio.sleep(0)
        gone.cancel()
        await journal.record(finished("b"))
        journal.close()

    asyncio.run(run())
    assert verify(tmp_path / "gateway").records == 2


def test_a_journal_can_be_checked_while_it_is_written(tmp_path: Path) -> None:
    async def run() -> None:
        journal = Journal.open(tmp_path, "gateway", CLOCK)
        await journal.record(finished("a"))
        report = verify(tmp_path / "gateway")
        assert (report.records, report.broken) == (1, "")
        journal.close()

    asyncio.run(run())
    assert segment(tmp_path).read_bytes().endswith(b"\n")


@pytest.mark.parametrize("hidden", [slice(0, 2), slice(1, 2)])
def test_a_record_that_is_seen_half_written_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hidden: slice
) -> None:
    keep(tmp_path, *(finished(name) for name in "abc"))
    whole = segment(tmp_path).read_bytes()
    records = whole.splitlines(keepends=True)
    seen = b"".join(records[hidden])
    looks: list[float] = []

    def written_meanwhile(seconds: float) -> None:
        looks.append(seconds)
        segment(tmp_path).write_bytes(whole if len(looks) == 2 else whole.replace(seen[:99], bytes(99)))

    monkeypatch.setattr("pierhead.adapters.journal.reader.time.sleep", written_meanwhile)
    segment(tmp_path).write_bytes(whole.replace(seen[:-1], bytes(len(seen) - 1)))
    assert [record.payload[12:13] for record in read(tmp_path / "gateway")] == [b"a", b"b", b"c"]
    assert len(looks) == 2


def test_zeros_that_stay_are_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pierhead.adapters.journal.reader.time.sleep", lambda _: None)
    keep(tmp_path, *(finished(name) for name in "abc"))
    second = segment(tmp_path).read_bytes().splitlines(keepends=True)[1]
    segment(tmp_path).write_bytes(segment(tmp_path).read_bytes().replace(second[:50], bytes(50)))
    (report,) = verify_all(tmp_path)
    assert (report.records, report.broken) == (1, "gateway/00000001.jsonl line 2: not a record")
