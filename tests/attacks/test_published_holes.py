"""Holes that were published in other gateways and servers for databases, each tried on Pierhead.

Where an engine runs in the process the statement goes to a real one, logged in as its owner: only the product
protects. Where the engine cannot be had, the guard judges in the dialect that was attacked. What is tried is the
kind of attack, written for the corpus's shop.
"""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.integration.sql_shops import (
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
from tests.rigs.rest import serving
from tests.shop import CANARIES, analyst_view

from pierhead.core.errors import PierheadError
from pierhead.sdk.sqlguard import Dialect, SqlRefused, View, govern

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

WRITER: Mapping[str, Any] = {
    "clerk": {
        "approval": "none",
        "tables": {
            "orders": {"operations": ["read", "create", "update", "delete"]},
            "customers": {"operations": ["read"], "columns": {"exclude": ["email"]}},
        },
    }
}

# (published as, engine, statement, how it is refused)
ON_ENGINES = [
    ("server-postgres 0.6.2", "postgres", "COMMIT; DROP SCHEMA public CASCADE", "several-statements"),
    ("server-postgres 0.6.2", "postgres", "COMMIT", "not-a-read"),
    ("GHSA-65hm-pwj5-73pw", "sqlite", "SELECT 1; DELETE FROM orders", "several-statements"),
    ("GHSA-65hm-pwj5-73pw", "sqlite", "selecting", "not-a-read"),
    ("GHSA-65hm-pwj5-73pw", "postgres", "SELECT id INTO stolen FROM secrets", ""),
    ("DBHub GHSA-mwwr-p57h-56pf", "postgres", "WITH d AS (DELETE FROM orders RETURNING id) SELECT id FROM d", ""),
    ("DBHub GHSA-mwwr-p57h-56pf", "postgres", "EXPLAIN ANALYZE DELETE FROM orders", "not-a-read"),
    ("DBHub GHSA-j656-3hf2-fvjc", "mysql", "SELECT 1 --1; DELETE FROM orders", "several-statements"),
    ("DBHub GHSA-j656-3hf2-fvjc", "mysql", "SELECT 1 /*!50000 INTO OUTFILE '/tmp/stolen' */", ""),
    ("DBHub GHSA-j656-3hf2-fvjc", "mysql", "/*!50000 DELETE FROM orders */", ""),
    ("DBHub GHSA-j656-3hf2-fvjc", "mysql", "SELECT /*M!100100 token */ 1 /*M! FROM secrets */", ""),
    ("postgres-mcp #178", "postgres", "SELECT * FROM pg_read_file('/etc/passwd')", ""),
    ("postgres-mcp #178", "postgres", "VALUES (pg_read_file('/etc/passwd'))", "unknown-function"),
    ("postgres-mcp #178", "postgres", "SELECT 1 LIMIT (VALUES (length(pg_read_file('/etc/passwd'))))", ""),
    ("CVE-2026-48774", "postgres", "SELECT lo_import('/etc/passwd')", "unknown-function"),
    ("CVE-2026-48774", "postgres", "SELECT 1;;DROP TABLE orders", "several-statements"),
    ("CVE-2025-66335", "mysql", "SELECT 1; INSERT INTO secrets VALUES (9, 'x')", "several-statements"),
    ("CVE-2026-25879", "postgres", "COPY secrets FROM PROGRAM 'id'", "not-a-read"),
    ("CVE-2026-25879", "postgres", "COPY (SELECT token FROM secrets) TO PROGRAM 'cat'", "not-a-read"),
    ("sqlsaber #184", "duckdb", "SELECT * FROM '/etc/passwd'", ""),
    ("sqlsaber #184", "duckdb", 'SELECT * FROM "/etc/passwd"', "unknown-table"),
    ("sqlsaber #184", "duckdb", "FROM read_text('/etc/passwd')", ""),
    ("awslabs postgres", "postgres", r"""SELECT * FROM U&"\0073ecrets" """, ""),
    ("awslabs postgres", "postgres", r"""SELECT U&"pg\005fread\005ffile"('/etc/passwd')""", ""),
    ("awslabs postgres", "postgres", "SELECT * FROM dblink('dbname=shop', 'DROP TABLE orders') AS t(a text)", ""),
    ("Supabase #212", "postgres", "SELECT 1; END; DELETE FROM orders", "several-statements"),
    ("Supabase #212", "postgres", "SET TRANSACTION READ WRITE", "not-a-read"),
    ("postrust #8", "postgres", "SET LOCAL ROLE postgres", "not-a-read"),
    ("postrust #8", "postgres", "SELECT set_config('role', 'postgres', false)", "unknown-function"),
    ("mcp-server-sqlite #3314", "sqlite", "PRAGMA table_info(secrets)", "not-a-read"),
    ("mcp-server-sqlite #3314", "sqlite", "SELECT * FROM pragma_table_info('secrets')", ""),
]
# The same, where the engine is not at hand.
AT_THE_GUARD: list[tuple[str, Dialect, str]] = [
    ("DBHub #349", "tsql", "SELECT 1 EXEC('DELETE FROM orders')"),
    ("DBHub #349", "tsql", "EXEC('DELETE FROM orders')"),
    ("DBHub #349", "tsql", "SELECT id INTO stolen FROM secrets"),
    ("mcp-clickhouse", "tsql", "SEL/**/ECT 1; DR/**/OP TABLE orders"),
    ("mcp-clickhouse", "trino", "/* SELECT */ DROP /* x */ TABLE orders"),
    ("mcp-clickhouse", "trino", "-- SELECT\nDROP TABLE orders"),
    ("Klavis Snowflake", "snowflake", "SELECT * FROM secrets"),
    ("Klavis Snowflake", "snowflake", "SELECT * FROM OTHER.PUBLIC.ORDERS"),
    ("Klavis Snowflake", "snowflake", "SELECT * FROM ORDERS, INFORMATION_SCHEMA.TABLES"),
    ("AgamiAI #157", "tsql", "SELECT * FROM [secrets]"),
    ("AgamiAI #157", "mysql", "SELECT * FROM `secrets`"),
    ("AgamiAI #157", "tsql", "SELECT o.id FROM orders o CROSS APPLY (SELECT token FROM [secrets]) s"),
    ("AgamiAI #157", "sqlite", "SELECT id FROM orders WHERE id IN secrets"),
    ("AgamiAI #157", "trino", 'SELECT * FROM "secrets"'),
    ("IBM i QCMDEXC", "oracle", "SELECT QCMDEXC('DLTLIB SHOP') FROM dual"),
    ("IBM i QCMDEXC", "tsql", "SELECT QSYS2.QCMDEXC('DLTLIB SHOP')"),
    ("IBM i QCMDEXC", "postgres", "SELECT QSYS2.QCMDEXC('DLTLIB SHOP')"),
]
POISONS = {
    "sqlite": ["PRAGMA query_only = 0", "CREATE TEMP VIEW orders AS SELECT 1", "ATTACH ':memory:' AS main2", "BEGIN"],
    "duckdb": [
        "SET VARIABLE x = 1",
        "CREATE TEMP VIEW orders AS SELECT 1",
        "CREATE OR REPLACE TEMP MACRO count(x) AS 7",
        "SET search_path = 'temp'",
        "USE temp",
        "BEGIN",
    ],
    "postgres": [
        "SET search_path = pg_temp",
        "SELECT set_config('search_path', 'pg_temp', false)",
        "CREATE TEMP VIEW orders AS SELECT 1",
        "SELECT pg_advisory_lock(1)",
        "PREPARE p AS SELECT 1",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "LISTEN gossip",
        "BEGIN",
    ],
    "mysql": [
        "SET @x = 1",
        "SELECT @x := 1",
        "SET sql_mode = 'ANSI_QUOTES'",
        "SET STATEMENT max_statement_time = 0 FOR SELECT 1",
        "CREATE TEMPORARY TABLE orders (id int)",
        "USE otherdb",
        "SELECT GET_LOCK('x', 1)",
        "BEGIN",
    ],
}
LOOKED_AT = ["SELECT count(*) FROM orders", "SELECT count(*) FROM products", "SELECT max(id) FROM customers"]


def load(request: pytest.FixtureRequest, engine: str) -> Shop:
    match engine:
        case "postgres":
            return PostgresShop.load(request.getfixturevalue("postgres_url"))
        case "mysql":
            return MariadbShop.load(request.getfixturevalue("mariadb_url"))
        case "duckdb":
            return DuckdbShop.load(request.getfixturevalue("tmp_path_factory").mktemp(engine))
        case _:
            return SqliteShop.load(request.getfixturevalue("tmp_path_factory").mktemp(engine))


@pytest.fixture(scope="module", params=["sqlite", "duckdb", "postgres", "mysql"])
def engine_and_shop(request: pytest.FixtureRequest) -> tuple[str, Shop]:
    return request.param, load(request, request.param)


async def code_of(governed: Governed, sql: str) -> str:
    """The code it is refused with, and nothing of what it reached for in the answer or the refusal."""
    try:
        answer = await governed.run_query(CALLER, sql=sql, max_rows=50, timeout_s=3.0)
    except PierheadError as refusal:
        told = f"{refusal.message} {refusal.hint}"
        return "told a canary" if any(canary in told for canary in CANARIES) else refusal.code
    return f"ran: {seen(answer)}"


async def test_published_statements_are_refused_and_change_nothing(engine_and_shop: tuple[str, Shop]) -> None:
    engine, shop = engine_and_shop
    tried = [entry for entry in ON_ENGINES if entry[1] == engine]
    assert tried
    before = shop.state()
    governed = source(shop)
    await governed.open()
    codes = [(name, sql, await code_of(governed, sql), code) for name, _, sql, code in tried]
    await governed.close()
    assert [
        entry for entry in codes if entry[2].startswith(("ran", "told")) or (entry[3] and entry[2] != entry[3])
    ] == []
    assert shop.state() == before


@pytest.mark.parametrize(("name", "dialect", "sql"), AT_THE_GUARD)
async def test_published_statements_are_refused_in_their_dialect(name: str, dialect: Dialect, sql: str) -> None:
    with pytest.raises(SqlRefused):
        govern(sql, analyst_view(dialect), max_rows=50)
    allowed = govern("SELECT id FROM orders", analyst_view(dialect), max_rows=50)
    assert [table.name.lower() for table in allowed.tables] == ["orders"], name


async def test_an_unqualified_name_means_the_table_of_the_list_and_no_other() -> None:
    """Klavis: a list of qualified names did not hold for a bare one. Here the bare name is written out in full."""
    view = analyst_view("snowflake")
    assert '"SHOP"."PUBLIC"."ORDERS"' in govern("SELECT id FROM orders", view, max_rows=5).sql
    nothing = View("snowflake", "SHOP", "PUBLIC", ())
    with pytest.raises(SqlRefused):
        govern("SELECT id FROM orders", nothing, max_rows=5)


async def test_a_pooled_session_is_not_poisoned(engine_and_shop: tuple[str, Shop]) -> None:
    """Set a variable, a temporary view, a setting; return the connection; acquire it; look."""
    engine, shop = engine_and_shop
    governed = source(shop)
    await governed.open()
    before = [await code_of(governed, sql) for sql in LOOKED_AT]
    assert all(outcome.startswith("ran") for outcome in before)
    for poison in POISONS[engine]:
        assert not (await code_of(governed, poison)).startswith("ran"), poison
        for _ in range(3):
            assert [await code_of(governed, sql) for sql in LOOKED_AT] == before, poison
    await governed.close()


async def test_a_table_name_is_looked_up_and_never_put_into_a_statement(engine_and_shop: tuple[str, Shop]) -> None:
    """mcp-server-sqlite #3314: the name of a table was put into PRAGMA as text."""
    _, shop = engine_and_shop
    before = shop.state()
    governed = source(shop)
    await governed.open()
    for name in ("orders); DROP TABLE orders; --", "secrets", "orders' OR '1'='1", 'orders"', "sqlite_master"):
        with pytest.raises(PierheadError) as refusal:
            await governed.describe_table(CALLER, table=name, columns_like="", sample_rows=1)
        assert refusal.value.code == "unknown-table"
    await governed.close()
    assert shop.state() == before


async def test_the_schema_answer_follows_the_role(tmp_path: Path) -> None:
    """Data API Builder #2954: the schema answer was the same for every role."""
    roles = {
        "narrow": {
            "groups": ["analysts"],
            "tables": {"customers": {"operations": ["read"], "columns": {"include": ["id"]}}},
        },
        "wide": {"groups": ["chiefs"], "tables": {"secrets": {"operations": ["read"]}}},
    }
    shop = SqliteShop.load(tmp_path)
    async with serving(f"sqlite:///{shop.file}", roles) as site, site.client() as http:
        for path in ("/api/v1/", "/api/v1/_schema", "/api/v1/_schema/customers", "/openapi.json"):
            answer = await http.get(path)
            assert answer.status_code == 200, path
            assert "customers" in answer.text
            for hidden in ("secrets", '"token', "email", "region", "orders", "wide"):
                assert hidden not in answer.text, (path, hidden)
            asked = await http.get(path, headers={"pierhead-role": "wide"})
            nobody = await http.get(path, headers={"pierhead-role": "none"})
            assert asked.status_code == nobody.status_code == 403
            assert asked.text.replace("wide", "none").count("none") == nobody.text.count("none")
        hidden_one, absent = await http.get("/api/v1/_schema/secrets"), await http.get("/api/v1/_schema/nothing")
        assert hidden_one.status_code == absent.status_code
        assert hidden_one.json()["code"] == absent.json()["code"]
        async with site.client("bob", ("chiefs",)) as chief:
            assert "secrets" in (await chief.get("/api/v1/_schema")).text
            assert "customers" not in (await chief.get("/api/v1/_schema")).text


@pytest.fixture
async def orders(tmp_path: Path) -> AsyncIterator[tuple[Shop, httpx2.AsyncClient]]:
    shop = SqliteShop.load(tmp_path)
    async with serving(f"sqlite:///{shop.file}", WRITER) as site, site.client() as http:
        yield shop, http


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET"])
@pytest.mark.parametrize(
    "text",
    [
        "1=1",
        "id = 1 OR 1=1",
        "id = 1) OR (1 = 1",
        "id = 1; DROP TABLE orders",
        "id = 1 -- ",
        "id = (SELECT max(id) FROM secrets)",
        "id IN (SELECT id FROM secrets)",
        "EXISTS (SELECT 1)",
        "id = 1 UNION SELECT token FROM secrets",
    ],
)
async def test_filter_text_never_reaches_the_where(
    orders: tuple[Shop, httpx2.AsyncClient], method: str, text: str
) -> None:
    """Faucet: the text of `PUT ?filter=` became part of the statement."""
    shop, http = orders
    before = shop.state()
    body = {} if method in ("GET", "DELETE") else {"json": {"resource": [{"id": 1, "qty": 99}]}}
    for base in ("/api/v1/shop/_table/orders", "/api/v1/orders"):
        answer = await http.request(method, base, params={"filter": text}, **body)
        assert 400 <= answer.status_code < 500, (base, answer.status_code, answer.text)
        assert not [canary for canary in CANARIES if canary in answer.text]
    assert shop.state() == before


async def test_a_filter_of_alternatives_and_ids_must_both_hold(orders: tuple[Shop, httpx2.AsyncClient]) -> None:
    """Faucet: `a OR b AND id IN (...)` without parentheses reached rows that were not meant."""
    _, http = orders
    given = {"filter": "id = 3 OR id = 4", "ids": "4,5"}
    table = "/api/v1/shop/_table/orders"
    assert (await http.get(table, params={**given, "fields": "id"})).json()["resource"] == [{"id": 4}]
    changed = await http.patch(table, params=given, json={"resource": [{"qty": 77}]})
    assert changed.status_code == 200
    left = (await http.get(table, params={"filter": "qty = 77", "fields": "id"})).json()["resource"]
    assert left == [{"id": 4}]
    assert (await http.delete(table, params=given)).headers["pierhead-affected"] == "1"
    native = await http.get("/api/v1/orders", params={"or": "(id.eq.5,id.eq.6)", "id": "in.(6,7)", "select": "id"})
    assert native.json() == [{"id": 6}]


async def test_filters_stand_beside_the_row_rule_in_parentheses(tmp_path: Path) -> None:
    """The same hole against a row rule: an alternative of the caller's would open the rule."""
    rule = {"operations": ["read", "update", "delete"], "rows": "id.lte.10"}
    roles = {"clerk": {"approval": "none", "tables": {"orders": rule}}}
    shop = SqliteShop.load(tmp_path)
    async with serving(f"sqlite:///{shop.file}", roles) as site, site.client() as http:
        params = {"filter": "id = 3 OR id = 4000 OR qty > 0", "fields": "id", "order": "id DESC", "limit": "1"}
        found = (await http.get("/api/v1/shop/_table/orders", params=params)).json()["resource"]
        assert found == [{"id": 10}]
        gone = await http.delete("/api/v1/orders", params={"or": "(id.eq.3,id.gt.4000)"})
        assert gone.headers["pierhead-affected"] == "1"
