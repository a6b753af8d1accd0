"""Use an approval up for one call, and write down how that call ended.

Whoever approved must still be allowed to when it is spent. Spending and its fact are one transaction, before the call
runs: a crash may lose a call, never repeat it. Above: the registry's internal API. Not here: asking, answering.
"""

from collections.abc import Sequence
from functools import partial

from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, as_of, finished, lost, spent, superseded
from pierhead.core.audit_approvals import ApprovalMoved, ApprovalSpent
from pierhead.core.errors import Conflict
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ports_approvals import ApprovalStore, Membership, Written

UNKNOWN = "unknown"
_AT_ONCE = 200


async def spend_approval(record_id: str, fingerprint: str, call_id: str, desk: ApprovalDesk) -> ApprovalRecord:
    """Exactly one call gets it.

    Errors: NotFound; Conflict (`approval-state`, `approval-differs`; `approver-changed`, where who approved may no
    longer: the record is then superseded, and people must be asked anew).
    """
    after = await desk.store.change(record_id, partial(_spent, fingerprint, call_id, desk.people))
    if after.state is ApprovalState.SUPERSEDED:
        raise Conflict(after.ended, hint="ask again", code="approver-changed")
    return after


def _spent(fingerprint: str, call_id: str, people: Membership, record: ApprovalRecord, now: float) -> Written:
    current = as_of(record, now)
    after = spent(current, fingerprint, call_id, now)
    gone = [person for person in record.yeses if not _still_may(person, record, people)]
    if gone:
        after = superseded(current, f"{' and '.join(gone)} may no longer approve this")
        return Written((after,), (ApprovalMoved.of(record, after, ""),))
    return Written((after,), (ApprovalSpent.of(after), ApprovalMoved.of(record, after, after.proposal.requester)))


def _still_may(person: str, record: ApprovalRecord, people: Membership) -> bool:
    groups = people.groups(person)
    if groups is None:
        return False
    return record.proposal.approval is Approval.CONFIRM or not groups.isdisjoint(record.approvers)


async def finish_approval(record_id: str, call_id: str, ended: str, desk: ApprovalDesk) -> ApprovalRecord:
    """How the call ended that spent it: `unknown` leaves it to a person. Errors: NotFound; Conflict."""

    def step(record: ApprovalRecord, _now: float) -> Written:
        after = lost(record, call_id, "the answer was lost") if ended == UNKNOWN else finished(record, call_id, ended)
        return Written((after,), (ApprovalMoved.of(record, after, ""),))

    return await desk.store.change(record_id, step)


async def expire_approvals(store: ApprovalStore) -> Sequence[str]:
    """Write down what time alone has moved; the records that were."""
    overdue = await store.overdue(_AT_ONCE)
    for record_id in overdue:
        await store.change(record_id, _late)
    return overdue


def _late(record: ApprovalRecord, now: float) -> Written:
    after = as_of(record, now)
    return Written((after,), () if after is record else (ApprovalMoved.of(record, after, ""),))
