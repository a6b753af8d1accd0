"""Where one caller ends and the next begins: sessions, kept states, streams; and callers who leave."""

import dataclasses
import json
from typing import Any

import anyio
import httpx2
import orjson
import pytest
from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ElicitRequest, ElicitRequestFormParams, InputRequiredResult, TextContent

from pierhead import Server
from pierhead.core.errors import Unauthenticated
from pierhead.core.identity import Caller
from pierhead.testing import Running, platform

pytestmark = pytest.mark.anyio

MODERN, LEGACY = "2026-07-28", "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}
URL = "http://127.0.0.1:1/mcp"
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def bordered(begun: anyio.Event | None = None) -> Server:
    server = Server("bordered", owner="o", support="#s")

    @server.tool(policy="everyone", effect="write", minutes_saved=1)
    async def ask_first(table: str, ctx: Context[Any, Any]) -> CallToolResult | InputRequiredResult:
        """Ask before doing."""
        if ctx.request_state is None:
            schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}
            ask = ElicitRequest(params=ElicitRequestFormParams(message="Sure?", requested_schema=schema))
            return InputRequiredResult(input_requests={"sure": ask}, request_state="asked")
        return CallToolResult(content=[TextContent(type="text", text=f"did {table}")])

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def wait() -> str:
        """Wait for ever."""
        if begun is not None:
            begun.set()
        await anyio.sleep_forever()
        return ""

    return server


async def post(running: Running, user: str, method: str, params: dict[str, Any], **headers: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with running.http(user, []) as http:
        return await http.post(URL, content=json.dumps(body), headers={**ACCEPT, **headers})


async def modern(running: Running, user: str, arguments: dict[str, object], **more: object) -> dict[str, Any]:
    params = {"name": "ask_first", "arguments": arguments, "_meta": META, **more}
    headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "ask_first"}
    return (await post(running, user, "tools/call", params, **headers)).json()


async def test_a_session_belongs_to_who_opened_it() -> None:
    async with platform(bordered(), access="everyone") as running:
        hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        opened = await post(running, "alice", "initialize", hello)
        session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": LEGACY}
        assert (await post(running, "alice", "ping", {}, **session)).status_code == 200
        assert (await post(running, "bob", "ping", {}, **session)).status_code == 404
        async with running.http("bob", []) as http:
            assert (await http.delete(URL, headers={**ACCEPT, **session})).status_code == 404
        assert (await post(running, "alice", "ping", {}, **session)).status_code == 200


async def test_a_kept_state_counts_for_its_caller_and_its_arguments_alone() -> None:
    async with platform(bordered(), access="everyone") as running:
        asked = (await modern(running, "alice", {"table": "t"}))["result"]
        again = {
            "requestState": asked["requestState"],
            "inputResponses": {"sure": {"action": "accept", "content": {"sure": True}}},
        }
        for user, table in (("bob", "t"), ("alice", "u")):
            assert (await modern(running, user, {"table": table}, **again))["error"]["code"] == -32602
        assert (await modern(running, "alice", {"table": "t"}, **again))["result"]["content"][0]["text"] == "did t"


async def test_a_call_whose_caller_leaves_is_cancelled_and_says_so() -> None:
    begun = anyio.Event()
    async with platform(bordered(begun), access="everyone") as running:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        await leave_during(running, begun, {**body, "params": {"name": "wait", "arguments": {}, "_meta": META}})
        assert running.audit.kinds() == ["call-started", "call-finished"]
        assert running.audit.facts[1].outcome == "cancelled"


async def leave_during(running: Running, begun: anyio.Event, body: dict[str, Any]) -> None:
    """Send a call, and go away once it runs; nothing may be answered."""
    unread = [orjson.dumps(body)]

    async def receive() -> dict[str, object]:
        if unread:
            return {"type": "http.request", "body": unread.pop()}
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        raise AssertionError(message)

    own = {"host": "127.0.0.1:1", "mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "wait"}
    sent = {**ACCEPT, **own, "pierhead-assertion": orjson.dumps({"user": "alice", "groups": []}).decode()}
    headers = [(name.encode(), value.encode()) for name, value in sent.items()]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers}
    with anyio.fail_after(5):
        await running.application(scope, receive, send)


async def test_who_may_not_reach_the_server_learns_nothing_from_any_method() -> None:
    async with platform(bordered(), access="group:admins") as running:
        for method in ("tools/list", "prompts/list", "resources/list", "server/discover", "subscriptions/listen"):
            params = {"_meta": META, "notifications": {}} if method.endswith("listen") else {"_meta": META}
            headers = {"mcp-protocol-version": MODERN, "mcp-method": method}
            answer = (await post(running, "alice", method, params, **headers)).json()
            assert answer["error"]["data"]["code"] == "cannot-reach", method


async def test_an_assertion_that_cannot_be_read_ends_at_the_door() -> None:
    class Nobody:
        header = b"pierhead-assertion"
        is_bound = True

        def verify(self, header: bytes, body_digest: str) -> tuple[Caller, str]:
            raise Unauthenticated(f"not ours: {len(header)} bytes over {body_digest[:4]}")

    async with platform(bordered(), access="everyone") as running:
        door: Any = running.application
        running.application = dataclasses.replace(door, verifier=Nobody())
        answer = await post(running, "alice", "ping", {})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == -31401
