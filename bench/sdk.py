"""What a tool call costs in an SDK server, beside the same tool on the bare `mcp` package.

In process: both applications are called directly, with messages made beforehand (an assertion is accepted once, so
each call has its own). The SDK's side verifies it, decides, writes two durable records and validates strictly; the
bare one answers. Batches alternate, so that a noisy minute disturbs both. CPU is the whole process's, the journal's
thread included.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop

from bench.load import tools_call
from bench.policy import GROUP
from bench.programs import mcp_server
from bench.results import Results, Target
from pierhead import Server
from pierhead.adapters.assertion import Minter, Verifier, server_key
from pierhead.adapters.journal import Journal, verify
from pierhead.adapters.system import SystemClock, SystemIds
from pierhead.core.catalog import Stage
from pierhead.core.identity import Caller, User
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import Who
from pierhead.core.scope import WHOLE
from pierhead.sdk.governance import govern
from pierhead.sdk.host import host
from pierhead.usecases.memory import MemorySnapshots, NoApprovals, snapshot_of

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

TOGETHER: Final = (1, 16)
CALLS: Final = 320
ROUNDS: Final = 8
_BODY: Final = tools_call("echo", {"text": "pierhead"}).encode()
_DIGEST: Final = hashlib.sha256(_BODY).hexdigest()
_MASTER: Final = bytes(32)
_ALICE: Final = User("https://bench.example", "alice", frozenset({GROUP}))
TARGETS: Final = tuple(
    Target("sdk.pierhead", f"cpu_per_call_c{together}", "sdk.mcp", at_most=1.1) for together in TOGETHER
)


@dataclass(slots=True)
class _Side:
    """One application under measurement. Units: microseconds a call."""

    name: str
    application: Application
    headers: Callable[[], list[tuple[bytes, bytes]]]
    cpu_us: dict[int, list[float]] = field(default_factory=dict[int, list[float]])


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Alternate the two sides; then the journal must hold two records a call."""
    journal = Journal.open(folder, "server-warehouse", SystemClock())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sides = runner.run(_rounds(journal, say))
    journal.close()
    calls = (ROUNDS + 1) * CALLS * len(TOGETHER)
    report = verify(folder / "server-warehouse")
    if report.broken or report.records != 2 * calls:
        raise ValueError(f"{calls} calls left {report.records} records, broken: {report.broken or 'no'}")
    for side in sides:
        for together in TOGETHER:
            results.add(side.name, f"cpu_per_call_c{together}", min(side.cpu_us[together]), "us", ROUNDS * CALLS)
    for together in TOGETHER:
        results.compare("sdk.pierhead", f"cpu_per_call_c{together}", "sdk.mcp")


async def _rounds(journal: Journal, say: Callable[[str], None]) -> Sequence[_Side]:
    async with AsyncExitStack() as stack:
        sides = (_governed(journal), _bare())
        for side in sides:
            await stack.enter_async_context(_lifespan(side.application))
        for number in range(ROUNDS + 1):
            say(f"sdk: round {number} of {ROUNDS}" if number else "sdk: warming up")
            for together in TOGETHER:
                for side in sides:
                    cpu_us = await _batch(side, together)
                    if number:
                        side.cpu_us.setdefault(together, []).append(cpu_us)
    return sides


def _bare() -> _Side:
    return _Side("sdk.mcp", mcp_server.build().streamable_http_app(), lambda: list(_HEADERS))


def _governed(journal: Journal) -> _Side:
    """The same tool on our SDK, governed as bootstrap governs a server."""
    clock, ids = SystemClock(), SystemIds()
    server = Server("warehouse", owner="data-platform", support="#data-help")

    @server.tool(policy=f"group:{GROUP}", effect="read", minutes_saved=1)
    async def echo(text: str) -> str:
        """Return the text."""
        return text

    row = Row(server.name, Who(groups=frozenset({GROUP})), EVERY, EVERY, EVERY)
    snapshots = MemorySnapshots(snapshot_of([server.listed(Stage.DEPLOYED, "")], [row]))
    governance = govern(server.name, server.tools, snapshots, NoApprovals(), journal, clock)
    application = host(server, governance, Verifier(server_key(_MASTER, server.name), server.name, clock))
    minter = Minter(_MASTER, clock)

    def headers() -> list[tuple[bytes, bytes]]:
        call_id = ids.new()
        caller = Caller(_ALICE, "ide", "local", call_id, scopes=WHOLE)
        assertion = minter.mint(caller, server.name, call_id, _DIGEST)
        return [*_HEADERS, (b"pierhead-assertion", assertion)]

    return _Side("sdk.pierhead", application, headers)


_HEADERS: Final = (
    (b"host", b"127.0.0.1:8000"),
    (b"content-type", b"application/json"),
    (b"accept", b"application/json, text/event-stream"),
    (b"mcp-protocol-version", b"2026-07-28"),
    (b"mcp-method", b"tools/call"),
    (b"mcp-name", b"echo"),
    (b"content-length", str(len(_BODY)).encode()),
)


async def _batch(side: _Side, together: int) -> float:
    """CPU per call over one batch, `together` calls under way at a time."""
    scopes = [_scope(side.headers()) for _ in range(CALLS)]
    waiting = iter(scopes)

    async def work() -> None:
        for scope in waiting:
            await _call(side.application, scope)
            await asyncio.sleep(0)  # in a server the loop turns between two requests, and others get theirs in

    before = time.process_time()
    await asyncio.gather(*(work() for _ in range(together)))
    return (time.process_time() - before) * 1e6 / CALLS


def _scope(headers: list[tuple[bytes, bytes]]) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def _call(application: Application, scope: Message) -> None:
    """One call; the client stays until it has its answer. Errors: ValueError for any but the right one."""
    body = bytearray()
    unread = True
    stays = asyncio.get_running_loop().create_future()

    async def receive() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": _BODY, "more_body": False}
        return await stays

    async def send(message: Message) -> None:
        body.extend(message.get("body", b""))

    await application(scope, receive, send)
    if b'"pierhead"' not in body or b'"isError":true' in body:
        raise ValueError(f"a wrong answer: {bytes(body[:300])!r}")


@asynccontextmanager
async def _lifespan(application: Application) -> AsyncGenerator[None]:
    """Start and stop an application as a server would."""
    asked: asyncio.Queue[Message] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()
    scope: Message = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    running = asyncio.ensure_future(application(scope, asked.get, said.put))
    await asked.put({"type": "lifespan.startup"})
    await said.get()
    yield
    await asked.put({"type": "lifespan.shutdown"})
    await said.get()
    await running
