"""The Trino and Presto server on real engines: governed answers, budgets, cancellation as the engine itself sees it."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import orjson
import pytest
from joserfc import jwt
from mcp.client import Client
from tests.coordinators import AUDIENCE, Address, provider_key, state_of
from tests.integration.sql_shops import CoordinatorShop

from pierhead.core.errors import Forbidden, UpstreamUnreachable
from pierhead.core.identity import Caller
from pierhead.sdk import Server
from pierhead.sdk.statements import Flavour, Session, StatementClient
from pierhead.sdk.testing import platform
from pierhead.sdk.testing_people import Answering, approve_with
from pierhead.servers.presto import build
from pierhead.usecases.ports_exchange import Credential

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(300)]

# Never over: rows made one by one and forgotten, and rows that come for ever and are wide.
# Through a view: PrestoDB names the schemas of this connector otherwise when it explains than when it lists them.
ENDLESS = "SELECT count(*) FROM everything WHERE orderkey + partkey < 0"
MILLIONS = "SELECT orderkey, lpad(comment, 400, 'x') AS a, lpad(comment, 399, 'y') AS b FROM everything"
_PAST_THE_PRODUCT = ENDLESS.replace("everything", "tpch.sf1000.lineitem")
EVERYTHING = (
    "CREATE SCHEMA IF NOT EXISTS hive.past",
    "CREATE OR REPLACE VIEW hive.past.everything AS SELECT * FROM tpch.sf1000.lineitem",
    "CREATE OR REPLACE VIEW hive.past.few AS SELECT * FROM tpch.tiny.orders",
)
MOST_BYTES = 64 * 1024
DATA = ["data-read"]
Call = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Engine:
    address: str
    flavour: Flavour

    def url(self, place: str) -> str:
        return self.address.replace("http://", f"{self.flavour.lower()}://pierhead@") + f"/{place}"

    async def rows(self, sql: str) -> list[list[Any]]:
        """What the engine itself says, past the product."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            client = StatementClient(http, self.address, self.flavour)
            session = Session("tester", "tpch", "tiny", source="notebook")
            async with client.running(sql, session, seconds=90, is_read=True) as statement:
                return [row async for batch in statement.batches() for row in batch]

    def state(self, query_id: str) -> tuple[str, str]:
        return state_of(self.address, self.flavour, query_id)


@pytest.fixture(scope="module", params=["trino", "presto"])
def engine(request: pytest.FixtureRequest) -> Engine:
    address: str = request.getfixturevalue(f"{request.param}_address")
    return Engine(address, "Trino" if request.param == "trino" else "Presto")


def loaded(engine: Engine, statements: Sequence[str]) -> None:
    """Run statements past the product, in a loop of their own."""

    async def run() -> None:
        for statement in statements:
            await engine.rows(statement)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run()).result()


@pytest.fixture(scope="module")
def shop(engine: Engine) -> Engine:
    CoordinatorShop.load(engine.address, engine.flavour.lower())
    loaded(engine, EVERYTHING)
    return engine


@pytest.fixture(scope="module")
def trino(trino_address: str) -> Engine:
    return Engine(trino_address, "Trino")


LAKE = (
    "CREATE SCHEMA IF NOT EXISTS lake.sales",
    "DROP TABLE IF EXISTS lake.sales.orders",
    "DROP TABLE IF EXISTS lake.sales.daily",
    """CREATE TABLE lake.sales.orders (id bigint, region varchar, amount double, ds date)
    WITH (partitioning = ARRAY['ds'])""",
    """INSERT INTO lake.sales.orders SELECT orderkey, orderpriority, totalprice,
    date '2026-11-17' + INTERVAL '1' DAY * (orderkey % 3) FROM tpch.tiny.orders""",
    "CREATE TABLE lake.sales.daily AS SELECT ds, count(*) AS orders FROM lake.sales.orders GROUP BY ds",
)


@pytest.fixture(scope="module")
def lake(trino: Engine) -> Engine:
    """Iceberg tables in a real Trino: a partitioned one, and one that was made from it."""
    if isinstance(trino.address, Address) and not (trino.address.authority.parent / "lake").is_dir():
        pytest.skip("component trino: its iceberg connector is not installed")

    loaded(trino, LAKE)
    return trino


def entry(engine: Engine, place: str, tables: Sequence[str], **more: Any) -> dict[str, Any]:
    roles = {"analyst": {"tables": list(tables), "operations": ["read"]}}
    common = {"owner": "data", "support": "#data", "url": engine.url(place), "rate_limits": False}
    return {**common, "roles": roles, **more}


def server(engine: Engine, place: str, tables: Sequence[str], **more: Any) -> Server:
    return build("lake", entry(engine, place, tables, **more))


class Refused(Exception):
    """What a caller reads of an error."""


async def failing(call: Awaitable[Any]) -> str:
    """What comes of a call, an answer or an error, as text."""
    try:
        return orjson.dumps(await call).decode()
    except Refused as refused:
        return str(refused)


def calling(client: Client) -> Call:
    async def call(tool: str, **arguments: Any) -> Any:
        answer = await client.call_tool(tool, arguments)
        if answer.is_error:
            raise Refused(str(answer.content))
        assert answer.structured_content is not None
        return answer.structured_content

    return call


@asynccontextmanager
async def asked(
    served: Server, user: str = "ann", groups: Sequence[str] = DATA, approvals: Answering | None = None
) -> AsyncGenerator[Call]:
    people = approvals or Answering(None)
    async with (
        platform(served, access="everyone", approvals=people) as running,
        running.client(user, groups=groups) as client,
    ):
        yield calling(client)


async def test_three_million_rows_answer_64_kb_and_end_in_the_engine(shop: Engine) -> None:
    served = server(shop, "hive/past", ["everything"])
    async with asked(served, approvals=approve_with()) as call:  # sf1000 has no statistics: its caller is asked
        answer = await call("presto_run_query", sql=MILLIONS, purpose="see what is there", max_rows=1000)
    assert len(orjson.dumps(answer)) <= MOST_BYTES
    assert (answer["status"], answer["limits"]["truncated"]) == ("partial", True)
    assert answer["data"]["handle"].startswith("res_")
    assert shop.state(answer["data"]["query_id"]) == ("FAILED", "USER_CANCELED")


async def test_later_pages_keep_to_the_same_caps_and_are_their_creators_alone(shop: Engine) -> None:
    served = server(shop, "hive/sales", ["orders"])
    async with (
        platform(served, access="everyone", approvals=approve_with()) as running,
        running.client("ann", groups=DATA) as ann,
        running.client("ben", groups=DATA) as ben,
    ):
        sql = "SELECT id, lpad('', 400, 'x') AS wide FROM orders"
        first = await calling(ann)("presto_run_query", sql=sql, purpose="wide rows", max_rows=1000)
        handle, begin = first["data"]["handle"], len(first["data"]["rows"])
        page = await calling(ann)("presto_read_result", handle=handle, offset=begin, limit=200)
        with pytest.raises(Refused, match="there is no such result"):
            await calling(ben)("presto_read_result", handle=handle)
    assert first["limits"]["why"] == "bytes"
    assert len(orjson.dumps(page)) <= MOST_BYTES
    assert page["data"]["next_offset"] == begin + len(page["data"]["rows"])
    assert page["data"]["rows"][0][0] != first["data"]["rows"][-1][0]


async def test_time_ends_a_query_in_the_engine(shop: Engine) -> None:
    served = server(shop, "hive/past", ["everything"])
    async with asked(served, approvals=approve_with()) as call:
        told = await failing(call("presto_run_query", sql=ENDLESS, purpose="it takes for ever", timeout_s=2))
    assert "longer than 2 s" in told or '"why":"time"' in told
    left = "SELECT count(*) FROM system.runtime.queries WHERE state = 'RUNNING' AND query LIKE '%partkey%< 0%'"
    assert await shop.rows(left + " AND query NOT LIKE '%system.runtime%'") == [[0]]


async def test_a_caller_who_goes_away_ends_the_query_in_the_engine(shop: Engine) -> None:
    running = "SELECT count(*) FROM system.runtime.queries WHERE state = 'RUNNING' AND source LIKE 'pierhead/%'"
    served = server(shop, "hive/past", ["everything"])
    async with asked(served, approvals=approve_with()) as call:
        calling = asyncio.ensure_future(call("presto_run_query", sql=ENDLESS, purpose="then go", timeout_s=60))
        while await shop.rows(running) == [[0]]:
            assert not calling.done()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        while await shop.rows(running) != [[0]]:
            pass  # the module's own time limit ends a test whose query goes on


async def test_a_query_without_an_estimate_waits_for_its_caller(shop: Engine) -> None:
    served = server(shop, "hive/past", ["everything"])
    async with asked(served) as call:
        waiting = await call("presto_run_query", sql=ENDLESS, purpose="what would it read")
        told = await call("presto_validate_query", sql=ENDLESS)
    assert waiting["status"] == "approval_required"
    assert "does not estimate" in str(waiting)
    assert told["data"]["needs"] == "confirm"
    assert told["data"]["valid"] is True


async def test_a_query_over_the_budget_waits_for_its_caller(shop: Engine) -> None:
    served = server(shop, "hive/past", ["few"], budget={"bytes": 1000})
    async with asked(served) as call:
        waiting = await call("presto_run_query", sql="SELECT * FROM few", purpose="all of it")
        told = (await call("presto_validate_query", sql="SELECT * FROM few"))["data"]
    assert (type(told["estimated_bytes"]), told["needs"]) == (int, "confirm")
    assert waiting["status"] == "approval_required"
    assert "over the budget of 1000 bytes" in str(waiting)


async def test_a_query_within_the_budget_runs_at_once(shop: Engine) -> None:
    async with asked(server(shop, "hive/past", ["few"])) as call:
        told = (await call("presto_validate_query", sql="SELECT orderkey, clerk FROM few"))["data"]
        answer = (await call("presto_run_query", sql="SELECT count(*) FROM few", purpose="how many"))["data"]
    assert (told["needs"], told["estimated_rows"]) == ("none", 15_000)
    assert 15_000 * 10 < told["estimated_bytes"] < 15_000 * 150
    assert answer["rows"] == [[15_000]]


MASKED = {
    "analyst": {
        "groups": ["data-read"],
        "tables": {
            "customers": {
                "operations": ["read"],
                "columns": {"exclude": ["email"], "mask": {"name": "last4"}},
                "rows": "region.eq.${claims.region}",
            }
        },
    }
}


async def test_masks_rows_and_columns_of_the_role_hold_in_every_tool(shop: Engine) -> None:
    served = build("lake", {**entry(shop, "hive/sales", []), "roles": MASKED})
    async with (
        platform(served, access="everyone", approvals=approve_with()) as running,
        running.client("ann", groups=DATA, claims={"region": "north"}) as client,
    ):
        call = calling(client)
        run = await call("presto_run_query", sql="SELECT * FROM customers", purpose="all customers")
        described = await call("presto_describe_table", table="customers", include=["stats"], sample_rows=3)
        fresh = await call("presto_check_freshness", table="customers", max_lag_minutes=5)
        found = await call("presto_search_tables", query="")
        for sql in ("SELECT email FROM customers", "SELECT * FROM secrets", "TABLE hive.sales.salaries"):
            with pytest.raises(Refused):
                await call("presto_run_query", sql=sql, purpose="too much")
            assert (await call("presto_validate_query", sql=sql))["data"]["valid"] is False
        for tool in ("presto_describe_table", "presto_check_freshness"):
            with pytest.raises(Refused, match="there is no table secrets"):
                await call(tool, table="secrets")
        with pytest.raises(Refused, match="there is no table secrets"):
            await call("presto_get_lineage", table="secrets", direction="upstream")
    names = [column["name"] for column in run["data"]["columns"]]
    assert "email" not in names
    regions = {row[names.index("region")] for row in run["data"]["rows"]}
    assert regions <= {"north"}
    whole = orjson.dumps([run, described, fresh, found]).decode()
    assert "@" not in whole
    assert described["missing"] == ["stats: a row rule hides some of what they count"]
    assert any("row rule" in each for each in fresh["missing"])
    assert [table["table"] for table in found["data"]["tables"]] == ["customers"]


async def test_a_statement_that_is_no_read_of_permitted_tables_is_refused(engine: Engine) -> None:
    served = server(engine, "tpch/tiny", ["orders"])
    hostile = (
        "DROP TABLE orders",
        "SELECT 1; SELECT 2",
        "CALL system.runtime.kill_query('x', 'y')",
        "EXPLAIN ANALYZE SELECT * FROM orders",
        "SELECT * FROM system.runtime.queries",
        "SHOW STATS FOR (SELECT * FROM orders)",
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "SELECT * FROM TABLE(sequence(1, 10))",
        'SELECT * FROM "orders$partitions"',
        "SELECT * FROM orders WHERE EXISTS (SELECT 1 FROM system.runtime.nodes)",
        "WITH a AS (SELECT * FROM TABLE(tpch.system.anything(1))) SELECT * FROM a",
        "SELECT a_function_of_tomorrow(orderkey) FROM orders",
        "PREPARE p FROM SELECT 1",
        "SHOW TABLES",
        "DESCRIBE orders",
        "SELECT FROM WHERE",
    )
    async with asked(served) as call:
        for sql in hostile:
            with pytest.raises(Refused):
                await call("presto_run_query", sql=sql, purpose="hostile")
            assert (await call("presto_validate_query", sql=sql))["data"]["valid"] is False


async def test_arguments_never_become_sql(engine: Engine) -> None:
    served = server(engine, "tpch/tiny", ["orders"])
    quote = "orders' OR 1=1 --"
    async with asked(served, groups=[*DATA, "oncall:presto"]) as call:
        for tool, arguments in (
            ("presto_describe_table", {"table": quote}),
            ("presto_check_freshness", {"table": 'orders"; DROP TABLE x'}),
            ("presto_compare_partitions", {"table": "orders", "a": quote, "b": quote}),
            ("presto_get_query", {"query_id": "20260101_000000_00000_abcde' OR '1'='1"}),
            ("presto_get_query", {"query_id": "../../v1/node"}),
            ("presto_cancel_query", {"query_id": "x' OR true --", "reason": "hostile"}),
            ("presto_read_result", {"handle": "../../etc/passwd"}),
            ("presto_search_tables", {"query": "", "cursor": "bm90IG1pbmU"}),
            ("presto_cluster_health", {"cluster": "http://169.254.169.254"}),
        ):
            with pytest.raises(Refused):
                await call(tool, **arguments)


async def test_a_cursor_belongs_to_one_question(engine: Engine) -> None:
    served = server(engine, "tpch/tiny", ["orders", "customer", "nation"])
    async with asked(served) as call:
        first = await call("presto_search_tables", query="", limit=2)
        rest = await call("presto_search_tables", query="", limit=2, cursor=first["page"]["next_cursor"])
        with pytest.raises(Refused, match="does not belong to this question"):
            await call("presto_search_tables", query="nation", cursor=first["page"]["next_cursor"])
    named = [table["table"] for page in (first, rest) for table in page["data"]["tables"]]
    assert sorted(named) == ["customer", "nation", "orders"]


async def test_a_query_is_its_creators_and_of_those_on_call(shop: Engine) -> None:
    served = server(shop, "hive/sales", ["orders"])
    async with (
        platform(served, access="everyone", approvals=approve_with()) as running,
        running.client("ann", groups=DATA) as ann,
        running.client("ben", groups=DATA) as ben,
        running.client("cleo", groups=["oncall:presto"]) as cleo,
    ):
        sql = "SELECT max(id) FROM orders"
        query_id = (await calling(ann)("presto_run_query", sql=sql, purpose="one row"))["data"]["query_id"]
        mine = await calling(ann)("presto_get_query", query_id=query_id)
        theirs = await calling(cleo)("presto_get_query", query_id=query_id)
        with pytest.raises(Refused) as foreign:
            await calling(ben)("presto_get_query", query_id=query_id)
        with pytest.raises(Refused) as unknown:
            await calling(ben)("presto_get_query", query_id="20200101_000000_00000_abcde")
    assert (mine["data"]["state"], mine["data"]["is_yours"], theirs["data"]["is_yours"]) == ("FINISHED", True, False)
    assert str(foreign.value) == str(unknown.value)


@asynccontextmanager
async def endless(engine: Engine, source: str) -> AsyncGenerator[str]:
    """A statement that runs until somebody ends it; its id."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        client = StatementClient(http, engine.address, engine.flavour)
        session = Session("somebody", "tpch", "tiny", source=source)
        async with client.running(
            ENDLESS.replace("everything", "tpch.sf1000.lineitem"), session, seconds=60, is_read=True
        ) as statement:
            await anext(statement.batches())
            yield statement.query_id


async def test_anothers_query_is_ended_by_those_on_call_once_somebody_approves(engine: Engine) -> None:
    def served() -> Server:
        return server(engine, "tpch/tiny", ["orders"])

    async with endless(engine, "a-job") as query_id:
        async with asked(served(), "cleo", ["oncall:presto"]) as call:
            waiting = await call("presto_cancel_query", query_id=query_id, reason="it blocks the rest")
            assert engine.state(query_id)[0] in {"RUNNING", "STARTING"}
        async with asked(served(), "ann", DATA) as call:
            with pytest.raises(Refused, match="no such query"):
                await call("presto_cancel_query", query_id=query_id, reason="it is not mine")
        async with asked(served(), "cleo", ["oncall:presto"], approve_with()) as call:
            ended = await call("presto_cancel_query", query_id=query_id, reason="it blocks the rest")
        assert engine.state(query_id)[0] == "FAILED"
    assert waiting["status"] == "approval_required"
    assert ended["data"]["now"] == "FAILED"


async def test_an_own_query_is_ended_by_its_caller_once_they_confirm(shop: Engine) -> None:
    running = """SELECT query_id FROM system.runtime.queries WHERE state = 'RUNNING' AND source LIKE 'pierhead/%'
    AND lower(query) LIKE 'select%partkey%' ORDER BY created DESC LIMIT 1"""
    entered = entry(shop, "hive/past", ["everything"])
    async with (
        platform(build("lake", entered), access="everyone", approvals=approve_with()) as confirming,
        confirming.client("ann", groups=DATA) as client,
    ):
        ann = calling(client)
        asking = asyncio.create_task(failing(ann("presto_run_query", sql=ENDLESS, purpose="too long")))
        while not (found := await shop.rows(running)):
            assert not asking.done()
        [[query_id]] = found
        async with confirming.client("ben", groups=DATA) as other:
            with pytest.raises(Refused, match="no such query"):
                await calling(other)("presto_cancel_query", query_id=query_id, reason="it is not mine")
        ended = await ann("presto_cancel_query", query_id=query_id, reason="it reads too much")
        told = await asking
    assert (ended["data"]["before"], ended["data"]["now"]) == ("RUNNING", "FAILED")
    assert shop.state(query_id)[0] == "FAILED"
    assert "error" in told


async def test_an_own_query_goes_on_until_its_caller_confirms(engine: Engine) -> None:
    served = server(engine, "tpch/tiny?identity=caller", ["orders"])
    async with endless(engine, "a-notebook") as query_id, asked(served, "somebody", DATA) as call:
        waiting = await call("presto_cancel_query", query_id=query_id, reason="it reads too much")
        assert engine.state(query_id)[0] in {"RUNNING", "STARTING"}
    assert waiting["status"] == "approval_required"
    assert "it ends your query" in str(waiting)


async def test_each_caller_is_a_user_of_the_engine_where_the_url_says_so(shop: Engine) -> None:
    served = server(shop, "hive/sales?identity=caller", ["orders"])
    async with asked(served, approvals=approve_with()) as call:
        sql = "SELECT max(id) FROM orders"
        query_id = (await call("presto_run_query", sql=sql, purpose="who am I"))["data"]["query_id"]
        assert (await call("presto_get_query", query_id=query_id))["data"]["is_yours"] is True
    asked_as = f"SELECT \"user\" FROM system.runtime.queries WHERE query_id = '{query_id}'"
    assert await shop.rows(asked_as) == [["ann"]]


async def test_the_cluster_tells_counts_and_nodes(engine: Engine) -> None:
    async with endless(engine, "a-job"), asked(server(engine, "tpch/tiny", ["orders"]), groups=[]) as call:
        health = (await call("presto_cluster_health"))["data"]
    assert health["nodes"] == 1
    assert health["running"] >= 1
    assert health["failed_nodes"] == []
    assert "somebody" not in str(health)


async def test_past_queries_are_told_to_whom_their_tables_are_open(engine: Engine, tmp_path: Path) -> None:
    await engine.rows("SELECT count(*) FROM tpch.tiny.orders WHERE clerk = 'Clerk#000000951'")
    await engine.rows("SELECT count(*) FROM tpch.tiny.supplier WHERE name = 'a secret'")
    assets = tmp_path / "assets.yaml"
    vouched = {"sql": "SELECT max(orderkey) FROM orders", "description": "The newest order", "team": "sales"}
    assets.write_bytes(orjson.dumps({"queries": [vouched], "tables": {"orders": {"tier": 1, "owner": "sales-data"}}}))
    async with asked(server(engine, "tpch/tiny", ["orders"], assets=str(assets))) as call:
        found = (await call("presto_find_queries", table="orders", limit=20))["data"]["queries"]
        by_words = (await call("presto_find_queries", question="newest order"))["data"]["queries"]
        tables = (await call("presto_search_tables", query="order"))["data"]["tables"]
    assert found[0]["team"] == "sales"
    assert by_words[0]["description"] == "The newest order"
    whole = str(found)
    assert "clerk" in whole.lower()
    assert "951" not in whole
    assert "secret" not in whole
    assert "supplier" not in whole
    assert (tables[0]["tier"], tables[0]["owner"]) == (1, "sales-data")


async def test_freshness_names_the_greatest_landing_time_where_there_is_no_metadata(
    shop: Engine, tmp_path: Path
) -> None:
    assets = tmp_path / "assets.yaml"
    assets.write_bytes(orjson.dumps({"tables": {"orders": {"landed": "ordered_at", "max_lag_minutes": 60}}}))
    async with asked(server(shop, "hive/sales", ["orders", "products"], assets=str(assets))) as call:
        known = (await call("presto_check_freshness", table="orders", expect_partition="2000-01-01"))["data"]
        late = (await call("presto_check_freshness", table="orders", expect_partition="2100-01-01"))["data"]
        unknown = await call("presto_check_freshness", table="products", max_lag_minutes=5)
    assert (known["method"], known["verdict"], late["verdict"]) == ("greatest ordered_at", "fresh", "stale")
    assert known["rows"] > 0
    assert unknown["data"]["verdict"] == "unknown"
    assert unknown["status"] == "partial"


async def test_freshness_reads_partitions_and_snapshots_of_iceberg(lake: Engine) -> None:
    async with asked(server(lake, "lake/sales", ["orders", "daily"]), groups=[]) as call:
        landed = (await call("presto_check_freshness", table="orders", expect_partition="2026-11-19"))["data"]
        late = (await call("presto_check_freshness", table="orders", expect_partition="ds=2026-11-20"))["data"]
        unsaid = (await call("presto_check_freshness", table="orders"))["data"]
        whole = (await call("presto_check_freshness", table="daily", max_lag_minutes=60))["data"]
    assert (landed["verdict"], landed["method"]) == ("fresh", "partition metadata")
    assert (landed["latest"], landed["rows"], landed["rows_median"]) == ("ds=2026-11-19", 5000, 5000.0)
    assert (late["verdict"], unsaid["verdict"]) == ("stale", "unknown")
    assert (whole["verdict"], whole["method"]) == ("fresh", "Iceberg snapshots")


BARN = (
    "CREATE SCHEMA IF NOT EXISTS barn.sales",
    "DROP TABLE IF EXISTS barn.sales.orders",
    "DROP TABLE IF EXISTS barn.sales.whole",
    """CREATE TABLE barn.sales.orders WITH (partitioned_by = ARRAY['ds']) AS
    SELECT orderkey AS id, totalprice AS amount,
    date_format(date '2026-11-17' + INTERVAL '1' DAY * (orderkey % 3), '%Y-%m-%d') AS ds FROM tpch.tiny.orders""",
    "CREATE TABLE barn.sales.whole AS SELECT orderkey AS id FROM tpch.tiny.orders",
)


@pytest.fixture(scope="module")
def barn(trino: Engine) -> Engine:
    """Tables of Hive's own form in a real Trino, over a metastore of files."""
    if isinstance(trino.address, Address) and not (trino.address.authority.parent / "barn").is_dir():
        pytest.skip("component trino: its iceberg connector, which brings that of Hive, is not installed")
    loaded(trino, BARN)
    return trino


async def test_partitions_of_hive_say_what_has_landed_and_are_compared(barn: Engine) -> None:
    async with asked(server(barn, "barn/sales", ["orders", "whole"])) as call:
        landed = (await call("presto_check_freshness", table="orders", expect_partition="2026-11-19"))["data"]
        late = (await call("presto_check_freshness", table="orders", expect_partition="ds=2026-11-20"))["data"]
        within = (await call("presto_check_freshness", table="orders", max_lag_minutes=5_256_000))["data"]
        unsaid = await call("presto_check_freshness", table="whole", max_lag_minutes=60)
        described = (await call("presto_describe_table", table="orders", include=["partitions"]))["data"]
        sides = {"a": "2026-11-18", "b": "ds=2026-11-19"}
        compared = (await call("presto_compare_partitions", table="orders", columns=["amount"], **sides))["data"]
        filtered = await call("presto_validate_query", sql="SELECT id FROM orders WHERE ds = '2026-11-19'")
        unfiltered = await call("presto_validate_query", sql="SELECT id FROM orders")
        with pytest.raises(Refused, match="no partitions"):
            await call("presto_compare_partitions", table="whole", **sides)
    assert (landed["verdict"], landed["method"], landed["latest"]) == ("fresh", "partition metadata", "ds=2026-11-19")
    assert (late["verdict"], within["verdict"]) == ("stale", "fresh")
    assert (landed["rows"], landed["landed_at"]) == (None, "2026-11-20T00:00:00Z"), "rows are not counted; a day's end"
    assert (unsaid["data"]["verdict"], unsaid["status"]) == ("unknown", "partial")
    assert (described["partition_keys"], len(described["partitions"])) == (["ds"], 3)
    assert (compared["rows_a"], compared["rows_b"]) == (5000, 5000)
    assert (filtered["data"]["partition_filter"], unfiltered["data"]["partition_filter"]) == (True, False)


async def test_a_partition_filter_is_seen_and_partitions_are_compared(lake: Engine) -> None:
    async with asked(server(lake, "lake/sales", ["orders"])) as call:
        filtered = await call("presto_validate_query", sql="SELECT id FROM orders WHERE ds = DATE '2026-11-19'")
        unfiltered = await call("presto_validate_query", sql="SELECT id FROM orders")
        sides = {"a": "2026-11-18", "b": "ds=2026-11-19"}
        compared = (await call("presto_compare_partitions", table="orders", columns=["amount"], **sides))["data"]
        with pytest.raises(Refused, match="there is no partition"):
            await call("presto_compare_partitions", table="orders", a="hour=3", b="ds=2026-11-19")
        described = (await call("presto_describe_table", table="orders", include=["partitions", "stats"]))["data"]
    assert (filtered["data"]["partition_filter"], unfiltered["data"]["partition_filter"]) == (True, False)
    assert (compared["rows_a"], compared["rows_b"], compared["rows_change"]) == (5000, 5000, 0.0)
    assert compared["columns"][0]["nulls_a"] == 0.0
    assert described["partition_keys"] == ["ds"]
    assert len(described["partitions"]) == 3
    assert "1-URGENT" in described["common_values"].get("region", ["1-URGENT"])


async def test_lineage_is_seen_in_the_engine_and_written_by_people(lake: Engine, tmp_path: Path) -> None:
    assets = tmp_path / "assets.yaml"
    assets.write_bytes(orjson.dumps({"tables": {"orders": {"reads": ["hidden", "daily"], "owner": "sales-data"}}}))
    async with asked(server(lake, "lake/sales", ["orders", "daily"], assets=str(assets)), groups=[]) as call:
        up = (await call("presto_get_lineage", table="daily", direction="upstream"))["data"]["edges"]
        down = (await call("presto_get_lineage", table="daily", direction="downstream"))["data"]["edges"]
        far = (await call("presto_get_lineage", table="daily", direction="upstream", depth=2))["data"]["edges"]
    assert [(edge["made_from"], edge["told_by"], edge["owner"]) for edge in up] == [("orders", "engine", "sales-data")]
    assert [(edge["table"], edge["told_by"]) for edge in down] == [("orders", "assets")]
    assert {edge["depth"] for edge in far} == {1, 2}
    assert "hidden" not in str([up, down, far])


async def test_a_partition_is_replaced_by_plan_in_one_commit(lake: Engine) -> None:
    owned = {"tables": ["orders"], "groups": ["sales-data"]}
    served = server(lake, "lake/sales", ["orders"], overwrite=owned)
    sql = "SELECT amount, id, region, ds FROM orders WHERE ds = DATE '2026-11-17' AND id < 3000"
    async with asked(served, groups=["sales-data"], approvals=approve_with()) as call:
        with pytest.raises(Refused, match="are not of"):
            await call("presto_plan_overwrite", table="orders", partition="2026-11-17", sql="SELECT * FROM orders")
        plan = await call("presto_plan_overwrite", table="orders", partition="2026-11-17", sql=sql)
        stale = await call("presto_plan_overwrite", table="orders", partition="2026-11-17", sql=sql)
        done = (await call("presto_overwrite_partition", plan_id=plan["plan_id"], reason="late rows"))["data"]
        with pytest.raises(Refused, match=r"changed"):
            await call("presto_overwrite_partition", plan_id=stale["plan_id"], reason="again")
    assert (plan["data"]["items"][0]["rows_before"], done["rows_before"]) == (5000, 5000)
    assert done["rows_now"] == plan["data"]["items"][0]["rows_after"] < 5000
    assert await lake.rows("SELECT count(*) FROM lake.sales.orders") == [[10_000 + done["rows_now"]]]
    await lake.rows(f"ALTER TABLE lake.sales.orders EXECUTE rollback_to_snapshot({done['rollback_to']})")
    assert await lake.rows("SELECT count(*) FROM lake.sales.orders") == [[15_000]]


async def test_an_overwrite_waits_for_two_people_and_is_its_owners(lake: Engine) -> None:
    owned = {"tables": ["orders"], "groups": ["sales-data"]}
    served = server(lake, "lake/sales", ["orders", "daily"], overwrite=owned)
    sql = "SELECT * FROM orders WHERE ds = DATE '2026-11-18'"
    async with asked(served, groups=["sales-data"]) as call:
        plan = await call("presto_plan_overwrite", table="orders", partition="2026-11-18", sql=sql)
        waiting = await call("presto_overwrite_partition", plan_id=plan["plan_id"], reason="late rows")
        with pytest.raises(Refused, match="may be overwritten"):
            await call("presto_plan_overwrite", table="daily", partition="2026-11-18", sql=sql)
    assert waiting["status"] == "approval_required"
    assert await lake.rows("SELECT count(*) FROM lake.sales.orders") == [[15_000]]


class _Exchanged:
    """Fills `usecases.ports_exchange.Exchanges` with tokens that the engine itself verifies."""

    async def exchanged(self, server: str, caller: Caller) -> Credential:
        del server
        if caller.person is None or caller.person.subject == "nobody":
            raise Forbidden("the identity provider refused", hint="sign in again", code="exchange-refused")
        return Credential(f"Bearer {_token(caller.person.subject)}", 4e9)


def _token(subject: str) -> str:
    body = {"sub": subject, "aud": AUDIENCE, "iat": 1_760_000_000, "exp": 4_000_000_000}
    return jwt.encode({"alg": "RS256", "kid": "provider-1"}, body, provider_key())


async def test_each_caller_is_known_to_the_engine_by_a_credential_of_their_own(trino: Engine) -> None:
    if not isinstance(trino.address, Address):
        pytest.skip("component trino: the one that was named takes no tokens of ours")
    place = f"{trino.address.secured}/tpch/tiny?tls=on&ca={trino.address.authority}&proof=bearer&identity=exchange"
    served = build("lake", {**entry(trino, "", ["orders"]), "url": f"trino://pierhead:{_token('pierhead')}@{place}"})
    served.exchanges = _Exchanged()
    async with (
        platform(served, access="everyone") as running,
        running.client("ann", groups=DATA) as ann,
        running.client("ben", groups=DATA) as ben,
        running.client("nobody", groups=DATA) as nobody,
    ):
        sql = "SELECT max(orderkey) FROM orders"
        query_id = (await calling(ann)("presto_run_query", sql=sql, purpose="who am I"))["data"]["query_id"]
        assert (await calling(ann)("presto_get_query", query_id=query_id))["data"]["is_yours"] is True
        with pytest.raises(Refused, match="no such query"):
            await calling(ben)("presto_get_query", query_id=query_id)
        with pytest.raises(Refused, match="exchange-refused"):
            await calling(nobody)("presto_run_query", sql=sql, purpose="who am I")
    asked_as = f"SELECT \"user\" FROM system.runtime.queries WHERE query_id = '{query_id}'"
    assert await trino.rows(asked_as) == [["ann"]]


class _Between(BaseHTTPRequestHandler):
    """Between the server and a real coordinator; `trouble` says what becomes of the line."""

    coordinator = ""
    trouble: ClassVar[dict[str, Any]] = {}

    def do_POST(self) -> None:
        self._passed(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        self._passed(None)

    def do_DELETE(self) -> None:
        self._passed(None)

    def _passed(self, body: bytes | None) -> None:
        match self.trouble.get("now"):
            case "gone":
                self.close_connection = True
            case "page":
                self._answered(200, b"<html>sign in</html>")
            case "starting":
                self.trouble["left"] -= 1
                if self.trouble["left"] == 0:
                    self.trouble["now"] = ""
                self._answered(503, b"starting")
            case "lost" if self.command == "GET":
                self._answered(404, b"")
            case "slow" if self.command == "GET":
                self.trouble["over"].wait(60)
                self.close_connection = True
            case _:
                self._relayed(body)

    def _relayed(self, body: bytes | None) -> None:
        headers = {name: value for name, value in self.headers.items() if not name.startswith("Accept-Enc")}
        with httpx2.Client(trust_env=False) as http:
            answer = http.request(self.command, self.coordinator + self.path, headers=headers, content=body)
        self._answered(answer.status_code, answer.content)

    def _answered(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as its base has it
        """Nothing."""


async def test_each_trouble_with_the_engine_is_said_and_over_when_it_is_over(shop: Engine) -> None:
    trouble: dict[str, Any] = {"now": "", "over": threading.Event()}
    handler = type("Line", (_Between,), {"coordinator": str(shop.address), "trouble": trouble})
    sql = "SELECT max(id) FROM orders"
    with listening(handler) as address:
        line = Engine(address, shop.flavour)
        async with asked(server(line, "hive/sales", ["orders"]), approvals=approve_with()) as call:
            found: dict[str, str] = {}
            for kind in ("gone", "page", "lost", "slow"):
                trouble["now"] = kind
                seconds = 1 if kind == "slow" else 20
                found[kind] = await failing(call("presto_run_query", sql=sql, purpose="see", timeout_s=seconds))
                if kind == "gone":
                    assert "upstream-unreachable" in await failing(call("presto_cluster_health"))
                trouble["over"].set()
            trouble.update(now="starting", left=2)
            restarted = await call("presto_run_query", sql=sql, purpose="see again")
    assert restarted["data"]["rows"] == [[5000]]
    for kind, code in (
        ("gone", "upstream-unreachable"),
        ("page", "upstream-garbage"),
        ("lost", "upstream-unreachable"),
    ):
        assert code in found[kind], found[kind]
    assert "longer than 1 s" in found["slow"]
    assert max(map(len, found.values())) < 2_000


class _Strange(BaseHTTPRequestHandler):
    """No coordinator: it answers HTML, or sends the client elsewhere."""

    answer: bytes = b"<html>sign in</html>"

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as its base has it
        """Nothing."""


@contextmanager
def strange(answer: bytes) -> Generator[str]:
    with listening(type("Answering", (_Strange,), {"answer": answer})) as address:
        yield address


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


FOREIGN = b'{"id": "x", "nextUri": "http://169.254.169.254/v1/statement/x", "stats": {"state": "QUEUED"}}'


@pytest.mark.parametrize("answer", [b"<html>sign in</html>", FOREIGN, b"[]"])
async def test_what_is_no_coordinator_is_said_to_be_none(answer: bytes) -> None:
    with strange(answer) as address:
        served = server(Engine(address, "Trino"), "tpch/tiny", ["orders"])
        with pytest.raises(Exception) as failed:
            async with platform(served, access="everyone"):
                pass
    assert failed.group_contains(UpstreamUnreachable) or isinstance(failed.value, UpstreamUnreachable)
