"""Every port in a dict: for unit tests, and for an author's tests through `pierhead.testing`."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pierhead.core.approval import ApprovalState, FormAnswer, Ticket
from pierhead.core.audit import Fact
from pierhead.core.call import Outcome
from pierhead.core.catalog import Server
from pierhead.core.errors import Conflict, NotFound, RecordFailed
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded, Permit
from pierhead.core.reach import Row
from pierhead.core.snapshot import Age, Fresh, Snapshot


@dataclass(slots=True)
class MemoryClock:
    """A clock that stands until it is moved."""

    seconds: float = 1_700_000_000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


@dataclass(slots=True)
class MemoryIds:
    """Identifiers that count."""

    count: int = 0

    def new(self) -> str:
        self.count += 1
        return f"id-{self.count}"


@dataclass(slots=True)
class MemorySnapshots:
    """One snapshot, replaced at will."""

    snapshot: Snapshot
    how_old: Age = field(default_factory=Fresh)

    def current(self) -> Snapshot:
        return self.snapshot

    def age(self) -> Age:
        return self.how_old


def snapshot_of(servers: Iterable[Server], rows: Iterable[Row], revision: int = 1) -> Snapshot:
    """A snapshot of these servers and rows."""
    by_server: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        by_server[row.server] = (*by_server.get(row.server, ()), row)
    return Snapshot(revision, {server.name: server for server in servers}, by_server)


@dataclass(slots=True)
class MemoryAudit:
    """Facts in a list; `full` is a disk that takes no more."""

    facts: list[Fact] = field(default_factory=list[Fact])
    full: bool = False

    async def record(self, fact: Fact) -> None:
        if self.full:
            raise RecordFailed("the journal is full", hint="free the disk")
        self.facts.append(fact)

    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.facts]


class NoApprovals:
    """Where nobody keeps approvals: says what is needed, and nothing runs."""

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        sentence = (
            f"{needed.request.tool.name} needs approval ({needed.approval}); "
            "nobody can give it yet, so nothing was executed"
        )
        return Ticket("", ApprovalState.PENDING, "", 0.0, sentence)

    async def spend(self, needed: ApprovalNeeded, ticket: Ticket) -> None:
        raise Conflict(f"nobody approved {needed.request.tool.name}: {ticket.state}", code="approval-state")

    async def finish(self, approval: str, call_id: str, ended: str) -> None:
        raise Conflict(f"call {call_id} spent no approval {approval}: {ended}", code="approval-state")

    async def confirm(self, ticket: Ticket, answer: FormAnswer, caller: Caller) -> Ticket:
        raise Conflict(f"nobody asked {caller.name} for {ticket.id}: {answer.verdict}", code="approval-state")

    async def wait(self, approval: str, caller: Caller, within_s: float) -> Ticket:
        raise NotFound(f"no approval {approval[:40]!r} of {caller.name} waits {within_s:g} s", hint="call again")

    async def mine(self, caller: Caller, server: str) -> Sequence[Ticket]:
        del caller, server
        return ()

    async def cancel(self, approval: str, caller: Caller) -> Ticket:
        raise NotFound(f"no approval {approval[:40]!r} of {caller.name}", hint="call again")


@dataclass(slots=True)
class MemoryUpstream:
    """Runs a function in place of a server."""

    function: Callable[[Permit], Awaitable[Outcome]]

    async def run(self, permit: Permit) -> Outcome:
        return await self.function(permit)
