"""Approvals for tests of every kind: a call that needs one, and a desk over any store."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.unit.samples import ALICE, ISSUER, SERVER, TOOL, caller

from pierhead.core.approval import Approval
from pierhead.core.approval_record import Proposal, proposal_of
from pierhead.core.call import Call, Parsed, Request, digest
from pierhead.core.catalog import Effect
from pierhead.core.identity import Caller, Principal, User, parties
from pierhead.core.policy import ApprovalNeeded, Match, Question, RuleEffect
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.memory import MemoryIds
from pierhead.usecases.ports_approvals import ApprovalLimits, ApprovalStore

GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "alice": frozenset({"data-eng"}),
    "bob": frozenset({"ads"}),
    "frank": frozenset({"platform-admin"}),
    "gina": frozenset({"platform-admin", "data-eng"}),
    "henry": frozenset({"platform-admin"}),
}
APPROVERS: Final = ("platform-admin",)
DROP: Final = replace(TOOL, name="drop_rows", effect=Effect.DESTRUCTIVE, approval=Approval.APPROVE)


def person(name: str, proved_at: float = float("inf")) -> Caller:
    """Somebody who signs in whenever they are asked, unless it is said when they did."""
    return Caller(User(ISSUER, name, GROUPS[name]), "web", "local", "", proved_at=proved_at)


def needed(
    values: Mapping[str, Any] | None = None,
    approval: Approval = Approval.APPROVE,
    *,
    principal: Principal = ALICE,
    version: str = "1.0.0",
    sentence: str = "drop_rows needs it",
) -> ApprovalNeeded:
    """A call of `drop_rows` with those arguments, which waits for people."""
    arguments = values if values is not None else {"table": "flights"}
    server = replace(SERVER, version=version, tools={"drop_rows": DROP})
    call = Call("call-1", "warehouse", "drop_rows", Parsed(arguments, digest(arguments), 10), "2026-07-28", "c 1")
    ask = Match(RuleEffect.ASK, Question.USE, parties(principal)[0], "rule", sentence, approval)
    who = replace(caller(principal), client="client-1")
    return ApprovalNeeded(Request(call, who, server, DROP, 1), approval, (ask,))


def proposal(
    values: Mapping[str, Any] | None = None, approval: Approval = Approval.APPROVE, **changes: Any
) -> Proposal:
    return replace(proposal_of(needed(values, approval)), **changes)


@dataclass
class Named:
    """The groups of people, changed at will."""

    by_name: dict[str, frozenset[str]] = field(default_factory=lambda: dict(GROUPS))

    def groups(self, person: str) -> frozenset[str] | None:
        return self.by_name.get(person)


@dataclass
class SameApprovers:
    """The same groups for every server."""

    groups: tuple[str, ...] = APPROVERS

    async def of(self, server: str) -> tuple[str, ...]:
        assert server
        return self.groups


def desk_over(store: ApprovalStore, *, limit: int = 3) -> ApprovalDesk:
    return ApprovalDesk(
        store, MemoryIds(), SameApprovers(), Named(), "https://pierhead.example", ApprovalLimits(limit, max(limit, 12))
    )
