"""The data lane of the gateway, before a real server with routes of its own, and before bad ones."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from tests.rigs.gateway import MASTER, Rig, WallClock, claims, eventually, gateway, serving, sign, verifier

from pierhead import Caller, Server
from pierhead.adapters.assertion import Verifier, server_key
from pierhead.core.audit import CallFinished, CallRefused, CallStarted
from pierhead.core.binding import request_digest
from pierhead.core.catalog import Stage
from pierhead.core.errors import Forbidden, Invalid
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.sdk.governance import govern
from pierhead.sdk.host import host
from pierhead.sdk.routes import Calls, Done, Prepared, Reply, Request
from pierhead.usecases.memory import MemoryAudit, MemorySnapshots, NoApprovals, snapshot_of

pytestmark = pytest.mark.anyio

JSON = b"application/json"
Body = Callable[[Request, Calls], Awaitable[Reply | None]]


class Shelf:
    """Routes over the tool `look`: what was asked, or what a test wants."""

    def __init__(self, answer: Body) -> None:
        self.answering = answer

    async def answer(self, request: Request, calls: Calls) -> Reply | None:
        reply: list[Reply | None] = []

        async def body() -> Done:
            reply.append(await self.answering(request, calls))
            return Done(None, 0)

        await calls.run("look", lambda: Prepared({}, len(request.body), body))
        return reply[0]


async def echo(request: Request, calls: Calls) -> Reply | None:
    seen = [request.method.encode(), request.path, request.query, calls.caller.name.encode(), request.body]
    seen += [request.headers.get(name, b"-") for name in (b"accept", b"prefer", b"user-agent", b"cookie")]
    return Reply(200, [(b"content-type", b"text/plain"), (b"etag", b'"1"')], b"|".join(seen))


@asynccontextmanager
async def shelf(answer: Body = echo, access: str = "group:data-eng") -> AsyncGenerator[tuple[Rig, MemoryAudit]]:
    """A gateway, and behind it a real server of the SDK with these routes; the server's own record."""
    server = Server("warehouse", owner="data-platform", support="#data-help", version="1")
    server.routes = Shelf(answer)

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def look(*, caller: Caller) -> str:
        """Look."""
        return caller.name

    rows = (Row("warehouse", parse_who("everyone"), EVERY, EVERY, EVERY),)
    audit, clock = MemoryAudit(), WallClock()
    snapshots = MemorySnapshots(snapshot_of([server.listed(Stage.DEPLOYED, "http://127.0.0.1:1")], rows))
    governance = govern("warehouse", server.tools, snapshots, NoApprovals(), audit, clock)
    app = host(server, governance, Verifier(server_key(MASTER, "warehouse"), "warehouse", clock))
    async with serving(app) as address, gateway(f"{address}/mcp", access=access) as rig:
        yield rig, audit


async def ask(rig: Rig, path: str, method: str = "GET", **more: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {rig.token()}", **more.pop("headers", {})}
    return await rig.client.request(method, f"{rig.url}/data/warehouse{path}", headers=headers, **more)


async def test_a_request_reaches_the_server_as_its_caller_and_byte_for_byte() -> None:
    async with shelf() as (rig, _):
        answer = await ask(
            rig,
            "/api/v1/orders/a%2Cb?price=gte.10&or=(a.eq.1)",
            "POST",
            content=b'{"sql": "x"}',
            headers={"prefer": "count=exact", "cookie": "session=1", "user-agent": "curl/8", "accept": "text/csv"},
        )
        parts = answer.text.split("|")
        assert parts[:5] == ["POST", "/api/v1/orders/a%2Cb", "price=gte.10&or=(a.eq.1)", "alice", '{"sql": "x"}']
        assert parts[5:] == ["text/csv", "count=exact", "curl/8", "-"]
        assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')


async def test_gateway_and_server_record_one_call_before_it_runs() -> None:
    async with shelf() as (rig, audit):
        await ask(rig, "/api/v1/orders?a=1")
        started, finished = rig.audit.facts
        assert isinstance(started, CallStarted)
        assert isinstance(finished, CallFinished)
        assert (started.tool, started.era, started.actor.person) == ("data/get", "rest", "alice")
        assert started.arguments_digest != ""
        assert finished.outcome == "relayed"
        assert audit.facts[0].tool == "look"
        assert audit.facts[0].call_id == started.call_id


async def test_the_assertion_binds_the_very_request() -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            sent.append(scope)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async with serving(app) as address, gateway(f"{address}/mcp") as rig:
        await ask(rig, "/api/v1/orders?a=1", headers={"pierhead-role": "analyst"})
        headers = dict(sent[0]["headers"])
        bound = request_digest("GET", b"/api/v1/orders?a=1", headers, b"")
        caller, _ = verifier().verify(headers[b"pierhead-assertion"], bound)
        assert caller.name == "alice"
        assert headers[b"pierhead-role"] == b"analyst"
        assert b"authorization" not in headers


async def test_who_may_not_reach_the_server_gets_a_recorded_problem() -> None:
    async with shelf(access="group:finance") as (rig, audit):
        answer = await ask(rig, "/api/v1/orders")
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "cannot-reach"
        assert isinstance(rig.audit.facts[0], CallRefused)
        assert audit.facts == []


async def test_no_token_no_data_and_the_challenge_says_where_to_sign_in() -> None:
    async with shelf() as (rig, _):
        answer = await rig.client.get(f"{rig.url}/data/warehouse/api/v1/orders")
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert "/.well-known/oauth-protected-resource/mcp/warehouse" in answer.headers["www-authenticate"]
        other = sign(claims(rig.url, aud=f"{rig.url}/mcp/another"))
        answer = await ask(rig, "/api/v1/orders", headers={"authorization": f"Bearer {other}"})
        assert answer.status_code == 401


async def test_an_unknown_server_and_one_without_routes_are_not_found() -> None:
    async with shelf() as (rig, _):
        token = sign(claims(rig.url, aud=f"{rig.url}/mcp/nothing"))
        answer = await rig.client.get(
            f"{rig.url}/data/nothing/api/v1/orders", headers={"authorization": f"Bearer {token}"}
        )
        assert (answer.status_code, answer.json()["status"]) == (404, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2/orders",
        "/api/v1/../../mcp",
        "/api/v1/./x",
        "/api/v1//x",
        "/mcp",
        "",
        "/api/v1x",
        "/docs/",
    ],
)
async def test_only_the_routes_themselves_are_reached_and_spelt_in_one_way(path: str) -> None:
    async with shelf() as (rig, audit):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(rig.url.rpartition(":")[2]))
        host_header = rig.url.removeprefix("http://")
        request = (
            f"GET /data/warehouse{path} HTTP/1.1\r\nHost: {host_header}\r\nAuthorization: Bearer {rig.token()}\r\n"
        )
        writer.write(request.encode() + b"Connection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.split(b" ", 2)[1] in (b"404", b"400")
        assert audit.facts == []


async def test_openapi_and_docs_go_the_same_way() -> None:
    async with shelf() as (rig, _):
        assert "|/openapi.json|" in (await ask(rig, "/openapi.json")).text
        answer = await ask(rig, "/docs")
        assert "|/docs|" in answer.text
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


async def test_a_method_no_route_takes_says_which_do() -> None:
    async with shelf() as (rig, _):
        answer = await ask(rig, "/api/v1/orders", "OPTIONS")
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
        assert "PATCH" in answer.headers["allow"]


async def test_the_servers_own_problems_pass_unchanged() -> None:
    async def refusing(request: Request, calls: Calls) -> Reply | None:
        if request.path.endswith(b"forbidden"):
            raise Forbidden("your role may not run SQL", code="sql-is-off")
        raise Invalid("there is no column nope", code="unknown-column")

    async with shelf(refusing) as (rig, _):
        answer = await ask(rig, "/api/v1/forbidden")
        assert (answer.status_code, answer.json()["code"]) == (403, "sql-is-off")
        answer = await ask(rig, "/api/v1/orders")
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown-column")


async def test_a_long_answer_streams_while_it_is_made() -> None:
    go_on = asyncio.Event()

    async def streaming(_request: Request, calls: Calls) -> Reply | None:
        await calls.stream.open(200, [(b"content-type", b"text/csv")])
        await calls.stream.write(b"a" * 70_000)
        await calls.stream.write(b"b" * 70_000)
        await go_on.wait()
        await calls.stream.write(b"c")
        return None

    async with shelf(streaming) as (rig, _):
        headers = {"authorization": f"Bearer {rig.token()}"}
        async with rig.client.stream("GET", f"{rig.url}/data/warehouse/api/v1/orders", headers=headers) as answer:
            parts = answer.aiter_bytes()
            first = await anext(parts)
            assert first.startswith(b"a")
            go_on.set()
            size = len(first) + sum([len(part) async for part in parts])
        assert size == 140_001


async def test_a_client_that_leaves_ends_the_work_behind() -> None:
    reached, left = asyncio.Event(), asyncio.Event()

    async def waiting(_request: Request, _calls: Calls) -> Reply | None:
        reached.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            left.set()
            raise
        return None

    async with shelf(waiting) as (rig, _):
        asking = asyncio.create_task(ask(rig, "/api/v1/orders"))
        await reached.wait()
        asking.cancel()
        await asyncio.wait([asking])
        async with asyncio.timeout(5):
            await left.wait()
        await eventually(lambda: "call-finished" in rig.audit.kinds())
        assert rig.audit.facts[-1].outcome == "cancelled"


async def test_an_upload_beyond_ten_mebibytes_is_refused_unread() -> None:
    async with shelf() as (rig, audit):
        answer = await ask(rig, "/api/v1/orders", "POST", content=b"x" * (10 * 1024 * 1024 + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
        answer = await ask(rig, "/api/v1/orders", "POST", content=b"x" * (5 * 1024 * 1024))
        assert answer.status_code == 200
        assert len(audit.facts) == 2


@pytest.mark.parametrize(
    ("status", "code"), [(401, "upstream-refused-gateway"), (302, "upstream-garbage"), (500, "upstream-failed")]
)
async def test_what_no_server_of_ours_answers_does_not_pass(status: int, code: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [(b"content-type", b"text/html"), (b"location", b"/"), (b"set-cookie", b"a=b")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"<script>"})

    async with serving(app) as address, gateway(f"{address}/mcp") as rig:
        answer = await ask(rig, "/api/v1/orders")
        assert (answer.status_code, answer.json()["code"]) == (502, code)
        assert "set-cookie" not in answer.headers


async def test_head_answers_without_a_body() -> None:
    async with shelf() as (rig, _):
        answer = await ask(rig, "/api/v1/orders", "HEAD")
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, b"", '"1"')
        refused = await ask(rig, "/api/v1/orders", "HEAD", headers={"authorization": "Bearer no"})
        assert (refused.status_code, refused.content) == (401, b"")
