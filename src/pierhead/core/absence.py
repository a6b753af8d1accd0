"""An absence: a person is away for a bounded time, and may hand the duty of an approver to somebody else.

A deputy decides in place of one person, with the groups which that person has at that moment and not one more; never
on what that person asked for, never twice on one record with them. A duty that was handed over cannot be handed on.
Pure. Above: `usecases/declare_absence`, `answer_approval`. Not here: who may be a deputy.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.errors import Invalid

LONGEST_S: Final = 30 * 86_400.0
LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Absence:
    """From `since` until `until`, both in seconds since 1970-01-01 UTC. No `deputy` means that nobody stands in."""

    id: str
    person: str
    deputy: str
    since: float
    until: float
    reason: str
    ended_at: float | None = None

    def is_on(self, now: float) -> bool:
        return self.ended_at is None and self.since <= now < self.until


@dataclass(frozen=True, slots=True)
class AbsenceDeclared:
    """A person is away for a time, and somebody may decide in their place. Part of the closed set in `audit`."""

    absence_id: str
    person: str
    deputy: str
    since: float
    until: float
    reason: str
    kind: str = "absence-declared"

    @classmethod
    def of(cls, made: Absence) -> "AbsenceDeclared":
        return cls(made.id, made.person, made.deputy, made.since, made.until, made.reason)


@dataclass(frozen=True, slots=True)
class AbsenceEnded:
    """An absence was ended before its time; `by` is the person or an administrator."""

    absence_id: str
    person: str
    deputy: str
    by: str
    kind: str = "absence-ended"


@dataclass(frozen=True, slots=True)
class StandIn:
    """Whom somebody may decide for now, and which groups that person has now."""

    person: str
    groups: frozenset[str]


def check_absence(absence: Absence, now: float) -> None:
    """Errors: Invalid (`bad-absence`), for one without an end, in the past, too long, or handed to oneself."""
    wrong = ""
    if not absence.since < absence.until:
        wrong = "it ends before it begins"
    elif absence.until <= now:
        wrong = "it is over already"
    elif absence.until - max(absence.since, now) > LONGEST_S or absence.since > now + LONGEST_S * 12:
        wrong = "it lasts at most 30 days"
    elif absence.deputy == absence.person:
        wrong = "nobody stands in for themselves"
    elif len(absence.reason) > LONGEST_REASON:
        wrong = f"its reason has at most {LONGEST_REASON} characters"
    if wrong:
        raise Invalid(f"this absence cannot be: {wrong}", hint="change it", code="bad-absence")


def in_place_of(record: ApprovalRecord, person: str, stands_in: Iterable[StandIn]) -> str:
    """For whom `person` may decide on `record`, who may not in their own name; empty for nobody."""
    taken = record.bound
    if record.proposal.approval is Approval.CONFIRM or person in taken:
        return ""
    able = [each.person for each in stands_in if not each.groups.isdisjoint(record.approvers)]
    return min((name for name in able if name not in taken), default="")
