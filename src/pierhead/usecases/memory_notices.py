"""`Reminders`, `Announcements` and `Outbox` in dicts, for tests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from pierhead.core.audit import Fact
from pierhead.core.reminding import Reminder
from pierhead.usecases.ports_notices import Notice


@dataclass(slots=True)
class MemoryNotices:
    """Keeps what it is given; `facts` are those that came along."""

    given: set[tuple[str, str, str]] = field(default_factory=set[tuple[str, str, str]])
    notices: dict[str, Notice] = field(default_factory=dict[str, Notice])
    facts: list[Fact] = field(default_factory=list[Fact])

    async def told(self, reviews: Collection[str]) -> frozenset[tuple[str, str, str]]:
        return frozenset(each for each in self.given if each[0] in reviews)

    async def keep(self, reminder: Reminder, notice: Notice | None, fact: Fact, at: float) -> bool:  # noqa: ARG002 - facts of tests have no time
        key = (reminder.review_id, str(reminder.gate), str(reminder.urgency))
        if key in self.given:
            return False
        self.given.add(key)
        self.facts.append(fact)
        if notice is not None:
            self.notices[notice.id] = notice
        return True

    async def announce(self, notice: Notice, fact: Fact, at: float) -> bool:  # noqa: ARG002 - facts of tests have no time
        if notice.id in self.notices:
            return False
        self.notices[notice.id] = notice
        self.facts.append(fact)
        return True

    async def due(self, now: float, limit: int) -> Sequence[Notice]:
        waiting = [each for each in self.notices.values() if each.next_at is not None and each.next_at <= now]
        return sorted(waiting, key=lambda each: each.at)[:limit]

    async def take(self, notice: Notice, until: float) -> bool:
        kept = self.notices[notice.id]
        if kept.next_at != notice.next_at:
            return False
        self.notices[notice.id] = replace(kept, next_at=until)
        return True

    async def settle(self, notice: Notice) -> None:
        self.notices[notice.id] = notice

    async def spread(self, notice: Notice, copies: Sequence[Notice]) -> None:
        self.notices[notice.id] = notice
        for copy in copies:
            self.notices.setdefault(copy.id, copy)
