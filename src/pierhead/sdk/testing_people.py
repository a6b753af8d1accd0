"""The people of an author's tests: they answer as soon as they are asked, or when the test says so.

    async with platform(server, access="everyone", approvals=approve_with("approve")) as running: ...

The records are the platform's own: pinned, spent once, void when their time is over. Not here: the platform in memory
(`testing`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from pierhead.core.approval import Approval, ApprovalState, FormAnswer, Ticket
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.identity import Caller, User
from pierhead.core.policy import ApprovalNeeded
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.approval_desk import ApprovalDesk, record_of, ticket_of
from pierhead.usecases.desk_approvals import DeskApprovals
from pierhead.usecases.memory import MemoryClock, MemoryIds
from pierhead.usecases.memory_approvals import MemoryApprovals

Verdict = Literal["approve", "deny"]
APPROVERS: Final[Mapping[str, frozenset[str]]] = {name: frozenset({"approvers"}) for name in ("ann", "ben", "cleo")}
_URL: Final = "http://127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class Answering:
    """How the people of a test answer: at once with a verdict, or not before they are told to."""

    verdict: Verdict | None
    comment: str = ""


def approve_with(verdict: Verdict | None = "approve", *, comment: str = "") -> Answering:
    """People who say `approve` or `deny` as soon as they are asked; with None, nobody answers by themselves.

    Whoever is needed answers: the caller for `confirm`, one other person for `approve`, two for `four-eyes`.
    """
    return Answering(verdict, comment)


@dataclass(frozen=True, slots=True)
class _Everybody:
    """The approvers, and everybody else, who is in no group of theirs."""

    def groups(self, person: str) -> frozenset[str] | None:
        return APPROVERS.get(person, frozenset())

    async def of(self, server: str) -> tuple[str, ...]:
        del server
        return ("approvers",)


@dataclass(slots=True)
class People:
    """Fills `ports.ServerApprovals`: keeps what they are asked, and lets them answer."""

    answering: Answering
    clock: MemoryClock
    store: MemoryApprovals = field(init=False)
    desk: ApprovalDesk = field(init=False)

    def __post_init__(self) -> None:
        everybody = _Everybody()
        self.store = MemoryApprovals(self.clock)
        self.desk = ApprovalDesk(self.store, MemoryIds(), everybody, everybody, _URL)

    @property
    def asked(self) -> tuple[ApprovalRecord, ...]:
        """Every record, oldest first: what people were shown, and what became of it."""
        return tuple(self.store.kept.values())

    async def decide(self, approval_id: str, verdict: Verdict, *, by: str = "ann", comment: str = "") -> ApprovalRecord:
        """Let somebody answer: `ann`, `ben` and `cleo` are approvers. Errors: as `decide_approval`."""
        record = await record_of(approval_id, self.desk)
        groups = APPROVERS.get(by, frozenset[str]())
        caller = Caller(User(record.proposal.issuer, by, groups), "web", "test", "", proved_at=self.clock.now())
        answer = Answer(verdict, comment, "test", record.proposal.digest)
        return await decide_approval(approval_id, answer, caller, self.desk)

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        ticket = await DeskApprovals(self.desk).ask(needed)
        if self.answering.verdict is None or ticket.state is not ApprovalState.PENDING:
            return ticket
        record = await record_of(ticket.id, self.desk)
        asker = record.proposal.person
        others = tuple(person for person in APPROVERS if person != asker)
        who = (asker,) if record.proposal.approval is Approval.CONFIRM else others
        for person in who[: record.required if self.answering.verdict == "approve" else 1]:
            record = await self.decide(ticket.id, self.answering.verdict, by=person, comment=self.answering.comment)
        return ticket_of(record, _URL)

    async def spend(self, needed: ApprovalNeeded, ticket: Ticket) -> None:
        await DeskApprovals(self.desk).spend(needed, ticket)

    async def finish(self, approval: str, call_id: str, ended: str) -> None:
        await DeskApprovals(self.desk).finish(approval, call_id, ended)

    async def confirm(self, ticket: Ticket, answer: FormAnswer, caller: Caller) -> Ticket:
        return await DeskApprovals(self.desk).confirm(ticket, answer, caller)

    async def wait(self, approval: str, caller: Caller, within_s: float) -> Ticket:
        """At once: in a test, whoever waits is whoever would decide."""
        return await DeskApprovals(self.desk).wait(approval, caller, within_s)

    async def mine(self, caller: Caller, server: str) -> Sequence[Ticket]:
        return await DeskApprovals(self.desk).mine(caller, server)

    async def cancel(self, approval: str, caller: Caller) -> Ticket:
        return await DeskApprovals(self.desk).cancel(approval, caller)
