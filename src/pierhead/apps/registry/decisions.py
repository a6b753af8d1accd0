"""The decisions of pre-flight, kept for an hour at most, so that whoever got one can ask why.

In memory and bounded: a decision is advice, the record of calls is elsewhere. After a restart, or when thousands a
second were asked, an old one reads as one that never was. Kept as text: thirty thousand values of many objects each
were walked by every collection of garbage, and every request waited meanwhile. Not here: deciding (`api/preflight`).
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pierhead.core.identity import Anonymous, Principal, person, workload
from pierhead.usecases.ports import Clock

VALID_S: Final = 60.0
"""How long an answer may be relied on: the same question may read otherwise after that."""
KEPT_S: Final = 3600.0
_LIMIT: Final = 30_000
"""A minute's worth at 500 a second, which is the least that should be explainable."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer: who asked, and what they were told. `at` is in seconds since 1970-01-01 UTC."""

    asker: str
    at: float
    told: Mapping[str, Any]

    def was_for(self, principal: Principal) -> bool:
        return not isinstance(principal, Anonymous) and self.asker == _named(principal)


@dataclass(slots=True)
class Decisions:
    """The last answers, oldest first, each as one text."""

    clock: Clock
    _kept: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def keep(self, decision_id: str, at: float, asker: Principal, told: Mapping[str, object]) -> None:
        """Shapes: `told` is what JSON can hold, and dataclasses of it."""
        if len(self._kept) >= _LIMIT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[decision_id] = orjson.dumps((_named(asker), at, told))

    def find(self, decision_id: str) -> Kept | None:
        """That answer, or None where it is not known, or no longer."""
        text = self._kept.get(decision_id)
        found = Kept(*orjson.loads(text)) if text is not None else None
        return found if found and self.clock.now() - found.at < KEPT_S else None


def new_id() -> str:
    """Not to be guessed, though it opens nothing."""
    return secrets.token_urlsafe(15)


def _named(principal: Principal) -> str:
    """Who that is, in one text: nobody else has the same one."""
    who, program = person(principal), workload(principal)
    parts = [(who.issuer, who.subject) if who else None, program.spiffe_id if program else None]
    return orjson.dumps(parts).decode()
