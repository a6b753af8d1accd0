"""The record in lists answers in the order and by the filters that its port promises."""

from typing import Any, Final

import pytest

from pierhead.core.usage import NEVER_USED, Pace, Saved, ServerUse, ToolUse
from pierhead.usecases.memory_records import MemoryProcesses, MemoryRecords
from pierhead.usecases.ports_records import CallRow, ChainState, DayOfCalls, Filter, KeptFact, ProcessState

pytestmark = pytest.mark.anyio

HOUR: Final = 3600.0
NOW: Final = 1_795_000_000.0
DAY: Final = 24 * HOUR


def row(call_id: str, **changes: Any) -> CallRow:
    """One permitted call that succeeded, changed where a test says so."""
    plain = {
        "at": NOW,
        "principal": "alice",
        "server": "warehouse",
        "tool": "run_query",
        "effect": "read",
        "client": "client 1.0",
        "decision": "permit",
        "outcome": "ok",
        "sentence": "",
        "duration_ms": 12.0,
        "minutes": 6,
    }
    return CallRow(call_id, **{**plain, **changes})


ROWS: Final = [
    row("old", at=NOW - DAY, principal="bob"),
    row("new"),
    row("refused", at=NOW - 1, decision="refuse", outcome="cannot-reach", server="time", tool="get_time"),
    row("failed", at=NOW - 2, outcome="tool_error"),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(0), ["new", "refused", "failed", "old"]),
        (Filter(NOW - 2), ["new", "refused", "failed"]),
        (Filter(0, principal="bob"), ["old"]),
        (Filter(0, server="time"), ["refused"]),
        (Filter(0, tool="run_query", decision="permit"), ["new", "failed", "old"]),
        (Filter(0, decision="ask"), []),
        (Filter(0, limit=2), ["new", "refused"]),
    ],
)
async def test_calls_come_newest_first_and_only_those_wanted(wanted: Filter, found: list[str]) -> None:
    assert [call.call_id for call in await MemoryRecords(ROWS).calls(wanted)] == found


async def test_a_call_is_found_with_its_facts_or_not_at_all() -> None:
    fact = KeptFact("gateway", 1, NOW, "0" * 64, {"kind": "call-started"})
    records = MemoryRecords(ROWS, {"new": (fact,)})
    assert (await records.call("new"), await records.facts_of("new")) == (ROWS[1], (fact,))
    assert (await records.call("none"), await records.facts_of("none")) == (None, ())


async def test_use_counts_permitted_calls_and_the_busiest_tool_first() -> None:
    records = MemoryRecords([*ROWS, row("other", tool="list_tables", minutes=2)])
    assert await records.calls_by_server(NOW - 2) == {"warehouse": 3}
    assert await records.active_users(0) == 2
    assert await records.uses(0) == [
        ToolUse("warehouse", "run_query", 6, calls=3, succeeded=2, users=2),
        ToolUse("warehouse", "list_tables", 2, calls=1, succeeded=1, users=1),
    ]


async def test_use_of_one_server_is_of_everyone_together() -> None:
    records = MemoryRecords([*ROWS, row("other", tool="list_tables", minutes=2)])
    assert await records.use_of("warehouse", 0) == ServerUse(4, 2, Saved(14, counted=3), NOW)
    assert await records.use_of("time", 0) == NEVER_USED


async def test_the_pace_of_a_server_is_that_of_nineteen_of_twenty() -> None:
    records = MemoryRecords([row(f"{number}", duration_ms=float(number)) for number in range(1, 41)])
    assert await records.pace_of("warehouse", 0) == Pace(40, 40, 38.0)
    assert await records.pace_of("time", 0) == Pace(0, 0, None)
    running = MemoryRecords([row("one", duration_ms=None, outcome="running")])
    assert await running.pace_of("warehouse", 0) == Pace(1, 0, None)


async def test_days_come_oldest_first_with_refusals_beside_calls() -> None:
    days = await MemoryRecords(ROWS).by_day(NOW - DAY)
    assert [(day.calls, day.succeeded, day.refused) for day in days] == [(1, 1, 0), (2, 1, 1)]
    assert await MemoryRecords(ROWS).by_day(NOW) == [DayOfCalls(days[1].day, 1, 1, 0)]


async def test_a_chain_that_was_never_verified_says_so() -> None:
    assert await MemoryRecords().chain() == ChainState(records=0, verified_to=0.0, broken="")


async def test_processes_in_memory_are_those_that_were_given() -> None:
    states = {"warehouse": ProcessState("running", "", NOW)}
    assert await MemoryProcesses(states).states() == states
