"""The SQL server as a client sees it, on real engines, and what must hold between calls."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.integration.sql_shops import (
    ANALYST,
    CALLER,
    DuckdbShop,
    Governed,
    MariadbShop,
    PostgresShop,
    Shop,
    SqliteShop,
    seen,
    source,
)
from tests.shop import CANARIES, analyst_view

from pierhead.core.errors import Invalid, Misconfigured, PierheadError, ToolTimedOut
from pierhead.core.health import Condition
from pierhead.sdk.governed.engine import SecondOpinionDiffers
from pierhead.sdk.governed.reaching import ReachedEngine
from pierhead.sdk.sqlguard import GovernedQuery
from pierhead.sdk.testing import platform
from pierhead.servers.sql import build
from pierhead.servers.sql.engines.postgres import PostgresEngine

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

ENDLESS = "SELECT count(*) FROM orders a, orders b, orders c, orders d WHERE a.qty + b.qty + c.qty + d.qty > 1"


@pytest.fixture(scope="module", params=["sqlite", "duckdb", "postgres", "mysql"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    if request.param == "postgres":
        return PostgresShop.load(request.getfixturevalue("postgres_url"))
    if request.param == "mysql":
        return MariadbShop.load(request.getfixturevalue("mariadb_url"))
    return {"sqlite": SqliteShop.load, "duckdb": DuckdbShop.load}[request.param](tmp_path_factory.mktemp("shop"))


@pytest.fixture
async def opened(shop: Shop) -> AsyncIterator[Governed]:
    governed = source(shop)
    await governed.open()
    yield governed
    await governed.close()


async def ask(governed: Governed, sql: str, rows: int = 50, seconds: float = 5.0) -> Any:
    return await governed.run_query(CALLER, sql=sql, max_rows=rows, timeout_s=seconds)


def address(shop: Shop) -> str:
    match shop:
        case PostgresShop(url) | MariadbShop(url):
            return url
        case SqliteShop(file):
            return f"sqlite:///{file}"
        case DuckdbShop(file):
            return f"duckdb:///{file}"
        case _:
            raise AssertionError


async def test_a_client_lists_describes_queries_and_explains(shop: Shop) -> None:
    server = build(
        "shop",
        {
            "kind": "sql",
            "access": "everyone",
            "owner": "data",
            "support": "#data",
            "url": address(shop),
            "roles": ANALYST,
        },
    )
    async with platform(server, access="everyone") as running, running.client("ann") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"list_tables", "describe_table", "query_table", "run_query", "explain_query"}
        assert all(tool.output_schema and tool.annotations.read_only_hint for tool in tools.values())
        listed = (await client.call_tool("list_tables", {})).structured_content
        assert [table["name"] for table in listed["tables"]] == ["customers", "orders", "products"]
        described = (
            await client.call_tool("describe_table", {"table": "customers", "sample_rows": 2})
        ).structured_content
        assert [column["name"] for column in described["columns"]] == ["id", "name", "region", "created_at"]
        assert described["columns"][0]["key"]
        assert len(described["sample"]) == 2
        answer = await client.call_tool("run_query", {"sql": "SELECT id, sku FROM products ORDER BY id", "max_rows": 3})
        assert answer.structured_content["rows"] == [[101, "SKU1"], [102, "SKU2"], [103, "SKU3"]]
        assert answer.structured_content["truncated"]
        explained = (
            await client.call_tool("explain_query", {"sql": "EXPLAIN SELECT id FROM orders"})
        ).structured_content
        assert explained["verdict"] == "permitted"
        assert explained["tables"] == ["orders"]
        for tool, arguments in (
            ("run_query", {"sql": "SELECT * FROM secrets"}),
            ("describe_table", {"table": "secrets"}),
            ("run_query", {"sql": "EXPLAIN SELECT 1"}),
        ):
            refused = await client.call_tool(tool, arguments)
            assert refused.is_error
            assert "salaries" not in refused.content[0].text


async def test_time_is_ended_in_the_engine_while_others_are_answered(opened: Governed) -> None:
    started = time.monotonic()
    endless = asyncio.create_task(ask(opened, ENDLESS, seconds=1.0))
    assert (await ask(opened, "SELECT count(*) FROM products")).rows == [[40]]
    with pytest.raises(ToolTimedOut):
        await endless
    assert time.monotonic() - started < 5.0


async def test_a_vanished_caller_cancels_in_the_engine(shop: Shop, opened: Governed) -> None:
    await ask(opened, "SELECT 1")
    task = asyncio.create_task(ask(opened, ENDLESS, seconds=50.0))
    done, _ = await asyncio.wait([task], timeout=0.3)
    assert not done
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await ask(opened, "SELECT 1")).rows == [[1]]
    if isinstance(shop, PostgresShop):
        await _nothing_runs(shop)
    if isinstance(shop, MariadbShop):
        await _nothing_runs_in_mariadb(shop)


async def test_statements_that_still_wait_for_a_thread_end_with_their_time(opened: Governed) -> None:
    """More of them than threads: an interrupt that came before its statement must not be lost."""
    endless = [asyncio.create_task(ask(opened, ENDLESS, seconds=0.3)) for _ in range(7)]
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*endless, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ToolTimedOut] * 7
    assert (await ask(opened, "SELECT 1")).rows == [[1]]


async def _nothing_runs(shop: PostgresShop) -> None:
    owner = await asyncpg.connect(shop.url)
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND application_name = 'pierhead'"
    async with asyncio.timeout(5):
        while await owner.fetchval(running):
            pass
    await owner.close()


async def _nothing_runs_in_mariadb(shop: MariadbShop) -> None:
    running = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%LIMIT%' AND id <> connection_id()"
    async with asyncio.timeout(5):
        while (await asyncio.to_thread(shop.run, running)).strip() != "0":
            pass


async def test_large_values_are_cut_and_large_answers_say_so(shop: Shop, opened: Governed) -> None:
    wide = await ask(opened, "SELECT c.name || p.name || c.name AS n FROM customers c, products p", rows=1000)
    assert wide.truncated
    assert wide.notice
    assert len(seen(wide)) < 80_000
    chained = (
        "WITH a AS (SELECT name || name || name || name || name AS x FROM products),"
        " b AS (SELECT x || x || x || x || x AS x FROM a) SELECT x || x || x || x FROM b"
    )
    if isinstance(shop, MariadbShop):  # there || means OR
        chained = re.sub(r"\w+(?: \|\| \w+)+", lambda found: f"concat({found[0].replace(' || ', ', ')})", chained)
    cells = (await ask(opened, chained)).rows
    assert all(len(cell) == 501 for (cell,) in cells)


async def test_a_second_opinion_that_differs_refuses(shop: Shop, opened: Governed) -> None:
    """Had the guard a hole, the engine would still be asked."""
    dialect = {SqliteShop: "sqlite", DuckdbShop: "duckdb", PostgresShop: "postgres", MariadbShop: "mysql"}[type(shop)]
    view = analyst_view(dialect)
    schema = {"postgres": "public", "mysql": "shop"}.get(dialect, "main")
    for hole in (f"SELECT token FROM {schema}.secrets", f"SELECT count(*) FROM {schema}.secrets"):
        with pytest.raises(SecondOpinionDiffers):
            await opened.source.engine.confirm(GovernedQuery(hole, view.tables, 1, explain=False), view, {})


async def test_errors_never_show_the_drivers_text(opened: Governed) -> None:
    for sql in ("SELECT CAST(name AS integer) / 0 FROM customers WHERE id = 1", "SELECT nothing.id FROM orders"):
        try:
            await ask(opened, sql)
        except PierheadError as refusal:
            shown = json.dumps([refusal.message, refusal.hint])
            assert not any(word in shown for word in (*CANARIES, "Customer 1", "LINE", "syntax for type"))


async def test_a_pooled_session_is_as_it_was_after_every_attempt(opened: Governed) -> None:
    """Set a variable, a temporary view, a setting; look again with the next call."""
    for poison in (
        "SET search_path = public",
        "SELECT set_config('search_path', 'public', false)",
        "CREATE TEMP VIEW orders AS SELECT 1",
        "PRAGMA query_only = 0",
        "SET VARIABLE x = 1",
        "BEGIN",
    ):
        with pytest.raises(Invalid):
            await ask(opened, poison)
    for _ in range(20):
        assert (await ask(opened, "SELECT count(*) FROM orders")).rows == [[5000]]


async def test_the_schema_answer_follows_the_role(shop: Shop) -> None:
    governed = source(
        shop, {"narrow": {"tables": {"customers": {"operations": ["read"], "columns": {"include": ["id"]}}}}}
    )
    await governed.open()
    listed = await governed.list_tables(CALLER, query="", limit=20, cursor="")
    assert [table.name for table in listed.tables] == ["customers"]
    described = await governed.describe_table(CALLER, table="customers", columns_like="", sample_rows=0)
    assert [column.name for column in described.columns] == ["id"]
    assert (await governed.list_tables(CALLER, query="email", limit=20, cursor="")).tables == []
    await governed.close()


async def test_a_view_is_readable_only_where_it_is_granted_by_name(shop: Shop) -> None:
    governed = source(shop, {"totals": {"tables": ["order_totals"], "operations": ["read"]}})
    await governed.open()
    assert len((await ask(governed, "SELECT * FROM order_totals")).rows) == 50
    with pytest.raises(Invalid):
        await ask(governed, "SELECT * FROM orders")
    await governed.close()


async def test_pages_of_tables_follow_each_other(opened: Governed) -> None:
    first = await opened.list_tables(CALLER, query="", limit=2, cursor="")
    assert first.next_cursor == "orders"
    rest = await opened.list_tables(CALLER, query="", limit=2, cursor=first.next_cursor)
    assert [table.name for table in rest.tables] == ["products"]
    assert rest.next_cursor is None


async def test_a_policy_that_names_no_table_of_the_source_does_not_start(shop: Shop) -> None:
    governed = source(shop, {"a": {"tables": ["odrers"], "operations": ["read"]}})
    with pytest.raises(Misconfigured):
        await governed.open()
    await governed.close()


def test_a_missing_file_or_unknown_scheme_does_not_start(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/none.db", f"duckdb:///{tmp_path}/none.db", "db2://x", "nothing"):
        with pytest.raises(Misconfigured):
            build("s", {"owner": "o", "support": "#s", "url": url, "roles": {}})


async def test_a_login_is_reported_with_what_it_could_do_besides(shop: Shop, opened: Governed) -> None:
    report = await opened.source.engine.check_login()
    schema = {PostgresShop: "public", MariadbShop: "shop"}.get(type(shop), "main")
    assert {(schema, "secrets"), (schema, "orders")} <= report.readable
    assert (schema, "secrets") in report.writable
    if isinstance(shop, PostgresShop | MariadbShop):
        assert report.name
        assert report.is_superuser
        assert report.reaches_files
        assert (schema, "orders") in report.owned
        assert len(report.dangers) == 3
    else:
        assert (report.name, report.dangers) == ("", ())


async def test_a_server_tells_whether_its_engine_answers(opened: Governed) -> None:
    needs = ReachedEngine(opened.source)
    (engine,) = await needs.look()
    assert (engine.condition, engine.reason[:11]) == (Condition.UP, "answers in ")
    own, opened.source.engine = opened.source.engine, PostgresEngine("postgresql://nobody@127.0.0.1:1/nothing")
    try:
        (away,) = await needs.look()
    finally:
        opened.source.engine = own
    assert away.condition is Condition.DOWN
    assert "127.0.0.1" not in away.reason


async def test_nothing_is_told_of_an_engine_before_its_source_is_open(shop: Shop) -> None:
    governed = source(shop)
    assert await ReachedEngine(governed.source).look() == ()
    await governed.close()
