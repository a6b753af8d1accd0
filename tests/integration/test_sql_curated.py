"""Curated queries on real engines: one tool and one route each, for their roles alone, under the role's own rules."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from tests.integration.sql_shops import PostgresShop, Shop, SqliteShop
from tests.integration.test_rest_statements import address
from tests.rigs.rest import Site, serving

from pierhead.core.errors import Misconfigured
from pierhead.sdk.database import DatabaseChoice
from pierhead.sdk.testing import platform
from pierhead.servers.sql import build
from pierhead.servers.sql.database import SqlDatabase

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

ROLES: dict[str, Any] = {
    "analyst": {"groups": ["analysts"], "tables": ["orders", "products", "customers"], "operations": ["read"]},
    "desk": {
        "groups": ["desk"],
        "sql": False,
        "tables": {
            "customers": {
                "operations": ["read"],
                "columns": {"exclude": ["email"], "mask": {"name": "const:hidden"}},
                "rows": "region.eq.EMEA",
            }
        },
        "limits": {"rows": 2},
    },
}
QUERIES: dict[str, Any] = {
    "customers_of": {
        "sql": "SELECT id, name, region FROM customers WHERE region = :region AND id >= :least ORDER BY id",
        "description": "Customers of one region.",
        "parameters": {
            "region": {"type": "text", "description": "EMEA, APAC, ..."},
            "least": {"type": "integer", "default": 0},
        },
        "roles": ["analyst", "desk"],
    },
    "typed": {
        "sql": "SELECT id FROM products WHERE price > :low AND :yes AND :day = :day AND :moment = :moment ORDER BY id",
        "description": "Products above a price.",
        "parameters": {
            "low": {"type": "number"},
            "yes": {"type": "boolean", "default": True},
            "day": {"type": "date", "default": "2026-01-31"},
            "moment": {"type": "timestamp", "default": "2026-01-31T10:00:00Z"},
        },
        "roles": ["analyst"],
    },
}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    if request.param == "postgres":
        return PostgresShop.load(request.getfixturevalue("postgres_url"))
    return SqliteShop.load(tmp_path_factory.mktemp("shop"))


@pytest.fixture
async def site(shop: Shop) -> AsyncIterator[Site]:
    async with serving(address(shop), ROLES, queries=QUERIES) as site:
        yield site


def entry(shop: Shop, **more: Any) -> dict[str, Any]:
    settings = {"owner": "data", "support": "#data", "url": address(shop), "roles": ROLES, "queries": QUERIES}
    return {**settings, **more}


async def call(http: httpx2.AsyncClient, name: str, body: object) -> httpx2.Response:
    return await http.post(f"/api/v1/_rpc/{name}", json=body)


async def test_a_query_is_a_tool_with_a_closed_schema_for_its_roles_alone(shop: Shop) -> None:
    async with platform(build("shop", entry(shop)), access="everyone") as running:
        async with running.client("ann", ["analysts"]) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            answered = await client.call_tool("customers_of", {"region": "EMEA", "least": 3})
            unknown = await client.call_tool("customers_of", {"region": "EMEA", "limit": 3})
            mistyped = await client.call_tool("customers_of", {"region": "EMEA", "least": "3"})
        async with running.client("bob", ["desk"]) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
    schema = tools["customers_of"].input_schema
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["region"]
    assert schema["properties"]["region"] == {"type": "string", "description": "EMEA, APAC, ..."}
    assert tools["customers_of"].output_schema == tools["run_query"].output_schema
    assert answered.structured_content is not None
    assert {row[2] for row in answered.structured_content["rows"]} == {"EMEA"}
    assert min(row[0] for row in answered.structured_content["rows"]) >= 3
    assert unknown.is_error
    assert mistyped.is_error
    assert "typed" in tools
    assert names.isdisjoint({"typed", "run_query"})
    assert "customers_of" in names


async def test_masks_row_rules_and_limits_of_the_role_hold(site: Site) -> None:
    async with site.client() as http:
        seen = (await call(http, "customers_of", {"region": "APAC"})).json()
    async with site.client("bob", ("desk",)) as http:
        hidden = await call(http, "customers_of", {"region": "APAC"})
        own = await call(http, "customers_of", {"region": "EMEA"})
        refused = await http.post("/api/v1/_sql", json={"sql": QUERIES["customers_of"]["sql"]})
        other = await call(http, "typed", {"low": 1})
    assert len(seen) > 2
    assert hidden.json() == []
    assert [row["name"] for row in own.json()] == ["hidden", "hidden"]
    assert own.headers["pierhead-truncated"] == "rows"
    assert refused.status_code in (403, 404)
    assert (other.status_code, other.json()["title"]) == (404, (await _nothing(site)).json()["title"])


async def _nothing(site: Site) -> httpx2.Response:
    async with site.client("bob", ("desk",)) as http:
        return await call(http, "no_such_query", {})


async def test_parameters_are_typed_and_bound(site: Site) -> None:
    async with site.client() as http:
        every = (await call(http, "typed", {"low": 190})).json()
        given = {"low": 190.5, "yes": True, "day": "2026-02-01", "moment": "2026-02-01T00:00:00"}
        fewer = (await call(http, "typed", given)).json()
        injected = await call(http, "customers_of", {"region": "x' OR '1'='1"})
        faults = [
            await call(http, "typed", body)
            for body in ({}, {"low": "1"}, {"low": 1, "day": "soon"}, {"low": 1, "more": 1}, [1], {"low": None})
        ]
    assert every
    assert len(fewer) <= len(every)
    assert injected.json() == []
    assert [fault.status_code for fault in faults] == [400] * len(faults)


async def test_only_queries_are_called_by_name_and_only_by_post(site: Site) -> None:
    async with site.client() as http:
        assert (await call(http, "run_query", {"sql": "SELECT 1"})).status_code == 404
        assert (await http.get("/api/v1/_rpc/typed")).status_code == 405
        streamed = await http.post("/api/v1/_rpc/typed", json={"low": 190}, headers={"accept": "text/csv"})
    assert streamed.text.splitlines()[0] == "id"


async def test_each_role_reads_of_its_own_queries_in_openapi(site: Site) -> None:
    async with site.client() as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
    async with site.client("bob", ("desk",)) as http:
        fewer = (await http.get("/openapi.json")).json()["paths"]
        page = await http.get("/docs")
    body = paths["/_rpc/typed"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["low"]
    assert "/_rpc/customers_of" in fewer
    assert "/_rpc/typed" not in fewer
    assert "/_rpc/customers_of" in page.text


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"sql": "SELECT token FROM secrets"}, "as role desk"),
    ({"sql": "SELECT email FROM customers"}, "as role desk"),
    ({"sql": "DELETE FROM customers"}, "as role desk"),
    ({"sql": "EXPLAIN SELECT id FROM customers"}, "EXPLAIN gives no rows"),
    ({"sql": "SELECT id FROM customers WHERE id = :other"}, ":other, which is no parameter"),
    ({"parameters": {"spare": {"type": "text"}}}, "does not use the parameter spare"),
]


async def test_a_query_that_a_role_could_not_run_does_not_load(shop: Shop) -> None:
    for changed, said in FAULTS:
        query = {"sql": "SELECT id FROM customers", "description": "Some.", "roles": ["desk"], **changed}
        database = SqlDatabase(DatabaseChoice("shop", address(shop), ROLES, queries={"some": query}))
        with pytest.raises(Misconfigured) as refused:
            await database.open()
        await database.close()
        assert "queries.some" in refused.value.message
        assert said in refused.value.message


async def test_roles_that_would_break_a_query_are_not_put_in_force(shop: Shop) -> None:
    database = SqlDatabase(DatabaseChoice("shop", address(shop), {}, queries=QUERIES))
    await database.open()
    try:
        database.use_roles(ROLES)
        blind = {**ROLES["desk"], "tables": {"products": {"operations": ["read"]}}}
        with pytest.raises(Misconfigured, match=r"queries\.customers_of, as role desk"):
            database.use_roles({**ROLES, "desk": blind})
        with pytest.raises(Misconfigured, match="there is no role analyst"):
            database.use_roles({"desk": ROLES["desk"]})
        assert database.tables("desk") == ("customers",)
    finally:
        await database.close()
