"""The short way and the long one give the same answers and leave the same facts, whatever is asked."""

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.from_thread
import httpx2
import orjson
import pytest
from anyio.from_thread import BlockingPortal
from hypothesis import given
from hypothesis import strategies as st
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel
from tests.searching import examples

from pierhead import Caller, Invalid, Server
from pierhead.core.identity import Caller as CoreCaller
from pierhead.sdk.host import ASSERTION_HEADER
from pierhead.testing import Running, platform

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}


class Part(BaseModel):
    name: str
    weight: float | None = None


class Mixed(BaseModel):
    text: str
    number: int
    ratio: float
    parts: list[Part]
    tags: dict[str, str | None]
    when: dt.date
    asked_by: str


def bench_server() -> Server:
    server = Server("ways", owner="o", support="#s")
    everyone: dict[str, Any] = {"policy": "everyone", "effect": "read", "minutes_saved": 1}

    @server.tool(**everyone)
    async def mix(
        text: str,
        number: int = 0,
        ratio: float = 0.5,
        parts: list[Part] | None = None,
        tags: dict[str, str | None] | None = None,
        *,
        caller: Caller,
    ) -> Mixed:
        """Give everything back."""
        when = dt.date(2026, 7, 28)
        return Mixed(
            text=text, number=number, ratio=ratio, parts=parts or [], tags=tags or {}, when=when, asked_by=caller.name
        )

    @server.tool(**everyone)
    def add(a: int, b: int) -> int:
        """Add, in a thread."""
        return a + b

    @server.tool(**everyone)
    async def teach(reason: str) -> str:
        """Fail as an author does."""
        raise Invalid(reason, hint="do better", code="unknown-table")

    @server.tool(**everyone)
    async def crash(reason: str) -> str:
        """Fail as nobody wants to."""
        raise ValueError(reason)

    @server.tool(**everyone)
    async def crash_in_time(reason: str) -> str:
        """Fail with a time-out of its own."""
        raise TimeoutError(reason)

    @server.tool(**everyone)
    async def say_no(reason: str) -> str:
        """Fail as the protocol package's authors do."""
        raise ToolError(reason)

    @server.tool(**everyone)
    async def protest(reason: str) -> str:
        """Answer with a protocol error."""
        raise MCPError(-32021, reason, {"requiredCapabilities": {"sampling": {}}})

    @server.tool(**everyone)
    async def lie() -> Mixed:
        """Return what was not declared."""
        return {"text": 1}  # pyright: ignore[reportReturnType]

    @server.tool(**everyone, timeout=0.02)
    async def sleep() -> str:
        """Sleep for ever."""
        await anyio.sleep_forever()
        return ""

    @server.tool(policy="everyone", effect="destructive", minutes_saved=1)
    async def drop(table: str) -> str:
        """Wait for an approval."""
        raise AssertionError(table)

    @server.tool(policy="nobody", effect="read", minutes_saved=1)
    async def hidden(table: str) -> str:
        """Not there for anybody."""
        return table

    return server


@dataclasses.dataclass(frozen=True, repr=False)
class Ways:
    """One server with both ways in, and one that has only the long one."""

    portal: BlockingPortal
    running: Running

    def both(self, call: dict[str, Any], *, short_must_answer: bool) -> tuple[Any, Any]:
        door: Any = self.running.application
        short = dataclasses.replace(door, stack=_never) if short_must_answer else door
        return self._ask(short, call), self._ask(dataclasses.replace(door, short=None), call)

    def both_to(self, body: bytes) -> tuple[Any, Any]:
        """The same for any body at all."""
        door: Any = self.running.application
        first, second = (
            self.portal.call(_send, way, body, "add") for way in (door, dataclasses.replace(door, short=None))
        )
        return (first.status_code, first.content and first.json()), (
            second.status_code,
            second.content and second.json(),
        )

    def _ask(self, application: Any, call: dict[str, Any]) -> Any:
        """Status, body, and the facts but for the call's id."""
        facts = self.running.audit.facts
        facts.clear()
        answer = self.portal.call(_post, application, call)
        return answer.status_code, answer.json(), [dataclasses.replace(fact, call_id="") for fact in facts]


async def _never(*_: object) -> None:
    raise AssertionError("the short way did not answer")


async def _post(application: Any, params: dict[str, Any]) -> httpx2.Response:
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()
    return await _send(application, body, params["name"])


async def _send(application: Any, body: bytes, name: str) -> httpx2.Response:
    headers = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": name,
        ASSERTION_HEADER.decode(): orjson.dumps({"user": "alice", "groups": []}).decode(),
    }
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(application)) as client:
        return await client.post("http://127.0.0.1:1/mcp", content=body, headers=headers)


@contextmanager
def both_ways() -> Iterator[Ways]:
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(platform(bench_server(), access="everyone")) as running,
    ):
        yield Ways(portal, running)


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    with both_ways() as made:
        yield made


def asked(name: str, arguments: object, **more: object) -> dict[str, Any]:
    return {"name": name, "arguments": arguments, "_meta": META, **more}


@pytest.mark.parametrize(
    ("name", "arguments", "outcome"),
    [
        ("mix", {"text": 'ü \u2028 "', "tags": {"a": None}, "parts": [{"name": "p"}]}, "ok"),
        ("add", {"a": 1, "b": 2}, "ok"),
        ("teach", {"reason": "no such table"}, "tool_error"),
        ("crash", {"reason": "secret"}, "tool_error"),
        ("crash_in_time", {"reason": "secret"}, "tool_error"),
        ("say_no", {"reason": "not today"}, "tool_error"),
        ("protest", {"reason": "no sampling"}, "tool_error"),
        ("lie", {}, "tool_error"),
        ("sleep", {}, "timeout"),
        ("mix", {"text": "x" * 40_000}, "tool_error"),
        ("protest", {"reason": "x" * 20_000}, "tool_error"),
    ],
)
def test_a_call_that_runs_ends_alike(ways: Ways, name: str, arguments: dict[str, object], outcome: str) -> None:
    short, long = ways.both(asked(name, arguments), short_must_answer=True)
    assert short == long
    assert [fact.kind for fact in short[2]] == ["call-started", "call-finished"]
    assert short[2][1].outcome == outcome
    assert "secret" not in str(short[:2])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mix", {}),
        ("mix", {"text": 1}),
        ("mix", {"text": "t", "number": "1"}),
        ("mix", {"text": "t", "number": 2**53}),
        ("mix", {"text": "t", "number": 10**30}),
        ("mix", {"text": "t", "extra": 1}),
        ("drop", {"table": "t"}),
        ("drop", {"table": 1}),
    ],
)
def test_a_call_that_does_not_run_is_answered_alike(ways: Ways, name: str, arguments: dict[str, object]) -> None:
    short, long = ways.both(asked(name, arguments), short_must_answer=True)
    assert short == long
    assert [fact.kind for fact in short[2]] == ["call-refused"]


@pytest.mark.parametrize(
    "call",
    [
        asked("absent", {}),
        asked("hidden", {"table": 1}),
        asked("mix", None),
        asked("mix", []),
        asked("mix", {"text": "\ud800"}),
        asked("add", {"a": 1, "b": 2}, surprise=True),
        {"name": "add", "arguments": {"a": 1, "b": 2}},
        {**asked("add", {"a": 1, "b": 2}), "_meta": {**META, "io.modelcontextprotocol/clientInfo": "x"}},
        {**asked("add", {"a": 1, "b": 2}), "_meta": {**META, "progressToken": "p"}},
    ],
)
def test_what_the_short_way_does_not_know_it_leaves_alone(ways: Ways, call: dict[str, Any]) -> None:
    short, long = ways.both(call, short_must_answer=False)
    assert short == long


def test_absent_and_hidden_differ_in_nothing_but_their_name(ways: Ways) -> None:
    absent, _ = ways.both(asked("absent", {"table": 1}), short_must_answer=False)
    hidden, _ = ways.both(asked("hidden", {"table": 1}), short_must_answer=False)
    assert str(absent[:2]) == str(hidden[:2]).replace("hidden", "absent")
    assert absent[0] == 400
    assert absent[1]["error"]["code"] == -32602


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_PARTS = st.fixed_dictionaries({"name": st.text(max_size=5)}, optional={"weight": st.floats(allow_nan=False)})
_ARGUMENTS = st.fixed_dictionaries(
    {"text": st.text(max_size=20) | _ANYTHING},
    optional={
        "number": st.integers() | _ANYTHING,
        "ratio": st.floats(allow_nan=False) | st.integers() | _ANYTHING,
        "parts": st.lists(_PARTS | _ANYTHING, max_size=3),
        "tags": st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.none() | _ANYTHING, max_size=3),
        "extra": _ANYTHING,
    },
)


@given(arguments=_ARGUMENTS)
@examples(150)
def test_any_arguments_are_answered_alike(ways: Ways, arguments: dict[str, object]) -> None:
    short, long = ways.both(asked("mix", arguments), short_must_answer=False)
    assert short == long


_REQUEST = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": asked("add", {"a": 1, "b": 2})}
_PLACES = st.sampled_from(
    [
        (),
        *((member,) for member in _REQUEST),
        *(("params", member) for member in ("name", "arguments", "_meta", "requestState", "inputResponses", "task")),
        *(("params", "_meta", member) for member in (*META, "progressToken", "io.modelcontextprotocol/logLevel")),
        ("params", "_meta", "io.modelcontextprotocol/clientInfo", "name"),
        ("params", "_meta", "io.modelcontextprotocol/clientCapabilities", "elicitation"),
        ("surprise",),
    ]
)


def _with(whole: Any, place: tuple[str, ...], value: object) -> Any:
    if not place:
        return value
    return {**whole, place[0]: _with(whole.get(place[0], {}), place[1:], value)}


@given(place=_PLACES, value=_ANYTHING)
@examples(200)
def test_any_wrong_member_is_answered_alike(ways: Ways, place: tuple[str, ...], value: object) -> None:
    short, long = ways.both_to(json.dumps(_with(_REQUEST, place, value)).encode())
    assert short == long
    assert short[0] < 500


@given(body=st.binary(max_size=60) | st.text(alphabet='{}[]":,0a\\u', max_size=30).map(str.encode))
@examples(50)
def test_any_bytes_are_answered_alike(ways: Ways, body: bytes) -> None:
    short, long = ways.both_to(body)
    assert short == long
    assert short[0] < 500


def test_the_caller_of_the_public_face_is_the_one_of_the_core() -> None:
    assert Caller is CoreCaller
