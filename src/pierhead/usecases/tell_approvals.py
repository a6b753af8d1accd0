"""What is to be told of approvals: to whoever is asked that they are, to whoever asked what became of it.

A message holds a title made of names, a link and a time; never an argument, never what an agent wrote. It is kept in
the transaction of the change that it tells of, so that each is told once. Not here: whom it reaches and how
(`address_notices`, `deliver_notices`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.audit import Fact
from pierhead.core.audit_approvals import ApprovalAsked, ApprovalDecided, ApprovalMoved
from pierhead.core.break_glass import REVIEWED, GlassBroken
from pierhead.core.choice import REMEMBERED
from pierhead.usecases.ports import Ids
from pierhead.usecases.ports_approvals import Written
from pierhead.usecases.ports_notices import PEOPLE, Notice, Readers

_TOLD: Final = {
    str(ApprovalState.APPROVED): "was approved: call it again with the same arguments",
    str(ApprovalState.DENIED): "was denied",
    str(ApprovalState.EXPIRED): "expired: nobody answered, or used the answer, in time",
    str(ApprovalState.SUPERSEDED): "is void: its version, its rules or an approver's rights changed",
}
_LOST: Final = "ended, and nobody knows how: somebody has to look, and settle it"


@dataclass(frozen=True, slots=True)
class ApprovalNews:
    """Fills `Telling`."""

    ids: Ids
    public_url: str
    alarmed: tuple[str, ...] = ()
    """The groups that hear of a broken glass, beside those that are asked."""

    def __call__(self, written: Written, now: float) -> Sequence[Notice]:
        records = {record.id: record for record in written.records}
        quiet = {record.id for record in written.records if _is_remembered(record)}
        told = (
            self._told(fact, records, now) for fact in written.facts if getattr(fact, "approval_id", "") not in quiet
        )
        return [notice for each in told for notice in each]

    def _told(self, fact: Fact, records: dict[str, ApprovalRecord], now: float) -> Sequence[Notice]:
        match fact:
            case ApprovalAsked():
                record = records[fact.approval_id]
                return (self._notice("asked", record, f"waits for {_whose(record)}", _asked(record), now),)
            case ApprovalMoved(target=target) if target in _TOLD:
                record = records[fact.approval_id]
                return (self._notice(target, record, _TOLD[target], Readers(people=(record.proposal.person,)), now),)
            case ApprovalMoved(target=ApprovalState.FAILED_UNKNOWN):
                record = records[fact.approval_id]
                return (self._notice("lost", record, _LOST, Readers(groups=record.approvers), now),)
            case GlassBroken():
                return self._alarm(fact, records[fact.approval_id], now)
            case ApprovalDecided(verdict=verdict) if verdict == REVIEWED:
                return (replace(self._reminder(records[fact.approval_id], now), next_at=None),)
            case _:
                return ()

    def _alarm(self, fact: GlassBroken, record: ApprovalRecord, now: float) -> Sequence[Notice]:
        """At once to everyone whose business it is; and a day later to those who should have looked by then."""
        readers = Readers(groups=tuple(dict.fromkeys((*record.approvers, *self.alarmed))), but=(fact.by,))
        alarm = self._notice(
            "glass-broken", record, f"needs one yes in place of two: {fact.by} broke the glass", readers, now
        )
        return alarm, self._reminder(record, fact.review_due_at)

    def _reminder(self, record: ApprovalRecord, due_at: float) -> Notice:
        """The same id however often it is made: a review takes the reminder back."""
        told = "was let go on with one yes in place of two, and nobody has looked at it since"
        reminder = self._notice("glass-review", record, told, Readers(groups=self.alarmed), due_at)
        return replace(reminder, id=f"{record.id}.glass-review")

    def _notice(self, what: str, record: ApprovalRecord, sentence: str, readers: Readers, now: float) -> Notice:
        title = _title(record)
        content: dict[str, str | float] = {
            "approval": record.id,
            "title": title,
            "sentence": f"{title} {sentence}.",
            "url": f"{self.public_url}/approvals/{record.id}",
            "expires_at": record.expires_at,
        }
        return Notice(self.ids.new(), f"approval.{what}", now, content, 0, next_at=now, channel=PEOPLE, readers=readers)


def _is_remembered(record: ApprovalRecord) -> bool:
    """Confirmed without asking: nobody is told what they need not do."""
    return any(made.how == REMEMBERED for made in record.decisions)


def _title(record: ApprovalRecord) -> str:
    asked = record.proposal
    return f"{asked.tool} on {asked.server} in {asked.environment}, asked by {asked.requester}"


def _whose(record: ApprovalRecord) -> str:
    match record.proposal.approval:
        case Approval.CONFIRM:
            return "your own confirmation"
        case Approval.FOUR_EYES:
            return "the approval of two people"
        case _:
            return "an approval"


def _asked(record: ApprovalRecord) -> Readers:
    """Whoever asked decides on a confirmation, and on nothing else of their own."""
    asker = (record.proposal.person,)
    if record.proposal.approval is Approval.CONFIRM:
        return Readers(people=asker)
    return Readers(groups=record.approvers, but=asker)
