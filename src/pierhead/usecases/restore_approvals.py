"""After a restore: no yes of the backup is good for anything, and what ran while it was made is left to people.

A backup knows nothing of what came after it. What waits in it may have been approved and used since, and would run a
second time. Above: `pierhead backup restore`. Not here: the rows themselves, which come back as they were.
"""

from typing import Final

from pierhead.core.approval import OPEN_STATES, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, lost, superseded
from pierhead.core.audit_approvals import ApprovalMoved
from pierhead.usecases.ports_approvals import ApprovalFilter, ApprovalStore, Everyone, Written

_AT_ONCE: Final = 200
_CLOSING: Final = frozenset(OPEN_STATES - {ApprovalState.FAILED_UNKNOWN})
_WHY: Final = "restored from a backup, which cannot know whether it was used since"


async def close_restored(store: ApprovalStore) -> int:
    """Close what was open when the backup was made; how many records that were."""
    closed = 0
    while found := await store.listed(ApprovalFilter(Everyone(), _CLOSING, limit=_AT_ONCE)):
        for record in found:
            await store.change(record.id, _closed)
        closed += len(found)
    return closed


def _closed(record: ApprovalRecord, _now: float) -> Written:
    is_running = record.state is ApprovalState.EXECUTING
    after = lost(record, record.call_id, _WHY) if is_running else superseded(record, _WHY)
    return Written((after,), (ApprovalMoved.of(record, after, ""),))
