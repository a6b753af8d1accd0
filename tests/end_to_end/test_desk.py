"""The front desk of a real platform: the official client, in both revisions, finds, describes and calls."""

import json
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from tests.components import node_tools
from tests.running_platform import Up, call_rows, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MODES = pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
SQL = "select count(*) as n from flights where carrier = 'HA'"


@asynccontextmanager
async def at_desk(platform: Up, person: str, mode: str) -> AsyncGenerator[Client]:
    headers = {"authorization": f"Bearer {platform.token(person)}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{platform.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


async def asked(client: Client, name: str, /, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


@pytest.mark.anyio
@MODES
async def test_one_connection_finds_describes_and_calls(platform: Up, mode: str) -> None:
    async with at_desk(platform, "alice", mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["find_tools", "describe_tool", "call_tool"]
        found = await asked(client, "find_tools", query="run an SQL query on the flights", limit=3)
        assert (found["tools"][0]["server"], found["tools"][0]["tool"]) == ("warehouse", "run_query")
        described = await asked(client, "describe_tool", server="warehouse", tool="run_query")
        assert "sql" in described["inputSchema"]["properties"]
        told = await asked(client, "call_tool", server="warehouse", tool="run_query", arguments={"sql": SQL})
    assert "342" in json.dumps(told)


@pytest.mark.anyio
@MODES
async def test_a_call_at_the_desk_is_on_record_as_one_at_the_server(platform: Up, mode: str) -> None:
    async with at_desk(platform, "alice", mode) as client:
        await asked(client, "call_tool", server="time", tool="get_current_time", arguments={"timezone": "Asia/Tokyo"})
    with platform.browsing("alice") as browser:

        def finished() -> dict[str, Any] | None:
            return next((row for row in call_rows(browser, server="time") if row["outcome"] == "ok"), None)

        newest = eventually(finished, "the call's end on record")
    assert (newest["tool"], newest["principal"]) == ("get_current_time", "alice")


@pytest.mark.anyio
@MODES
async def test_what_a_person_may_not_use_is_neither_found_nor_described_nor_called(platform: Up, mode: str) -> None:
    async with at_desk(platform, "bob", mode) as client:
        found = await asked(client, "find_tools", query="run an SQL query on the flights", limit=25)
        assert "warehouse" not in {each["server"] for each in found["tools"]}
        with pytest.raises(MCPError, match="you may not reach server 'warehouse'"):
            await client.call_tool("describe_tool", {"server": "warehouse", "tool": "run_query"})
        with pytest.raises(MCPError, match="you may not reach server 'warehouse'"):
            await client.call_tool("call_tool", {"server": "warehouse", "tool": "run_query", "arguments": {"sql": SQL}})
        with pytest.raises(MCPError, match="no server 'nowhere'"):
            await client.call_tool("call_tool", {"server": "nowhere", "tool": "run_query"})
    with platform.browsing("bob") as browser:

        def is_told() -> bool:
            return any(row["tool"] == "run_query" for row in call_rows(browser, server="warehouse", decision="refuse"))

        assert eventually(is_told, "the refusal on record")


@pytest.mark.anyio
@MODES
async def test_what_the_desk_has_not_is_refused(platform: Up, mode: str) -> None:
    async with at_desk(platform, "alice", mode) as client:
        with pytest.raises(MCPError, match="Unknown tool: drop_all"):
            await client.call_tool("drop_all", {})
        with pytest.raises(MCPError, match="Unknown tool: drop_all"):
            await client.call_tool("call_tool", {"server": "time", "tool": "drop_all"})
        with pytest.raises(MCPError, match="query is no text"):
            await client.call_tool("find_tools", {"query": 3})
        with pytest.raises(MCPError, match="unknown arguments: more"):
            await client.call_tool("call_tool", {"server": "time", "tool": "a", "more": 1})


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_typescript_client_finds_and_calls(platform: Up, mode: str) -> None:
    tools = node_tools()
    script = Path(__file__).with_name("typescript_client.mjs")
    command = [str(tools.node), str(script), str(tools.packages), f"{platform.url}/mcp", platform.token("alice"), mode]
    arguments = json.dumps({"server": "warehouse", "tool": "run_query", "arguments": {"sql": SQL}})
    done = subprocess.run(
        [*command, "call_tool", arguments, "drop_all"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["tools"] == ["find_tools", "describe_tool", "call_tool"]
    assert "342" in json.dumps(said["called"])
    assert said["refused"] == {"code": -32602}


def test_nobody_is_at_the_desk_without_a_token(platform: Up) -> None:
    answer = httpx2.post(f"{platform.url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert answer.status_code == 401
    metadata = f'resource_metadata="{platform.url}/.well-known/oauth-protected-resource/mcp"'
    assert metadata in answer.headers["www-authenticate"]
    told = httpx2.get(f"{platform.url}/.well-known/oauth-protected-resource/mcp").json()
    assert told["resource"] == f"{platform.url}/mcp"


def test_a_token_for_one_server_opens_no_desk(platform: Up) -> None:
    token = platform.tell("token", "--as", "alice", "--server", "warehouse").strip()
    headers = {"authorization": f"Bearer {token}"}
    answer = httpx2.post(f"{platform.url}/mcp", headers=headers, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert answer.status_code == 401
