"""Everything that a use case of approvals needs, and what a caller is told of one record.

Above: `ask_approval`, `answer_approval`, `spend_approval`. Below: the ports of `ports_approvals`.
"""

from dataclasses import dataclass, field

from pierhead.core.approval import Approval, ApprovalState, Ticket
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.errors import NotFound
from pierhead.usecases.ports import Ids
from pierhead.usecases.ports_approvals import ApprovalLimits, ApprovalStore, Approvers, Membership
from pierhead.usecases.ports_duty import NOBODY_AWAY, NOTHING_REMEMBERED, Duties, Remembered


@dataclass(frozen=True, slots=True)
class ApprovalDesk:
    """Where approvals are asked for, decided and spent. `ids` are random: an id must not be guessed."""

    store: ApprovalStore
    ids: Ids
    approvers: Approvers
    people: Membership
    public_url: str
    limits: ApprovalLimits = field(default_factory=ApprovalLimits)
    duties: Duties = NOBODY_AWAY
    choices: Remembered = NOTHING_REMEMBERED


def no_such_approval() -> NotFound:
    """One text for absent and hidden."""
    return NotFound("no such approval, or not yours to see", hint="see: pierhead approvals list", code="not-found")


async def record_of(record_id: str, desk: ApprovalDesk) -> ApprovalRecord:
    """The record as it is now. Errors: NotFound."""
    found = await desk.store.one(record_id)
    if found is None:
        raise no_such_approval()
    return found


def ticket_of(record: ApprovalRecord, public_url: str) -> Ticket:
    """What whoever asked is told."""
    return Ticket(record.id, record.state, f"{public_url}/approvals/{record.id}", record.expires_at, _told(record))


def _told(record: ApprovalRecord) -> str:
    what = record.proposal.tool
    match record.state:
        case ApprovalState.PENDING:
            return f"{what} needs {_needed(record)}; nothing was executed{_asked_back(record)}"
        case ApprovalState.DENIED:
            denied = next(made for made in reversed(record.decisions) if made.verdict == "deny")
            why = f": {denied.comment}" if denied.comment else ""
            return f"{denied.by} denied {what}{why}"
        case ApprovalState.APPROVED:
            return f"{what} is approved; call it again with the same arguments"
        case ApprovalState.EXECUTING:
            return f"{what} runs already under this approval"
        case ApprovalState.FAILED_UNKNOWN:
            return f"{what} was begun and nobody knows how it ended; a person has to settle it first"
        case _:
            why = f": {record.ended}" if record.ended else ""
            return f"this approval of {what} is {record.state}{why}"


def _asked_back(record: ApprovalRecord) -> str:
    """The last that somebody else asked about it."""
    asked = [made for made in record.decisions if made.verdict == "ask" and made.by != record.proposal.person]
    return f"; {asked[-1].by} asks: {asked[-1].comment}" if asked else ""


def _needed(record: ApprovalRecord) -> str:
    groups = " or ".join(record.approvers) or "nobody: no group is named for it"
    match record.proposal.approval:
        case Approval.CONFIRM:
            return "your own confirmation"
        case Approval.FOUR_EYES if record.required > 1:
            return f"the approval of two others of {groups}, {len(record.yeses)} of 2 so far"
        case _:
            return f"the approval of another person of {groups}"
