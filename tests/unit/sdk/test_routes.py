"""Routes of a server: HTTP beside MCP, through the same governed function."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import orjson
import pytest

from pierhead import Caller, Server
from pierhead.adapters.assertion import Minter, Verifier, server_key
from pierhead.core.binding import request_digest
from pierhead.core.catalog import Stage
from pierhead.core.errors import Invalid, ToolFailed
from pierhead.core.identity import User
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.scope import WHOLE
from pierhead.sdk.governance import govern
from pierhead.sdk.host import LARGEST_UPLOAD, host
from pierhead.sdk.routes import Calls, Done, Prepared, Reply, Request
from pierhead.testing import platform
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemorySnapshots, NoApprovals, snapshot_of

pytestmark = pytest.mark.anyio

BASE = "http://127.0.0.1:1"


class Echo:
    """Routes over the tool `say`: the last part of the path is the word."""

    def __init__(self, body: Callable[[Request, Calls], Any] | None = None) -> None:
        self.body = body

    async def answer(self, request: Request, calls: Calls) -> Reply | None:
        word = request.path.decode().rpartition("/")[2]

        async def said() -> Done:
            if self.body is not None:
                await self.body(request, calls)
            return Done(word.encode(), len(word))

        def prepare() -> Prepared:
            if word == "unreadable":
                raise Invalid("no such word", hint="say another")
            arguments = calls.arguments("say", {"word": word})
            return Prepared(arguments.plain, len(word), said)

        done = await calls.run("say", prepare)
        assert isinstance(done, Done)
        return None if calls.stream.is_open else Reply(200, [(b"content-type", b"text/plain")], bytes(done.value))  # type: ignore[arg-type]


def speaker(routes: Echo | None = None) -> Server:
    server = Server("speaker", owner="data", support="#data")

    @server.tool(policy="group:staff", effect="read", minutes_saved=1)
    async def say(word: str, *, caller: Caller) -> str:
        """Say a word."""
        return f"{caller.name}: {word}"

    server.routes = routes or Echo()
    return server


async def test_a_route_is_a_recorded_call_of_its_tool() -> None:
    async with platform(speaker(), access="everyone") as running, running.http("ann", ["staff"]) as http:
        answer = await http.get(f"{BASE}/api/v1/hello", headers={"user-agent": "curl/8"})
        assert (answer.status_code, answer.text) == (200, "hello")
        assert answer.headers["x-content-type-options"] == "nosniff"
        started, finished = running.audit.facts
        assert (started.kind, started.tool, started.era, started.client) == ("call-started", "say", "rest", "curl/8")
        assert started.arguments_size == 5
        assert (finished.kind, finished.outcome, finished.bytes_out) == ("call-finished", "ok", 5)


async def test_both_hosts_record_one_digest_for_one_call() -> None:
    async with platform(speaker(), access="everyone") as running:
        async with running.http("ann", ["staff"]) as http:
            await http.get(f"{BASE}/api/v1/hello")
        async with running.client("ann", ["staff"]) as client:
            await client.call_tool("say", {"word": "hello"})
        digests = [fact.arguments_digest for fact in running.audit.facts if fact.kind == "call-started"]
        assert len(digests) == 2
        assert digests[0] == digests[1]


async def test_a_hidden_tool_is_refused_unread_and_recorded() -> None:
    async with platform(speaker(), access="everyone") as running, running.http("gus", ["guests"]) as http:
        answer = await http.get(f"{BASE}/api/v1/unreadable")
        assert answer.json()["code"] == "unknown-tool"
        assert running.audit.kinds() == ["call-refused"]


async def test_a_server_that_may_not_be_reached_says_so() -> None:
    async with platform(speaker(), access="group:staff") as running, running.http("gus", ["guests"]) as http:
        answer = await http.get(f"{BASE}/api/v1/hello")
        assert (answer.status_code, answer.json()["code"]) == (403, "cannot-reach")


async def test_a_fault_in_a_request_is_a_recorded_problem_document() -> None:
    async with platform(speaker(), access="everyone") as running, running.http("ann", ["staff"]) as http:
        answer = await http.get(f"{BASE}/api/v1/unreadable")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() == {
            "type": "urn:pierhead:error:invalid",
            "title": "Bad Request",
            "status": 400,
            "detail": "no such word",
            "code": "invalid",
            "hint": "say another",
            "retryable": False,
        }
        assert running.audit.kinds() == ["call-refused"]


async def test_without_an_assertion_nothing_is_answered() -> None:
    async with platform(speaker(), access="everyone") as running:
        transport = httpx2.ASGITransport(running.application)
        async with httpx2.AsyncClient(transport=transport) as http:
            for path in ("/api/v1/hello", "/openapi.json", "/docs"):
                answer = await http.get(BASE + path)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
        assert running.audit.facts == []


async def test_a_server_without_routes_has_no_such_paths() -> None:
    server = speaker()
    server.routes = None
    async with platform(server, access="everyone") as running, running.http("ann", ["staff"]) as http:
        assert (await http.get(f"{BASE}/api/v1/hello")).status_code == 404


async def test_a_crash_in_a_body_is_told_without_its_text_and_recorded() -> None:
    async def crash(request: Request, calls: Calls) -> None:
        raise ValueError("secret of the driver")

    async with platform(speaker(Echo(crash)), access="everyone") as running, running.http("ann", ["staff"]) as http:
        answer = await http.get(f"{BASE}/api/v1/hello")
        assert (answer.status_code, answer.json()["code"]) == (502, "tool-failed")
        assert "secret" not in answer.text
        assert [fact.outcome for fact in running.audit.facts if fact.kind == "call-finished"] == ["tool_error"]


async def test_head_gets_the_headers_of_get_and_no_body() -> None:
    async with platform(speaker(), access="everyone") as running, running.http("ann", ["staff"]) as http:
        answer = await http.head(f"{BASE}/api/v1/hello")
        assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "5", b"")


async def test_a_stream_ends_only_after_its_outcome_is_on_record() -> None:
    async def stream(request: Request, calls: Calls) -> None:
        await calls.stream.open(200, [(b"content-type", b"text/plain")])
        await calls.stream.write(b"one ")
        await calls.stream.write(b"two")

    server = speaker(Echo(stream))
    async with platform(server, access="everyone") as running:
        sent: list[tuple[str, list[str]]] = []

        async def send(message: Any) -> None:
            sent.append((message["type"] + str(message.get("body", b""), "utf8"), running.audit.kinds()))

        await running.application(_scope("/api/v1/hello"), _receiving(b""), send)
        assert sent == [
            ("http.response.start", ["call-started"]),
            ("http.response.bodyone ", ["call-started"]),
            ("http.response.bodytwo", ["call-started"]),
            ("http.response.body", ["call-started", "call-finished"]),
        ]


async def test_a_stream_that_fails_is_left_without_its_end() -> None:
    async def stream(request: Request, calls: Calls) -> None:
        await calls.stream.open(200, [])
        await calls.stream.write(b"one")
        raise ToolFailed("cut")

    async with platform(speaker(Echo(stream)), access="everyone") as running:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await running.application(_scope("/api/v1/hello"), _receiving(b""), send)
        assert sent[-1] == {"type": "http.response.body", "body": b"one", "more_body": True}
        assert running.audit.facts[-1].outcome == "tool_error"


async def test_a_client_that_leaves_cancels_its_work() -> None:
    gone, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request: Request, calls: Calls) -> None:
        gone.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    messages = iter([{"type": "http.request", "body": b""}])

    async def receive() -> Any:
        try:
            return next(messages)
        except StopIteration:
            await gone.wait()
            return {"type": "http.disconnect"}

    async with platform(speaker(Echo(wait)), access="everyone") as running:
        await running.application(_scope("/api/v1/hello"), receive, _nowhere)
        assert cancelled.is_set()
        assert running.audit.facts[-1].outcome == "cancelled"


async def test_a_body_beyond_the_largest_upload_is_refused() -> None:
    async with platform(speaker(), access="everyone") as running, running.http("ann", ["staff"]) as http:
        answer = await http.post(f"{BASE}/api/v1/hello", content=b"x" * (LARGEST_UPLOAD + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_a_header_that_may_stand_once_is_refused_twice() -> None:
    async with platform(speaker(), access="everyone") as running, running.http("ann", ["staff"]) as http:
        answer = await http.get(f"{BASE}/api/v1/hello", headers=[("pierhead-role", "a"), ("pierhead-role", "b")])
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-headers")


@pytest.fixture
def asserted() -> tuple[Any, Minter]:
    """The application of a server behind a real verifier, and the gateway's minter."""
    server, clock = speaker(), MemoryClock()
    rows = (Row("speaker", parse_who("everyone"), EVERY, EVERY, EVERY),)
    snapshots = MemorySnapshots(snapshot_of([server.listed(Stage.DEPLOYED, BASE)], rows))
    governance = govern("speaker", server.tools, snapshots, NoApprovals(), MemoryAudit(), clock)
    verifier = Verifier(server_key(b"master", "speaker"), "speaker", clock)
    return host(server, governance, verifier), Minter(b"master", clock)


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        ("GET", b"/api/v1/hello?a=1", {b"prefer": b"count=exact"}, 200),
        ("POST", b"/api/v1/hello?a=1", {b"prefer": b"count=exact"}, 401),
        ("GET", b"/api/v1/hello?a=2", {b"prefer": b"count=exact"}, 401),
        ("GET", b"/api/v1/hello", {b"prefer": b"count=exact"}, 401),
        ("GET", b"/api/v1/hello?a=1", {}, 401),
        ("GET", b"/api/v1/hello?a=1", {b"prefer": b"count=exact", b"pierhead-role": b"admin"}, 401),
    ],
)
async def test_an_assertion_is_good_for_its_own_request_alone(
    asserted: tuple[Any, Minter], method: str, target: bytes, headers: dict[bytes, bytes], status: int
) -> None:
    application, minter = asserted
    caller = Caller(User("https://memory.example", "ann", frozenset({"staff"})), "ide", "test", "call-1", scopes=WHOLE)
    bound = request_digest("GET", b"/api/v1/hello?a=1", {b"prefer": b"count=exact"}, b"")
    assertion = minter.mint(caller, "speaker", "call-1", bound)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = _scope(target.decode(), method, [*headers.items(), (b"pierhead-assertion", assertion)])
    await application(scope, _receiving(b""), send)
    assert sent[0]["status"] == status


def test_no_two_requests_share_a_digest() -> None:
    variants = [
        ("GET", b"/a", {}, b""),
        ("GE", b"T/a", {}, b""),
        ("GET", b"/a", {b"accept": b"x"}, b""),
        ("GET", b"/a", {b"prefer": b"x"}, b""),
        ("GET", b"/a", {}, b"x"),
        ("GET", b"/", {}, b"a"),
    ]
    assert len({request_digest(*variant) for variant in variants}) == len(variants)


def _scope(target: str, method: str = "GET", headers: list[tuple[bytes, bytes]] | None = None) -> dict[str, Any]:
    path, _, query = target.partition("?")
    said = orjson.dumps({"user": "ann", "groups": ["staff"]})
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"pierhead-assertion", said)] if headers is None else headers,
    }


def _receiving(body: bytes) -> Callable[[], Any]:
    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    return receive


async def _nowhere(message: Any) -> None:
    """What a client that has gone receives."""
