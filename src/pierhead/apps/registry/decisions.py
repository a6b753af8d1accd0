"""The decisions of pre-flight, kept for an hour at most, so that whoever got one can ask why.

In memory and bounded: a decision is advice, the record of calls is elsewhere. After a restart, or when thousands a
second were asked, an old one reads as one that never was. Not here: deciding (`api/preflight`).
"""

import secrets
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.identity import Caller, Principal
from pierhead.usecases.explain_decision import Explanation
from pierhead.usecases.ports import Clock

VALID_S: Final = 60.0
"""How long an answer may be relied on: the same question may read otherwise after that."""
KEPT_S: Final = 3600.0
_LIMIT: Final = 30_000
"""A minute's worth at 500 a second, which is the least that should be explainable."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One answer: who asked, about whom, what came out. `at` is in seconds since 1970-01-01 UTC."""

    id: str
    at: float
    asker: Principal
    subject: Caller
    channel: str
    explained: Explanation


@dataclass(slots=True)
class Decisions:
    """The last answers, oldest first."""

    clock: Clock
    _kept: dict[str, Decided] = field(default_factory=dict[str, Decided])

    def keep(self, asker: Principal, subject: Caller, channel: str, explained: Explanation) -> Decided:
        decided = Decided(secrets.token_urlsafe(15), self.clock.now(), asker, subject, channel, explained)
        if len(self._kept) >= _LIMIT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[decided.id] = decided
        return decided

    def find(self, decision_id: str) -> Decided | None:
        """That answer, or None where it is not known, or no longer."""
        found = self._kept.get(decision_id)
        return found if found and self.clock.now() - found.at < KEPT_S else None
