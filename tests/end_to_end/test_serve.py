"""`pierhead serve` as a newcomer meets it: one command, a key, real clients; and what follows it as it runs."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving_database import Serving, serving, within

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(180)]

SHOP = """
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, product_id INTEGER REFERENCES products (id), qty INTEGER NOT NULL);
CREATE TABLE secrets (token TEXT);
CREATE VIEW sold AS SELECT product_id, sum(qty) AS qty FROM orders GROUP BY product_id;
INSERT INTO products VALUES (1, 'tea', 3.5), (2, 'coffee', 5.0);
INSERT INTO orders VALUES (1, 1, 2), (2, 2, 1), (3, 1, 4);
INSERT INTO secrets VALUES ('canary-4711');
"""


def make_shop(folder: Path) -> Path:
    file = folder / "shop.db"
    connection = sqlite3.connect(file)
    connection.executescript(SHOP)
    connection.close()
    return file


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("serve")
    with serving(f"sqlite:///{make_shop(folder)}", folder / "data") as running:
        yield running
        assert running.stop() == 0, running.log.read_text()


def test_it_says_where_it_stands_and_gives_a_key(shop: Serving) -> None:
    facts = shop.facts
    assert facts["url"].startswith("http://127.0.0.1:")
    assert facts["role"] == "local"
    assert facts["tables"] == ["orders", "products", "secrets", "sold"]
    assert facts["key"] in facts["curl"]
    assert facts["key"] in facts["client"]
    assert facts["seconds"] < 5
    assert facts["key"] not in shop.log.read_text()
    for file in shop.data.rglob("*"):
        assert not file.is_file() or facts["key"].encode() not in file.read_bytes(), file


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_an_mcp_client_of_each_revision_is_answered(shop: Serving, mode: str) -> None:
    async with shop.mcp(mode=mode) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"list_tables", "describe_table", "run_query"} <= tools
        answer = await client.call_tool("run_query", {"sql": "SELECT name FROM products ORDER BY id"})
        assert answer.structured_content["rows"] == [["tea"], ["coffee"]]
        refused = await client.call_tool("run_query", {"sql": "DELETE FROM products"})
        assert refused.is_error


def test_health_needs_no_key_and_all_else_does(shop: Serving) -> None:
    with shop.http(key="wrong") as http:
        assert http.get("/healthz").status_code == 200
        for path in ("/api/v1/orders", "/openapi.json", "/docs", "/mcp", "/nothing"):
            refused = http.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["www-authenticate"].startswith("Basic" if path == "/docs" else "Bearer")
    with shop.http(key="wrong") as http:
        refused = http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
        assert refused.json()["error"]["data"]["code"] == "unknown-key"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/api/v1/orders", "/healthz"])
def test_other_names_and_other_sites_are_turned_away(
    shop: Serving, path: str, headers: dict[str, str], status: int
) -> None:
    with shop.http() as http:
        assert http.get(path, headers=headers).status_code == status


def test_a_page_of_its_own_may_call(shop: Serving) -> None:
    with shop.http() as http:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "page", "version": "1"}}
        begin = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        accept = {"accept": "application/json, text/event-stream", "origin": shop.url}
        assert http.post("/mcp", json=begin, headers=accept).status_code == 200


async def test_calls_and_refusals_are_on_a_whole_record(shop: Serving) -> None:
    async with shop.mcp() as client:
        await client.call_tool("run_query", {"sql": "SELECT 1"})
    with shop.http(key="ph_aaaaaaaa_" + "A" * 43) as http:
        http.get("/api/v1/orders")
    verified = shop.tell("audit", "verify")
    assert "whole" in verified
    records = "".join(path.read_text() for path in (shop.data / "journal").rglob("*.jsonl"))
    assert '"call-started"' in records
    assert shop.facts["key_id"] in records
    assert '"sign-in-failed"' in records


def test_ctrl_c_finishes_what_is_open(tmp_path: Path) -> None:
    with serving(f"sqlite:///{make_shop(tmp_path)}", tmp_path / "data") as running:
        began = time.monotonic()
        os.kill(running.process.pid, signal.SIGTERM)
        assert running.process.wait(30) == 0
        assert time.monotonic() - began < 20


def test_a_key_made_while_it_runs_is_honoured_and_a_revoked_one_is_not(shop: Serving) -> None:
    made = json.loads(shop.tell("key", "create", "--role", "local", "--claim", "region=EU", "--json"))
    with shop.http(key=made["key"]) as http:
        within(5, lambda: http.get("/api/v1/").status_code != 401)
        shop.tell("key", "revoke", made["id"])
        within(5, lambda: http.get("/api/v1/").status_code == 401)
        assert http.get("/api/v1/").json()["code"] == "revoked-key"
    [listed] = [key for key in json.loads(shop.tell("key", "list", "--json")) if key["id"] == made["id"]]
    assert (listed["state"], listed["claims"]) == ("revoked", {"region": "EU"})
    file = shop.data / "keys" / "api-keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert made["key"] not in file.read_text()


async def test_a_made_key_calls_in_its_role(shop: Serving) -> None:
    made = json.loads(shop.tell("key", "create", "--role", "local", "--expires", "1h", "--json"))

    def is_honoured() -> bool:
        with shop.http(key=made["key"]) as http:
            return http.get("/nothing").status_code == 404

    within(5, is_honoured)
    async with shop.mcp(key=made["key"]) as client:
        answer = await client.call_tool("run_query", {"sql": "SELECT count(*) FROM orders"})
        assert answer.structured_content["rows"] == [[3]]
