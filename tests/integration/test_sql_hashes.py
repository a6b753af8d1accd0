"""Columns masked by `hash` on real engines: keyed digests, the same wherever a value stands, and no way round them."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.integration.related_shops import CANARY, READ, load
from tests.integration.sql_shops import Shop, loaded
from tests.integration.test_sql_functions import address
from tests.rigs.rest import Site, serving

from pierhead.sdk.testing import platform
from pierhead.servers.sql import build

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

MASK = {"mask": {"email": "hash", "region": "hash"}}
ROLES: dict[str, Any] = {
    "support": {
        "groups": ["analysts"],
        "tables": {
            "customers": {"operations": ["read", "update"], "columns": MASK, "approval": "none"},
            "orders": {"operations": ["read"]},
        },
    },
    "all": {"groups": ["owners"], "tables": ["customers"], "operations": ["read"]},
}
KEY = b"k" * 32


@pytest.fixture(scope="module", params=["sqlite", "duckdb", "postgres", "mysql"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return loaded(request, tmp_path_factory.mktemp("hashes"))


@pytest.fixture
async def site(shop: Shop) -> AsyncIterator[Site]:
    async with serving(address(shop), ROLES, key=KEY) as site:
        yield site


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    async with site.client() as client:
        yield client


@pytest.fixture
async def owner(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """Whoever sees everything: what the digests are compared with."""
    async with site.client("olga", ("owners",)) as client:
        yield client


def digest(value: str) -> str:
    return hmac.new(KEY, value.encode(), hashlib.sha256).hexdigest()[:32]


async def get(http: httpx2.AsyncClient, path: str) -> Any:
    answer = await http.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_value_is_the_same_digest_wherever_it_stands(
    http: httpx2.AsyncClient, owner: httpx2.AsyncClient
) -> None:
    plain = {row["id"]: row for row in await get(owner, "customers?order=id&limit=9")}
    seen = await get(http, "customers?order=id&limit=9")
    assert [row["email"] for row in seen] == [
        None if plain[row["id"]]["email"] is None else digest(plain[row["id"]]["email"]) for row in seen
    ]
    assert len({row["region"] for row in seen}) == len({row["region"] for row in plain.values()})
    csv = await http.get("/api/v1/customers?select=email&order=id", headers={"accept": "text/csv"})
    assert csv.text.splitlines()[1] == seen[0]["email"]


@pytest.mark.parametrize(
    "query",
    [
        "email=eq.c1@example.com",
        "email=is.null",
        "order=email",
        "select=email,count()",
        "select=email.max()",
        "select=email.count()",
        "select=email::int",
        "select=email::text",
        "select=email->a",
        "or=(id.eq.1,email.like.c*)",
    ],
)
async def test_it_is_selected_and_nothing_else(http: httpx2.AsyncClient, query: str) -> None:
    answer = await http.get(f"/api/v1/customers?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "masked-column"), answer.text


@pytest.mark.parametrize("engine", ["sqlite", "duckdb", "postgres", "mysql"])
async def test_among_related_rows_it_is_the_same_digest(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Whether the engine builds the JSON of related rows, or they come by statements of their own."""
    servers = {"postgres": "postgres_url", "mysql": "mariadb_url"}
    place = request.getfixturevalue(servers[engine]) if engine in servers else tmp_path
    columns = {"mask": {"secret": "hash"}}
    roles = {"reader": {"tables": {"people": {"operations": ["read"], "columns": columns}, "orders": READ}}}
    secret = digest(CANARY)
    async with serving(address(load(engine, place)), roles, key=KEY) as site, site.client() as http:
        one = await get(http, "orders?select=number,people(name,hidden:secret),o:people(secret)&order=region,number")
        spread = await get(http, "orders?select=number,...people(secret)")
        many = await get(http, "people?select=secret,orders(number,people(secret))&order=person_id")
        whole = await http.get("/api/v1/people?select=*,orders(*,people(*)),manager:people!manager_id(*)")
        refused = await http.get("/api/v1/orders?select=number,people(name)&people.secret=eq.x")
    assert {(row["people"]["hidden"], row["o"]["secret"]) for row in one} == {(secret, secret)}
    assert {row["secret"] for row in spread} == {secret}
    assert {order["people"]["secret"] for row in many for order in row["orders"]} == {secret}
    assert whole.status_code == 200
    assert secret in whole.text
    assert CANARY not in whole.text
    assert refused.json()["code"] == "masked-column"


async def test_in_sql_it_does_not_exist(http: httpx2.AsyncClient) -> None:
    for sql in ("SELECT email FROM customers", "SELECT id FROM customers WHERE email = 'x'"):
        assert (await http.post("/api/v1/_sql", json={"sql": sql})).json()["code"] == "unknown-column"
    answer = await http.post("/api/v1/_sql", json={"sql": "SELECT * FROM customers"})
    assert "email" not in answer.json()[0]


async def test_tags_of_a_row_are_those_that_writes_compare(http: httpx2.AsyncClient) -> None:
    one = await http.get("/api/v1/customers/7")
    assert len(one.json()["email"]) == 32
    name = one.json()["name"]
    done = await http.patch(
        "/api/v1/customers/7",
        json={"name": name},
        headers={"if-match": one.headers["etag"], "prefer": "return=representation"},
    )
    assert done.status_code == 200, done.text
    assert "email" not in done.json()
    refused = await http.patch("/api/v1/customers/7", json={"email": "x"})
    assert refused.json()["code"] == "unknown-column"


async def test_documents_say_that_it_is_masked(http: httpx2.AsyncClient) -> None:
    schema = await get(http, "_schema/customers")
    assert {column["name"]: column["masked"] for column in schema["columns"]}["email"] is True
    explained = (await http.post("/api/v1/customers/_query/explain", json={"select": "email"})).json()
    assert any("masked in customers: email" in reason for reason in explained["reasons"])


async def test_agents_are_told_that_it_is_masked_and_get_no_sample_of_it(shop: Shop) -> None:
    entry = {"owner": "data", "support": "#data", "url": address(shop), "roles": ROLES}
    async with (
        platform(build("shop", entry), access="everyone") as running,
        running.client("ann", ["analysts"]) as client,
    ):
        described = (
            await client.call_tool("describe_table", {"table": "customers", "sample_rows": 1})
        ).structured_content
        answered = (await client.call_tool("query_table", {"table": "customers", "limit": 2})).structured_content
    names = [column["name"] for column in described["columns"]]
    assert described["sample"][0][names.index("email")] is None
    assert described["sample"][0][names.index("id")] is not None
    assert all(len(row[names.index("email")] or "x" * 32) == 32 for row in answered["rows"])


async def test_without_a_key_of_the_installation_digests_last_as_long_as_the_process(shop: Shop) -> None:
    seen = []
    for key in (KEY, KEY, None, None):
        async with serving(address(shop), ROLES, key=key) as site, site.client() as client:
            seen.append((await get(client, "customers?id=eq.1"))[0]["region"])
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
