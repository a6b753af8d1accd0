"""Trino and Presto as they are: the statement client and the engine on real coordinators, both header families."""

import asyncio
import datetime as dt
import decimal
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from tests.coordinators import state_of
from tests.integration.sql_shops import ANALYST, CoordinatorShop, Governed, source
from tests.integration.sql_shops import CALLER as CALLER_ANN

from pierhead.core.errors import Forbidden, Invalid, ToolTimedOut, UpstreamUnreachable
from pierhead.core.identity import Caller, Workload
from pierhead.sdk.governed.engine import Limits, SecondOpinionDiffers
from pierhead.sdk.governed.trino import TrinoEngine
from pierhead.sdk.governed.trino_place import Place
from pierhead.sdk.sqlguard import GovernedQuery, View
from pierhead.sdk.statements import Flavour, Running, Session, StatementClient, StatementFailed, filled, literal
from pierhead.sdk.tool import CALLER

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(300)]

# Six thousand million rows made one by one and forgotten: a join would end by the engine's memory, at whatever moment.
ENDLESS = "SELECT count(*) FROM tpch.sf1000.lineitem WHERE orderkey + partkey < 0"


@dataclass(frozen=True)
class Coordinator:
    address: str
    flavour: Flavour

    @property
    def scheme(self) -> str:
        return self.flavour.lower()


@pytest.fixture(scope="module", params=["trino", "presto"])
def coordinator(request: pytest.FixtureRequest) -> Coordinator:
    address: str = request.getfixturevalue(f"{request.param}_address")
    return Coordinator(address, "Trino" if request.param == "trino" else "Presto")


@pytest.fixture(scope="module")
def shop(coordinator: Coordinator) -> CoordinatorShop:
    return CoordinatorShop.load(coordinator.address, coordinator.scheme)


@pytest.fixture
async def opened(shop: CoordinatorShop) -> AsyncIterator[Governed]:
    governed = source(shop)
    await governed.open()
    yield governed
    await governed.close()


@pytest.fixture
async def client(coordinator: Coordinator) -> AsyncIterator[StatementClient]:
    async with httpx2.AsyncClient(trust_env=False) as http:
        yield StatementClient(http, coordinator.address, coordinator.flavour)


NO_VIEW = View("trino", "hive", "sales", ())
SESSION = Session("ann", "tpch", "tiny")


async def rows_of(client: StatementClient, sql: str, session: Session = SESSION) -> list[list[Any]]:
    async with client.running(sql, session, seconds=60, is_read=True) as statement:
        return [row async for batch in statement.batches() for row in batch]


async def to_the_end(statement: Running) -> None:
    async for _ in statement.batches():
        pass


def end_of(coordinator: Coordinator, query_id: str) -> tuple[str, str]:
    """How it ended: an engine that is told to stop while it plans says so once it has planned."""
    while True:
        state, code = state_of(coordinator.address, coordinator.flavour, query_id)
        if state in {"FAILED", "FINISHED"}:
            return state, code


async def test_a_statement_answers_every_row_page_by_page(client: StatementClient) -> None:
    sql = "SELECT orderkey, comment FROM lineitem"
    async with client.running(sql, SESSION, seconds=60, is_read=True) as statement:
        batches = [batch async for batch in statement.batches()]
    assert sum(len(batch) for batch in batches) == 60_175
    assert len(batches) > 1
    assert [column.name for column in statement.columns] == ["orderkey", "comment"]


async def test_an_answer_without_rows_still_tells_its_columns(client: StatementClient) -> None:
    async with client.running("SELECT orderkey FROM orders WHERE 1 = 0", SESSION, seconds=60, is_read=True) as none:
        assert [row async for batch in none.batches() for row in batch] == []
    assert [(column.name, column.type) for column in none.columns] == [("orderkey", "bigint")]


VALUES: list[object] = [
    None,
    True,
    0,
    2**63 - 1,
    -5,
    2**80,
    1.5,
    -1e300,
    decimal.Decimal("-12.50"),
    'it\'s "quoted" -- ? ; \\ ü 🚢',
    "",
    b"\x00\xff",
    dt.date(2026, 2, 28),
    dt.time(23, 59, 59, 999_000),
    dt.datetime(2026, 1, 2, 3, 4, 5, 678_000),  # noqa: DTZ001 - the engine's type without a zone
    dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
]


async def test_a_value_comes_back_as_it_was_bound(client: StatementClient) -> None:
    sql = filled("SELECT " + ", ".join("?" for _ in VALUES) + ", 'a ? mark in text' AS \"and ?\"", VALUES)
    [row] = await rows_of(client, sql)
    assert row[:-1] == [decimal.Decimal(2**80) if value == 2**80 else value for value in VALUES]
    assert row[-1] == "a ? mark in text"


async def test_a_hostile_value_stays_a_value(client: StatementClient) -> None:
    hostile = "x' OR 1=1 --"
    assert await rows_of(client, filled("SELECT count(*) FROM nation WHERE name = ?", [hostile])) == [[0]]
    assert await rows_of(client, filled("SELECT ? - ?", [1, -1])) == [[2]]
    assert await rows_of(client, "SELECT " + literal([1, 2])) == [[[1, 2]]]


async def test_nested_and_odd_types_are_decoded_inside(client: StatementClient) -> None:
    sql = (
        "SELECT ARRAY[DECIMAL '1.5'], MAP(ARRAY['k'], ARRAY[DATE '2026-01-01']),"
        " CAST(ROW(1, DECIMAL '2.5') AS ROW(a bigint, b decimal(2, 1))), nan(),"
        " TIMESTAMP '2026-01-01 00:00:00.000000001', TIMESTAMP '2026-01-01 00:00:00 Europe/Berlin', INTERVAL '3' DAY,"
        " UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59', JSON '{\"a\": 1}'"
    )
    [row] = await rows_of(client, sql)
    assert row[0] == [decimal.Decimal("1.5")]
    assert row[1] == {"k": dt.date(2026, 1, 1)}
    assert row[2] == {"a": 1, "b": decimal.Decimal("2.5")}
    assert str(row[3]) == "nan"
    finest = "2026-01-01 00:00:00.000000001"
    assert row[4] in {finest, dt.datetime(2026, 1, 1)}  # noqa: DTZ001 - a Presto keeps milliseconds
    assert str(row[5]).replace(".000", "") == "2026-01-01 00:00:00 Europe/Berlin"
    assert row[6] == "3 00:00:00.000"
    assert uuid.UUID(row[7]).version == 1
    assert row[8] == '{"a":1}'


async def test_an_error_of_the_engine_says_its_name_and_place(client: StatementClient) -> None:
    with pytest.raises(StatementFailed) as failed:
        await rows_of(client, "SELECT nothing FROM orders")
    assert failed.value.name in {"COLUMN_NOT_FOUND", "SYNTAX_ERROR"}  # what Trino and what Presto call it
    assert (failed.value.kind, failed.value.place) == ("USER_ERROR", (1, 8))
    assert not failed.value.retryable


async def test_a_statement_nobody_reads_on_is_ended_in_the_engine(
    coordinator: Coordinator, client: StatementClient
) -> None:
    async with client.running(ENDLESS, SESSION, seconds=60, is_read=True) as statement:
        await anext(statement.batches())
    state, code = end_of(coordinator, statement.query_id)
    assert (state, code) == ("FAILED", "USER_CANCELED")


async def test_a_caller_who_goes_away_ends_the_statement_in_the_engine(
    coordinator: Coordinator, client: StatementClient
) -> None:
    known: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def asking() -> None:
        async with client.running(ENDLESS, SESSION, seconds=60, is_read=True) as statement:
            known.set_result(statement.query_id)
            await to_the_end(statement)

    task = asyncio.create_task(asking())
    query_id = await known
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert end_of(coordinator, query_id) == ("FAILED", "USER_CANCELED")


async def test_time_ends_a_statement_in_client_and_engine(coordinator: Coordinator, client: StatementClient) -> None:
    started = asyncio.get_running_loop().time()
    async with client.running(ENDLESS, SESSION, seconds=1.5, is_read=True) as statement:
        with pytest.raises(ToolTimedOut):
            await to_the_end(statement)
    assert asyncio.get_running_loop().time() - started < 8
    assert end_of(coordinator, statement.query_id) == ("FAILED", "USER_CANCELED")


async def test_the_engine_itself_ends_a_statement_at_its_own_limit(client: StatementClient) -> None:
    limited = Session("ann", "tpch", "tiny", properties={"query_max_run_time": "1s"})
    with pytest.raises(StatementFailed) as failed:
        await rows_of(client, ENDLESS, limited)
    assert failed.value.name == "EXCEEDED_TIME_LIMIT"


async def test_a_coordinator_that_is_not_there_is_said_to_be_away() -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        with pytest.raises(UpstreamUnreachable):
            await rows_of(StatementClient(http, "http://127.0.0.1:1", "Trino"), "SELECT 1")


async def test_tables_columns_and_views_are_read_from_the_catalog(shop: CoordinatorShop) -> None:
    engine = shop.engine()
    catalog = await engine.introspect()
    await engine.close()
    kinds = {table.name: table.kind for table in catalog.tables if table.schema == "sales"}
    assert kinds == {
        **dict.fromkeys(("customers", "orders", "products", "salaries", "secrets"), "table"),
        **dict.fromkeys(("leaky", "order_totals"), "view"),
    }
    orders = catalog.by_name["sales", "orders"]
    assert [column.name for column in orders.columns] == (
        ["id", "customer_id", "product_id", "qty", "amount", "status", "ordered_at"]
    )
    assert orders.columns[4].type == "decimal(12,2)"


async def test_a_governed_statement_runs_and_is_estimated(opened: Governed) -> None:
    answer = await opened.run_query(CALLER_ANN, sql="SELECT * FROM customers WHERE id < 3", max_rows=5, timeout_s=30)
    assert [column.name for column in answer.columns] == ["id", "name", "region", "created_at"]
    assert len(answer.rows) == 2
    explained = await opened.explain_query(CALLER_ANN, sql="SELECT id FROM orders")
    assert explained.verdict == "permitted"
    assert "email" not in explained.sql


async def test_what_the_engine_computes_while_it_plans_is_part_of_the_callers_time(opened: Governed) -> None:
    """A constant that takes minutes, computed by the second opinion already."""
    endless = f"SELECT regexp_like('{'a' * 34}', '^(a+)+$b')"
    with pytest.raises(ToolTimedOut, match="longer than 1 s"):
        await opened.run_query(CALLER_ANN, sql=endless, max_rows=5, timeout_s=1)


async def test_a_granted_view_may_read_what_it_stands_for(shop: CoordinatorShop) -> None:
    governed = source(shop, {"analyst": {"tables": ["order_totals"], "operations": ["read"]}})
    await governed.open()
    answer = await governed.run_query(CALLER_ANN, sql="SELECT count(*) FROM order_totals", max_rows=5, timeout_s=30)
    with pytest.raises(Invalid):
        await governed.run_query(CALLER_ANN, sql="SELECT * FROM orders", max_rows=5, timeout_s=30)
    await governed.close()
    assert answer.rows == [[200]]


async def test_the_planner_refuses_what_the_guard_would_have_missed(opened: Governed) -> None:
    """The second opinion alone: a statement that no guard wrote, over a table that is not in its list."""
    engine, view = opened.source.engine, opened.source.ground.roles["analyst"].view
    for sql in (
        "SELECT * FROM secrets",
        "SELECT * FROM leaky",
        "SELECT * FROM system.runtime.queries",
        "SELECT * FROM tpch.tiny.nation",
    ):
        with pytest.raises(SecondOpinionDiffers):
            await engine.confirm(GovernedQuery(sql, view.tables, 10, explain=False), view, {})


RULED = {"analyst": {"tables": {"customers": {"operations": ["read"], "rows": "region.eq.EMEA"}}}}


@pytest.mark.parametrize(
    ("condition", "is_tested_behind"),
    [("CAST(name AS integer) = 7", True), ("1 / (id - 7) > 0", True), ("id < 0.5", True), ("name = 'x'", False)],
)
async def test_a_condition_that_may_fail_is_tested_on_rows_of_the_rule_alone(
    shop: CoordinatorShop, condition: str, is_tested_behind: bool
) -> None:
    governed = source(shop, RULED)
    await governed.open()
    sql, engine = f"SELECT id FROM customers WHERE {condition}", TrinoEngine(Place.parse(shop.url))
    async with governed.statements.ready(CALLER_ANN, sql=sql, limits=Limits(5, 30.0)) as ready:
        [[plan]] = await engine.ask("EXPLAIN " + engine.written(ready.query, ready.values))
    await engine.close()
    await governed.close()
    filters = [line for line in str(plan).splitlines() if "filterPredicate" in line]
    assert len(filters) == (2 if is_tested_behind else 1)
    assert sum("EMEA" in line for line in filters) == 1


async def test_a_login_is_asked_what_it_could_write(shop: CoordinatorShop) -> None:
    engine = shop.engine()
    report = await engine.check_login()
    await engine.close()
    assert report.name == "pierhead"
    assert ("sales", "orders") in report.writable
    assert ("sales", "leaky") in report.readable - report.writable


async def test_no_text_of_the_engine_reaches_a_caller(opened: Governed) -> None:
    with pytest.raises(Invalid) as refused:
        await opened.run_query(CALLER_ANN, sql="SELECT CAST(name AS integer) FROM customers", max_rows=5, timeout_s=30)
    assert "Customer" not in refused.value.message + refused.value.hint
    assert refused.value.message.endswith("(INVALID_CAST_ARGUMENT)")


async def test_a_literal_with_a_type_is_what_was_written(opened: Governed) -> None:
    sql = "SELECT DECIMAL '0.05', DECIMAL '12345678901234567890.12', CHAR 'abc' FROM orders WHERE DECIMAL '0.5' > 0.4"
    answer = await opened.run_query(CALLER_ANN, sql=sql, max_rows=1, timeout_s=30)
    assert answer.rows == [["0.05", "12345678901234567890.12", "abc"]]


async def test_every_statement_of_a_policy_that_binds_values_binds_them(shop: CoordinatorShop) -> None:
    governed = source(shop, ANALYST)
    await governed.open()
    view = governed.source.ground.roles["analyst"].view
    query = GovernedQuery(
        'SELECT id FROM "hive"."sales"."orders" WHERE status = ? AND id < ?',
        view.tables,
        10,
        explain=False,
        slots=("s", "n"),
    )
    values = {"s": "paid", "n": 10}
    await governed.source.engine.confirm(query, view, values)
    answer = await governed.source.engine.run(query, view, values, Limits(10, 30.0))
    await governed.close()
    assert sorted(row[0] for row in answer.rows) == [1, 5, 9]
    assert answer.query_id


async def test_each_caller_is_a_user_of_the_engine_where_the_url_says_so(shop: CoordinatorShop) -> None:
    governed = source(replace(shop, url=f"{shop.url}?identity=caller"))
    await governed.open()
    engine, view = governed.source.engine, governed.source.ground.roles["analyst"].view
    query = GovernedQuery("SELECT current_user", (), 10, explain=False)
    token = CALLER.set(CALLER_ANN)
    as_ann = await engine.run(query, view, {}, Limits(10, 30.0))
    CALLER.reset(token)
    with pytest.raises(Forbidden) as refused:
        await engine.run(query, view, {}, Limits(10, 30.0))
    await governed.close()
    assert as_ann.rows == [["ann"]]
    assert refused.value.code == "no-engine-user"


async def test_a_program_alone_is_nobody_to_the_engine(shop: CoordinatorShop) -> None:
    engine = replace(shop, url=f"{shop.url}?identity=caller").engine()
    token = CALLER.set(Caller(Workload("spiffe://demo.local/agent"), "ide", "test", "call-2"))
    with pytest.raises(Forbidden):
        await engine.estimate(GovernedQuery("SELECT 1", (), 10, explain=False), NO_VIEW, {})
    CALLER.reset(token)
    await engine.close()


async def test_without_that_every_caller_runs_as_the_login(shop: CoordinatorShop) -> None:
    engine = shop.engine()
    token = CALLER.set(CALLER_ANN)
    answer = await engine.run(
        GovernedQuery("SELECT current_user", (), 10, explain=False), NO_VIEW, {}, Limits(10, 30.0)
    )
    CALLER.reset(token)
    await engine.close()
    assert answer.rows == [["pierhead"]]
