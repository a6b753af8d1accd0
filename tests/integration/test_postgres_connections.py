"""Connections kept at hand, on a real PostgreSQL: what must not come of keeping them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.sqlguard import GovernedQuery, View
from pierhead.servers.sql.engines.postgres import PostgresEngine
from pierhead.servers.sql.engines.postgres_connections import Connections

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

MOST_PREPARED = 200
SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"


@dataclass(frozen=True)
class Trial:
    """Connections of at most two, and another that changes what they read."""

    connections: Connections
    owner: Any

    async def rows(self, sql: str, *values: object, seconds: float = 5.0) -> list[tuple[object, ...]]:
        rows: Any = await self.connections.fetch(sql, values, seconds)
        return [tuple(row) for row in rows]

    async def crowd(self) -> None:
        """Fill the place for prepared statements."""
        for number in range(MOST_PREPARED):
            await self.rows(f"SELECT {number}")


@pytest.fixture
async def trial(postgres_url: str) -> AsyncIterator[Trial]:
    url = f"{postgres_url}/postgres"
    owner: Any = await asyncpg.connect(url)
    await owner.execute("DROP TABLE IF EXISTS trial; CREATE TABLE trial (a int); INSERT INTO trial VALUES (7)")
    pool: Any = await asyncpg.create_pool(url, min_size=1, max_size=2)
    made = Connections(pool)
    yield Trial(made, owner)
    made.terminate()
    await owner.execute("DROP TABLE trial")
    await owner.close()


@pytest.mark.parametrize("is_crowded", [False, True])
async def test_a_column_of_another_type_is_read_as_what_it_is(trial: Trial, is_crowded: bool) -> None:
    if is_crowded:
        await trial.crowd()
    assert await trial.rows("SELECT * FROM trial") == [(7,)]
    await trial.owner.execute("ALTER TABLE trial ALTER a TYPE text USING 'four'")
    assert await trial.rows("SELECT * FROM trial") == [("four",)]


async def test_an_engine_never_reads_a_changed_column_by_its_old_type(trial: Trial, postgres_url: str) -> None:
    engine = PostgresEngine(f"{postgres_url}/postgres")
    query, view = GovernedQuery("SELECT a FROM public.trial", (), 2, explain=False), View("postgres", "", "public", ())
    try:
        before = await engine.run(query, view, {}, Limits(1, 5.0))
        await trial.owner.execute("ALTER TABLE trial ALTER a TYPE text USING 'four'")
        after = await engine.run(query, view, {}, Limits(1, 5.0))
    finally:
        await engine.close()
    assert [tuple(row) for answer in (before, after) for row in answer.rows] == [(7,), ("four",)]


async def test_a_column_that_was_added_is_answered(trial: Trial) -> None:
    assert await trial.rows("SELECT * FROM trial") == [(7,)]
    await trial.owner.execute("ALTER TABLE trial ADD b int")
    assert await trial.rows("SELECT * FROM trial") == [(7, None)]


async def test_the_engine_keeps_a_bounded_number_of_statements(trial: Trial) -> None:
    await trial.crowd()
    await trial.crowd()
    assert await trial.rows("SELECT 'one more', count(*) FROM pg_prepared_statements WHERE name <> ''") == [
        ("one more", MOST_PREPARED)
    ]


async def test_a_statement_out_of_time_ends_in_the_engine_and_the_next_one_runs(trial: Trial) -> None:
    with pytest.raises(TimeoutError):
        await trial.rows("SELECT pg_sleep(60)", seconds=0.1)
    assert await trial.owner.fetchval(SLEEPING) == 0
    assert await trial.rows("SELECT 1") == [(1,)]


async def test_more_callers_than_connections_are_all_answered(trial: Trial) -> None:
    answers = await asyncio.gather(*(trial.rows("SELECT $1::int", number) for number in range(40)))
    assert answers == [[(number,)] for number in range(40)]


async def test_connections_that_the_server_ended_are_replaced(trial: Trial) -> None:
    await asyncio.gather(trial.rows("SELECT 1"), trial.rows("SELECT 2"))
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    await trial.owner.execute(f"{ended} WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
    await asyncio.wait_for(_answered(trial), 10)


async def _answered(trial: Trial) -> None:
    """A connection whose end has not been heard of yet may fail once."""
    while True:
        try:
            assert await trial.rows("SELECT 3") == [(3,)]
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError, OSError):
            continue
        return
