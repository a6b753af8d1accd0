"""A server whose tool needs the caller's own yes, on a real socket, over approvals in memory.

For tests of what a client is asked and what its answers do. The test is the gateway: it says who calls, and whether a
person sits there.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx2
import orjson
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestFormParams, ElicitResult
from tests.approving import desk_over
from tests.conformance.serving import serving

from pierhead import Caller, Server
from pierhead.core.catalog import Stage
from pierhead.core.identity import Both, User, Workload
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.scope import WHOLE
from pierhead.sdk.asking import ask_for
from pierhead.sdk.governance import govern
from pierhead.sdk.host import ASSERTION_HEADER, host
from pierhead.sdk.testing import lifespan
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.desk_approvals import DeskApprovals
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemoryIds, MemorySnapshots, snapshot_of
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.memory_duty import MemoryChoices
from pierhead.usecases.remember_choice import ChoiceBook

ERAS = ("2026-07-28", "legacy")
ISSUER = "https://memory.example"
CHAT = "spiffe://demo.example/chat"
KEY = b"a key that every replica of the server has"
Answering = Callable[[ElicitRequestFormParams], Awaitable[ElicitResult]]


@dataclass
class Beat:
    """News from a store in memory, looked at as often as the loop turns."""

    store: MemoryApprovals

    async def decided(self, record_id: str, within_s: float) -> None:
        with anyio.move_on_after(within_s):
            while self.store.kept[record_id].state == "pending":  # noqa: ASYNC110 - there is no event in a dict
                await anyio.sleep(0.01)


@dataclass
class SaidCaller:
    """Takes the caller from the header as it stands."""

    count: int = 0

    @property
    def header(self) -> bytes:
        return ASSERTION_HEADER

    @property
    def is_bound(self) -> bool:
        return True

    def verify(self, header: bytes, body_digest: str) -> tuple[Caller, str]:
        del body_digest
        said = orjson.loads(header)
        self.count += 1
        user = User(ISSUER, said["user"], frozenset({"data-eng"}))
        principal = Both(user, Workload(said["program"])) if said["program"] else user
        call_id = f"call-{self.count}"
        place = Caller(principal, "ide", "prod", call_id, scopes=WHOLE)
        return replace(place, interactive=said["interactive"], client=said["client"]), call_id


def shop(ran: list[str]) -> Server:
    """A server with one tool for each way of asking."""
    server = Server("shop", owner="data", support="#data")

    @server.tool(policy=f"everyone or workload:{CHAT}", effect="destructive", approval="confirm", minutes_saved=1)
    async def purge(table: str, reason: str = "") -> str:
        """Empty a table."""
        ran.append(table)
        return f"{table} is empty{reason and ': '}{reason}"

    @server.tool(policy="everyone", effect="destructive", minutes_saved=1)
    async def drop(table: str) -> str:
        """Drop a table."""
        ran.append(f"dropped {table}")
        return table

    @server.tool(policy="everyone", effect="write", minutes_saved=1, approval=lambda _caller, _arguments: "none")
    async def shrink(table: str) -> str:
        """Shrink a table, which needs a yes where it is large."""
        ask_for("confirm", "it has 5000 rows")
        ran.append(f"shrunk {table}")
        return table

    @server.tool(policy="everyone", effect="read", minutes_saved=1)
    async def look(table: str) -> str:
        """Look at a table."""
        return table

    return server


@dataclass
class Shop:
    """The server as it runs. `asked` are the questions that a client was put, oldest first."""

    port: int
    ran: list[str]
    store: MemoryApprovals
    desk: ApprovalDesk
    audit: MemoryAudit
    clock: MemoryClock
    snapshots: MemorySnapshots
    asked: list[ElicitRequestFormParams] = field(default_factory=list[ElicitRequestFormParams])

    token_of: str = "client-1"
    """The client that the tokens of all who come from now on were issued to."""

    def http(self, user: str = "alice", program: str = "", *, interactive: bool = True) -> httpx2.AsyncClient:
        said = {"user": user, "program": program, "interactive": interactive, "client": self.token_of}
        header = orjson.dumps(said).decode()
        return httpx2.AsyncClient(headers={ASSERTION_HEADER.decode(): header}, trust_env=False, timeout=30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @asynccontextmanager
    async def client(
        self,
        era: str,
        answer: Answering | None,
        user: str = "alice",
        program: str = "",
        *,
        interactive: bool = True,
    ) -> AsyncGenerator[Client]:
        """The official client; it declares elicitation where it has an `answer`."""

        async def put(_: Any, params: Any) -> ElicitResult:
            self.asked.append(params)
            assert answer is not None
            return await answer(params)

        async with (
            self.http(user, program, interactive=interactive) as http,
            Client(
                streamable_http_client(self.url, http_client=http),
                mode=era,
                elicitation_callback=put if answer else None,
            ) as client,
        ):
            yield client

    async def deny_on_the_page(self) -> None:
        """Alice says no in a browser."""
        record = self.store.kept[self.last]
        alice = Caller(User(ISSUER, "alice", frozenset()), "web", "prod", "")
        await decide_approval(record.id, Answer("deny", "", "web", record.proposal.digest), alice, self.desk)

    @property
    def states(self) -> list[str]:
        return [str(record.state) for record in self.store.kept.values()]

    @property
    def last(self) -> str:
        return list(self.store.kept)[-1]


def choosing(choice: str) -> Answering:
    async def answer(_: ElicitRequestFormParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"decision": choice})

    return answer


def acting(action: Any) -> Answering:
    async def answer(_: ElicitRequestFormParams) -> ElicitResult:
        return ElicitResult(action=action)

    return answer


@asynccontextmanager
async def running_shop(
    key: bytes | None = KEY,
    store: MemoryApprovals | None = None,
    build: Callable[[list[str]], Server] = shop,
) -> AsyncGenerator[Shop]:
    """One process of the server; another one over the same `store` is its replica."""
    ran: list[str] = []
    server, clock, audit = build(ran), MemoryClock(), MemoryAudit()
    store = store or MemoryApprovals(clock)
    desk = replace(desk_over(store, limit=20), choices=ChoiceBook(MemoryChoices(), clock, MemoryIds()))
    rows = (Row("shop", parse_who(f"everyone or workload:{CHAT}"), EVERY, EVERY, EVERY),)
    snapshots = MemorySnapshots(snapshot_of([server.listed(Stage.DEPLOYED, "http://127.0.0.1:1/mcp")], rows))
    governance = govern(
        "shop", server.tools, snapshots, DeskApprovals(desk, Beat(store)), audit, clock, version=server.version
    )
    application = host(server, governance, SaidCaller(), key)
    async with lifespan(application), serving(application) as port:
        yield Shop(port, ran, store, desk, audit, clock, snapshots)


def told(result: Any) -> dict[str, Any]:
    """What a tool answered."""
    assert not result.is_error, result.content[0].text
    return result.structured_content
