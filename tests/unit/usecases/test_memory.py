"""The ports in memory: what unit tests stand on."""

import pytest
from tests.unit.samples import ROW, SERVER

from pierhead.core.audit import CallLost
from pierhead.core.errors import RecordFailed
from pierhead.core.snapshot import Fresh
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemoryIds, MemorySnapshots, snapshot_of


def test_a_clock_in_memory_stands_until_it_is_moved() -> None:
    clock = MemoryClock(10)
    assert (clock.now(), clock.monotonic()) == (10, 10)
    clock.seconds += 1
    assert clock.now() == clock.monotonic() == 11


def test_ids_in_memory_count() -> None:
    ids = MemoryIds()
    assert [ids.new(), ids.new()] == ["id-1", "id-2"]


def test_a_snapshot_in_memory_holds_servers_and_rows_by_name() -> None:
    snapshots = MemorySnapshots(snapshot_of([SERVER], [ROW, ROW], revision=7))
    assert snapshots.current().revision == 7
    assert snapshots.current().servers == {"warehouse": SERVER}
    assert snapshots.current().rows == {"warehouse": (ROW, ROW)}
    assert snapshots.age() == Fresh()


@pytest.mark.anyio
async def test_a_full_audit_in_memory_refuses_and_keeps_nothing() -> None:
    audit = MemoryAudit()
    await audit.record(CallLost("a"))
    audit.full = True
    with pytest.raises(RecordFailed):
        await audit.record(CallLost("b"))
    assert audit.facts == [CallLost("a")]
