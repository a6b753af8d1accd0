"""What the full protocol stack answers under governance: what stays hidden, errors that teach, each revision's form."""

import json
from typing import Annotated, Any

import httpx2
import pytest
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, TextContent
from pydantic import Field

from pierhead import Invalid, Server
from pierhead.testing import Running, platform

pytestmark = pytest.mark.anyio

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
Region = Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]


def regional() -> Server:
    server = Server("regional", owner="o", support="#s", description="one tool for each kind")

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def shown(region: Region) -> str:
        """Take a mirrored argument."""
        return region

    @server.tool(policy="group:admins", effect="read", minutes_saved=1)
    async def hidden(region: Region) -> str:
        """Take a mirrored argument, for a few."""
        return region

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def with_context(fault: str, ctx: Context[Any, Any]) -> CallToolResult:
        """Fail in the way of `fault`, or say the request's id."""
        if fault == "taught":
            raise Invalid("no such table", hint="list the tables", code="unknown-table")
        if fault == "crash":
            raise ValueError("secret")
        return CallToolResult(content=[TextContent(type="text", text=ctx.request_id)])

    return server


async def post(running: Running, name: str, arguments: dict[str, object], **headers: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    body["params"] = {"name": name, "arguments": arguments, "_meta": META}
    own = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": name}
    async with running.http("alice", []) as http:
        return await http.post(
            "http://127.0.0.1:1/mcp",
            content=json.dumps(body),
            headers={
                "accept": "application/json, text/event-stream",
                "content-type": "application/json",
                **own,
                **headers,
            },
        )


@pytest.mark.parametrize("headers", [{}, {"mcp-param-region": "elsewhere"}, {"mcp-param-region": "=?base64?!?="}])
async def test_a_wrong_header_reveals_no_hidden_tool(headers: dict[str, str]) -> None:
    async with platform(regional(), access="everyone") as running:
        shown = await post(running, "shown", {"region": "here"}, **headers)
        hidden = await post(running, "hidden", {"region": "here"}, **headers)
        absent = await post(running, "absent", {"region": "here"}, **headers)
    assert (shown.status_code, shown.json()["error"]["code"]) == (400, -32020)
    assert hidden.status_code == absent.status_code == 400
    assert hidden.json()["error"]["code"] == -32602
    assert hidden.text.replace("hidden", "absent") == absent.text


async def test_a_mirrored_argument_must_equal_its_header_and_then_the_tool_runs() -> None:
    async with platform(regional(), access="everyone") as running:
        answer = await post(running, "shown", {"region": "here"}, **{"mcp-param-region": "here"})
    assert answer.json()["result"]["structuredContent"] == {"result": "here"}


async def test_blanks_around_a_header_are_no_part_of_it() -> None:
    async with platform(regional(), access="everyone") as running:
        headers = {"mcp-param-region": "here  ", "mcp-name": "shown\t"}
        answer = await post(running, "shown", {"region": "here"}, **headers)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("era", [MODERN, "legacy"])
async def test_a_tool_with_a_context_teaches_as_any_other(era: str) -> None:
    async with platform(regional(), access="everyone") as running, running.client("alice", mode=era) as client:
        taught = await client.call_tool("with_context", {"fault": "taught"})
        assert '"code":"unknown-table"' in taught.content[0].text
        crashed = await client.call_tool("with_context", {"fault": "crash"})
        assert crashed.is_error
        assert '"code":"tool-failed"' in crashed.content[0].text
        assert "secret" not in crashed.content[0].text
        assert [fact.outcome for fact in running.audit.facts if fact.kind == "call-finished"] == ["tool_error"] * 2


async def test_a_refused_argument_has_the_form_of_its_revision() -> None:
    async with platform(regional(), access="everyone") as running:
        modern = (await post(running, "with_context", {"fault": 1})).json()["result"]
        legacy = await _legacy(running, "with_context", {"fault": 1})
    assert modern["resultType"] == "complete"
    assert modern["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "regional"
    assert legacy.keys() == {"content", "isError"}


async def _legacy(running: Running, name: str, arguments: dict[str, object]) -> dict[str, Any]:
    async with running.client("alice", mode="legacy") as client:
        result = await client.call_tool(name, arguments)
        return result.model_dump(mode="json", by_alias=True, exclude_unset=True)
