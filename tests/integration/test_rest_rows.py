"""Rows by REST, over a real socket, on real engines: reads, pages, tags, writes, and what a role may not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.integration.sql_shops import DuckdbShop, PostgresShop, Shop, SqliteShop
from tests.integration.test_rest_statements import address
from tests.rigs.rest import Site, serving

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

ROLES = {
    "clerk": {
        "approval": "none",
        "tables": {
            "orders": {"operations": ["read", "create", "update", "delete"]},
            "products": {"operations": ["read", "create", "update", "delete"]},
            "customers": {"operations": ["read"], "columns": {"exclude": ["email"]}},
        },
    }
}


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    if request.param == "postgres":
        return PostgresShop.load(request.getfixturevalue("postgres_url"))
    return {"sqlite": SqliteShop.load, "duckdb": DuckdbShop.load}[request.param](tmp_path)


@pytest.fixture
async def site(shop: Shop) -> AsyncIterator[Site]:
    async with serving(address(shop), ROLES) as site:
        yield site


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    async with site.client() as client:
        yield client


def names(answer: httpx2.Response) -> list[Any]:
    return [row["id"] for row in answer.json()]


async def test_a_table_is_filtered_ordered_and_paged(site: Site, http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/products?id=gte.103&or=(id.lt.105,id.eq.110)&select=id,name&order=id.desc")
    assert names(answer) == [110, 104, 103]
    assert answer.headers["content-range"] == "0-2/*"
    started = next(fact for fact in site.audit.facts if fact.kind == "call-started")
    assert (started.tool, started.era) == ("query_table", "rest")
    assert site.finished().details["tables"] == ["products"]


async def test_pages_follow_links_to_the_end(http: httpx2.AsyncClient) -> None:
    seen: list[int] = []
    place = "/api/v1/products?select=id&order=id&limit=15"
    headers: dict[str, str] = {"prefer": "count=exact"}
    while True:
        answer = await http.get(place, headers=headers)
        seen += names(answer)
        assert answer.headers["content-range"].endswith("/40")
        if "link" not in answer.headers:
            break
        assert answer.status_code == 206
        assert answer.headers["preference-applied"] == "count=exact"
        place = "/api/v1/products" + answer.headers["link"].partition(">")[0].removeprefix("<")
    assert seen == list(range(101, 141))


async def test_the_default_page_has_100_rows_and_says_that_there_are_more(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/orders?select=id")
    assert len(answer.json()) == 100
    assert 'rel="next"' in answer.headers["link"]
    page = await http.get("/api/v1/orders?select=id&limit=2", headers={"accept": "application/vnd.pierhead.page+json"})
    assert len(page.json()["data"]) == 2
    assert page.json()["page"]["next_cursor"]


async def test_a_request_above_the_ceiling_says_what_was_cut(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/orders?select=id&limit=2000")
    assert (len(answer.json()), answer.headers["pierhead-truncated"]) == (1000, "rows")


async def test_related_rows_come_as_objects(http: httpx2.AsyncClient, shop: Shop) -> None:
    if isinstance(shop, DuckdbShop):
        return  # the corpus gives its tables there no references
    rows = (await http.get("/api/v1/orders?select=id,products(name)&order=id&limit=1")).json()
    assert rows == [{"id": 1, "products": {"name": "insert tray"}}]


async def test_a_whole_table_streams(site: Site, http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/orders?select=id", headers={"accept": "text/csv"})
    assert len(answer.text.splitlines()) == 5001
    assert site.finished().details["rows"] == 5000


async def test_a_stream_takes_no_cursor_and_no_count(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/orders", headers={"accept": "text/csv", "prefer": "count=exact"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")


async def test_one_row_is_an_object_with_its_tag(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/api/v1/products/101?select=id,name")
    assert answer.json() == {"id": 101, "name": "Software update pack"}
    assert answer.headers["etag"].startswith("W/")
    whole = await http.get("/api/v1/products/101")
    assert whole.headers["etag"].startswith('"')
    again = await http.get("/api/v1/products/101", headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await http.head("/api/v1/products/101")
    assert (head.content, head.headers["etag"]) == (b"", whole.headers["etag"])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("products/999", 404, "no-such-row"),
        ("products/1,2", 400, "bad-key"),
        ("products/abc", 400, "bad-value"),
        ("secrets/1", 404, "unknown-table"),
        ("nothing/1", 404, "unknown-table"),
        ("secrets", 404, "unknown-table"),
        ("products?nonsense=eq.1", 400, "unknown-column"),
        ("customers?email=like.c*", 400, "unknown-column"),
        ("products?id=near.1", 400, "bad-filter"),
        ("products/101?limit=2", 400, "bad-parameter"),
        ("%FF", 400, "bad-path"),
    ],
)
async def test_what_is_wrong_with_a_read_is_a_problem(
    site: Site, http: httpx2.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await http.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert site.audit.facts


async def test_a_read_may_be_asked_for_in_json(http: httpx2.AsyncClient) -> None:
    body = {"select": "id", "filter": "id BETWEEN 103 AND 104 OR name STARTS WITH 'Soft'", "order": "id", "limit": 9}
    answer = await http.post("/api/v1/products/_query", json=body)
    assert names(answer) == [101, 103, 104]
    wrong = await http.post("/api/v1/products/_query", json={**body, "limit": "9"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad-body")


async def test_a_row_is_made_changed_and_deleted(http: httpx2.AsyncClient) -> None:
    made = await http.post("/api/v1/products", json={"id": 900, "name": "New", "price": 1.5})
    assert (made.status_code, made.content, made.headers["pierhead-affected"]) == (201, b"", "1")
    changed = await http.patch(
        "/api/v1/products/900", json={"name": "Newer"}, headers={"prefer": "return=representation"}
    )
    assert (changed.status_code, changed.json()["name"]) == (200, "Newer")
    assert changed.headers["preference-applied"] == "return=representation"
    gone = await http.delete("/api/v1/products/900")
    assert (gone.status_code, gone.headers["pierhead-affected"]) == (204, "1")
    assert (await http.delete("/api/v1/products/900")).status_code == 404


async def test_headers_only_say_where_the_row_is(http: httpx2.AsyncClient) -> None:
    made = await http.post("/api/v1/products", json={"id": 901, "name": "x"}, headers={"prefer": "return=headers-only"})
    assert made.headers["location"] == "products/901"
    assert (await http.get(f"/api/v1/{made.headers['location']}")).json()["id"] == 901


async def test_many_rows_come_as_json_csv_and_lines(http: httpx2.AsyncClient) -> None:
    bodies = {
        "application/json": b'[{"id": 910, "name": "a"}, {"id": 911, "name": null, "sku": "s"}]'.replace(
            b"null", b'"b"'
        ),
        "text/csv": b'id,name,sku\r\n912,"c, ""d""",\r\n913,e,""\r\n',
        "application/x-ndjson": b'{"id": 914, "name": "f"}\n{"id": 915, "name": "g"}\n',
    }
    for kind, body in bodies.items():
        answer = await http.post("/api/v1/products", content=body, headers={"content-type": kind})
        assert (answer.status_code, answer.headers["pierhead-affected"]) == (201, "2")
    rows = (await http.get("/api/v1/products?id=gte.912&id=lte.913&select=name,sku&order=id")).json()
    assert rows == [{"name": 'c, "d"', "sku": None}, {"name": "e", "sku": ""}]


async def test_a_put_writes_a_row_whether_it_was_there_or_not(http: httpx2.AsyncClient) -> None:
    first = await http.put("/api/v1/products/920", json={"name": "one"})
    second = await http.put("/api/v1/products/920", json={"name": "two"})
    assert (first.status_code, second.status_code) == (201, 204)
    assert (await http.get("/api/v1/products/920")).json()["name"] == "two"
    other = await http.put("/api/v1/products/920", json={"id": 921, "name": "three"})
    assert (other.status_code, other.json()["code"]) == (400, "bad-body")


async def test_an_upsert_merges_or_ignores(http: httpx2.AsyncClient) -> None:
    row = {"id": 101, "name": "merged"}
    clash = await http.post("/api/v1/products", json=row)
    assert (clash.status_code, clash.json()["code"]) == (409, "unique-violation")
    ignored = await http.post("/api/v1/products", json=row, headers={"prefer": "resolution=ignore-duplicates"})
    assert ignored.headers["pierhead-affected"] == "0"
    merged = await http.post("/api/v1/products", json=row, headers={"prefer": "resolution=merge-duplicates"})
    assert merged.headers["pierhead-affected"] == "1"
    assert (await http.get("/api/v1/products/101")).json()["name"] == "merged"


async def test_a_write_holds_only_for_the_row_that_was_read(http: httpx2.AsyncClient) -> None:
    tag = (await http.get("/api/v1/products/102")).headers["etag"]
    first = await http.patch("/api/v1/products/102", json={"name": "x"}, headers={"if-match": tag})
    assert first.status_code == 204
    late = await http.patch("/api/v1/products/102", json={"name": "y"}, headers={"if-match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    assert (await http.get("/api/v1/products/102")).json()["name"] == "x"


async def test_a_preview_changes_nothing(http: httpx2.AsyncClient) -> None:
    answer = await http.patch("/api/v1/products?id=lt.105", json={"name": "z"}, headers={"prefer": "tx=rollback"})
    assert (answer.status_code, answer.json()["affected"], answer.json()["dry_run"]) == (200, 4, True)
    assert (await http.get("/api/v1/products/101")).json()["name"] == "Software update pack"


async def test_a_repeated_write_answers_as_the_first(http: httpx2.AsyncClient) -> None:
    headers = {"idempotency-key": "k-1"}
    body = {"id": 930, "name": "once"}
    first = await http.post("/api/v1/products", json=body, headers=headers)
    second = await http.post("/api/v1/products", json=body, headers=headers)
    assert (first.status_code, second.status_code, second.headers["idempotency-replayed"]) == (201, 201, "true")
    other = await http.post("/api/v1/products", json={**body, "name": "twice"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "key-reused")


@pytest.mark.parametrize(
    ("request_line", "body", "headers", "status", "code"),
    [
        ("PATCH products", {"name": "x"}, {}, 400, "bad-filter"),
        ("DELETE products", None, {}, 400, "bad-filter"),
        ("DELETE orders?id=gt.0", None, {"prefer": "max-affected=10"}, 409, "too-many-affected"),
        ("POST customers", {"id": 1}, {}, 403, "operation-not-granted"),
        ("POST secrets", {"id": 1}, {}, 404, "unknown-table"),
        ("POST products", {"id": 940, "nonsense": 1}, {}, 400, "unknown-column"),
        ("POST products", [], {}, 400, "nothing-to-write"),
        ("POST products", [1], {}, 400, "bad-body"),
        ("POST products?select=id", {"id": 940}, {}, 400, "bad-parameter"),
        ("PATCH products/999", {"name": "x"}, {}, 404, "no-such-row"),
        ("PUT products", {"id": 1}, {}, 405, "method-not-allowed"),
    ],
)
async def test_a_write_that_may_not_be_is_a_problem(
    http: httpx2.AsyncClient, request_line: str, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    method, path = request_line.split()
    answer = await http.request(method, f"/api/v1/{path}", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_source_that_is_read_only_has_no_routes_that_write(shop: Shop) -> None:
    async with serving(address(shop), ROLES, read_only=True) as site, site.client() as http:
        answer = await http.post("/api/v1/products", json={"id": 1})
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_a_write_that_needs_a_person_waits_and_writes_nothing(shop: Shop) -> None:
    roles = {"clerk": {**ROLES["clerk"], "approval": "approve"}}
    async with serving(address(shop), roles) as site, site.client() as http:
        answer = await http.delete("/api/v1/products/101")
        assert (answer.status_code, answer.json()["status"]) == (202, "approval_required")
        assert (await http.get("/api/v1/products/101")).status_code == 200
