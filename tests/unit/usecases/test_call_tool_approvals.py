"""A call that people must agree to, through the one governed path: it runs once, or it waits, or it is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.approving import DROP, desk_over, person
from tests.unit.samples import ROW, call, caller, server

from pierhead.core.approval import ApprovalState, FormAnswer, Ticket
from pierhead.core.approval_record import fingerprint, proposal_of
from pierhead.core.audit import CallStarted
from pierhead.core.call import Outcome, Ran, Waiting
from pierhead.core.errors import (
    Conflict,
    Invalid,
    NotFound,
    RecordFailed,
    Refused,
    ToolFailed,
    ToolTimedOut,
    UpstreamUnreachable,
)
from pierhead.core.policy import ApprovalNeeded, Permit
from pierhead.sdk.asking import MayAsk, ask_for
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.approval_desk import ApprovalDesk, record_of, ticket_of
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.call_tool import call_tool
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemorySnapshots, MemoryUpstream, NoApprovals, snapshot_of
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.ports import Ports
from pierhead.usecases.spend_approval import finish_approval, spend_approval

pytestmark = pytest.mark.anyio


@dataclass
class DeskApprovals:
    """The port of a server, straight onto a desk; `away` is a registry that does not answer."""

    desk: ApprovalDesk
    away: frozenset[str] = frozenset()

    def _reach(self, what: str) -> None:
        if what in self.away:
            raise UpstreamUnreachable("the registry does not answer")

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        self._reach("ask")
        return ticket_of(await ask_approval(proposal_of(needed), self.desk), self.desk.public_url)

    async def spend(self, needed: ApprovalNeeded, ticket: Ticket) -> None:
        self._reach("spend")
        await spend_approval(ticket.id, fingerprint(needed), needed.request.call.id, self.desk)

    async def finish(self, approval: str, call_id: str, ended: str) -> None:
        self._reach("finish")
        await finish_approval(approval, call_id, ended, self.desk)


@dataclass
class Host:
    """A host in memory whose one tool is destructive, and what ran on it."""

    audit: MemoryAudit = field(default_factory=MemoryAudit)
    clock: MemoryClock = field(default_factory=MemoryClock)
    ran: int = 0
    answer: Callable[[Permit], Awaitable[Outcome]] | None = None
    tool: Any = DROP

    def __post_init__(self) -> None:
        self.store = MemoryApprovals(self.clock)
        self.approvals = DeskApprovals(desk_over(self.store))
        self.snapshots = MemorySnapshots(snapshot_of([server(self.tool)], [ROW]))

    async def call(self, **values: Any) -> Outcome:
        rules = SnapshotRules(self.snapshots, REACH_AND_USE)
        upstream = MayAsk(MemoryUpstream(self._run), self.approvals)
        ports = Ports(self.snapshots, rules, self.approvals, self.audit, self.clock, upstream)
        return await call_tool(call("drop_rows", values or {"table": "flights"}), caller(), ports)

    async def _run(self, permit: Permit) -> Outcome:
        self.ran += 1
        return await self.answer(permit) if self.answer else Ran("done", succeeded=True, bytes_out=4)

    async def decide(self, waiting: Outcome, verdict: str = "approve") -> None:
        assert isinstance(waiting, Waiting)
        assert waiting.ticket is not None
        record = await record_of(waiting.ticket.id, self.approvals.desk)
        answer = Answer(verdict, "", "web", record.proposal.digest)
        await decide_approval(record.id, answer, person("frank"), self.approvals.desk)

    async def approved(self, **values: Any) -> str:
        waiting = await self.call(**values)
        await self.decide(waiting)
        return self.last

    @property
    def last(self) -> str:
        return list(self.store.kept)[-1]

    def state(self) -> ApprovalState:
        return self.store.kept[self.last].state


@pytest.fixture
def host() -> Host:
    return Host()


async def test_a_call_waits_runs_once_when_approved_and_waits_again(host: Host) -> None:
    waiting = await host.call()
    assert isinstance(waiting, Waiting)
    assert waiting.ticket is not None
    assert (waiting.ticket.state, host.ran) == (ApprovalState.PENDING, 0)
    await host.decide(waiting)
    assert await host.call() == Ran("done", succeeded=True, bytes_out=4)
    assert (host.ran, host.state()) == (1, ApprovalState.CONSUMED)
    again = await host.call()
    assert isinstance(again, Waiting)
    assert host.ran == 1
    assert host.audit.kinds() == ["call-refused", "call-started", "call-finished", "call-refused"]


async def test_the_intent_names_the_approval(host: Host) -> None:
    approval = await host.approved()
    await host.call()
    started = host.audit.facts[1]
    assert isinstance(started, CallStarted)
    assert started.approval == approval


async def test_a_denied_call_is_told_so(host: Host) -> None:
    await host.decide(await host.call(), "deny")
    told = await host.call()
    assert isinstance(told, Waiting)
    assert told.approval == "frank denied drop_rows"
    assert host.ran == 0


async def test_other_arguments_are_another_call(host: Host) -> None:
    await host.approved(table="a")
    assert isinstance(await host.call(table="b"), Waiting)
    assert isinstance(await host.call(table="a "), Waiting)
    assert host.ran == 0


async def test_of_many_at_once_one_runs_and_the_others_wait(host: Host) -> None:
    await host.approved()
    outcomes = await asyncio.gather(*(host.call() for _ in range(20)))
    assert sum(isinstance(each, Ran) for each in outcomes) == 1
    assert host.ran == 1


async def test_the_loser_of_a_race_reads_that_it_runs_already(host: Host) -> None:
    approval = await host.approved()
    asked = host.approvals.ask

    async def ask(needed: ApprovalNeeded) -> Ticket:
        found = await asked(needed)
        if found.state is ApprovalState.APPROVED:
            await spend_approval(approval, fingerprint(needed), "other", host.approvals.desk)
        return found

    host.approvals.ask = ask  # type: ignore[method-assign]
    told = await host.call()
    assert isinstance(told, Waiting)
    assert (told.approval, host.ran) == ("drop_rows runs already under this approval", 0)


@pytest.mark.parametrize("away", ["ask", "spend"])
async def test_without_the_registry_nothing_runs(host: Host, away: str) -> None:
    await host.approved()
    host.approvals.away = frozenset({away})
    with pytest.raises(Refused) as refused:
        await host.call()
    assert (refused.value.code, host.ran) == ("approvals-away", 0)
    assert host.audit.kinds()[-1] == "call-refused"


async def test_an_end_that_cannot_be_told_is_no_error_and_is_lost_in_time(host: Host) -> None:
    approval = await host.approved()
    host.approvals.away = frozenset({"finish"})
    assert isinstance(await host.call(), Ran)
    host.clock.seconds = host.store.kept[approval].due_at
    assert (await record_of(approval, host.approvals.desk)).state is ApprovalState.FAILED_UNKNOWN
    told = await host.call()
    assert isinstance(told, Waiting)
    assert host.ran == 1


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ToolFailed("no"), ApprovalState.CONSUMED),
        (ToolTimedOut("late"), ApprovalState.FAILED_UNKNOWN),
        (UpstreamUnreachable("gone"), ApprovalState.FAILED_UNKNOWN),
        (ValueError("broken"), ApprovalState.FAILED_UNKNOWN),
        (asyncio.CancelledError(), ApprovalState.FAILED_UNKNOWN),
    ],
)
async def test_how_it_ended_decides_whether_a_person_must_look(
    host: Host, error: BaseException, state: ApprovalState
) -> None:
    async def fails(_permit: Permit) -> Outcome:
        raise error

    await host.approved()
    host.answer = fails
    with pytest.raises(type(error)):
        await host.call()
    assert host.state() is state


async def test_without_the_intent_nothing_runs_and_a_person_settles_it(host: Host) -> None:
    await host.approved()
    host.audit.full = True
    with pytest.raises(RecordFailed):
        await host.call()
    assert (host.ran, host.state()) == (0, ApprovalState.FAILED_UNKNOWN)


async def test_where_nobody_keeps_approvals_nothing_is_spent() -> None:
    nobody = NoApprovals()
    with pytest.raises(Conflict):
        await nobody.finish("a", "c", "ok")
    asked: list[ApprovalNeeded] = []
    host = Host()
    host.approvals.ask = lambda needed: (asked.append(needed), nobody.ask(needed))[1]  # type: ignore[method-assign]
    told = await host.call()
    assert isinstance(told, Waiting)
    assert "nobody can give it yet" in told.approval
    with pytest.raises(Conflict):
        await nobody.spend(asked[0], await nobody.ask(asked[0]))
    with pytest.raises(Conflict):
        await nobody.confirm(await nobody.ask(asked[0]), FormAnswer("approve", ""), caller())
    with pytest.raises(NotFound):
        await nobody.wait("apr_1", caller(), 1)
    with pytest.raises(NotFound):
        await nobody.cancel("apr_1", caller())
    assert await nobody.mine(caller(), "warehouse") == ()


def asking(*needs: tuple[str, str]) -> Callable[[Permit], Awaitable[Outcome]]:
    """A body that asks for each in turn, one a run, until all were granted."""
    left = list(needs)

    async def body(_permit: Permit) -> Outcome:
        for need in left[:1]:
            ask_for(*need)
        return Ran("done", succeeded=True, bytes_out=4)

    return body


FREE = replace(DROP, approval="none", effect="read")


async def test_a_body_that_asks_runs_once_people_agreed_to_the_very_same() -> None:
    host = Host(tool=FREE, answer=asking(("approve", "it affects 5000 rows")))
    waiting = await host.call()
    await host.decide(waiting)
    assert await host.call() == Ran("done", succeeded=True, bytes_out=4)
    assert host.state() is ApprovalState.CONSUMED
    assert isinstance(await host.call(), Waiting)


async def test_a_body_that_asks_for_more_than_was_agreed_waits_again() -> None:
    host = Host(tool=FREE, answer=asking(("approve", "it affects 5000 rows")))
    await host.decide(await host.call())
    host.answer = asking(("approve", "it affects 9000 rows"))
    waiting = await host.call()
    assert isinstance(waiting, Waiting)
    assert "9000" in waiting.reasons[-1]
    assert host.state() is ApprovalState.PENDING


async def test_a_body_whose_need_changes_between_two_runs_does_nothing() -> None:
    host = Host(tool=FREE, answer=asking(("approve", "it affects 5000 rows")))
    await host.decide(await host.call())
    runs = 0

    async def grows(_permit: Permit) -> Outcome:
        nonlocal runs
        runs += 1
        ask_for("approve", "it affects 5000 rows" if runs == 1 else "it affects 9000 rows")
        return Ran("done", succeeded=True, bytes_out=4)

    host.answer = grows
    waiting = await host.call()
    assert isinstance(waiting, Waiting)
    assert next(record.ended for record in host.store.kept.values()) == "asked-again"


async def test_a_body_that_denies_is_final() -> None:
    host = Host(tool=FREE, answer=asking(("deny", "it drops a table")))
    told = await host.call()
    assert isinstance(told, Waiting)
    assert told.ticket is not None
    assert (told.ticket.state, told.approval) == (
        ApprovalState.DENIED,
        "drop_rows is denied: it drops a table",
    )
    assert host.store.kept == {}


async def test_what_is_too_large_to_read_is_refused(host: Host) -> None:
    with pytest.raises(Invalid) as refused:
        await host.call(table="x" * 40_000)
    assert refused.value.code == "too-large-to-approve"
