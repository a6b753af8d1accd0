"""How people answer approvals, and what rules come to: over the last days, for those who look after that.

Not here: the measures themselves (`core/fatigue`); how they look (`apps`).
"""

from dataclasses import dataclass
from typing import Final

from pierhead.core.errors import Forbidden
from pierhead.core.fatigue import DAY_S, Fatigue, Thresholds, fatigue_of
from pierhead.core.identity import Caller, User
from pierhead.usecases.ports_approvals import ApprovalFilter, ApprovalStore, Everyone

MOST_RECORDS: Final = 5_000
DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class FatigueDesk:
    """`auditors` are the groups that may look."""

    store: ApprovalStore
    auditors: frozenset[str]
    thresholds: Thresholds


async def measure_fatigue(caller: Caller, now: float, desk: FatigueDesk) -> Fatigue:
    """Of the last 30 days, at most the newest 5,000 records. Errors: Forbidden (`not-yours`)."""
    if not isinstance(caller.principal, User) or caller.groups.isdisjoint(desk.auditors):
        groups = " or ".join(sorted(desk.auditors))
        raise Forbidden(f"how people decide is shown to {groups}", hint="ask one of them", code="not-yours")
    wanted = ApprovalFilter(Everyone(), limit=MOST_RECORDS, since=max(0.0, now - DAYS * DAY_S))
    return fatigue_of(await desk.store.listed(wanted), desk.thresholds)
