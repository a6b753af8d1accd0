"""What calls on a SQL source leave in the audit: who acted, on what, with which verdict; never a value."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from pierhead.core.audit import CallFinished
from pierhead.sdk.governed.answers import QueryResult
from pierhead.sdk.governed.engine import SecondOpinionDiffers
from pierhead.sdk.testing import Running, platform
from pierhead.servers.sql import build
from pierhead.servers.sql.engines.sqlite import SqliteEngine

pytestmark = pytest.mark.anyio

ROLES = {"analyst": {"tables": {"orders": {"operations": ["read"], "columns": {"exclude": ["note"]}}}}}


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, region TEXT, total REAL, note TEXT)")
        connection.executemany("INSERT INTO orders VALUES (?, 'north', 1.5, 'c0ffee')", [(n,) for n in range(9)])
    connection.close()
    return {"owner": "data", "support": "#data", "url": f"sqlite:///{tmp_path / 'shop.db'}", "roles": ROLES}


def details(running: Running) -> dict[str, Any]:
    fact = running.audit.facts[-1]
    assert isinstance(fact, CallFinished)
    return dict(fact.details)


async def noted(settings: dict[str, object], sql: str, tool: str = "run_query", **arguments: object) -> dict[str, Any]:
    async with platform(build("shop", settings), access="everyone") as running, running.client("ann") as client:
        await client.call_tool(tool, {"sql": sql, **arguments})
        first = details(running)
        await client.call_tool(tool, {"sql": sql, **arguments})
        assert details(running) == first, "a remembered verdict reads like a fresh one"
        return first


async def test_a_query_notes_who_acted_on_what(settings: dict[str, object]) -> None:
    found = await noted(settings, "SELECT region, count(*) FROM orders WHERE total > 1.25 GROUP BY region")
    assert found | {"policy": "", "schema": "", "statement": "", "executed": ""} == {
        "lane": "sql",
        "role": "analyst",
        "policy": "",
        "schema": "",
        "statement": "",
        "executed": "",
        "tables": ["orders"],
        "columns": ["orders.region", "orders.total"],
        "verdict": "permitted",
        "second_opinion": "agrees",
        "rows": 1,
        "cut": "",
    }
    assert [len(found[name]) for name in ("policy", "schema", "statement", "executed")] == [16, 16, 64, 64]
    assert found["statement"] != found["executed"]


async def test_a_cut_answer_is_noted_as_one(settings: dict[str, object]) -> None:
    found = await noted(settings, "SELECT * FROM orders", max_rows=3)
    assert (found["rows"], found["cut"], found["columns"]) == (3, "rows", ["orders.*"])


async def test_a_refused_statement_notes_the_verdict_and_its_rule(settings: dict[str, object]) -> None:
    for tool in ("run_query", "explain_query"):
        found = await noted(settings, "SELECT note FROM orders WHERE note = 'c0ffee'", tool)
        assert (found["verdict"], found["rule"], found["role"]) == ("refused", "unknown-column", "analyst")
        assert "executed" not in found
        assert "c0ffee" not in json.dumps(found)
    assert (await noted(settings, "EXPLAIN SELECT id FROM orders"))["rule"] == "not-a-read"


async def test_an_engine_that_reads_it_otherwise_is_noted(
    settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def differs(*_: object) -> None:
        raise SecondOpinionDiffers

    monkeypatch.setattr(SqliteEngine, "confirm", differs)
    found = await noted(settings, "SELECT id FROM orders")
    assert (found["verdict"], found["rule"], found["second_opinion"]) == ("refused", "second-opinion", "differs")


async def test_the_text_is_kept_only_where_asked_for_and_without_its_literals(settings: dict[str, object]) -> None:
    sql = "SELECT id /* c0ffee */ FROM orders WHERE region = 'c0ffee' AND total > 12.5 -- c0ffee"
    assert "text" not in await noted(settings, sql)
    found = await noted({**settings, "record_statements": True}, sql)
    assert found["text"] == "SELECT id FROM orders WHERE region = ? AND total > ?"
    refused = await noted({**settings, "record_statements": True}, 'SELECT nothing FROM orders WHERE region = "c0ffee"')
    assert refused["text"] == "SELECT nothing FROM orders WHERE region = ?"
    assert (await noted({**settings, "record_statements": True}, "SELECT 'c0ffee"))["text"] == ""


async def test_looking_at_the_schema_is_noted_too(settings: dict[str, object]) -> None:
    async with platform(build("shop", settings), access="everyone") as running, running.client("ann") as client:
        await client.call_tool("list_tables", {})
        assert (details(running)["lane"], details(running)["role"]) == ("schema", "analyst")
        await client.call_tool("describe_table", {"table": "orders", "sample_rows": 2})
        assert (details(running)["lane"], details(running)["columns"]) == (
            "schema",
            ["orders.id", "orders.region", "orders.total"],
        )


async def test_what_a_query_answers_fits_the_schema_it_declares(settings: dict[str, object]) -> None:
    async with platform(build("shop", settings), access="everyone") as running, running.client("ann") as client:
        for sql in ("SELECT id, region, total / 3 FROM orders", "SELECT id FROM orders WHERE 1 = 0", "SELECT NULL"):
            answer = await client.call_tool("run_query", {"sql": sql, "max_rows": 4})
            found = QueryResult.model_validate(answer.structured_content, strict=True)
            assert [len(row) for row in found.rows] == [len(found.columns)] * len(found.rows)
