"""Who looks at approvals right now hears that something of theirs changed: that, and not what.

What is told is read anew by whoever may see it, so that a signal shows nothing to anybody. Above: the pages' streams.
Filled by `adapters/db/inbox_news`, over `Ears`. Not here: who waits for one decision (`ports_approvals.DecisionNews`).
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from pierhead.usecases.ports_approvals import Everyone, Seer


class InboxNews(Protocol):
    """Changes of approvals, wherever they were made."""

    def listening(self, seer: Seer | Everyone) -> AbstractAsyncContextManager[asyncio.Event]:
        """The event is set with every change that `seer` sees; whoever waits clears it."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Ear:
    seer: Seer | Everyone
    heard: asyncio.Event


@dataclass(slots=True)
class Ears:
    """Everyone who listens here."""

    _listening: set[_Ear] = field(default_factory=set[_Ear])

    @property
    def is_empty(self) -> bool:
        return not self._listening

    @contextmanager
    def listening(self, seer: Seer | Everyone) -> Generator[asyncio.Event]:
        ear = _Ear(seer, asyncio.Event())
        self._listening.add(ear)
        try:
            yield ear.heard
        finally:
            self._listening.discard(ear)

    def tell(self, people: Iterable[str], approvers: Iterable[str]) -> None:
        """A record changed that these people and groups see."""
        named, groups = frozenset(people), frozenset(approvers)
        for ear in self._listening:
            if sees(ear.seer, named, groups):
                ear.heard.set()


def sees(seer: Seer | Everyone, people: frozenset[str], approvers: frozenset[str]) -> bool:
    """Whether a record of these people, put to these groups, is shown to `seer`."""
    match seer:
        case Everyone():
            return True
        case Seer():
            return seer.person in people or not seer.groups.isdisjoint(approvers)
        case _:
            assert_never(seer)


@dataclass(frozen=True, slots=True)
class OwnNews:
    """Fills `InboxNews` with what this process alone tells, for tests."""

    ears: Ears = field(default_factory=Ears)

    @asynccontextmanager
    async def listening(self, seer: Seer | Everyone) -> AsyncGenerator[asyncio.Event]:
        with self.ears.listening(seer) as heard:
            yield heard
