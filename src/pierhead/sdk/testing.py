"""A platform in memory, for an author's own tests: real protocol, real governance, no socket, no disk.

async with platform(server, access="everyone") as running:
    async with running.client("alice", groups=["data-eng"]) as client:
        result = await client.call_tool("count_rows", {"table": "orders"})
    assert running.audit.kinds() == ["call-started", "call-finished"]
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import httpx2
import orjson
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from pierhead.core.catalog import Stage
from pierhead.core.claims import parse_claims
from pierhead.core.errors import Unauthenticated
from pierhead.core.identity import Both, Caller, Principal, User, Workload
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.scope import WHOLE
from pierhead.sdk.governance import govern
from pierhead.sdk.host import ASSERTION_HEADER, Application, Message, host
from pierhead.sdk.server import Server
from pierhead.sdk.testing_people import Answering, People
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemorySnapshots, snapshot_of
from pierhead.usecases.memory_plans import MemoryPlans
from pierhead.usecases.tell_owners import OwnersInForce

URL: Final = "http://127.0.0.1:1/mcp"
_ISSUER: Final = "https://memory.example"
_NOBODY_ANSWERS: Final = Answering(None)


@dataclass(slots=True)
class MemoryVerifier:
    """Takes the caller from the header as it stands: only for tests, where the test is the gateway."""

    count: int = 0

    @property
    def header(self) -> bytes:
        return ASSERTION_HEADER

    @property
    def is_bound(self) -> bool:
        return True

    def verify(self, header: bytes, body_digest: str) -> tuple[Caller, str]:
        del body_digest
        if not header:
            raise Unauthenticated("no assertion", hint="call through the gateway")
        said = orjson.loads(header)
        self.count += 1
        call_id = f"call-{self.count}"
        is_interactive = bool(said.get("interactive"))
        return Caller(_principal(said), "ide", "test", call_id, scopes=WHOLE, interactive=is_interactive), call_id


def _principal(said: Mapping[str, Any]) -> Principal:
    program = Workload(said["workload"]) if said.get("workload") else None
    if program is not None and not said["user"]:
        return program
    user = User(_ISSUER, said["user"], frozenset(said["groups"]), parse_claims(said.get("claims", {})))
    return user if program is None else Both(user, program)


@dataclass(slots=True)
class Running:
    """One server on the platform in memory: make clients, read the audit, move the policy."""

    application: Application
    audit: MemoryAudit
    snapshots: MemorySnapshots
    verifier: MemoryVerifier = field(default_factory=MemoryVerifier)
    clock: MemoryClock = field(default_factory=MemoryClock)
    """It stands until the test moves it: `running.clock.seconds += 3600`."""
    people: People = field(default_factory=lambda: People(_NOBODY_ANSWERS, MemoryClock()))
    """Who is asked: what they were shown, and how they answer."""

    def http(self, user: str, groups: Iterable[str], claims: Mapping[str, object] | None = None) -> httpx2.AsyncClient:
        """An HTTP client whose messages the gateway has let in as `user`."""
        header = orjson.dumps({"user": user, "groups": sorted(groups), "claims": claims or {}}).decode()
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.application), headers={ASSERTION_HEADER.decode(): header}
        )

    @asynccontextmanager
    async def client(
        self,
        user: str,
        groups: Iterable[str] = (),
        *,
        claims: Mapping[str, object] | None = None,
        mode: str = "auto",
    ) -> AsyncGenerator[Client]:
        """A real protocol client; `mode` is `auto`, `legacy` or a revision."""
        async with (
            self.http(user, groups, claims) as http,
            Client(streamable_http_client(URL, http_client=http), mode=mode) as client,
        ):
            yield client


@asynccontextmanager
async def platform(server: Server, *, access: str, approvals: Answering = _NOBODY_ANSWERS) -> AsyncGenerator[Running]:
    """Run `server` under governance; `access` is layer 1, in the short form (`everyone`, `group:data-eng`).

    `approvals` is how people answer who are asked (`approve_with`); by themselves they do not.
    Errors: Invalid for an access that cannot be read.
    """
    rows = (Row(server.name, parse_who(access), EVERY, EVERY, EVERY),)
    snapshots = MemorySnapshots(snapshot_of([server.listed(Stage.DEPLOYED, URL)], rows))
    audit, verifier, clock = MemoryAudit(), MemoryVerifier(), MemoryClock()
    people = People(approvals, clock)
    server.plans = MemoryPlans(clock)
    server.owners = OwnersInForce(snapshots)
    governance = govern(server.name, server.tools, snapshots, people, audit, clock, version=server.version)
    application = host(server, governance, verifier)
    async with lifespan(application):
        yield Running(application, audit, snapshots, verifier, clock, people)


@asynccontextmanager
async def lifespan(application: Application) -> AsyncGenerator[None]:
    """Start and stop an ASGI application as a server would."""
    inbox_in, inbox = anyio.create_memory_object_stream[Message](2)
    started, stopped = anyio.Event(), anyio.Event()

    async def send(message: Message) -> None:
        (started if message["type"] == "lifespan.startup.complete" else stopped).set()

    async def run() -> None:
        await application({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, inbox.receive, send)

    async with inbox_in, inbox, anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await inbox_in.send({"type": "lifespan.startup"})
        await started.wait()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await inbox_in.send({"type": "lifespan.shutdown"})
                await stopped.wait()
