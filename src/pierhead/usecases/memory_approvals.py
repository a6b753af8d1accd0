"""Approvals in a dict: for tests of use cases, and for an author's tests through `pierhead.testing`.

One event loop, and no step awaits between reading and writing: that is its transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pierhead.core.approval_record import ApprovalRecord, Proposal, as_of
from pierhead.core.audit import Fact
from pierhead.core.break_glass import review_due_at
from pierhead.core.errors import NotFound
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_approvals import ApprovalFilter, Changing, Everyone, Known, Proposing, Seer, Written
from pierhead.usecases.ports_notices import Notice, Telling, tell_nobody


@dataclass(slots=True)
class MemoryApprovals:
    """Fills `ApprovalStore`. `facts` are all that were written, `notices` all that is to be told, oldest first."""

    clock: Clock
    kept: dict[str, ApprovalRecord] = field(default_factory=dict[str, ApprovalRecord])
    facts: list[Fact] = field(default_factory=list[Fact])
    tell: Telling = tell_nobody
    notices: list[Notice] = field(default_factory=list[Notice])

    async def propose(self, asked: Proposal, propose: Proposing) -> ApprovalRecord:
        now = self.clock.now()
        of_call = [record for record in self.kept.values() if record.proposal.call_key == asked.call_key]
        still = [record.proposal for record in self.kept.values() if as_of(record, now).is_open]
        of_run = sum(each.run == asked.run for each in still)
        of_person = sum((each.person, each.server) == (asked.person, asked.server) for each in still)
        return self._write(propose(Known(of_call[-1] if of_call else None, of_run, now, of_person)))

    async def change(self, record_id: str, change: Changing) -> ApprovalRecord:
        found = self.kept.get(record_id)
        if found is None:
            raise NotFound("no such approval, or not yours to see", hint="see: pierhead approvals list")
        return self._write(change(found, self.clock.now()))

    async def one(self, record_id: str) -> ApprovalRecord | None:
        found = self.kept.get(record_id)
        return as_of(found, self.clock.now()) if found else None

    async def listed(self, wanted: ApprovalFilter) -> Sequence[ApprovalRecord]:
        now = self.clock.now()
        records = sorted(
            (as_of(record, now) for record in self.kept.values()), key=lambda each: (each.created_at, each.id)
        )
        chosen = [each for each in reversed(records) if _is_wanted(each, wanted)]
        return chosen[: wanted.limit]

    async def overdue(self, limit: int) -> Sequence[str]:
        now = self.clock.now()
        return [key for key, record in self.kept.items() if as_of(record, now) is not record][:limit]

    def _write(self, written: Written) -> ApprovalRecord:
        if not written.facts:
            return written.last
        for record in written.records:
            self.kept[record.id] = replace(record, lock=record.lock + 1)
        self.facts.extend(written.facts)
        self.notices.extend(self.tell(written, self.clock.now()))
        return self.kept[written.last.id]


def _is_wanted(record: ApprovalRecord, wanted: ApprovalFilter) -> bool:
    return (
        _is_seen(record, wanted.seen_by)
        and (not wanted.states or record.state in wanted.states)
        and wanted.requester in {"", record.proposal.person}
        and wanted.server in {"", record.proposal.server}
        and (wanted.before is None or (record.created_at, record.id) < wanted.before)
        and (not wanted.to_review or review_due_at(record) is not None)
        and record.created_at >= wanted.since
    )


def _is_seen(record: ApprovalRecord, seen_by: Seer | Everyone) -> bool:
    if isinstance(seen_by, Everyone):
        return True
    return seen_by.person in record.people or not seen_by.groups.isdisjoint(record.approvers)
