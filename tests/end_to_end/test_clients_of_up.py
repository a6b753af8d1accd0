"""The same clients against `pierhead up`, with a token from `pierhead token`: real processes, real data."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from tests.components import NodeTools, node_tools
from tests.running_platform import Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SQL = "select count(*) as n from flights where carrier = 'HA'"


@dataclasses.dataclass(frozen=True)
class Warehouse:
    """Where the demo's server is reached, as alice."""

    url: str
    token: str = dataclasses.field(repr=False)


@pytest.fixture(scope="module")
def tools() -> NodeTools:
    return node_tools()


@pytest.fixture(scope="module")
def warehouse(platform: Up) -> Warehouse:
    return Warehouse(
        platform.mcp("warehouse"), platform.tell("token", "--as", "alice", "--server", "warehouse").strip()
    )


def run(command: list[str], home: Path) -> str:
    environment = {**os.environ, "HOME": str(home), "NO_COLOR": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "2026-07-28", "legacy"])
async def test_the_python_client_asks_the_warehouse(warehouse: Warehouse, mode: str) -> None:
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {warehouse.token}"}) as http,
        Client(streamable_http_client(warehouse.url, http_client=http), mode=mode) as client,
    ):
        assert "run_query" in [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool("run_query", {"sql": SQL})
    assert not result.is_error
    assert "342" in json.dumps(result.structured_content)


@pytest.mark.parametrize("mode", ["legacy", "auto", "pinned"])
def test_the_typescript_client_asks_the_warehouse(
    warehouse: Warehouse, tools: NodeTools, tmp_path: Path, mode: str
) -> None:
    script = Path(__file__).with_name("typescript_client.mjs")
    command = [str(tools.node), str(script), str(tools.packages), warehouse.url, warehouse.token, mode]
    said = json.loads(run([*command, "run_query", json.dumps({"sql": SQL}), "drop_table"], tmp_path))
    assert "run_query" in said["tools"]
    assert "342" in json.dumps(said["called"]["structuredContent"])
    assert said["refused"] == {"code": -32602}


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_asks_the_warehouse(warehouse: Warehouse, tools: NodeTools, tmp_path: Path, era: str) -> None:
    launcher = tools.command("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    base = [*launcher, "--cli", warehouse.url, "--transport", "http", "--protocol-era", era, "--format", "json"]
    base += ["--header", f"Authorization: Bearer {warehouse.token}"]
    listed = json.loads(run([*base, "--method", "tools/list", "--strict"], tmp_path))["result"]
    assert "run_query" in [tool["name"] for tool in listed["tools"]]
    called = run([*base, "--method", "tools/call", "--tool-name", "run_query", "--tool-arg", f"sql={SQL}"], tmp_path)
    assert "342" in json.dumps(json.loads(called)["result"]["structuredContent"])


def test_mcporter_asks_the_warehouse(warehouse: Warehouse, tools: NodeTools, tmp_path: Path) -> None:
    base = tools.command("mcporter", "dist/cli.js")
    at = ["--http-url", warehouse.url, "--allow-http", "--header", f"Authorization=Bearer {warehouse.token}"]
    assert "run_query" in run([*base, "list", *at], tmp_path)
    assert "342" in run([*base, "call", *at, "run_query", f"sql={SQL}", "--output", "json"], tmp_path)
