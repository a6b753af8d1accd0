"""Counts of what people decided, for metrics: by server, where it was decided, and what; never by person.

Counted as it is written; a restart begins anew, as counters may. Not here: who decides how (`measure_fatigue`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pierhead.core.audit_approvals import ApprovalDecided
from pierhead.core.break_glass import GlassBroken
from pierhead.usecases.ports_approvals import Written
from pierhead.usecases.ports_notices import Notice, Telling


@dataclass(frozen=True, slots=True)
class ApprovalCounts:
    """`decided` by server, channel and decision; `glass_broken` by server."""

    decided: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    glass_broken: Counter[str] = field(default_factory=Counter[str])

    def counting(self, tell: Telling) -> Telling:
        """The same telling, which counts what it is told of."""

        def told(written: Written, now: float) -> Sequence[Notice]:
            self._count(written)
            return tell(written, now)

        return told

    def _count(self, written: Written) -> None:
        servers = {record.id: record.proposal.server for record in written.records}
        for fact in written.facts:
            if isinstance(fact, ApprovalDecided):
                self.decided[servers[fact.approval_id], fact.how, fact.verdict] += 1
            elif isinstance(fact, GlassBroken):
                self.glass_broken[fact.server] += 1
