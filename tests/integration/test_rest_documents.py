"""OpenAPI and its page, by role: valid, cached, true, and nothing of what others see."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.integration.sql_shops import SqliteShop
from tests.rigs.rest import Site, serving

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

ROLES: dict[str, Any] = {
    "clerk": {
        "groups": ["clerks"],
        "tables": {
            "orders": {"operations": ["read", "create", "update", "delete"]},
            "products": {"operations": ["create"]},
        },
    },
    "analyst": {
        "groups": ["analysts"],
        "sql": False,
        "tables": {"customers": {"operations": ["read"], "columns": {"exclude": ["email"], "mask": {"name": "null"}}}},
    },
}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    shop = SqliteShop.load(tmp_path)
    async with serving(f"sqlite:///{shop.file}", ROLES) as site:
        yield site


@pytest.fixture
async def clerk(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    async with site.client("carl", ("clerks",)) as client:
        yield client


@pytest.fixture
async def analyst(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    async with site.client("ann", ("analysts",)) as client:
        yield client


async def test_each_role_has_a_valid_document_of_its_own(
    clerk: httpx2.AsyncClient, analyst: httpx2.AsyncClient
) -> None:
    documents = [(await http.get("/openapi.json")).json() for http in (clerk, analyst)]
    for document in documents:
        OpenAPIV31SpecValidator(document).validate()
    first, second = documents
    assert set(first["paths"]["/orders"]) == {"get", "post", "patch", "delete"}
    assert set(first["paths"]["/products"]) == {"post"}
    assert set(first["paths"]["/orders/{key}"]) == {"parameters", "get", "put", "patch", "delete"}
    assert "/customers" not in first["paths"]
    assert set(second["paths"]["/customers"]) == {"get"}
    assert "/orders" not in second["paths"]
    columns = second["components"]["schemas"]["customers"]["properties"]
    assert list(columns) == ["id", "name", "region", "created_at"]
    assert columns["name"]["description"] == "Masked."
    assert "email" not in str(second)


async def test_every_route_of_the_document_is_there(clerk: httpx2.AsyncClient) -> None:
    document = (await clerk.get("/openapi.json")).json()
    assert document["servers"] == [{"url": "api/v1"}]
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            answer = await clerk.request(method, "/api/v1" + path.replace("{key}", "1"), json={})
            assert answer.status_code not in (404, 405), (method, path, answer.text)


async def test_a_document_is_made_once_and_told_unchanged(analyst: httpx2.AsyncClient) -> None:
    for path in ("/openapi.json", "/docs"):
        first = await analyst.get(path)
        again = await analyst.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        assert "authorization" in first.headers["vary"]


async def test_the_page_needs_nothing_but_itself(clerk: httpx2.AsyncClient, analyst: httpx2.AsyncClient) -> None:
    page = await clerk.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "<code>GET /orders</code>" in page.text
    assert "customers" not in page.text
    assert "customers" in (await analyst.get("/docs")).text


async def test_a_caller_of_two_roles_acts_in_the_one_asked_for(site: Site) -> None:
    async with site.client("both", ("clerks", "analysts")) as http:
        assert (await http.get("/api/v1/orders?limit=1")).status_code == 200
        assert (await http.get("/api/v1/customers?limit=1")).status_code == 404
        asked = {"pierhead-role": "analyst"}
        assert (await http.get("/api/v1/customers?limit=1", headers=asked)).status_code == 200
        assert (await http.get("/api/v1/orders?limit=1", headers=asked)).status_code == 404
        assert site.finished().details["role"] == "analyst"
        assert "/customers" in (await http.get("/openapi.json", headers=asked)).json()["paths"]


async def test_a_role_that_is_not_held_cannot_be_asked_for(analyst: httpx2.AsyncClient) -> None:
    for role in ("clerk", "nothing"):
        answer = await analyst.get("/api/v1/customers", headers={"pierhead-role": role})
        assert (answer.status_code, answer.json()["code"]) == (403, "no-role")


async def test_someone_without_a_role_reads_no_document(site: Site) -> None:
    async with site.client("eve", ("strangers",)) as http:
        answer = await http.get("/openapi.json")
        assert (answer.status_code, answer.json()["code"]) == (403, "no-role")


async def test_names_of_a_database_are_only_text_on_the_page(tmp_path: Path) -> None:
    import sqlite3  # noqa: PLC0415 - this test alone makes a database by hand

    file = tmp_path / "odd.db"
    with sqlite3.connect(file) as connection:
        connection.execute('CREATE TABLE "<script>alert(1)</script>" ("<b>" INTEGER PRIMARY KEY, "a/b {x}" TEXT)')
        connection.execute('CREATE TABLE "_sql" (id INTEGER PRIMARY KEY)')
    connection.close()
    roles = {"r": {"tables": ["<script>alert(1)</script>", "_sql"], "operations": ["read"]}}
    async with serving(f"sqlite:///{file}", roles) as site, site.client() as http:
        document = (await http.get("/openapi.json")).json()
        OpenAPIV31SpecValidator(document).validate()
        page = (await http.get("/docs")).text
        assert "<script>" not in page
        assert "&lt;script&gt;" in page
        assert (await http.get("/api/v1/%22_sql%22")).json() == []
        odd = next(path for path in document["paths"] if "script" in path and path.count("/") == 1)
        assert (await http.get("/api/v1" + odd)).json() == []
