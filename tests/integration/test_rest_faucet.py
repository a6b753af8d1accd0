"""Faucet's routes over our lanes: its parameters, its envelope, its clients' expectations."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.integration.sql_shops import SqliteShop
from tests.integration.test_rest_rows import ROLES
from tests.rigs.rest import serving

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

PRODUCTS = "/api/v1/shop/_table/products"


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    shop = SqliteShop.load(tmp_path)
    async with serving(f"sqlite:///{shop.file}", ROLES) as site, site.client() as client:
        yield client


async def test_rows_come_in_an_envelope(http: httpx2.AsyncClient) -> None:
    answer = await http.get(
        PRODUCTS,
        params={
            "filter": "(id >= 103) AND (name LIKE 'Product%')",
            "fields": "id,name",
            "order": "id DESC",
            "limit": "2",
            "offset": "1",
            "include_count": "true",
        },
    )
    body = answer.json()
    assert body["resource"] == [{"id": 139, "name": "Product 39"}, {"id": 138, "name": "Product 38"}]
    meta = body["meta"]
    assert meta.pop("took_ms") > 0
    assert isinstance(meta.pop("next_cursor"), str)
    assert meta == {"count": 2, "total": 38, "limit": 2, "offset": 1}


async def test_ids_are_the_real_key(http: httpx2.AsyncClient) -> None:
    body = (await http.get(PRODUCTS, params={"ids": "101, 140", "fields": "id", "order": "id"})).json()
    assert body["resource"] == [{"id": 101}, {"id": 140}]


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({"group": "status"}, {"status", "count"}),
        ({"group": "status", "fields": "status,total:amount.sum()"}, {"status", "total"}),
    ],
)
async def test_a_group_is_counted_or_aggregated(http: httpx2.AsyncClient, given: Any, rows: set[str]) -> None:
    body = (await http.get("/api/v1/shop/_table/orders", params=given)).json()
    assert 1 < len(body["resource"]) < 10
    assert set(body["resource"][0]) == rows


async def test_a_group_of_plain_fields_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/shop/_table/orders", params={"group": "status", "fields": "status,qty"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")


async def test_what_there_is_comes_in_an_envelope(http: httpx2.AsyncClient) -> None:
    for path in ("_table", "_schema"):
        body = (await http.get(f"/api/v1/shop/{path}")).json()
        assert [table["name"] for table in body["resource"]] == ["customers", "orders", "products"]
    assert (await http.get("/api/v1/shop/_schema/products")).json()["key"] == ["id"]


async def test_rows_are_written_in_an_envelope(http: httpx2.AsyncClient) -> None:
    made = await http.post(PRODUCTS, json={"resource": [{"id": 950, "name": "a"}, {"id": 951, "name": "b"}]})
    assert (made.status_code, made.json()["meta"]) == (201, {"count": 2})
    changed = await http.patch(PRODUCTS, params={"ids": "950,951"}, json={"resource": [{"price": 2.5}]})
    assert [row["price"] for row in changed.json()["resource"]] == [2.5, 2.5]
    gone = await http.delete(PRODUCTS, params={"filter": "id >= 950 AND id <= 951"})
    assert gone.headers["pierhead-affected"] == "2"
    nothing = await http.delete(PRODUCTS)
    assert (nothing.status_code, nothing.json()["code"]) == (400, "bad-filter")


async def test_a_filter_and_ids_must_both_hold(http: httpx2.AsyncClient) -> None:
    """Faucet joined them unparenthesised: `a OR b AND id IN (...)` reached rows that were not meant."""
    orders = "/api/v1/shop/_table/orders"
    given = {"filter": "id = 103 OR id = 104", "ids": "104,105", "fields": "id"}
    assert (await http.get(orders, params=given)).json()["resource"] == [{"id": 104}]
    gone = await http.delete(orders, params={"filter": "id = 103 OR id = 104", "ids": "104,105"})
    assert gone.headers["pierhead-affected"] == "1"


async def test_one_row_has_its_own_place(http: httpx2.AsyncClient) -> None:
    assert (await http.get(f"{PRODUCTS}/101", params={"select": "id"})).json() == {"id": 101}
    assert (await http.patch(f"{PRODUCTS}/101", json={"price": 9})).status_code == 204
    assert (await http.delete("/api/v1/shop/_table/orders/1")).status_code == 204


async def test_text_of_a_filter_never_becomes_sql(http: httpx2.AsyncClient) -> None:
    """Faucet's `PUT ?filter=` put the text into the WHERE."""
    for text in ("id = 101) OR (1 = 1", "id = 101; DROP TABLE products", "id = (SELECT 1)", "1 = 1"):
        answer = await http.patch(PRODUCTS, params={"filter": text}, json={"price": 1})
        assert answer.status_code == 400, text
    assert len((await http.get("/api/v1/products?select=id")).json()) == 40
