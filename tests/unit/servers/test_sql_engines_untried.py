"""SQL Server, Oracle and Snowflake as far as they can be tried without a server: what is asked, read and told.

Their drivers are extras that these tests do not need; no answer of a server stands here that no server gave, except
the plans, which follow the published formats.
"""

import sqlite3
import sys
from pathlib import Path

import anyio
import orjson
import pytest
from sqlglot import exp
from tests.shop import analyst_view

from pierhead.core.errors import Invalid, Misconfigured, ToolTimedOut, UpstreamUnreachable
from pierhead.sdk.sqlguard import govern
from pierhead.sdk.sqlguard.dialects import sqlglot_dialect
from pierhead.servers.sql.engines import mssql_schema, oracle_schema
from pierhead.servers.sql.engines.address import ServerAddress
from pierhead.servers.sql.engines.choosing import engine_of
from pierhead.servers.sql.engines.mssql_plan import read_plan, without_marks
from pierhead.servers.sql.engines.shared_schema import SchemaRows, stored_tables
from pierhead.servers.sql.engines.snowflake_plan import read_plan as read_snowflake_plan
from pierhead.servers.sql.engines.threads import Threads
from pierhead.servers.sql.engines.told import told_by_mssql, told_by_oracle, told_by_snowflake

PLAN = """<ShowPlanXML xmlns="http://schemas.microsoft.com/sqlserver/2004/07/showplan" Version="1.564"><BatchSequence>
<Batch><Statements>{}</Statements></Batch></BatchSequence></ShowPlanXML>"""
SELECT = """<StmtSimple StatementText="SELECT a &lt; 1" StatementId="1" StatementType="SELECT" StatementEstRows="51.5"
 StatementSubTreeCost="0.0061"><QueryPlan><RelOp NodeId="0"><IndexScan><Object Database="[Shop]" Schema="[dbo]"
 Table="[orders]" Index="[PK_orders]" IndexKind="Clustered" /></IndexScan></RelOp></QueryPlan></StmtSimple>"""


def test_a_plan_of_sql_server_tells_statement_tables_and_estimates() -> None:
    plan = read_plan(PLAN.format(SELECT))
    assert (plan.is_one_read, plan.calls_code) == (True, False)
    assert plan.tables == {("shop", "dbo", "orders")}
    assert (plan.rows, plan.cost) == (51.5, 0.0061)


@pytest.mark.parametrize(
    "statements",
    [
        "",
        SELECT + SELECT,
        SELECT.replace('StatementType="SELECT"', 'StatementType="DELETE"'),
        SELECT + '<StmtSimple StatementText="COMMIT" StatementType="COMMIT TRANSACTION" />',
    ],
)
def test_anything_but_one_select_is_no_read(statements: str) -> None:
    assert not read_plan(PLAN.format(statements)).is_one_read


def test_code_of_the_database_is_seen_in_a_plan() -> None:
    call = '<UserDefinedFunction FunctionName="[shop].[dbo].[f]" />'
    assert read_plan(PLAN.format(SELECT.replace("<RelOp", call + "<RelOp"))).calls_code


def test_a_plan_is_asked_for_without_marks() -> None:
    assert without_marks("SELECT '?' AS [?], \"?\" FROM t WHERE a = ? AND b = ?") == (
        "SELECT '?' AS [?], \"?\" FROM t WHERE a = NULL AND b = NULL"
    )


def test_a_plan_of_snowflake_tells_tables_and_bytes() -> None:
    steps = [[{"id": 0, "operation": "Result"}, {"id": 1, "operation": "TableScan", "objects": ['SHOP.PUBLIC."a.B"']}]]
    plan = read_snowflake_plan(orjson.dumps({"GlobalStats": {"bytesAssigned": 1024}, "Operations": steps}).decode())
    assert (plan.tables, plan.writes, plan.bytes) == (frozenset({("SHOP", "PUBLIC", "a.B")}), False, 1024)
    steps[0].append({"id": 2, "operation": "Delete"})
    assert read_snowflake_plan(orjson.dumps({"Operations": steps}).decode()).writes


@pytest.mark.parametrize("name", ["TABLES", "COLUMNS", "KEYS", "REFERENCES", "READS", "PLACE", "LOGIN", "RIGHTS"])
@pytest.mark.parametrize(("dialect", "asked"), [("tsql", mssql_schema), ("oracle", oracle_schema)])
def test_what_is_asked_of_a_catalog_is_one_select(dialect: str, asked: object, name: str) -> None:
    engine = sqlglot_dialect("tsql" if dialect == "tsql" else "oracle")
    (statement,) = engine.parse(getattr(asked, name))
    assert isinstance(statement, exp.Query)


def test_rows_of_a_catalog_become_tables() -> None:
    rows = SchemaRows(
        tables=[("dbo", "orders", 0, None, 5), ("dbo", "heads", 0, "what", None), ("dbo", "totals", 1, "", None)],
        columns=[
            ("dbo", "orders", "id", "int", 0, None, 1, 0),
            ("dbo", "orders", "a", "int", 1, "note", 0, 0),
            ("dbo", "orders", "b", "int", 1, None, 0, 1),
        ],
        keys=[("dbo", "orders", "pk", 1, "id"), ("dbo", "orders", "u", 0, "b"), ("dbo", "orders", "u", 0, "a")],
        references=[
            ("dbo", "orders", "f", "a", "dbo", "heads", "x"),
            ("dbo", "orders", "f", "b", "dbo", "heads", "y"),
        ],
        reads=[("dbo", "totals", "dbo", "middle"), ("dbo", "middle", "dbo", "orders")],
    )
    orders, heads, totals = stored_tables(rows)
    assert (orders.primary_key, orders.unique, orders.rows_estimate) == (("id",), (("b", "a"),), 5)
    assert (orders.foreign_keys[0].columns, orders.foreign_keys[0].target_columns) == (("a", "b"), ("x", "y"))
    assert [(column.is_key, column.has_default, column.is_generated) for column in orders.columns] == [
        (True, True, False),
        (False, False, False),
        (False, False, True),
    ]
    assert (heads.comment, totals.kind) == ("what", "view")
    assert totals.reads == {("dbo", "middle"), ("dbo", "orders")}


def test_a_url_says_host_user_and_known_options_only() -> None:
    parsed = ServerAddress.parse("oracle://u%40x:p%3Aw@db:1522/free?schema=SHOP", port=1, path=1, options=("schema",))
    assert parsed == ServerAddress("db", 1522, "u@x", "p:w", ("free",), {"schema": "SHOP"})
    for url in ("oracle:///free", "oracle://db", "oracle://db/a/b", "oracle://db:x/a", "oracle://u:pass@db/a?sid=1"):
        with pytest.raises(Misconfigured) as faults:
            ServerAddress.parse(url, port=1, path=1, options=())
        assert "pass" not in faults.value.message


@pytest.mark.parametrize("dialect", ["tsql", "oracle", "snowflake"])
def test_names_are_folded_and_written_as_the_engine_stores_them(dialect: str) -> None:
    view = analyst_view("tsql" if dialect == "tsql" else "oracle" if dialect == "oracle" else "snowflake")
    written = govern("SELECT Id, Orders.Qty FROM Orders", view, max_rows=5).sql
    stored = "[orders]" if dialect == "tsql" else '"ORDERS"'
    assert stored in written
    hidden = "[SECRETS]" if dialect == "tsql" else '"orders"'
    with pytest.raises(Invalid):
        govern(f"SELECT 1 AS one FROM {hidden}", view, max_rows=5)


class BlockingFile:
    """A driver that really blocks: sqlite3, whose `interrupt` may come from another thread."""

    def __init__(self, closed: list[str]) -> None:
        self.connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._closed = closed

    def end(self) -> None:
        self.connection.interrupt()

    def close(self) -> None:
        self._closed.append("closed")
        self.connection.close()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def closed() -> list[str]:
    return []


async def _idle(seen: list[str], count: int) -> None:
    with anyio.fail_after(5):
        while len(seen) < count:
            await anyio.lowlevel.checkpoint()


@pytest.mark.anyio
async def test_a_blocking_driver_is_ended_when_time_is_up_and_its_session_given_up(closed: list[str]) -> None:
    threads = Threads(lambda: BlockingFile(closed))
    with pytest.raises(ToolTimedOut):
        await threads.use(lambda held: held.connection.execute(ENDLESS).fetchall(), 0.2)
    await _idle(closed, 1)
    assert await threads.use(lambda held: held.connection.execute("SELECT 1").fetchone(), 5) == (1,)
    await threads.close()
    assert len(closed) == 2


@pytest.mark.anyio
async def test_a_caller_who_goes_ends_the_statement_of_a_blocking_driver(closed: list[str]) -> None:
    threads = Threads(lambda: BlockingFile(closed))
    with anyio.move_on_after(0.2) as scope:
        await threads.use(lambda held: held.connection.execute(ENDLESS).fetchall(), 60)
    assert scope.cancelled_caught
    await _idle(closed, 1)
    await threads.close()


@pytest.mark.anyio
async def test_a_session_whose_work_failed_is_not_used_again(closed: list[str]) -> None:
    threads = Threads(lambda: BlockingFile(closed))
    with pytest.raises(sqlite3.OperationalError):
        await threads.use(lambda held: held.connection.execute("SELECT nothing"), 5)
    await _idle(closed, 1)
    first = await threads.use(lambda held: held, 5)
    assert await threads.use(lambda held: held, 5) is first
    await threads.close()


@pytest.mark.parametrize(
    ("told", "kind", "said"),
    [
        (told_by_mssql("OperationalError", "Timeout expired", "", 3), ToolTimedOut, "3 s"),
        (
            told_by_mssql("ProgrammingError", "", "[SQL Server]SHOWPLAN permission denied", 3),
            UpstreamUnreachable,
            "plans",
        ),
        (
            told_by_mssql("OperationalError", "Client unable to establish connection", "", 3),
            UpstreamUnreachable,
            "answer",
        ),
        (told_by_mssql("ProgrammingError", "", "Conversion failed for 'tok-canary'", 3), Invalid, "could not run"),
        (told_by_oracle(1013, 3), ToolTimedOut, "3 s"),
        (told_by_oracle(4024, 3), ToolTimedOut, "3 s"),
        (told_by_oracle(904, 3), Invalid, "no such column"),
        (told_by_oracle(12541, 3), UpstreamUnreachable, "answer"),
        (told_by_oracle(1, 3), Invalid, "could not run"),
        (told_by_snowflake(630, "ProgrammingError", 3), ToolTimedOut, "3 s"),
        (told_by_snowflake(904, "ProgrammingError", 3), Invalid, "no such column"),
        (told_by_snowflake(250001, "OperationalError", 3), UpstreamUnreachable, "answer"),
        (told_by_snowflake(1, "ProgrammingError", 3), Invalid, "could not run"),
    ],
)
def test_an_error_is_told_by_its_number_and_never_by_its_text(told: Exception, kind: type, said: str) -> None:
    assert isinstance(told, kind)
    assert said in str(told)
    assert "canary" not in str(told)


@pytest.mark.parametrize(
    ("url", "module", "driver", "extra"),
    [
        ("postgresql://db/shop", "postgres", "asyncpg", "postgres"),
        ("postgres://db/shop", "postgres", "asyncpg", "postgres"),
        ("mariadb://db/shop", "mysql", "asyncmy", "mysql"),
        ("mysql://db/shop", "mysql", "asyncmy", "mysql"),
        ("duckdb:///shop.duckdb", "duckdb", "duckdb", "duckdb"),
        ("mssql://db/shop", "mssql", "mssql_python", "mssql"),
        ("oracle://db/shop", "oracle", "oracledb", "oracle"),
        ("snowflake://a/b/c", "snowflake", "snowflake.connector", "snowflake"),
    ],
)
def test_a_missing_driver_names_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, driver: str, extra: str
) -> None:
    for name in [each for each in sys.modules if each.startswith(f"pierhead.servers.sql.engines.{module}")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(Misconfigured) as refused:
        engine_of(url)
    assert refused.value.hint == f"pip install 'pierhead[{extra}]'"
    assert driver.partition(".")[0] in refused.value.message


@pytest.mark.parametrize("url", ["sqlite:///{}/shop.db", "trino://me@host/hive", "presto://me@host/hive"])
def test_these_engines_need_no_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
    (tmp_path / "shop.db").touch()
    for driver in ("asyncpg", "asyncmy", "duckdb", "uvloop", "pyarrow", "sqlalchemy"):
        monkeypatch.setitem(sys.modules, driver, None)
    assert engine_of(url.format(tmp_path))
