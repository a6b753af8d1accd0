"""Use an approval up for one call, and write down how that call ended.

Whoever approved must still be allowed to when it is spent. Spending and its fact are one transaction, before the call
runs: a crash may lose a call, never repeat it. Above: the registry's internal API. Not here: asking, answering.
"""

from collections.abc import Callable, Sequence
from functools import partial

from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided, as_of, finished, lost, spent, superseded
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
    may = partial(_still_may, desk.people, await _standing(record_id, desk))
    after = await desk.store.change(record_id, partial(_spent, fingerprint, call_id, may))
    if after.state is ApprovalState.SUPERSEDED:
        raise Conflict(after.ended, hint="ask again", code="approver-changed")
    return after


async def _standing(record_id: str, desk: ApprovalDesk) -> frozenset[tuple[str, str, str]]:
    """Who may still decide in whose place, with which group: asked now, for those who did."""
    record = await desk.store.one(record_id)
    deputies = {made.by for made in record.decisions if made.instead_of} if record else set[str]()
    found = {deputy: await desk.duties.stands_in(deputy) for deputy in deputies}
    return frozenset((who, lent.person, group) for who, each in found.items() for lent in each for group in lent.groups)


def _spent(
    fingerprint: str, call_id: str, may: Callable[[Decided, ApprovalRecord], bool], record: ApprovalRecord, now: float
) -> Written:
    current = as_of(record, now)
    after = spent(current, fingerprint, call_id, now)
    gone = [made.by for made in record.decisions if made.verdict == "approve" and not may(made, record)]
    if gone:
        after = superseded(current, f"{' and '.join(gone)} may no longer approve this")
        return Written((after,), (ApprovalMoved.of(record, after, ""),))
    return Written((after,), (ApprovalSpent.of(after), ApprovalMoved.of(record, after, after.proposal.requester)))


def _still_may(
    people: Membership, standing: frozenset[tuple[str, str, str]], made: Decided, record: ApprovalRecord
) -> bool:
    groups = people.groups(made.by)
    if groups is None:
        return False
    if made.instead_of:
        return any((made.by, made.instead_of, group) in standing for group in record.approvers)
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
