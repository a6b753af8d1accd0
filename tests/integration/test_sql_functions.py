"""Granted functions on real engines: in statements by their bare name, by name with arguments, and attacks on both."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import pytest
from tests.integration.sql_shops import DuckdbShop, MariadbShop, PostgresShop, Shop, SqliteShop
from tests.rigs.rest import Site, serving

from pierhead.core.errors import Misconfigured
from pierhead.sdk.database import DatabaseChoice
from pierhead.sdk.testing import platform
from pierhead.servers.sql import build
from pierhead.servers.sql.database import SqlDatabase

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

# `net` reads a table that no role may read: that is what a grant of it means.
POSTGRES = """
CREATE SCHEMA pricing; CREATE SCHEMA evil;
CREATE TABLE pricing.rates (region text PRIMARY KEY, rate numeric NOT NULL);
INSERT INTO pricing.rates VALUES ('EMEA', 0.2), ('APAC', 0.1);
CREATE FUNCTION public.net(price numeric, region text DEFAULT 'EMEA') RETURNS numeric STABLE LANGUAGE sql
  AS 'SELECT round(price * (1 - r.rate), 2) FROM pricing.rates r WHERE r.region = net.region';
COMMENT ON FUNCTION public.net IS 'The price without its discount.';
CREATE FUNCTION public.doubled(n integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN n * 2; END';
CREATE FUNCTION public.cheapest(most integer) RETURNS TABLE (id integer, name text) STABLE LANGUAGE sql
  AS 'SELECT p.id, p.name::text FROM public.products p ORDER BY p.price, p.id LIMIT most';
CREATE FUNCTION public.raise_rate(region text, by numeric) RETURNS numeric VOLATILE LANGUAGE sql
  AS 'UPDATE pricing.rates r SET rate = r.rate + by WHERE r.region = raise_rate.region RETURNING r.rate';
CREATE FUNCTION public.owned(n integer) RETURNS text STABLE SECURITY DEFINER SET search_path = pg_catalog LANGUAGE sql
  AS 'SELECT token FROM public.secrets WHERE id = n';
CREATE FUNCTION public.many(VARIADIC n integer[]) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT cardinality(n)';
CREATE FUNCTION public.either(a integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION public.either(a text) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION public.whatever(a anyelement) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT a::text';
CREATE FUNCTION public.unnamed(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION public.lower(a text) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'hijacked'$$;
CREATE FUNCTION evil.doubled(n integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT -1';
CREATE FUNCTION evil.hidden(n integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT -1';
CREATE FUNCTION public.round(a numeric, b integer) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT -1.0';
CREATE PROCEDURE public.tidied() LANGUAGE sql AS 'DELETE FROM public.secrets';
"""
MARIADB = """
CREATE OR REPLACE FUNCTION net(price decimal(12,2), region varchar(20)) RETURNS decimal(12,2)
  DETERMINISTIC READS SQL DATA SQL SECURITY INVOKER RETURN round(price * IF(region = 'EMEA', 0.8, 0.9), 2);
CREATE OR REPLACE FUNCTION doubled(n int) RETURNS int DETERMINISTIC NO SQL SQL SECURITY INVOKER RETURN n * 2;
CREATE OR REPLACE FUNCTION owned(n int) RETURNS varchar(100) READS SQL DATA
  RETURN (SELECT token FROM secrets WHERE id = n);
CREATE OR REPLACE FUNCTION liar(n int) RETURNS int DETERMINISTIC READS SQL DATA SQL SECURITY INVOKER
  BEGIN DELETE FROM secrets; RETURN 1; END;
CREATE OR REPLACE TABLE calls (n int) ENGINE=InnoDB;
CREATE OR REPLACE FUNCTION noted(n int) RETURNS int MODIFIES SQL DATA SQL SECURITY INVOKER
  BEGIN INSERT INTO calls VALUES (n); RETURN n; END;
"""
DUCKDB = (
    "CREATE MACRO net(price, region := 'EMEA') AS round(price * CASE region WHEN 'EMEA' THEN 0.8 ELSE 0.9 END, 2)",
    "CREATE MACRO doubled(n) AS n * 2",
    "CREATE MACRO cheapest(most) AS TABLE SELECT id, name FROM products ORDER BY price, id LIMIT most",
    "CREATE SCHEMA evil",
    "CREATE MACRO evil.doubled(n) AS -1",
    "CREATE MACRO either(a) AS 1, (a, b) AS 2",
    "CREATE MACRO lower(a) AS 'hijacked'",
    "CREATE MACRO secrets_of(a) AS (SELECT max(token) FROM secrets)",
)
TABLES = {"products": {"operations": ["read"]}, "orders": {"operations": ["read"], "rows": "status.eq.paid"}}
PURE = {"net": {"operations": ["read", "call"]}, "doubled": {"operations": ["read", "call"]}}


def roles(functions: Any, **more: Any) -> dict[str, Any]:
    return {"analyst": {"tables": TABLES, "functions": functions, **more}}


def postgres_shop(url: str) -> PostgresShop:
    shop = PostgresShop.load(url)
    shop._psql(shop.url, POSTGRES)
    return shop


def duckdb_shop(folder: Path) -> DuckdbShop:
    shop = DuckdbShop.load(folder)
    with duckdb.connect(str(shop.file)) as connection:
        for statement in DUCKDB:
            connection.execute(statement)
    return shop


def mariadb_shop(url: str) -> MariadbShop:
    shop = MariadbShop.load(url)
    shop.run("DELIMITER //\n" + MARIADB.replace(";\nCREATE", "//\nCREATE").rstrip().removesuffix(";") + "//\n")
    return shop


def address(shop: Shop) -> str:
    match shop:
        case PostgresShop(url) | MariadbShop(url):
            return url
        case DuckdbShop(file):
            return f"duckdb:///{file}"
        case SqliteShop(file):
            return f"sqlite:///{file}"
        case _:
            raise AssertionError


@pytest.fixture(scope="module", params=["postgres", "duckdb", "mysql"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    match request.param:
        case "postgres":
            return postgres_shop(request.getfixturevalue("postgres_url"))
        case "mysql":
            return mariadb_shop(request.getfixturevalue("mariadb_url"))
        case _:
            return duckdb_shop(tmp_path_factory.mktemp("functions"))


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> PostgresShop:
    return postgres_shop(postgres_url)


@pytest.fixture
async def site(shop: Shop) -> AsyncIterator[Site]:
    async with serving(address(shop), roles(PURE)) as site:
        yield site


async def ask(site: Site, sql: str) -> Any:
    async with site.client() as http:
        answer = await http.post("/api/v1/_sql", json={"sql": sql})
    return answer.json()


async def call(site: Site, name: str, body: object, **headers: str) -> httpx2.Response:
    async with site.client() as http:
        return await http.post(f"/api/v1/_rpc/{name}", json=body, headers=headers)


async def test_a_granted_function_stands_in_statements_by_its_bare_name(site: Site) -> None:
    rows = await ask(
        site,
        "SELECT id, doubled(id) AS d, net(price, 'EMEA') AS n FROM products WHERE doubled(id) > 4 "
        "ORDER BY doubled(id), id LIMIT 3",
    )
    assert [row["d"] for row in rows] == [row["id"] * 2 for row in rows]
    assert all(row["n"] is not None for row in rows)
    assert (await ask(site, "SELECT sum(doubled(qty)) AS s FROM orders"))[0]["s"] is not None
    assert sorted(site.finished().details["functions"]) == sorted(
        each for each in site.finished().details["functions"] if each.endswith(".doubled")
    )


async def test_a_function_that_was_not_granted_is_unknown(site: Site) -> None:
    for sql in ("SELECT owned(1)", "SELECT secrets_of(1)", "SELECT hidden(1)", "SELECT noted(1)", "SELECT nothing(1)"):
        refused = await ask(site, sql)
        assert refused["code"] == "unknown-function", sql
        assert "net, doubled" in refused["hint"]


async def test_a_function_is_called_by_name_with_typed_arguments(site: Site) -> None:
    answer = await call(site, "doubled", {"n": 21})
    assert (answer.status_code, answer.json()) == (200, [{"doubled": 42}])
    finished = site.finished()
    assert (finished.outcome, finished.details["functions"], finished.details["operation"]) == (
        "ok",
        ["doubled"],
        "call",
    )
    priced = await call(site, "net", {"price": 10, "region": "APAC"})
    assert float(priced.json()[0]["net"]) == 9
    csv = await call(site, "doubled", {"n": 3}, accept="text/csv")
    assert csv.text.split() == ["doubled", "6"]
    refused = await call(site, "net", {"n": 1, "m": 2})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad-arguments"), refused.text
    assert "region" in refused.json()["hint"]
    # DuckDB does not tell which parameters have a default: there the engine refuses
    missing = await call(site, "net", {})
    assert missing.json()["code"] in ("bad-arguments", "statement-failed")


async def test_what_is_not_granted_to_call_reads_as_what_is_not_there(shop: Shop) -> None:
    """Also without any function that may be called: then there is no such route."""
    async with serving(address(shop), roles({**PURE, "net": {"operations": ["read"]}})) as site:
        answers = [await call(site, name, {}) for name in ("net", "owned", "nothing")]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["code"] for answer in answers} == {"no-such-function"}
    assert {answer.json()["hint"] for answer in answers} == {"your role may call: doubled"}
    async with serving(address(shop), roles(["net"])) as site:
        assert (await call(site, "net", {"price": 1})).status_code == 404


async def test_tools_and_documents_are_those_of_the_role(shop: Shop) -> None:
    entry = {"owner": "data", "support": "#data", "url": address(shop)}
    async with (
        platform(build("shop", {**entry, "roles": roles(PURE)}), access="everyone") as running,
        running.client("ann") as client,
    ):
        tools = {tool.name for tool in (await client.list_tools()).tools}
        answer = (
            await client.call_tool("call_function", {"function": "doubled", "arguments": {"n": 4}})
        ).structured_content
    assert "call_function" in tools
    assert answer["rows"] == [[8]]
    for other in (roles(["net"]), roles(PURE)):
        more: Mapping[str, Any] = {"read_only": True} if other == roles(PURE) else {}
        async with (
            platform(build("shop", {**entry, "roles": other, **more}), access="everyone") as running,
            running.client("ann") as client,
        ):
            assert "call_function" not in {tool.name for tool in (await client.list_tools()).tools}
    async with serving(address(shop), roles(PURE)) as site, site.client() as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
    assert {path for path in paths if path.startswith("/_rpc/")} == {"/_rpc/net", "/_rpc/doubled"}
    schema = paths["/_rpc/net"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"price", "region"}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT main.doubled(1)",
        "SELECT public.doubled(1)",
        "SELECT evil.doubled(1)",
        "SELECT shop.doubled(1)",
        "SELECT doubled(n => 1)",
        "SELECT doubled(n := 1)",
        "SELECT doubled(DISTINCT 1)",
        "SELECT doubled(*)",
        "SELECT doubled(VARIADIC ARRAY[1])",
        "SELECT doubled(1, 2)",
        "SELECT doubled()",
        "SELECT * FROM doubled(1)",
        "SELECT doubled(p.*) FROM products p",
        "SELECT * FROM products, LATERAL doubled(1) x",
        "SELECT doubled(1 ORDER BY 1)",
        'SELECT "Doubled"(1) FROM products WHERE 1 = (SELECT net())',
    ],
)
async def test_other_ways_to_call_are_refused(site: Site, sql: str) -> None:
    assert "code" in await ask(site, sql), sql


async def test_a_function_that_may_fail_meets_no_hidden_row(postgres: PostgresShop) -> None:
    """Orders that are not paid are hidden; a function that fails for them must never see them."""
    postgres._psql(
        postgres.url,
        """
CREATE OR REPLACE FUNCTION public.picky(s text) RETURNS integer IMMUTABLE COST 1 LANGUAGE plpgsql
AS $$BEGIN IF s <> 'paid' THEN RAISE EXCEPTION 'seen %', s; END IF; RETURN 1; END$$""",
    )
    async with serving(postgres.url, roles(["picky"])) as site:
        for sql in (
            "SELECT count(*) AS n FROM orders WHERE picky(status) = 1",
            "SELECT count(*) AS n FROM orders o JOIN products p ON picky(o.status) = 1 AND p.id = o.product_id",
        ):
            assert (await ask(site, sql))[0]["n"] > 0, sql


async def test_a_volatile_function_runs_only_where_it_is_called_and_a_person_may_be_asked(
    postgres: PostgresShop,
) -> None:
    rates = "SELECT rate FROM pricing.rates WHERE region = 'EMEA'"
    granted = {"raise_rate": {"operations": ["call"], "approval": "none"}}
    before = postgres._psql(postgres.url, rates)
    async with serving(postgres.url, roles(granted)) as site:
        assert (await ask(site, "SELECT raise_rate('EMEA', 1)"))["code"] == "unknown-function"
        refused = await call(site, "raise_rate", {"region": "EMEA", "by": "much"})
        assert refused.json()["code"] == "bad-value"
        assert postgres._psql(postgres.url, rates) == before
        done = await call(site, "raise_rate", {"region": "EMEA", "by": "0.05"})
        assert (done.status_code, done.json()) == (200, [{"raise_rate": "0.25"}])
    assert postgres._psql(postgres.url, rates).strip() == "0.25"
    async with serving(postgres.url, roles({"raise_rate": {"operations": ["call"]}})) as site:
        waiting = await call(site, "raise_rate", {"region": "EMEA", "by": "0.05"})
        assert waiting.status_code in (202, 403), waiting.text
    assert postgres._psql(postgres.url, rates).strip() == "0.25"
    postgres._psql(postgres.url, "UPDATE pricing.rates SET rate = 0.2 WHERE region = 'EMEA'")


async def test_rows_of_a_function_come_as_rows(postgres: PostgresShop, tmp_path: Path) -> None:
    for each in (postgres, duckdb_shop(tmp_path)):
        async with serving(address(each), roles({"cheapest": {"operations": ["call"]}}, limits={"rows": 2})) as site:
            answer = await call(site, "cheapest", {"most": 5})
        assert answer.status_code == 200, answer.text
        assert [set(row) for row in answer.json()] == [{"id", "name"}] * 2
        assert answer.headers["pierhead-truncated"] == "rows"


async def test_a_macro_reads_what_stands_in_it(tmp_path: Path) -> None:
    async with serving(address(duckdb_shop(tmp_path)), roles({"secrets_of": {"operations": ["read", "call"]}})) as site:
        assert (await ask(site, "SELECT secrets_of(id) AS t FROM products LIMIT 1"))[0]["t"]
        assert (await call(site, "secrets_of", {"a": 1})).json()[0]["secrets_of"]
        assert (await ask(site, "SELECT token FROM secrets"))["code"] == "unknown-table"


async def test_the_script_of_a_lesser_login_grants_what_the_roles_call(postgres: PostgresShop) -> None:
    database = SqlDatabase(DatabaseChoice("shop", postgres.url, roles(PURE)))
    await database.open()
    script = database.grant_script()
    await database.close()
    assert 'GRANT EXECUTE ON FUNCTION "public"."net"(numeric, text) TO pierhead_reader;' in script


async def test_what_a_function_reads_is_confirmed_and_nothing_beside(postgres: PostgresShop) -> None:
    """A function in SQL is planned into the statement: then the planner names what it reads, and does not disagree."""
    async with serving(postgres.url, roles(PURE)) as site:
        assert (await ask(site, "SELECT net(10.0) AS n"))[0]["n"] == "8.00"
        assert (await ask(site, "SELECT rate FROM pricing.rates"))["code"] == "unknown-table"
        assert (await call(site, "net", {"price": 10})).json() == [{"net": "8.00"}]


async def test_a_search_path_changes_nothing(postgres: PostgresShop) -> None:
    """Neither the database's own path nor a function of the system's name in the default schema takes a call over."""
    postgres._psql(postgres.url, "ALTER DATABASE shop SET search_path = evil, public, pg_catalog")
    try:
        async with serving(postgres.url, roles([*PURE, "lower"])) as site:
            told = await ask(site, "SELECT doubled(4) AS d, lower('ABC') AS l, round(1.25, 1) AS r")
            assert told == [{"d": 8, "l": "abc", "r": "1.3"}]
            assert (await ask(site, "SELECT set_config('search_path', 'evil', false)"))["code"] == "unknown-function"
    finally:
        postgres._psql(postgres.url, "ALTER DATABASE shop RESET search_path")


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        (["nothing"], "the source has no such function"),
        (["pg_sleep"], "the source has no such function"),
        (["pg_catalog.pg_sleep"], "the source has no such function"),
        (["n*"], "the source has no such function"),
        (["hidden"], "the source has no such function"),
        (["owned"], "grant it as public.owned"),
        (["many"], "any number of arguments"),
        (["either"], "several functions of this name"),
        (["whatever"], "pseudo-type"),
        (["unnamed"], "no names of their own"),
        (["tidied"], "no plain function"),
        (["raise_rate"], "it is volatile"),
        ({"raise_rate": {"operations": ["read", "call"]}}, "it is volatile"),
        ({"net": {}}, "it needs operations"),
        (["doubled", "evil.doubled"], "is granted from 2 schemas"),
    ],
)
async def test_what_cannot_be_granted_does_not_load(postgres: PostgresShop, functions: Any, said: str) -> None:
    database = SqlDatabase(DatabaseChoice("shop", postgres.url, roles(functions), is_read_only=False))
    try:
        with pytest.raises(Misconfigured, match=said):
            await database.open()
    finally:
        await database.close()


async def test_a_function_with_its_owners_rights_is_granted_in_full(postgres: PostgresShop) -> None:
    async with serving(postgres.url, roles(["public.owned"])) as site:
        assert (await ask(site, "SELECT owned(1) AS t"))[0]["t"]


async def test_a_function_of_another_schema_is_reached_by_its_grant_alone(postgres: PostgresShop) -> None:
    granted = {"evil.hidden": {"operations": ["read", "call"]}}
    async with serving(postgres.url, roles(granted)) as site:
        assert (await ask(site, "SELECT hidden(1) AS h")) == [{"h": -1}]
        assert (await call(site, "evil.hidden", {"n": 1})).json() == [{"hidden": -1}]
        assert (await call(site, "hidden", {"n": 1})).status_code == 404


async def test_a_schema_that_changes_takes_the_grant_with_it(postgres: PostgresShop) -> None:
    postgres._psql(
        postgres.url, "CREATE FUNCTION public.passing(n integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 1'"
    )
    database = SqlDatabase(DatabaseChoice("shop", postgres.url, roles(["passing"])))
    await database.open()
    try:
        acting = database._source.ground.roles["analyst"]
        assert set(acting.functions) == {"passing"}
        postgres._psql(
            postgres.url, "CREATE FUNCTION public.passing(n text) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT 2'"
        )
        await database.refresh()
        acting = database._source.ground.roles["analyst"]
        assert acting.functions == {}
        assert acting.view.functions == ()
    finally:
        await database.close()
        postgres._psql(postgres.url, "DROP FUNCTION public.passing(integer); DROP FUNCTION public.passing(text)")


async def test_mariadb_refuses_a_function_that_writes_whatever_it_declares(mariadb_url: str) -> None:
    shop = mariadb_shop(mariadb_url)
    before = shop.state()
    granted = {"liar": {"operations": ["read", "call"]}, "noted": {"operations": ["call"], "approval": "none"}}
    async with serving(shop.url, roles(granted)) as site:
        assert "code" in await ask(site, "SELECT liar(1)")
        assert (await call(site, "liar", {"n": 1})).status_code >= 400
        assert shop.state() == before
        assert (await call(site, "noted", {"n": 7})).json() == [{"noted": 7}]
        assert "code" in await ask(site, "SELECT noted(1)")
    assert shop.run("SELECT n FROM calls") == "7\n"
    with pytest.raises(Misconfigured, match=r"grant it as shop\.owned"):
        await _opened(shop.url, ["owned"])
    await _opened(shop.url, ["shop.owned"])


async def test_engines_without_functions_grant_none(tmp_path: Path) -> None:
    shop = SqliteShop.load(tmp_path)
    with pytest.raises(Misconfigured, match="no such function"):
        await _opened(f"sqlite:///{shop.file}", ["lower"])


async def _opened(url: str, functions: Any) -> None:
    database = SqlDatabase(DatabaseChoice("shop", url, roles(functions), is_read_only=False))
    try:
        await database.open()
    finally:
        await database.close()
