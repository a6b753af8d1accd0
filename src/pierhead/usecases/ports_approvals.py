"""What the registry needs to keep approvals, and what servers ask of it.

Filled by `adapters/db` and `memory_approvals`; the port that a call uses is `ports.Approvals`. Not here: who may
decide (`core/approval_record`), when what is asked (`ask_approval`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pierhead.core.approval import ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Proposal
from pierhead.core.audit import Fact


@dataclass(frozen=True, slots=True)
class Written:
    """What becomes of records: each as it is now, with the facts that tell of it; all of it is kept, or nothing.

    Without a fact nothing changed: then the record is only handed back.
    """

    records: tuple[ApprovalRecord, ...]
    facts: tuple[Fact, ...]

    @property
    def last(self) -> ApprovalRecord:
        return self.records[-1]


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of one call when it is asked for: its latest record, and how much its run has open, and its person.

    `open_of_person` is of that server alone: no server uses up what another may ask.
    `now` is the store's own clock, in seconds since 1970-01-01 UTC: the only one that approvals go by.
    """

    latest: ApprovalRecord | None
    open_of_run: int
    now: float
    open_of_person: int = 0


Proposing = Callable[[Known], Written]
Changing = Callable[[ApprovalRecord, float], Written]
"""From the record as it is, and the store's time, to what it becomes. Errors: whatever stands against it."""


@dataclass(frozen=True, slots=True)
class Seer:
    """Somebody who sees what they asked for or decided, and what their groups are asked."""

    person: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Everyone:
    """Every record, said out loud."""


@dataclass(frozen=True, slots=True)
class ApprovalFilter:
    """Which records, of those that `seen_by` sees: no states means every state; an empty text does not restrict.

    `before` goes on where a page ended: time and id of its last record, newest first.
    """

    seen_by: Seer | Everyone
    states: frozenset[ApprovalState] = frozenset()
    requester: str = ""
    server: str = ""
    limit: int = 100
    before: tuple[float, str] | None = None
    to_review: bool = False
    """Only those whose broken glass nobody has reviewed yet."""
    since: float = 0.0
    """Only what was asked for then or later."""


class ApprovalStore(Protocol):
    """Every approval. A change is one compare-and-set in one transaction with its facts, or does not happen."""

    async def propose(self, asked: Proposal, propose: Proposing) -> ApprovalRecord:
        """Look up and write as one step: two at once never both find nothing. The last record that was written.

        Where nothing is to be written, `propose` hands back the record it found.
        Errors: those of `propose`.
        """
        ...

    async def change(self, record_id: str, change: Changing) -> ApprovalRecord:
        """Errors: NotFound; those of `change`; Conflict, where another change came between."""
        ...

    async def one(self, record_id: str) -> ApprovalRecord | None:
        """As it is at the store's time: what has expired reads so."""
        ...

    async def listed(self, wanted: ApprovalFilter) -> Sequence[ApprovalRecord]:
        """Newest first, each as it is at the store's time."""
        ...

    async def overdue(self, limit: int) -> Sequence[str]:
        """Records that time alone has moved, and nobody wrote down yet."""
        ...


class DecisionNews(Protocol):
    """Who waits for a decision hears of it."""

    async def decided(self, record_id: str, within_s: float) -> None:
        """Returns once that record no longer waits for people, or time is over; seconds."""
        ...


class Approvers(Protocol):
    """Who is asked for a server."""

    async def of(self, server: str) -> tuple[str, ...]:
        """The groups; none means that nobody can approve."""
        ...


class Membership(Protocol):
    """The groups a person has now, not when they signed in."""

    def groups(self, person: str) -> frozenset[str] | None:
        """None where nobody has that name."""
        ...


@dataclass(frozen=True, slots=True)
class ApprovalLimits:
    """How much may wait at once, how recent a sign-in must be, and which groups may let one yes stand for two."""

    open_of_run: int = 3
    open_of_person: int = 12
    """On one server, whatever runs a client declares: inventing them gains no more than this."""
    reauthenticate_s: float = 900.0
    """How old the proof of a person may be with which they say yes to the call of another."""
    break_glass: frozenset[str] = frozenset()
