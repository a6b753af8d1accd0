"""What calls saved, with its range and what that covers: the database and the memory count alike."""

from dataclasses import replace
from typing import Any

from tests.contract.conftest import Run
from tests.contract.test_database import NOW, Writer, actor, finished, started

from pierhead.adapters.db import Database, DatabaseFacts, DatabaseRecords
from pierhead.core.audit import CallStarted
from pierhead.core.usage import ESTIMATE_S, Saved, ServerUse, ToolUse
from pierhead.usecases.memory_records import MemoryRecords
from pierhead.usecases.ports_records import Filter
from pierhead.usecases.ship_facts import take_facts

WIDE = {"minutes": 12.0, "minutes_low": 4.0, "minutes_high": 30.0, "minutes_method": "timed"}
YOUNG = {**WIDE, "minutes_stated_at": NOW - ESTIMATE_S + 1}
OLD = {**WIDE, "minutes_stated_at": NOW - ESTIMATE_S}
ROBOT = replace(actor(), principal="spiffe://demo.example/robot", person="", workload="spiffe://demo.example/robot")


def begun(call_id: str, **changes: Any) -> CallStarted:
    fact = started(call_id, digest=call_id)
    assert isinstance(fact, CallStarted)
    return replace(fact, **changes)


CALLS = (
    begun("young", **YOUNG),
    begun("bob", actor=actor("bob"), **YOUNG),
    begun("robot", actor=ROBOT, **YOUNG),
    begun("old", **OLD),
    begun("undated", **WIDE),
    begun("nothing", minutes=0.0, minutes_stated_at=NOW),
    begun("polls", tool="approvals_wait", **YOUNG),
    begun("reads", tool="presto_read_result", **YOUNG),
    begun("lists", tool="resources/read", **YOUNG),
)


async def tell(database: Database) -> tuple[DatabaseRecords, MemoryRecords]:
    """The same calls in both, and one that failed."""
    lines = Writer().lines(
        *(fact for each in CALLS for fact in (each, finished(each.call_id))),
        *(begun("failed", **YOUNG), finished("failed", "tool_error")),
        at=NOW,
    )
    await take_facts("server-warehouse", lines, DatabaseFacts(database))
    records = DatabaseRecords(database)
    return records, MemoryRecords(list(await records.calls(Filter(since=0))))


def test_the_range_speaks_for_the_calls_with_an_estimate_in_date(run: Run) -> None:
    async def story(database: Database) -> None:
        used = ServerUse(
            calls=10,
            people=2,
            saved=Saved(gross=60, low=12, high=90, autonomous=12, counted=6, covered=3, expired=1),
            last_at=NOW,
            result_tokens=30,
        )
        for records in await tell(database):
            assert await records.use_of("warehouse", 0) == used
        assert used.saved.coverage == 0.5

    run(story)


def test_each_tool_is_told_with_the_estimate_that_was_in_force(run: Run) -> None:
    async def story(database: Database) -> None:
        query = ToolUse(
            "warehouse", "run_query", 12, 6, 5, 2, low=4, high=30, method="timed", covered=3, expired=1, autonomous=1
        )
        for records in await tell(database):
            found = list(await records.uses(0))
            assert found[0] == query
            assert {use.tool: use.succeeded for use in found[1:] if use.tool != "run_query"} == {
                "approvals_wait": 0,
                "presto_read_result": 0,
                "resources/read": 0,
            }
            assert await records.active_users(0) == 2

    run(story)


def test_a_call_of_before_keeps_its_gross_figure_and_is_not_covered(run: Run) -> None:
    async def story(database: Database) -> None:
        lines = Writer().lines(started("a", minutes=12), finished("a"), at=NOW)
        await take_facts("server-warehouse", lines, DatabaseFacts(database))
        used = await DatabaseRecords(database).use_of("warehouse", 0)
        assert (used.saved, used.result_tokens) == (Saved(gross=12, counted=1), 3)

    run(story)
