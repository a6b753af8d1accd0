"""One approval as the pages and the API show it: what would run, exactly; who asks, who may answer, and why not.

Everything that describes the action is made by the platform from the arguments; nothing of it is a model's. Not here:
how it looks (`web`), deciding (`usecases/answer_approval`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.core.absence import StandIn, in_place_of
from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided, why_not
from pierhead.core.break_glass import review_due_at, why_not_break, why_not_review
from pierhead.core.foreseen import Foreseen
from pierhead.core.identity import Caller, User
from pierhead.core.json import Json
from pierhead.usecases.approval_desk import ApprovalDesk

OPEN: Final = frozenset(
    {ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXECUTING, ApprovalState.FAILED_UNKNOWN}
)
CLOSED: Final = frozenset(ApprovalState) - OPEN


@dataclass(frozen=True, slots=True)
class ApprovalLine:
    """One approval in a line, as one viewer meets it. Times are seconds since 1970-01-01 UTC."""

    id: str
    state: ApprovalState
    approval: Approval
    summary: str
    does: str
    """What it would do, in the server's words; empty where the server has none."""
    server: str
    tool: str
    environment: str
    effect: str
    requester: str
    surface: str
    created_at: float
    expires_at: float
    approvers: tuple[str, ...]
    approved_by: tuple[str, ...]
    required: int
    may_decide: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class ApprovalWhole:
    """One approval with all that a decision rests on. `arguments` are exact, less what is a secret; `reason` is theirs
    who asked, `foreseen` the server's.
    """

    line: ApprovalLine
    version: str
    arguments: Mapping[str, Json]
    foreseen: Foreseen
    reason: str
    run_id: str
    evidence_ids: tuple[str, ...]
    on_behalf_of: str
    arguments_digest: str
    digest: str
    client: str
    revision: int
    reasons: tuple[str, ...]
    decisions: tuple[Decided, ...]
    ended: str
    call_id: str
    spent_at: float
    may_cancel: bool
    may_settle: bool
    may_break_glass: bool
    may_review: bool
    may_remember: bool
    review_due_at: float | None
    may_remark: bool
    """Whoever asked may say something while people decide; whoever may decide, may ask."""


@dataclass(frozen=True, slots=True)
class Sight:
    """As whom somebody looks: their own caller, whose duty they may do now, and which groups break and review."""

    caller: Caller
    stands_in: tuple[StandIn, ...]
    breakers: frozenset[str]
    reviewers: frozenset[str]

    @property
    def groups(self) -> frozenset[str]:
        """Their own, and those of whom they stand in for."""
        return self.caller.groups.union(*(each.groups for each in self.stands_in))

    @property
    def person(self) -> str:
        """The person in person; empty for a program, also one that speaks for somebody."""
        return self.caller.principal.subject if isinstance(self.caller.principal, User) else ""


async def sight_of(caller: Caller, auditors: frozenset[str], desk: ApprovalDesk) -> Sight:
    who = caller.person
    lent = await desk.duties.stands_in(who.subject) if who else ()
    return Sight(caller, lent, desk.limits.break_glass, auditors)


def line_of(record: ApprovalRecord, sight: Sight) -> ApprovalLine:
    asked = record.proposal
    reason = _why_not(record, sight)
    return ApprovalLine(
        id=record.id,
        state=record.state,
        approval=asked.approval,
        summary=asked.summary,
        does=asked.foreseen.summary,
        server=asked.server,
        tool=asked.tool,
        environment=asked.environment,
        effect=asked.effect,
        requester=asked.requester,
        surface=asked.surface,
        created_at=record.created_at,
        expires_at=record.expires_at,
        approvers=record.approvers,
        approved_by=record.yeses,
        required=record.required,
        may_decide=not reason,
        why_not=reason,
    )


def whole_of(record: ApprovalRecord, sight: Sight) -> ApprovalWhole:
    asked, caller = record.proposal, sight.caller
    who, person = caller.person, sight.person
    is_own = who is not None and (who.issuer, who.subject) == (asked.issuer, asked.person)
    is_asked = isinstance(caller.principal, User) and not caller.groups.isdisjoint(record.approvers)
    return ApprovalWhole(
        line=line_of(record, sight),
        version=asked.version,
        arguments=asked.shown,
        foreseen=asked.foreseen,
        reason=asked.reason,
        run_id=asked.run_id,
        evidence_ids=asked.evidence_ids,
        on_behalf_of=asked.on_behalf_of,
        arguments_digest=asked.arguments_digest,
        digest=asked.digest,
        client=asked.client,
        revision=asked.revision,
        reasons=asked.reasons,
        decisions=record.decisions,
        ended=record.ended,
        call_id=record.call_id,
        spent_at=record.spent_at,
        may_cancel=is_own and record.state in {ApprovalState.PENDING, ApprovalState.APPROVED},
        may_settle=is_asked and record.state is ApprovalState.FAILED_UNKNOWN,
        may_break_glass=bool(person) and not why_not_break(record, person, caller.groups, sight.breakers),
        may_review=bool(person) and not why_not_review(record, person, caller.groups, sight.reviewers),
        may_remember=is_own and bool(person) and asked.approval is Approval.CONFIRM and asked.foreseen.plan is None,
        review_due_at=review_due_at(record),
        may_remark=record.state is ApprovalState.PENDING and (is_own or is_asked or _stands_in(record, sight)),
    )


def _stands_in(record: ApprovalRecord, sight: Sight) -> bool:
    """Whether they may decide in the place of somebody who is asked."""
    return bool(sight.person and in_place_of(record, sight.person, sight.stands_in))


def _why_not(record: ApprovalRecord, sight: Sight) -> str:
    if not sight.person:
        return "approvals are decided by people, in person"
    reason = why_not(record, sight.person, sight.caller.groups)
    if reason and record.state is ApprovalState.PENDING and _stands_in(record, sight):
        return ""
    return reason
