"""Streams of rows from real engines: whole, in bounded memory, ended when the reader goes."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import asyncpg
import duckdb
import pytest
from tests.integration.sql_shops import MariadbShop

from pierhead.core.errors import Invalid, ToolTimedOut
from pierhead.sdk.governed.engine import Engine, Limits
from pierhead.sdk.sqlguard import GovernedQuery, PermittedTable, View
from pierhead.sdk.sqlguard.view import Column, Dialect
from pierhead.servers.sql.engines.duckdb import DuckdbEngine
from pierhead.servers.sql.engines.mysql import MysqlEngine
from pierhead.servers.sql.engines.postgres import PostgresEngine
from pierhead.servers.sql.engines.sqlite import SqliteEngine

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

MANY = 3_000_000
BOUND = 300 * 1024 * 1024
LIMITS = Limits(MANY, 60.0)
ENDLESS = "SELECT count(*) FROM many a, many b WHERE a.id + b.id > 1"


def sqlite(folder: Path, _url: Callable[[], str]) -> Engine:
    with sqlite3.connect(folder / "many.db") as connection:
        connection.execute("CREATE TABLE many (id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO many SELECT i, 'name number ' || i FROM n",
            (MANY,),
        )
    connection.close()
    return SqliteEngine(folder / "many.db")


def duck(folder: Path, _url: Callable[[], str]) -> Engine:
    with duckdb.connect(str(folder / "many.duckdb")) as connection:
        connection.execute("CREATE TABLE many AS SELECT i AS id, 'name number ' || i AS name FROM range(3000000) r(i)")
    return DuckdbEngine(folder / "many.duckdb")


def postgres(_folder: Path, url: Callable[[], str]) -> Engine:
    async def load() -> None:
        connection = await asyncpg.connect(url())
        await connection.execute("DROP TABLE IF EXISTS many")
        await connection.execute(
            f"CREATE TABLE many AS SELECT i AS id, 'name number ' || i AS name FROM generate_series(1, {MANY}) r(i)"
        )
        await connection.close()

    asyncio.run(load())
    return PostgresEngine(url())


def mariadb(_folder: Path, url: Callable[[], str]) -> Engine:
    shop = MariadbShop(f"{url()}/streams")
    shop.run(
        "CREATE OR REPLACE DATABASE streams; USE streams; CREATE TABLE many (id int PRIMARY KEY, name varchar(40))"
        f" AS SELECT seq AS id, concat('name number ', seq) AS name FROM seq_1_to_{MANY}",
        database="",
    )
    return shop.engine()


ENGINES = {"sqlite": sqlite, "duckdb": duck, "postgres": postgres, "mariadb": mariadb}


@pytest.fixture(scope="module", params=ENGINES)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    server = "mariadb_url" if request.param == "mariadb" else "postgres_url"
    return ENGINES[request.param](tmp_path_factory.mktemp("many"), lambda: request.getfixturevalue(server))


@pytest.fixture
async def engine(loaded: Engine) -> AsyncIterator[Engine]:
    """A pool belongs to the loop that made it, so each test leaves none behind."""
    yield loaded
    if isinstance(loaded, PostgresEngine | MysqlEngine):
        await loaded.close()


def view(engine: Engine) -> View:
    dialects: dict[type, Dialect] = {SqliteEngine: "sqlite", DuckdbEngine: "duckdb", PostgresEngine: "postgres"}
    dialects[MysqlEngine] = "mysql"
    table = PermittedTable("main", "many", (Column("id"), Column("name")))
    return View(dialects[type(engine)], "", "main", (table,))


def asks(sql: str, engine: Engine) -> GovernedQuery:
    """A statement as the guard would have written it: names in the search path of a session are the system's alone."""
    if isinstance(engine, MysqlEngine):  # without a limit of its own a statement has that of the session
        return GovernedQuery(sql if "LIMIT" in sql else f"{sql} LIMIT {MANY}", (), MANY, explain=False)
    schema = "public" if isinstance(engine, PostgresEngine) else "main"
    return GovernedQuery(sql.replace("many", f"{schema}.many"), (), MANY, explain=False)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def whole(engine: Engine, sql: str, limits: Limits, between: Callable[[], Awaitable[None]] | None = None) -> int:
    """Read a stream to its end; how many rows it had."""
    count = 0
    async with aclosing(engine.stream(asks(sql, engine), view(engine), {}, limits)) as batches:
        async for rows in batches:
            count += len(rows.rows)
            if between is not None:
                await between()
    return count


async def test_three_million_rows_stream_within_300_mb(engine: Engine) -> None:
    before, most, count, last = resident(), 0, 0, None
    async with aclosing(engine.stream(asks("SELECT id, name FROM many", engine), view(engine), {}, LIMITS)) as batches:
        async for rows in batches:
            count += len(rows.rows)
            last = rows
            most = max(most, resident())
    assert count == MANY
    assert last is not None
    assert [field.name for field in last.fields] == ["id", "name"]
    assert most - before < BOUND


async def test_wide_rows_come_by_the_few(engine: Engine) -> None:
    text = "printf('%400000d', id)" if isinstance(engine, SqliteEngine) else "lpad('', 400000, 'x')"
    query = asks(f"SELECT {text} AS wide FROM many LIMIT 400", engine)
    limits = Limits(400, 60.0, cell=1_000_000)
    before, most, sizes = resident(), 0, list[int]()
    async with aclosing(engine.stream(query, view(engine), {}, limits)) as batches:
        async for rows in batches:
            sizes.append(len(rows.rows))
            assert all(len(str(row[0])) == 400_000 for row in rows.rows)
            most = max(most, resident())
    assert sum(sizes) == 400
    assert max(sizes[1:]) <= 2
    assert most - before < BOUND


async def test_an_empty_answer_has_its_columns(engine: Engine) -> None:
    query = asks("SELECT id, name FROM many WHERE id < 0", engine)
    batches = [rows async for rows in engine.stream(query, view(engine), {}, LIMITS)]
    assert [(len(rows.rows), [field.name for field in rows.fields]) for rows in batches] == [(0, ["id", "name"])]


async def test_a_reader_that_stops_ends_the_statement_and_frees_the_engine(engine: Engine) -> None:
    # MariaDB copies what a cursor reads, so there it is as long as a stream of a caller may be.
    longest = "SELECT * FROM many" + (" LIMIT 100000" if isinstance(engine, MysqlEngine) else "")
    for _ in range(20):  # more than any engine has connections or threads
        async with aclosing(engine.stream(asks(longest, engine), view(engine), {}, LIMITS)) as batches:
            async for rows in batches:
                assert len(rows.rows) > 0
                break
    answer = await engine.run(asks("SELECT count(*) FROM many", engine), view(engine), {}, LIMITS)
    assert answer.rows[0][0] == MANY


async def test_a_cancelled_reader_ends_the_statement(engine: Engine) -> None:
    async def read() -> None:
        async for _ in engine.stream(asks(ENDLESS, engine), view(engine), {}, LIMITS):
            raise AssertionError

    reading = asyncio.ensure_future(read())
    done, _ = await asyncio.wait({reading}, timeout=0.5)
    assert not done
    reading.cancel()
    done, _ = await asyncio.wait({reading}, timeout=10)
    assert done
    assert reading.cancelled()


async def test_a_stream_ends_with_its_time(engine: Engine) -> None:
    with pytest.raises(ToolTimedOut, match=r"0\.3 s"):
        await whole(engine, ENDLESS, Limits(1, 0.3))


async def test_time_runs_also_while_the_reader_is_slow(engine: Engine) -> None:
    async def linger() -> None:
        await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=0.4)

    with pytest.raises(ToolTimedOut):
        await whole(engine, "SELECT * FROM many", Limits(MANY, 0.3), linger)


async def test_a_stream_tells_no_driver_text(engine: Engine) -> None:
    with pytest.raises(Invalid) as refused:
        await whole(engine, "SELECT nonsense FROM many", LIMITS)
    assert "nonsense" not in refused.value.message
