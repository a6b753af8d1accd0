"""Pre-flight's word on a data server, held against the server's own: every person, tool and table of a small source."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from tests.integration.sql_ledgers import WRITES, SqliteLedger

from pierhead.core.call import Parsed, digest
from pierhead.core.errors import NotFound
from pierhead.core.identity import Caller, User
from pierhead.sdk.testing import platform
from pierhead.servers.sql import build
from pierhead.usecases.explain_decision import explain_to_caller
from pierhead.usecases.memory import MemorySnapshots
from pierhead.usecases.read_roles import roles_in

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

ROLES: Mapping[str, Any] = {
    "reader": {"groups": ["readers"], "tables": ["lines", "cities"], "operations": ["read"], "sql": False},
    "appender": {
        "groups": ["appenders"],
        "tables": {"lines": {"operations": ["read", "create"]}, "c*": {"operations": ["create"]}},
    },
    "clerk": {
        "groups": ["clerks"],
        "tables": {"lines": {"operations": WRITES}, "cities": {"operations": WRITES, "approval": "none"}},
    },
    "strict": {
        "groups": ["strict"],
        "approval": {"create": "four-eyes", "update": "confirm", "delete": "deny"},
        "tables": {"lines": {"operations": WRITES}, "cities": {"operations": ["read"]}},
    },
    "planner": {
        "groups": ["planners"],
        "plans": ["delete"],
        "tables": {"lines": {"operations": WRITES, "approval": {"update": "confirm if affected > 100"}}},
    },
}
QUERIES = {"all_lines": {"sql": "SELECT line FROM lines", "description": "Every line.", "roles": ["clerk", "planner"]}}
PEOPLE = ("readers", "appenders", "clerks", "strict", "planners", "nobody")
TABLES = ("lines", "cities", "accounts", "nowhere")
NO_ROW = "line = 99"


def calls(table: str, number: int) -> dict[str, Mapping[str, Any]]:
    """One call of each tool on that table, which by its arguments alone could run."""
    row = {"line": number, "account": number} if table == "lines" else {"name": f"row {number}"}
    where = NO_ROW if table == "lines" else "name = 'x'"
    some = "line = 1" if table == "lines" else "name = 'Aden'"
    changes: Mapping[str, Any] = {"note": None} if table == "lines" else {"name": "y"}
    return {
        "list_tables": {},
        "describe_table": {"table": table},
        "query_table": {"table": table},
        "run_query": {"sql": "SELECT 1 AS one"},
        "explain_query": {"sql": "SELECT 1 AS one"},
        "all_lines": {},
        "insert_rows": {"table": table, "rows": [row]},
        "update_rows": {"table": table, "set": changes, "filter": where},
        "delete_rows": {"table": table, "filter": where},
        "plan_delete_rows": {"table": table, "filter": some},
        "call_function": {"function": "lower", "arguments": {}},
    }


async def happened(client: Client, tool: str, arguments: Mapping[str, Any]) -> str:
    """What became of a call: permit, approval, or refuse."""
    try:
        answer: Any = await client.call_tool(tool, dict(arguments))
    except MCPError:
        return "refuse"
    if answer.is_error:
        code = json.loads(answer.content[0].text)["error"]["code"]
        assert code in {"unknown-table", "no-role"}, answer.content
        return "refuse"
    said: dict[str, Any] = answer.structured_content or {}
    status = str(said.get("status", ""))
    return {"approval_required": "approval", "denied": "refuse"}.get(status, "permit")


async def test_what_is_told_ahead_is_what_the_call_does(tmp_path: Path) -> None:
    unhurried = {"limits": {"rate": {"caller": 100_000, "role": 100_000}}}
    roles = {name: {**role, **unhurried} for name, role in ROLES.items()}
    entry = {"owner": "d", "support": "#d", "url": SqliteLedger.load(tmp_path).url, "roles": roles, "queries": QUERIES}
    compared: dict[str, int] = {}
    async with platform(build("ledger", entry), access="everyone") as running:
        told = _told_by(running.snapshots, entry)
        for first, group in enumerate(PEOPLE):
            async with running.client("ann", [group]) as client:
                for number, (table, preview) in enumerate(product(TABLES, (False, True)), 100 * (first + 1)):
                    for tool, plain in calls(table, number).items():
                        can_preview = tool in {"insert_rows", "update_rows", "delete_rows"}
                        arguments = {**plain, "dry_run": True} if preview and can_preview else plain
                        ahead = _ahead(told, group, tool, arguments)
                        assert ahead == await happened(client, tool, arguments), (group, tool, arguments)
                        compared[ahead] = compared.get(ahead, 0) + 1
    assert min(compared[each] for each in ("permit", "approval", "refuse")) >= 5


def _told_by(running: MemorySnapshots, entry: Mapping[str, Any]) -> MemorySnapshots:
    """The policy as the registry has it: the server's tools, and the roles of its entry."""
    snapshot = running.current()
    server = replace(snapshot.servers["ledger"], roles=roles_in({"kind": "sql", **entry}))
    return MemorySnapshots(replace(snapshot, servers={"ledger": server}))


def _ahead(told: MemorySnapshots, group: str, tool: str, arguments: Mapping[str, Any]) -> str:
    """A tool that is hidden reads as one that is not there: both are a no."""
    caller = Caller(User("https://memory.example", "ann", frozenset({group})), "ide", "test", "")
    try:
        given = Parsed(arguments, digest(arguments), 1)
        return explain_to_caller(caller, "ledger", tool, told, given).decision
    except NotFound:
        return "refuse"
