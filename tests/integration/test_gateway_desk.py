"""The front desk before a server that keeps what it was asked, over real sockets on loopback."""

import hashlib
import json
from typing import Any

import httpx2
import pytest
from mcp_types.methods import serialize_server_result
from tests.integration.test_gateway import OK, error, plain
from tests.rigs.gateway import VERSION, Rig, gateway, headers, message, serving, verifier

from pierhead.core.audit import CallRefused, CallStarted

pytestmark = pytest.mark.anyio

LEGACY = "2025-11-25"


async def modern(rig: Rig, method: str, params: dict[str, Any] | None = None, **more: str) -> httpx2.Response:
    name = str((params or {}).get("name", ""))
    sent = headers(method, name, authorization=f"Bearer {rig.token(aud=f'{rig.url}/mcp')}", **more)
    return await rig.client.post(f"{rig.url}/mcp", content=message(method, params), headers=sent)


async def legacy(rig: Rig, method: str, params: dict[str, Any] | None = None, message_id: Any = 1) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params or {}}
    sent = {
        "authorization": f"Bearer {rig.token(aud=f'{rig.url}/mcp')}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": LEGACY,
    }
    told = {name: value for name, value in body.items() if value is not None}
    return await rig.client.post(f"{rig.url}/mcp", json=told, headers=sent)


def called(server: str = "warehouse", tool: str = "echo", **arguments: Any) -> dict[str, Any]:
    return {"name": "call_tool", "arguments": {"server": server, "tool": tool, "arguments": arguments}}


async def test_a_call_reaches_its_server_as_if_it_had_been_sent_there() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        answer = await modern(rig, "tools/call", called(n=1), mcp_param_n="1", cookie="c=1")
        assert (answer.status_code, answer.content) == (200, OK)
        sent, text = app.asked[0]
        asked = json.loads(text)
        assert (asked["id"], asked["method"]) == (1, "tools/call")
        assert (asked["params"]["name"], asked["params"]["arguments"]) == ("echo", {"n": 1})
        assert (sent[b"mcp-name"], sent[b"mcp-method"]) == (b"echo", b"tools/call")
        assert not {b"authorization", b"cookie", b"mcp-param-n"} & sent.keys()
        caller, _ = verifier().verify(sent[b"pierhead-assertion"], hashlib.sha256(text).hexdigest())
        assert caller.name == "alice"
        started = rig.audit.facts[0]
        assert isinstance(started, CallStarted)
        assert (started.server, started.tool) == ("warehouse", "echo")


async def test_who_speaks_an_older_revision_is_carried_in_the_stateless_one() -> None:
    app = plain(400, json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no"}}).encode())
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        answer = await legacy(rig, "tools/call", called())
        assert (answer.status_code, error(answer)["message"]) == (200, "no")
        sent, text = app.asked[0]
        assert sent[b"mcp-protocol-version"] == VERSION.encode()
        assert json.loads(text)["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == VERSION


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("server/discover", None),
        ("tools/list", None),
        ("tools/call", {"name": "find_tools", "arguments": {"query": "echo"}}),
        ("tools/call", {"name": "describe_tool", "arguments": {"server": "warehouse", "tool": "echo"}}),
    ],
)
async def test_what_the_desk_says_has_the_protocols_shape(method: str, params: dict[str, Any] | None) -> None:
    async with gateway("http://127.0.0.1:1/mcp") as rig:
        answer = await modern(rig, method, params)
        result = answer.json()["result"]
        assert serialize_server_result(method, VERSION, result)
        assert not rig.audit.facts, "lists leave no record"
        if method != "server/discover":
            older = (await legacy(rig, method, params)).json()["result"]
            assert serialize_server_result(method, LEGACY, older)
            assert "resultType" not in older


async def test_an_older_client_is_greeted_in_its_own_revision() -> None:
    async with gateway("http://127.0.0.1:1/mcp") as rig:
        asked = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
        result = (await legacy(rig, "initialize", asked)).json()["result"]
        assert result["protocolVersion"] == "2025-06-18"
        assert serialize_server_result("initialize", "2025-06-18", result)
        assert (await legacy(rig, "notifications/initialized", message_id=None)).status_code == 202
        assert (await legacy(rig, "ping")).json()["result"] == {}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"server": "warehouse"}, "bad-arguments"),
        ({"server": "warehouse", "tool": ""}, "bad-arguments"),
        ({"server": "warehouse", "tool": "echo", "arguments": [1]}, "bad-arguments"),
        ({"server": "warehouse", "tool": "echo", "as": "frank"}, "bad-arguments"),
        ({"server": "../warehouse", "tool": "echo"}, "not-found"),
        ({"server": "", "tool": "echo"}, "bad-arguments"),
        ({"server": "warehouse", "tool": "hidden"}, "unknown-tool"),
    ],
)
async def test_what_is_wrong_is_refused_on_record_and_nothing_is_sent(arguments: dict[str, Any], code: str) -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        answer = await modern(rig, "tools/call", {"name": "call_tool", "arguments": arguments})
        assert error(answer)["data"]["code"] == code
        (fact,) = rig.audit.facts
        assert isinstance(fact, CallRefused)
        assert app.asked == []


async def test_whoever_may_not_reach_a_server_finds_and_calls_nothing_of_it() -> None:
    async with gateway("http://127.0.0.1:1/mcp", access="group:ads") as rig:
        found = await modern(rig, "tools/call", {"name": "find_tools", "arguments": {"query": ""}})
        assert found.json()["result"]["structuredContent"] == {"tools": [], "more": False}
        assert error(await modern(rig, "tools/call", called()))["data"]["code"] == "cannot-reach"


async def test_the_desk_has_tools_and_nothing_else() -> None:
    async with gateway("http://127.0.0.1:1/mcp") as rig:
        assert error(await modern(rig, "prompts/list"))["code"] == -32601
        assert error(await legacy(rig, "logging/setLevel", {"level": "info"}))["code"] == -32601
        assert (
            error(await modern(rig, "tools/call", {"name": "echo", "arguments": {}}))["data"]["code"] == "unknown-tool"
        )
        token = {"authorization": f"Bearer {rig.token(aud=f'{rig.url}/mcp')}"}
        for method in ("GET", "DELETE", "PUT"):
            refused = await rig.client.request(method, f"{rig.url}/mcp", headers=token)
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert (await rig.client.post(f"{rig.url}/mcp/", headers=token)).status_code == 404


async def test_a_header_that_says_another_tool_is_refused() -> None:
    async with gateway("http://127.0.0.1:1/mcp") as rig:
        sent = headers("tools/call", "find_tools", authorization=f"Bearer {rig.token(aud=f'{rig.url}/mcp')}")
        answer = await rig.client.post(f"{rig.url}/mcp", content=message("tools/call", called()), headers=sent)
        assert error(answer)["data"]["code"] == "header-mismatch"


async def test_a_token_for_a_server_is_none_for_the_desk() -> None:
    async with gateway("http://127.0.0.1:1/mcp") as rig:
        sent = headers("tools/list", authorization=f"Bearer {rig.token()}")
        answer = await rig.client.post(f"{rig.url}/mcp", content=message("tools/list"), headers=sent)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith(
            f'Bearer resource_metadata="{rig.url}/.well-known/oauth-protected-resource/mcp"'
        )
