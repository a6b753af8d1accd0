"""The gateway before real servers, good ones and bad ones, over real sockets on loopback."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from tests.rigs.gateway import (
    MASTER,
    META,
    Rig,
    eventually,
    gateway,
    headers,
    message,
    serving,
    talking,
    tool,
    verifier,
    warehouse,
)

from pierhead.core.audit import CallFinished, CallRefused, CallStarted
from pierhead.core.catalog import Effect
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import Expired
from pierhead.usecases.memory import MemoryAudit, snapshot_of

pytestmark = pytest.mark.anyio

OK = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete", "content": []}}).encode()


def plain(status: int = 200, body: bytes = OK, kind: bytes = b"application/json") -> Any:
    """A server that gives one answer to everything, and keeps what it was asked."""
    asked: list[tuple[dict[bytes, bytes], bytes]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        text, more = b"", True
        while more:
            part = await receive()
            text, more = text + part.get("body", b""), part.get("more_body", False)
        asked.append((dict(scope["headers"]), text))
        start = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"set-cookie", b"a=b")]
        await send({"type": "http.response.start", "status": status, "headers": start})
        await send({"type": "http.response.body", "body": body})

    app.asked = asked  # type: ignore[attr-defined]
    return app


def kinds(rig: Rig) -> list[str]:
    return rig.audit.kinds()


def error(answer: httpx2.Response) -> Any:
    return answer.json()["error"]


# what passes


async def test_a_call_is_recorded_carried_and_answered_unchanged() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        answer = await rig.call(arguments={"n": 1}, cookie="c=1")
        assert (answer.status_code, answer.content) == (200, OK)
        assert "set-cookie" not in answer.headers
        started, finished = rig.audit.facts
        assert isinstance(started, CallStarted)
        assert isinstance(finished, CallFinished)
        assert (started.tool, started.actor.person, finished.outcome) == ("echo", "alice", "relayed")
        assert finished.bytes_out == len(OK)
        sent, text = app.asked[0]
        assert json.loads(text)["params"]["arguments"] == {"n": 1}
        assert b"authorization" not in sent
        assert b"cookie" not in sent
        assert sent.keys() <= {
            *(b"host", b"content-type", b"accept", b"content-length", b"pierhead-assertion"),
            *(b"mcp-protocol-version", b"mcp-method", b"mcp-name"),
        }


async def test_the_server_is_shown_an_assertion_for_this_very_body_once() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        await rig.call()
        sent, text = app.asked[0]
        caller, call_id = verifier().verify(sent[b"pierhead-assertion"], hashlib.sha256(text).hexdigest())
        assert (caller.name, caller.surface, caller.groups) == ("alice", "ide", {"data-eng"})
        assert call_id == rig.audit.facts[0].call_id
        assert MASTER not in sent[b"pierhead-assertion"]


async def test_parameter_headers_are_passed_on_and_identity_headers_are_not() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        claims = {
            "x-user": "root",
            "x-forwarded-user": "root",
            "pierhead-assertion": "forged",
            "mcp-param-region": "eu",
        }
        await rig.call(**claims)
        sent, _ = app.asked[0]
        assert sent[b"mcp-param-region"] == b"eu"
        assert sent[b"pierhead-assertion"] != b"forged"
        assert not {b"x-user", b"x-forwarded-user"} & sent.keys()


async def test_a_connection_on_which_a_long_answer_came_hears_the_next_one_too() -> None:
    long = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": ["x" * 100_000]}}).encode()
    async with serving(plain(body=long)) as server, gateway(f"{server}/mcp") as rig:
        for _ in range(10):
            assert (await asyncio.wait_for(rig.call(), 5)).content == long


async def test_connections_to_the_server_are_kept_and_clean() -> None:
    async with serving(plain()) as server, gateway(f"{server}/mcp") as rig:
        for _ in range(20):
            assert (await rig.call()).status_code == 200
        assert rig.open_connections() == 1


async def test_lists_pass_without_a_record_and_reads_leave_one() -> None:
    async with serving(plain()) as server, gateway(f"{server}/mcp") as rig:
        await rig.post(message("tools/list"), method="tools/list")
        assert kinds(rig) == []
        await rig.post(message("resources/read", {"uri": "file:a"}), method="resources/read", name="file:a")
        assert kinds(rig) == ["call-started", "call-finished"]
        assert rig.audit.facts[0].tool == "resources/read"


async def test_a_modern_notification_is_acknowledged_and_dropped() -> None:
    app = plain()
    note = json.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"_meta": META}}).encode()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        assert (await rig.post(note, method="notifications/cancelled")).status_code == 202
        assert app.asked == []


async def test_other_paths_reach_the_registry_without_claims_of_identity() -> None:
    async with serving(plain()) as server, gateway(f"{server}/mcp") as rig:
        answer = await rig.client.get(
            f"{rig.url}/api/v1/servers?a=b", headers={"x-forwarded-for": "6.6.6.6", "x_user": "r"}
        )
        seen = answer.json()
        assert seen["path"] == "/api/v1/servers"
        assert not {"x-forwarded-for", "x_user"} & dict(seen["headers"]).keys()
        assert (await rig.client.head(f"{rig.url}/")).status_code == 200


# real MCP


def real_server() -> tuple[MCPServer, dict[str, int]]:
    server, ran = MCPServer("warehouse", version="1"), {"echo": 0, "slow": 0, "cancelled": 0}

    @server.tool()
    async def echo(text: str) -> str:
        ran["echo"] += 1
        return text

    @server.tool()
    async def steps(ctx: Context[Any]) -> str:
        for step in range(3):
            await ctx.report_progress(step, 3)
        return "done"

    @server.tool()
    async def slow() -> str:
        ran["slow"] += 1
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            ran["cancelled"] += 1
            raise
        return "too late"

    return server, ran


TOOLS = (tool("echo"), tool("steps"), tool("slow", timeout_s=30))


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_the_official_client_lists_and_calls_in_both_revisions(mode: Any) -> None:
    server, ran = real_server()
    app = server.streamable_http_app()
    async with serving(app) as url, gateway(f"{url}/mcp", *TOOLS) as rig:
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {rig.token()}"}, timeout=10) as http:
            transport = streamable_http_client(f"{rig.url}/mcp/warehouse", http_client=http)
            async with Client(transport, mode=mode) as client:
                assert {each.name for each in (await client.list_tools()).tools} == {"echo", "steps", "slow"}
                result = await client.call_tool("echo", {"text": "hello"})
                assert result.structured_content == {"result": "hello"}
                seen: list[float] = []

                async def progress(done: float, total: float | None, text: str | None) -> None:
                    seen.append(done)

                await client.call_tool("steps", {}, progress_callback=progress)
                assert seen == [0, 1, 2]
        assert ran["echo"] == 1
        assert [fact.kind for fact in rig.audit.facts] == ["call-started", "call-finished"] * 2


async def test_a_client_that_vanishes_cancels_its_call_and_the_connection_is_not_kept() -> None:
    server, ran = real_server()
    app = server.streamable_http_app()
    async with serving(app) as url, gateway(f"{url}/mcp", *TOOLS) as rig:
        calling = asyncio.create_task(rig.call("slow"))
        await eventually(lambda: ran["slow"] == 1)
        calling.cancel()
        await eventually(lambda: ran["cancelled"] == 1)
        await eventually(lambda: kinds(rig) == ["call-started", "call-finished"])
        assert rig.audit.facts[1].outcome == "cancelled"
        await eventually(lambda: rig.open_connections() == 0)
        assert (await rig.call("echo", {"text": "still here"})).status_code == 200
        assert ran["slow"] == 1


# streams


def stream(chunks: list[bytes], gate: asyncio.Event | None = None, gone: asyncio.Event | None = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
        await send(start)
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if gate is not None:
            waiting = asyncio.create_task(gate.wait())
            leaving = asyncio.create_task(receive())
            await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if gone is not None and leaving.done():
                gone.set()
            waiting.cancel()
            leaving.cancel()
        await send({"type": "http.response.body", "body": b"data: end\n\n"})

    return app


async def test_each_event_is_passed_on_at_once_and_the_end_waits_for_the_record() -> None:
    gate = asyncio.Event()
    async with serving(stream([b"data: 1\n\n"], gate)) as server, gateway(f"{server}/mcp") as rig:
        sent = headers("tools/call", "echo", authorization=f"Bearer {rig.token()}")
        text = message("tools/call", {"name": "echo"})
        async with rig.client.stream("POST", f"{rig.url}/mcp/warehouse", content=text, headers=sent) as answer:
            parts = answer.aiter_bytes()
            assert await anext(parts) == b"data: 1\n\n"
            assert answer.headers["x-accel-buffering"] == "no"
            assert kinds(rig) == ["call-started"]
            gate.set()
            assert b"".join([part async for part in parts]) == b"data: end\n\n"
            assert kinds(rig) == ["call-started", "call-finished"]


async def listen(rig: Rig, token: str, then: Callable[[], None]) -> None:
    """Listen to the end; `then` is done at the first event."""
    sent = headers("subscriptions/listen", authorization=f"Bearer {token}")
    text = message("subscriptions/listen", {"notifications": {}})
    async with rig.client.stream("POST", f"{rig.url}/mcp/warehouse", content=text, headers=sent) as answer:
        parts = answer.aiter_bytes()
        assert await anext(parts) == b"data: 1\n\n"
        then()
        async for _ in parts:
            pass


async def test_an_open_stream_ends_when_its_right_is_withdrawn() -> None:
    gone = asyncio.Event()
    async with serving(stream([b"data: 1\n\n"], asyncio.Event(), gone)) as server, gateway(f"{server}/mcp") as rig:

        def withdraw() -> None:
            old = rig.snapshots.current()
            rig.snapshots.snapshot = snapshot_of(old.servers.values(), [], revision=2)

        with pytest.raises(httpx2.RemoteProtocolError):
            await listen(rig, rig.token(), withdraw)
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_listener_ends_with_its_token() -> None:
    gone = asyncio.Event()
    async with serving(stream([b"data: 1\n\n"], asyncio.Event(), gone)) as server, gateway(f"{server}/mcp") as rig:
        with pytest.raises(httpx2.RemoteProtocolError):
            await listen(rig, rig.token(exp=int(time.time()) + 2), lambda: None)
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_slow_reader_holds_up_its_server_and_not_the_gateways_memory() -> None:
    sent_out = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent_out
        if scope["type"] != "http":
            return
        await receive()
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
        await send(start)
        for _ in range(400):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            sent_out += 65536
        await send({"type": "http.response.body", "body": b""})

    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        host, port = "127.0.0.1", int(rig.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection(host, port, limit=4096)
        writer.write(raw(rig, message("tools/call", {"name": "echo"})))
        await reader.readuntil(b"\r\n\r\n")
        before = -1
        while before != sent_out:
            before = sent_out
            await asyncio.sleep(0.2)
        assert sent_out < 400 * 65536
        total = 0
        while chunk := await reader.read(1 << 20):
            total += len(chunk)
            if b"0\r\n\r\n" in chunk[-8:]:
                break
        assert total > 400 * 65536
        writer.close()


def raw(rig: Rig, body: bytes, extra: str = "") -> bytes:
    host = rig.url.removeprefix("http://")
    lines = [f"{name}: {value}" for name, value in headers("tools/call", "echo").items()]
    lines += [f"host: {host}", f"authorization: Bearer {rig.token()}", f"content-length: {len(body)}"]
    return ("POST /mcp/warehouse HTTP/1.1\r\n" + "\r\n".join(lines) + f"\r\n{extra}\r\n").encode() + body


# servers that answer rubbish

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def saying(text: bytes) -> tuple[Talk, list[int]]:
    """A server that says `text` to whatever it is asked, and hangs up; and how often it was asked."""
    asked: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(65536):
            asked.append(1)
        writer.write(text)
        await writer.drain()
        writer.close()

    return talk, asked


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
RUBBISH = {
    "nothing": b"",
    "no http": b"hello, world\r\n\r\n",
    "random bytes": bytes(range(256)) * 4,
    "half a head": b"HTTP/1.1 200 OK\r\ncontent-",
    "half a body": HEAD + b"content-length: 100\r\n\r\n{}",
    "a body without an end": HEAD + b"\r\n{}",
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "length and chunks": HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a broken chunk": HEAD + b"transfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n",
    "a web page": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<p/>",
    "no type": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    "a redirect": b"HTTP/1.1 307 T\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n",
    "a fault as text": b"HTTP/1.1 500 E\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\noops",
    "unauthorized": b"HTTP/1.1 401 U\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
    "forbidden": b"HTTP/1.1 403 F\r\ncontent-length: 0\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 S\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    "a very long head": b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("text", RUBBISH.values(), ids=RUBBISH.keys())
async def test_rubbish_is_a_proper_error_with_the_calls_id_and_nothing_is_repeated(text: bytes) -> None:
    talk, asked = saying(text)
    async with talking(talk) as server, gateway(f"{server}/mcp") as rig:
        answer = await rig.call()
        assert answer.status_code == 502
        assert (error(answer)["code"], answer.json()["id"]) == (-31502, 1)
        assert "www-authenticate" not in answer.headers
        assert len(asked) == 1
        assert kinds(rig) == ["call-started", "call-finished"]
        assert rig.audit.facts[1].outcome == "upstream_error"
        await eventually(lambda: rig.open_connections() == 0)


async def test_a_server_that_refuses_its_gateway_raises_an_alarm() -> None:
    talk, _ = saying(RUBBISH["unauthorized"])
    async with talking(talk) as server, gateway(f"{server}/mcp") as rig:
        await rig.call()
        metrics = (await rig.client.get(f"{rig.diagnostics}/metrics")).text
        assert 'pierhead_upstream_refusals_total{server="warehouse",status="401"} 1.0' in metrics


async def test_a_stream_that_breaks_off_is_broken_off_for_the_client_too() -> None:
    talk, _ = saying(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"
    )
    async with talking(talk) as server, gateway(f"{server}/mcp") as rig:
        with pytest.raises(httpx2.RemoteProtocolError):
            await rig.call()
        await eventually(lambda: kinds(rig) == ["call-started", "call-finished"])


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with gateway("http://127.0.0.1:9/mcp") as rig:
        answer = await rig.call()
        assert (answer.status_code, error(answer)["code"]) == (502, -31502)


async def test_a_silent_server_times_out() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with talking(talk) as server, gateway(f"{server}/mcp", tool("echo", timeout_s=-4.5)) as rig:
        answer = await rig.call()
        assert (answer.status_code, error(answer)["code"]) == (504, -31504)
        assert rig.audit.facts[1].outcome == "timeout"
        assert rig.open_connections() == 0


async def test_bytes_nobody_asked_for_spoil_a_connection() -> None:
    answer = HEAD + b"content-length: %d\r\n\r\n" % len(OK) + OK
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.read(65536):
            writer.write(answer + HEAD + b"content-length: 6\r\n\r\nforged")
            await writer.drain()
        writer.close()

    async with talking(talk) as server, gateway(f"{server}/mcp") as rig:
        for _ in range(3):
            assert (await rig.call()).content == OK
        assert connections == 3


async def test_a_list_is_asked_again_when_a_kept_connection_died_and_a_call_is_not() -> None:
    asked = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.read(65536)
        asked += 1
        writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(OK) + OK)
        if await reader.read(65536):  # the second request on this connection: hang up
            asked += 1
        writer.close()

    async with talking(talk) as server, gateway(f"{server}/mcp") as rig:
        assert (await rig.post(message("tools/list"), method="tools/list")).status_code == 200
        assert (await rig.post(message("tools/list"), method="tools/list")).status_code == 200
        assert asked == 3
        assert (await rig.call()).status_code == 502
        assert asked == 4


# refusals


async def test_whoever_may_not_reach_the_server_reads_why_and_whom_to_ask() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        answer = await rig.call(token=rig.token(groups=["ads"]))
        assert answer.status_code == 403
        assert "group:data-eng" in error(answer)["message"]
        assert error(answer)["data"]["hint"] == "ask data-platform in #data-help"
        assert app.asked == []
        refused = rig.audit.facts[0]
        assert isinstance(refused, CallRefused)
        assert refused.code == "cannot-reach"


async def test_an_unknown_tool_reads_as_the_server_would_say_it() -> None:
    async with serving(plain()) as server, gateway(f"{server}/mcp") as rig:
        modern = await rig.call("drop")
        assert (modern.status_code, error(modern)["code"]) == (400, -32602)
        assert error(modern)["message"] == "Unknown tool: drop"
        legacy = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "drop"}}).encode()
        sent = {"content-type": "application/json", "authorization": f"Bearer {rig.token()}"}
        answer = await rig.client.post(f"{rig.url}/mcp/warehouse", content=legacy, headers=sent)
        assert (answer.status_code, error(answer)["code"], answer.json()["id"]) == (200, -32602, 5)


async def test_an_unreadable_message_is_refused_recorded_and_goes_nowhere() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        answer = await rig.post(b'{"jsonrpc":"2.0","id":1,"id":2}')
        assert (answer.status_code, error(answer)["code"], answer.json()["id"]) == (400, -32700, None)
        assert kinds(rig) == ["call-refused"]
        assert app.asked == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"host": "evil.example"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"x-long": "x" * 33_000}, 431),
    ],
)
async def test_what_no_client_of_ours_sends_is_refused_at_the_edge(change: dict[str, str], status: int) -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        answer = await rig.call(**change)
        assert answer.status_code == status
        assert error(answer)["data"]["hint"]
        assert app.asked == []


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_past_four_mebibytes_is_refused(announced: bool) -> None:
    async def parts() -> Any:
        for _ in range(70):
            yield b"x" * 65536

    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        sent = headers("tools/call", "echo", authorization=f"Bearer {rig.token()}")
        text: Any = b"x" * (70 * 65536) if announced else parts()
        answer = await rig.client.post(f"{rig.url}/mcp/warehouse", content=text, headers=sent)
        assert answer.status_code == 413
        assert app.asked == []


async def test_no_record_no_call() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp", audit=MemoryAudit(full=True)) as rig:
        answer = await rig.call()
        assert (answer.status_code, error(answer)["code"]) == (503, -31507)
        assert app.asked == []


async def test_expired_policy_refuses_everything_with_the_reason() -> None:
    async with serving(plain()) as server, gateway(f"{server}/mcp", tool("echo", effect=Effect.WRITE)) as rig:
        rig.snapshots.how_old = Expired(1000)
        answer = await rig.call()
        assert (answer.status_code, error(answer)["code"]) == (503, -31503)
        assert (await rig.client.get(f"{rig.diagnostics}/readyz")).status_code == 503


async def test_one_slow_server_does_not_hold_up_another() -> None:
    gate = asyncio.Event()
    async with serving(stream([], gate)) as slow, serving(plain()) as quick, gateway(f"{slow}/mcp") as rig:
        rows = [Row(name, parse_who("everyone"), EVERY, EVERY, EVERY) for name in ("warehouse", "other")]
        servers = [warehouse(f"{slow}/mcp", (tool("echo"),)), warehouse(f"{quick}/mcp", (tool("echo"),), "other")]
        rig.snapshots.snapshot = snapshot_of(servers, rows, revision=2)
        held = [asyncio.create_task(rig.call()) for _ in range(60)]
        token = rig.token(aud=f"{rig.url}/mcp/other")
        sent = headers("tools/call", "echo", authorization=f"Bearer {token}")
        text = message("tools/call", {"name": "echo"})
        async with asyncio.timeout(5):
            answer = await rig.client.post(f"{rig.url}/mcp/other", content=text, headers=sent)
        assert answer.status_code == 200
        gate.set()
        assert {each.status_code for each in await asyncio.gather(*held)} == {200}


# stopping


async def test_stopping_lets_a_call_finish_and_tells_listeners_goodbye() -> None:
    gate = asyncio.Event()
    async with serving(stream([b": ping\n\n"], gate)) as server, gateway(f"{server}/mcp") as rig:
        sent = headers("subscriptions/listen", authorization=f"Bearer {rig.token()}")
        listening = asyncio.create_task(
            rig.client.post(f"{rig.url}/mcp/warehouse", content=message("subscriptions/listen"), headers=sent)
        )
        calling = asyncio.create_task(rig.call())
        await eventually(lambda: rig.outside.upstreams is not None and rig.open_connections() == 2)
        await asyncio.sleep(0.1)
        rig.program.stopping.set()
        with pytest.raises(httpx2.RemoteProtocolError):
            await listening
        assert (await rig.client.get(f"{rig.diagnostics}/readyz")).status_code == 503
        gate.set()
        assert (await calling).status_code == 200
        assert kinds(rig) == ["call-started", "call-finished"]
