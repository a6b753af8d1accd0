"""One approval as the pages and the API show it: what would run, exactly; who asks, who may answer, and why not.

Everything that describes the action is made by the platform from the arguments; nothing of it is a model's. Not here:
how it looks (`web`), deciding (`usecases/answer_approval`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided, why_not
from pierhead.core.identity import Caller, User
from pierhead.core.json import Json

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
    """One approval with all that a decision rests on. `arguments` are exact, less what is a secret."""

    line: ApprovalLine
    version: str
    arguments: Mapping[str, Json]
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


def line_of(record: ApprovalRecord, caller: Caller) -> ApprovalLine:
    asked = record.proposal
    reason = _why_not(record, caller)
    return ApprovalLine(
        id=record.id,
        state=record.state,
        approval=asked.approval,
        summary=asked.summary,
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


def whole_of(record: ApprovalRecord, caller: Caller) -> ApprovalWhole:
    asked = record.proposal
    who = caller.person
    is_own = who is not None and (who.issuer, who.subject) == (asked.issuer, asked.person)
    is_asked = isinstance(caller.principal, User) and not caller.groups.isdisjoint(record.approvers)
    return ApprovalWhole(
        line=line_of(record, caller),
        version=asked.version,
        arguments=asked.shown,
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
    )


def _why_not(record: ApprovalRecord, caller: Caller) -> str:
    if not isinstance(caller.principal, User):
        return "approvals are decided by people, in person"
    return why_not(record, caller.principal.subject, caller.groups)
