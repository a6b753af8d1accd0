"""What is told to people outside the pages, as it is kept until it was delivered, and how it leaves.

Filled by `adapters/db/notices` and, one channel each, by `webhook`, `slack` and `mail` of `adapters/foreign` and by
`usecases/push_notice`; in tests by `usecases/memory_notices`. Not here: what is worth telling (`remind_reviewers`,
`tell_approvals`, `warn_owners`), whom a notice reaches (`address_notices`), when a delivery is tried again
(`deliver_notices`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pierhead.core.audit import Fact
from pierhead.core.reminding import Reminder
from pierhead.usecases.ports_approvals import Written

PEOPLE: Final = ""
"""No channel yet: the notice is for `readers`, and becomes one copy for each place where they are reached."""
WEBHOOK: Final = "webhook"
SLACK: Final = "slack"
MAIL: Final = "mail"
BROWSER: Final = "browser"


@dataclass(frozen=True, slots=True)
class Readers:
    """Whom a notice is for: members of the groups, and people by name; never those of `but`."""

    groups: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    but: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """One event for the outside. `id` stays the same however often it is sent; `next_at` is None once it is settled.

    `fault` says why the last try failed. `recipient` is an address of that channel. Times are seconds since
    1970-01-01 UTC.
    """

    id: str
    kind: str
    at: float
    content: Mapping[str, str | float]
    tries: int
    next_at: float | None
    fault: str = ""
    channel: str = WEBHOOK
    recipient: str = ""
    readers: Readers = Readers()


class Reminders(Protocol):
    """Which reminders were given."""

    async def told(self, reviews: Collection[str]) -> frozenset[tuple[str, str, str]]:
        """Review, gate and urgency of each that was given for these reviews."""
        ...

    async def keep(self, reminder: Reminder, notice: Notice | None, fact: Fact, at: float) -> bool:
        """Keep that it was given, with its fact and what is to be sent, or not at all; False if it was given before."""
        ...


class Announcements(Protocol):
    """Notices that are made of what they tell of, so that each is given once, whoever makes it again."""

    async def announce(self, notice: Notice, fact: Fact, at: float) -> bool:
        """Keep it with its fact, or not at all; False where a notice of that id was kept before."""
        ...


class Outbox(Protocol):
    """What is still to be sent."""

    async def due(self, now: float, limit: int) -> Sequence[Notice]:
        """Those whose next try is due, the oldest first."""
        ...

    async def take(self, notice: Notice, until: float) -> bool:
        """Have that try to oneself until then; False where another has it already, or it is settled."""
        ...

    async def settle(self, notice: Notice) -> None:
        """Keep what became of a try."""
        ...

    async def spread(self, notice: Notice, copies: Sequence[Notice]) -> None:
        """Keep what became of it and its copies, or nothing; a copy that is there already stays as it is."""
        ...


class Notifier(Protocol):
    """Where notices of one channel go."""

    async def send(self, notice: Notice, now: float) -> None:
        """Errors: UpstreamUnreachable, which is tried again; Invalid, for what nobody will ever take."""
        ...


class Addresses(Protocol):
    """Where readers are reached."""

    async def places(self, readers: Readers, now: float) -> Sequence[tuple[str, str]]:
        """Channel and recipient of each place, each once."""
        ...


Telling = Callable[[Written, float], Sequence[Notice]]
"""What is to be told of records that were just written, at that time of the store's clock."""


def tell_nobody(written: Written, now: float) -> Sequence[Notice]:
    """Where nothing is to leave."""
    del written, now
    return ()
