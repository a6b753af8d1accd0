"""Breaking the glass: one record of class four-eyes asks one other person instead of two; then somebody reviews that.

Nothing else is loosened: whoever asked decides nothing, what policy denies stays denied, and the next record asks two
again. Pure. Below: `approval_record`. Above: `usecases/break_glass`. Not here: which groups may.
"""

from dataclasses import dataclass, replace
from typing import Final

from pierhead.core.approval import Approval, ApprovalMove, ApprovalState, moved
from pierhead.core.approval_record import ApprovalRecord, Decided, as_of
from pierhead.core.errors import Conflict

BROKEN: Final = "break-glass"
REVIEWED: Final = "glass-reviewed"
"""What a decision reads that is no yes and no no."""
REVIEW_S: Final = 86_400.0
"""A day after the glass was broken, somebody who had no part in it has looked."""


@dataclass(frozen=True, slots=True)
class GlassBroken:
    """Somebody let one call go on with one yes in place of two: an alarm. Part of the closed set in `audit`."""

    approval_id: str
    digest: str
    server: str
    tool: str
    environment: str
    requester: str
    by: str
    how: str
    reason: str
    auth: str
    review_due_at: float
    kind: str = "glass-broken"

    @classmethod
    def of(cls, record: ApprovalRecord, made: Decided) -> "GlassBroken":
        asked = record.proposal
        return cls(
            approval_id=record.id,
            digest=asked.digest,
            server=asked.server,
            tool=asked.tool,
            environment=asked.environment,
            requester=asked.requester,
            by=made.by,
            how=made.how,
            reason=made.comment,
            auth=made.auth,
            review_due_at=made.at + REVIEW_S,
        )


def why_not_break(record: ApprovalRecord, person: str, groups: frozenset[str], breakers: frozenset[str]) -> str:
    """Why that person may not break the glass of `record`; empty if they may."""
    if record.state is not ApprovalState.PENDING:
        return f"this approval is {record.state}: there is nothing left to decide"
    if record.proposal.approval is not Approval.FOUR_EYES:
        return "only what asks two people can be brought down to one"
    if record.required == 1:
        return "the glass of this approval is broken already"
    if person == record.proposal.person:
        return "nobody breaks the glass for their own call"
    if groups.isdisjoint(breakers):
        return (
            f"the glass is broken by {' or '.join(sorted(breakers)) or 'nobody: approvals.break_glass names no group'}"
        )
    return ""


def glass_broken(record: ApprovalRecord, made: Decided) -> ApprovalRecord:
    """One other yes is enough from now on; if it is there already, the record is approved.

    Errors: Conflict (`approval-state`), for what does not wait.
    """
    current = as_of(record, made.at)
    moved(current.state, ApprovalMove.APPROVE)
    after = replace(current, required=1, decisions=(*current.decisions, made))
    return replace(after, state=ApprovalState.APPROVED) if after.yeses else after


def review_due_at(record: ApprovalRecord) -> float | None:
    """Until when somebody must have reviewed that its glass was broken; None where nothing is to be reviewed."""
    verdicts = [made.verdict for made in record.decisions]
    if BROKEN not in verdicts or REVIEWED in verdicts:
        return None
    return record.decisions[verdicts.index(BROKEN)].at + REVIEW_S


def why_not_review(record: ApprovalRecord, person: str, groups: frozenset[str], reviewers: frozenset[str]) -> str:
    """Why that person may not review the broken glass of `record`; empty if they may."""
    if review_due_at(record) is None:
        return "nothing of this approval is to be reviewed"
    if groups.isdisjoint(reviewers):
        return f"a broken glass is reviewed by {' or '.join(sorted(reviewers)) or 'nobody'}"
    return "you had a part in it: somebody else must look" if person in record.people else ""


def glass_reviewed(record: ApprovalRecord, made: Decided) -> ApprovalRecord:
    """Somebody looked. The record stays where it is. Errors: Conflict (`approval-state`)."""
    if review_due_at(record) is None:
        raise Conflict("nothing of this approval is to be reviewed", hint="reload it", code="approval-state")
    return replace(record, decisions=(*record.decisions, made))
