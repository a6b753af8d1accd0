"""The plans that are kept: the same in memory, on SQLite and on a real PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from pierhead.adapters.db import Database, DatabasePlans, open_database
from pierhead.adapters.db.clock import now_of
from pierhead.adapters.db.schema import PLANS
from pierhead.core.errors import LimitExceeded
from pierhead.usecases.memory import MemoryClock, MemoryIds
from pierhead.usecases.memory_plans import MemoryPlans
from pierhead.usecases.ports_plans import MOST_PLANS, PLAN_LIFETIME_S, NewPlan, Plans

PLAN = NewPlan("desk", "plan_purge", "o" * 64, {"carrier": "é😀", "deep": [1, None, {}]}, "d" * 64)
Later = Callable[[float], Awaitable[None]]
Story = Callable[[Plans, Later], Awaitable[None]]


def run(url: str, story: Story) -> None:
    async def main() -> None:
        if not url:
            clock = MemoryClock()

            async def later(seconds: float) -> None:
                clock.seconds += seconds

            await story(MemoryPlans(clock), later)
            return
        database = await open_database(url)
        try:
            await story(DatabasePlans(database, MemoryIds()), lambda seconds: aged(database, seconds))
        finally:
            await database.close()

    asyncio.run(main())


async def aged(database: Database, seconds: float) -> None:
    """Let every plan be older: the clock is the database's own."""
    async with database.writing() as connection:
        await connection.execute(update(PLANS).values(expires_at=PLANS.c.expires_at - seconds))


def test_a_plan_comes_back_as_it_was_for_half_an_hour(url_or_memory: str) -> None:
    async def story(plans: Plans, later: Later) -> None:
        kept = await plans.keep_plan(PLAN)
        assert kept.plan == PLAN
        assert await plans.plan(kept.id) == kept
        assert await plans.plan("pln_nothing") is None
        await later(PLAN_LIFETIME_S - 5)
        assert await plans.plan(kept.id) is not None
        await later(5)
        assert await plans.plan(kept.id) is None
        assert not await plans.use_plan(kept.id)

    run(url_or_memory, story)


def test_one_of_many_uses_a_plan(url_or_memory: str) -> None:
    async def story(plans: Plans, later: Later) -> None:
        del later
        kept = await plans.keep_plan(PLAN)
        used = await asyncio.gather(*(plans.use_plan(kept.id) for _ in range(8)))
        assert sorted(used) == [False] * 7 + [True]
        found = await plans.plan(kept.id)
        assert found is not None
        assert found.is_used
        assert not await plans.use_plan("pln_nothing")

    run(url_or_memory, story)


def test_who_plans_in_a_loop_is_stopped_and_nobody_else(url_or_memory: str) -> None:
    async def story(plans: Plans, later: Later) -> None:
        for _ in range(MOST_PLANS):
            await plans.keep_plan(PLAN)
        with pytest.raises(LimitExceeded) as refused:
            await plans.keep_plan(PLAN)
        assert refused.value.code == "too-many-plans"
        await plans.keep_plan(replace(PLAN, owner="p" * 64))
        await plans.keep_plan(replace(PLAN, server="other"))
        await later(PLAN_LIFETIME_S)
        await plans.keep_plan(PLAN)

    run(url_or_memory, story)


def test_a_plan_is_forgotten_a_day_after_its_end(tmp_path: Path) -> None:
    async def main() -> None:
        database = await open_database(f"sqlite:///{tmp_path}/pierhead.db")
        plans = DatabasePlans(database, MemoryIds())
        await plans.keep_plan(PLAN)
        await aged(database, PLAN_LIFETIME_S + 24 * 3600 + 1)
        fresh = await plans.keep_plan(PLAN)
        async with database.reading() as connection:
            assert (await connection.execute(select(func.count()).select_from(PLANS))).scalar_one() == 1
            assert fresh.expires_at == pytest.approx(await now_of(connection) + PLAN_LIFETIME_S, abs=30)
        await database.close()

    asyncio.run(main())
