"""What would come of a read, asked and not run: by REST on real engines, and by `pierhead policy explain`."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.integration.sql_shops import DuckdbShop, PostgresShop, Shop, SqliteShop
from tests.integration.test_rest_statements import address
from tests.rigs.rest import Site, serving
from tests.serving_database import pierhead

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

CLERK: dict[str, Any] = {
    "clerk": {
        "sql": False,
        "tables": {
            "orders": {"operations": ["read"], "rows": "status.eq.paid", "columns": {"mask": {"qty": "bucket"}}},
            "customers": {"operations": ["read"], "columns": {"exclude": ["email"]}},
        },
    }
}


@pytest.fixture(scope="module", params=["sqlite", "duckdb", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    if request.param == "postgres":
        return PostgresShop.load(request.getfixturevalue("postgres_url"))
    made: Any = {"sqlite": SqliteShop, "duckdb": DuckdbShop}[request.param]
    return made.load(tmp_path_factory.mktemp("explained"))


@pytest.fixture
async def site(shop: Shop) -> AsyncIterator[Site]:
    async with serving(address(shop), CLERK) as site:
        yield site


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    async with site.client() as client:
        yield client


async def test_a_read_by_parameters_is_explained_with_its_rules_by_name(site: Site, http: httpx2.AsyncClient) -> None:
    answer = await http.post("/api/v1/orders/_query/explain", json={"filter": "id > 3", "limit": 5})
    told = answer.json()
    assert (answer.status_code, told["verdict"], told["role"]) == (200, "permitted", "clerk")
    assert "row_rule('clerk.orders.rows')" in told["sql"].replace('"', "").replace("`", "")
    assert "paid" not in answer.text
    assert told["tables"] == ["orders"]
    assert told["estimate"] is None
    assert any("masked in orders: qty" in reason for reason in told["reasons"])
    finished = site.finished()
    assert (finished.outcome, finished.details["verdict"], finished.details["explained"]) == ("ok", "permitted", True)
    assert "rows" not in finished.details


@pytest.mark.parametrize(
    ("table", "body", "code"),
    [
        ("secrets", {}, "unknown-table"),
        ("nothing", {}, "unknown-table"),
        ("customers", {"select": "email"}, "unknown-column"),
        ("orders", {"filter": "qty > 3"}, "masked-column"),
    ],
)
async def test_a_refused_read_says_why_and_confirms_nothing_hidden(
    site: Site, http: httpx2.AsyncClient, table: str, body: dict[str, Any], code: str
) -> None:
    told = (await http.post(f"/api/v1/{table}/_query/explain", json=body)).json()
    assert told["verdict"] == "refused", told
    assert told["reasons"][0].startswith(code)
    assert told["sql"] == ""
    assert site.finished().details["verdict"] == "refused"


def test_a_database_is_asked_without_a_server(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.executescript(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, region TEXT); CREATE TABLE secrets (t TEXT)"
        )
    (tmp_path / "roles.yaml").write_text(
        'roles: {clerk: {tables: {orders: {operations: [read], rows: "region.eq.${claims.region}"}}}}'
    )
    asked = (
        *("policy", "explain", "--db", f"sqlite:///{tmp_path / 'shop.db'}", "--data", str(tmp_path / "data")),
        *("--roles", str(tmp_path / "roles.yaml"), "--role", "clerk"),
    )

    def told(*more: str) -> dict[str, Any]:
        done = pierhead(*asked, *more, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["statement"]

    read = ("--tool", "query_table", "--args", '{"table": "orders", "filter": "id > 3"}')
    assert told(*read)["reasons"][0].startswith("missing-claim")
    permitted = told(*read, "--claim", "region=EU")
    assert (permitted["verdict"], permitted["role"]) == ("permitted", "clerk")
    assert "row_rule('clerk.orders.rows')" in permitted["sql"]
    assert "EU" not in permitted["sql"]
    sql = told("--tool", "run_query", "--args", '{"sql": "SELECT t FROM secrets"}')
    assert sql["reasons"][0].startswith("unknown-table")
    records = "".join(file.read_text() for file in (tmp_path / "data" / "journal").rglob("*.jsonl"))
    assert records.count('"call-finished"') == 3

    for wrong, code in (
        (("--tool", "insert_rows", "--args", "{}"), "invalid"),
        (("--role", "nobody", *read), "no-role"),
    ):
        done = pierhead(*asked, *wrong)
        assert done.returncode != 0
        assert code in done.stderr
