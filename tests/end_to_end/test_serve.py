"""`pierhead serve` as a newcomer meets it: one command, a key, real clients; and what follows it as it runs."""

import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2
import pytest
from tests.serving_database import Serving, pierhead, serving, within

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
    [last, *_] = reversed(json.loads(shop.tell("audit", "tail", "-n", "1", "--json")))
    assert (last["principal"], last["tool"], last["outcome"]) == (shop.facts["key_id"], "run_query", "ok")
    assert shop.facts["key_id"] in shop.tell("audit", "search", "--server", "shop")
    assert shop.facts["key_id"] not in shop.tell("audit", "search", "--server", "other")


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


def may_read(running: Serving, table: str, key: str = "") -> bool:
    return table in names(running, key)


def names(running: Serving, key: str = "") -> list[str]:
    """The tables that a key may read, as `list_tables` says."""
    return anyio.run(_names, running, key)


async def _names(running: Serving, key: str) -> list[str]:
    async with running.mcp(key) as client:
        listed = (await client.call_tool("list_tables", {})).structured_content
        return [table["name"] for table in listed["tables"]]


def test_roles_follow_the_file_while_it_runs(tmp_path: Path) -> None:
    with serving(f"sqlite:///{make_shop(tmp_path)}", tmp_path / "data") as running:
        assert "secrets" in names(running)
        running.tell("config", "set", "roles.analyst.tables", "orders,products")
        running.tell("config", "set", "roles.analyst.operations", "read")
        within(5, lambda: names(running) == ["orders", "products"])
        key = json.loads(running.tell("key", "create", "--role", "analyst", "--json"))["key"]
        (running.data / "roles.yaml").write_text("roles: {analyst: {tables: [orders], operations: [fly]}}")
        within(5, lambda: "kept as they were" in running.log.read_text())
        assert names(running) == ["orders", "products"]
        (running.data / "roles.yaml").write_text("roles: {analyst: {tables: [unheard_of], operations: [read]}}")
        within(5, lambda: "unheard_of" in running.log.read_text())
        assert names(running, key) == ["orders", "products"]
        (running.data / "roles.yaml").write_text("roles: {analyst: {tables: [products], operations: [read]}}")
        within(5, lambda: names(running, key) == ["products"])


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--db", "sqlite:///nowhere.db"), 2, "there is no SQLite file"),
        (("--db", "sqlite:///not-a-database.db"), 2, "cannot be read as a SQLite database"),
        (("--db", "duckdb:///nowhere.duckdb"), 2, "there is no DuckDB file"),
        (("--db", "duckdb:///not-a-database.db"), 2, "cannot be opened as a DuckDB database"),
        (("--db", "redis://localhost"), 2, "no engine for a url of redis"),
        (("--db", "shop.db"), 2, "no engine"),
        (("--db", "postgresql://nobody@127.0.0.1:1/none"), 7, "does not answer"),
        (("--db", "sqlite:///shop.db", "--roles", "missing.yaml"), 2, "cannot read"),
        (("--db", "sqlite:///shop.db", "--roles", "bad.yaml"), 2, "roles.analyst.tables.orders.operations"),
        (("--db", "sqlite:///shop.db", "--roles", "strange.yaml"), 2, "no such table"),
        (("--db", "sqlite:///shop.db", "--port", "{taken}"), 2, "cannot be used"),
        (("--db", "sqlite:///shop.db", "--host", "0.0.0.0"), 2, "nothing here encrypts"),  # noqa: S104 - it is refused
        (("--db", "sqlite:///shop.db", "--read-onyl"), 2, "No such option"),
        ((), 2, "no database is named"),
    ],
)
def test_bad_input_starts_nothing_and_says_why(tmp_path: Path, flags: tuple[str, ...], code: int, said: str) -> None:
    make_shop(tmp_path)
    (tmp_path / "not-a-database.db").write_text("this is no database, whatever its name says\n" * 100)
    (tmp_path / "bad.yaml").write_text("roles: {analyst: {tables: [orders], operations: read}}\n")
    (tmp_path / "strange.yaml").write_text("roles: {analyst: {tables: [unheard_of], operations: [read]}}\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = [flag.format(taken=taken.getsockname()[1]) for flag in flags]
        port = [] if "--port" in given else ["--port", "0"]
        done = pierhead("serve", *given, *port, "--data", "data", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[-4:]] == ["error", "cause", "hint", "docs"]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "journal").exists()


def test_a_schema_of_two_hundred_tables_is_served_at_once(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "wide.db")
    for number in range(200):
        columns = ", ".join(f"c{place} TEXT" for place in range(12))
        connection.execute(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, {columns})")
    connection.commit()
    connection.close()
    with serving(f"sqlite:///{tmp_path / 'wide.db'}", tmp_path / "data") as running:
        print(f"200 tables: ready in {running.facts['seconds']} s")
        assert len(running.facts["tables"]) == 200
        assert running.facts["seconds"] < 5


def test_a_schema_that_moves_on_is_hidden_told_and_accepted(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    url, data = f"sqlite:///{shop}", tmp_path / "data"
    assert pierhead("contract", "lock", "--db", url, "--mode", "strict", "--data", str(data)).returncode == 0
    with serving(url, data, "--config", str(refreshing(tmp_path))) as running, running.http() as http:
        change(shop, "ALTER TABLE orders ADD COLUMN note TEXT; CREATE TABLE fresh (id INTEGER PRIMARY KEY)")
        within(5, lambda: asked(http, "SELECT * FROM products").headers.get("pierhead-schema-drift") == "additive")
        assert "note" not in asked(http, "SELECT * FROM orders").text
        assert "fresh" not in names(running)
        change(shop, "ALTER TABLE products DROP COLUMN price")
        within(5, lambda: asked(http, "SELECT name FROM products").status_code == 503)
        assert asked(http, "SELECT name FROM products").json()["code"] == "schema-drift"
        assert asked(http, "SELECT qty FROM orders").headers["pierhead-schema-drift"] == "breaking"
        streamed = http.get("/api/v1/orders", headers={"accept": "text/csv"})
        assert "content-range" not in streamed.headers  # it went out as a stream
        assert streamed.headers["pierhead-schema-drift"] == "breaking"
        drift = pierhead("contract", "diff", "--db", url, "--data", str(data), "--json")
        assert drift.returncode == 5
        assert {change["kind"] for change in json.loads(drift.stdout)} == {"additive", "breaking"}
        running.tell("contract", "accept", "--db", url)
        within(5, lambda: asked(http, "SELECT name FROM products").status_code == 200)
        within(5, lambda: "fresh" in names(running))
        assert "note" in asked(http, "SELECT * FROM orders").text
        assert "pierhead-schema-drift" not in asked(http, "SELECT * FROM orders").headers


def refreshing(folder: Path) -> Path:
    """Settings under which the schema is looked at every second."""
    file = folder / "pierhead.toml"
    file.write_text("[serve]\nrefresh_s = 1\n")
    return file


def change(file: Path, statements: str) -> None:
    connection = sqlite3.connect(file)
    connection.executescript(statements)
    connection.close()


def asked(http: httpx2.Client, sql: str) -> httpx2.Response:
    return http.post("/api/v1/_sql", json={"sql": sql})


def test_a_curated_query_is_served_and_kept_while_roles_change(tmp_path: Path) -> None:
    query = (
        'queries: {orders_from: {sql: "SELECT id FROM orders WHERE id >= :least ORDER BY id LIMIT 2",'
        " description: Orders from an id., parameters: {least: {type: integer}}, roles: [analyst]}}\n"
    )
    roles = tmp_path / "asked.yaml"
    roles.write_text("roles: {analyst: {sql: false, tables: [orders], operations: [read]}}\n" + query)
    url = f"sqlite:///{make_shop(tmp_path)}"
    with serving(url, tmp_path / "data", "--roles", str(roles)) as running, running.http() as http:
        asked = http.post("/api/v1/_rpc/orders_from", json={"least": 2})
        assert (asked.status_code, len(asked.json())) == (200, 2)
        assert http.post("/api/v1/_sql", json={"sql": "SELECT 1"}).status_code == 404
        roles.write_text("roles: {analyst: {tables: [products], operations: [read]}}\n" + query)
        within(5, lambda: "queries.orders_from, as role analyst" in running.log.read_text())
        assert http.post("/api/v1/_rpc/orders_from", json={"least": 2}).status_code == 200


def test_what_must_outlive_a_restart_lies_in_the_data_directory(tmp_path: Path) -> None:
    """An idempotency key that was used stays used, and a digest of a value stays what it was."""
    make_shop(tmp_path)
    roles = tmp_path / "roles.yaml"
    roles.write_text(
        "roles: {clerk: {tables: {orders: {operations: [read, create]},"
        " products: {operations: [read], columns: {mask: {name: hash}}}}}}"
    )
    data, url = tmp_path / "data", f"sqlite:///{tmp_path / 'shop.db'}"
    made = pierhead("key", "create", "--role", "clerk", "--roles", str(roles), "--data", str(data), "--json")
    key = json.loads(made.stdout)["key"]
    order = {"id": 77, "product_id": 1, "qty": 1}
    seen = []
    for _ in range(2):
        with serving(url, data, "--roles", str(roles)) as running, running.http(key) as http:
            written = http.post("/api/v1/orders", json=order, headers={"idempotency-key": "order-77"})
            seen.append((written.status_code, http.get("/api/v1/products/1").json()["name"]))
            replayed = written.headers.get("idempotency-replayed")
            assert running.stop() == 0
    assert seen[0] == seen[1]
    assert seen[0][0] == 201
    assert len(seen[0][1]) == 32
    assert replayed == "true"
