"""Clients that people use, each with its own stack, through the gateway to an SDK server, in both revisions."""

import json
import os
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequestParams, ElicitResult
from tests.components import NodeTools, node_tools
from tests.conformance.sites import Site, behind_gateway

from pierhead.core.audit import CallFinished, CallStarted

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

GREETING = {"words": "Hello Ann, says alice", "times": 2}
MODERN, LEGACY = "2026-07-28", "2025-11-25"


@pytest.fixture(scope="module")
def tools() -> NodeTools:
    return node_tools()


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    async with behind_gateway() as running:
        yield running


async def run(command: list[str], home: Path) -> str:
    """Run a client's program, with a home of its own; what it printed."""
    environment = {**os.environ, "HOME": str(home), "NO_COLOR": "1"}
    done = await anyio.run_process(command, check=False, env=environment, stderr=subprocess.PIPE)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


def eras(site: Site) -> set[str]:
    """The revisions in which calls of `greet` ran, each recorded by the gateway and by the server."""
    seen = [fact.era for fact in site.server_audit.facts if isinstance(fact, CallStarted) and fact.tool == "greet"]
    ends = {fact.call_id: fact.outcome for fact in site.server_audit.facts if isinstance(fact, CallFinished)}
    started = {fact.call_id for fact in site.gateway_audit.facts if isinstance(fact, CallStarted)}
    assert ends
    assert set(ends.values()) == {"ok"}
    assert ends.keys() <= started
    return set(seen)


async def answer_the_form(context: object, params: ElicitRequestParams) -> ElicitResult:
    asked: dict[str, Any] = getattr(params, "requested_schema", {})["properties"]
    return ElicitResult(action="accept", content=dict.fromkeys(asked, "Ann"))


def client_of(site: Site, http: httpx2.AsyncClient, mode: str) -> Client:
    return Client(streamable_http_client(site.url, http_client=http), mode=mode, elicitation_callback=answer_the_form)


@pytest.mark.parametrize(("mode", "era"), [("auto", MODERN), (MODERN, MODERN), ("legacy", LEGACY)])
async def test_the_python_client_lists_and_calls(site: Site, mode: str, era: str) -> None:
    headers = {"authorization": f"Bearer {site.token}"}
    async with httpx2.AsyncClient(headers=headers) as http, client_of(site, http, mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "greet" in names
        assert "greet_for_others" not in names
        result = await client.call_tool("greet", {"name": "Ann", "times": 2})
        assert result.structured_content == GREETING
        with pytest.raises(MCPError, match="Unknown tool: greet_for_others"):
            await client.call_tool("greet_for_others", {"name": "Ann"})
    assert eras(site) == {era}


@pytest.mark.parametrize(
    ("mode", "tool", "arguments", "says"),
    [
        (MODERN, "test_input_required_result_elicitation", {}, "Hello, Ann!"),
        ("legacy", "test_elicitation", {"message": "Who?"}, "User response: action=accept"),
    ],
)
async def test_a_question_reaches_the_person_and_its_answer_the_tool(
    site: Site, mode: str, tool: str, arguments: dict[str, object], says: str
) -> None:
    headers = {"authorization": f"Bearer {site.token}"}
    async with httpx2.AsyncClient(headers=headers) as http, client_of(site, http, mode) as client:
        result = await client.call_tool(tool, arguments)
    assert result.content[0].text.startswith(says)


@pytest.mark.parametrize(("mode", "era"), [("legacy", LEGACY), ("auto", MODERN), ("pinned", MODERN)])
async def test_the_typescript_client_lists_and_calls(
    site: Site, tools: NodeTools, tmp_path: Path, mode: str, era: str
) -> None:
    script = Path(__file__).with_name("typescript_client.mjs")
    command = [str(tools.node), str(script), str(tools.packages), site.url, site.token, mode]
    said = json.loads(await run([*command, "greet", '{"name": "Ann", "times": 2}', "greet_for_others"], tmp_path))
    assert "greet" in said["tools"]
    assert "greet_for_others" not in said["tools"]
    assert said["called"]["structuredContent"] == GREETING
    assert said["refused"] == {"code": -32602}
    assert eras(site) == {era}


@pytest.mark.parametrize(("asked", "era"), [("legacy", LEGACY), ("modern", MODERN)])
async def test_the_inspector_lists_and_calls(
    site: Site, tools: NodeTools, tmp_path: Path, asked: str, era: str
) -> None:
    launcher = tools.command("@modelcontextprotocol/inspector", "clients/launcher/build/index.js")
    base = [*launcher, "--cli", site.url, "--transport", "http", "--protocol-era", asked, "--format", "json"]
    base += ["--header", f"Authorization: Bearer {site.token}"]
    listed = json.loads(await run([*base, "--method", "tools/list", "--strict"], tmp_path))["result"]
    assert "greet" in [tool["name"] for tool in listed["tools"]]
    call = ["--method", "tools/call", "--tool-name", "greet", "--tool-arg", "name=Ann", "--tool-arg", "times=2"]
    called = json.loads(await run([*base, *call], tmp_path))["result"]
    assert called["structuredContent"] == GREETING
    assert eras(site) == {era}


async def test_mcporter_lists_and_calls(site: Site, tools: NodeTools, tmp_path: Path) -> None:
    base = tools.command("mcporter", "dist/cli.js")
    at = ["--http-url", site.url, "--allow-http", "--header", f"Authorization=Bearer {site.token}"]
    assert "greet" in await run([*base, "list", *at], tmp_path)
    said = await run([*base, "call", *at, "greet", "name=Ann", "times=2", "--output", "json"], tmp_path)
    assert json.loads(said)["words"] == GREETING["words"], said
    assert eras(site) == {LEGACY}
