"""Time saved: what counts, what does not, and the figures of every page of it."""

import pytest
from tests.unit.usecases.test_memory_records import HOUR, NOW, row

from pierhead.core.usage import ESTIMATE_S, ToolUse
from pierhead.usecases.memory_records import MemoryRecords
from pierhead.usecases.report_impact import FORMULA, METHOD, Impact, report_impact

pytestmark = pytest.mark.anyio


async def test_only_permitted_calls_that_succeeded_save_time() -> None:
    records = MemoryRecords(
        [
            row("a", minutes=30),
            row("b", minutes=30, principal="bob"),
            row("c", minutes=30, outcome="tool_error"),
            row("d", minutes=0, decision="refuse", outcome="cannot-reach", principal="mallory"),
            row("e", minutes=30, at=NOW - HOUR),
        ]
    )
    assert await report_impact(records, NOW - 1) == Impact(
        since=NOW - 1,
        invocations=3,
        succeeded=2,
        active_users=2,
        hours=1.0,
        hours_low=0.0,
        hours_high=0.0,
        hours_autonomous=0.0,
        coverage=0.0,
        expired=0,
        tools=(ToolUse("warehouse", "run_query", 30, calls=3, succeeded=2, users=2),),
    )


async def test_each_call_counts_with_the_minutes_in_force_when_it_ran() -> None:
    records = MemoryRecords([row("a", minutes=6), row("b", minutes=6), row("c", minutes=48)])
    impact = await report_impact(records, 0)
    assert impact.hours == 1.0
    assert [(use.minutes, use.succeeded) for use in impact.tools] == [(6, 2), (48, 1)]


async def test_no_calls_save_nothing() -> None:
    assert await report_impact(MemoryRecords(), 0) == Impact(0, 0, 0, 0, 0, 0, 0, 0, None, 0, ())


async def test_the_range_is_that_of_calls_whose_estimate_was_in_date() -> None:
    dated = {"minutes": 12, "minutes_low": 6, "minutes_high": 30, "minutes_method": "timed"}
    records = MemoryRecords(
        [
            row("young", **dated, minutes_stated_at=NOW - ESTIMATE_S + 1),
            row("old", **dated, minutes_stated_at=NOW - ESTIMATE_S),
            row("before", minutes=12),
            row("program", principal="spiffe://demo.example/robot", minutes=24),
        ]
    )
    impact = await report_impact(records, 0)
    assert (impact.hours, impact.hours_autonomous) == (1.0, 0.4)
    assert (impact.hours_low, impact.hours_high) == (0.1, 0.5)
    assert (impact.coverage, impact.expired, impact.active_users) == (0.25, 1, 1)
    assert [(use.low, use.high, use.method, use.covered, use.users) for use in impact.tools] == [
        (6, 30, "timed", 1, 1),
        (0, 0, "", 0, 1),
        (0, 0, "", 0, 0),
    ]


@pytest.mark.parametrize("tool", ["approvals_wait", "presto_read_result", "resources/read"])
async def test_asking_again_for_what_is_known_saves_nothing(tool: str) -> None:
    impact = await report_impact(MemoryRecords([row("a", tool=tool)]), 0)
    assert (impact.invocations, impact.succeeded, impact.hours, impact.coverage) == (1, 0, 0, None)


def test_the_figure_names_its_formula_and_that_it_is_gross() -> None:
    assert FORMULA.endswith("(successful calls x declared minutes) / 60")
    assert METHOD.startswith("gross: the owners' own estimates, not calibrated")
