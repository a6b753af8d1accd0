"""How many approvals wait for one person's decision, by their own duty or in somebody's place.

Read by the pages' top bar and by what a browser is told. Not here: one approval (`core/approval_record.why_not`).
"""

from collections.abc import Iterable
from typing import Final

from pierhead.core.absence import StandIn, in_place_of
from pierhead.core.approval import ApprovalState
from pierhead.core.approval_record import ApprovalRecord, why_not
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ports_approvals import ApprovalFilter, Seer

COUNTED: Final = 50
"""Beyond that nobody counts."""


async def waiting_for(person: str, groups: frozenset[str], desk: ApprovalDesk) -> int:
    """At most COUNTED of those that may be seen are looked at."""
    stands_in = await desk.duties.stands_in(person)
    seen = groups.union(*(each.groups for each in stands_in))
    pending = frozenset({ApprovalState.PENDING})
    found = await desk.store.listed(ApprovalFilter(Seer(person, seen), pending, limit=COUNTED))
    return sum(may_decide(record, person, groups, stands_in) for record in found)


def may_decide(record: ApprovalRecord, person: str, groups: frozenset[str], stands_in: Iterable[StandIn]) -> bool:
    """Whether that person may decide on `record`, in their own name or in that of somebody who is away."""
    if not why_not(record, person, groups):
        return True
    return record.state is ApprovalState.PENDING and bool(in_place_of(record, person, stands_in))
