"""What is told to people outside the pages, as it is kept until it was delivered, and how it leaves.

Filled by `adapters/db/notices` and `adapters/foreign/webhook`, in tests by `usecases/memory_notices`. Not here: what is
worth telling (`remind_reviewers`), when a delivery is tried again (`deliver_notices`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pierhead.core.audit import Fact
from pierhead.core.reminding import Reminder


@dataclass(frozen=True, slots=True)
class Notice:
    """One event for the outside. `id` stays the same however often it is sent; `next_at` is None once it is settled.

    `fault` says why the last try failed. Times are seconds since 1970-01-01 UTC.
    """

    id: str
    kind: str
    at: float
    content: Mapping[str, str | float]
    tries: int
    next_at: float | None
    fault: str = ""


class Reminders(Protocol):
    """Which reminders were given."""

    async def told(self, reviews: Collection[str]) -> frozenset[tuple[str, str, str]]:
        """Review, gate and urgency of each that was given for these reviews."""
        ...

    async def keep(self, reminder: Reminder, notice: Notice | None, fact: Fact, at: float) -> bool:
        """Keep that it was given, with its fact and what is to be sent, or not at all; False if it was given before."""
        ...


class Outbox(Protocol):
    """What is still to be sent."""

    async def due(self, now: float, limit: int) -> Sequence[Notice]:
        """Those whose next try is due, the oldest first."""
        ...

    async def settle(self, notice: Notice) -> None:
        """Keep what became of a try."""
        ...


class Notifier(Protocol):
    """Where notices go."""

    async def send(self, notice: Notice, now: float) -> None:
        """Errors: UpstreamUnreachable, which is tried again; Invalid, for what nobody will ever take."""
        ...
