"""One-time tickets of the consent page: what a person was asked, until they follow one of its two links.

Kept in memory: a restart forgets them and the person is asked again. Bounded, and bound to one session.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.errors import NotFound
from pierhead.usecases.grant_tokens import AuthorizationRequest
from pierhead.usecases.ports import Clock

_LIFETIME_S: Final = 600
_LIMIT: Final = 1000


@dataclass(frozen=True, slots=True)
class _Kept:
    asked: AuthorizationRequest
    session_id: str
    until: float


@dataclass(slots=True)
class Tickets:
    """Questions that wait for a person's click."""

    clock: Clock
    _kept: dict[str, _Kept] = field(default_factory=dict[str, _Kept])

    def keep(self, asked: AuthorizationRequest, session_id: str) -> str:
        now = self.clock.monotonic()
        if len(self._kept) >= _LIMIT:
            self._kept = {key: kept for key, kept in self._kept.items() if kept.until > now}
        while len(self._kept) >= _LIMIT:
            self._kept.pop(next(iter(self._kept)))
        ticket = secrets.token_urlsafe(24)
        self._kept[ticket] = _Kept(asked, session_id, now + _LIFETIME_S)
        return ticket

    def take(self, ticket: str, session_id: str) -> AuthorizationRequest:
        """The question, once, in the session it was put to.

        Errors: NotFound, alike for unknown, used, old and another's.
        """
        kept = self._kept.get(ticket)
        if kept is None or kept.session_id != session_id or kept.until <= self.clock.monotonic():
            raise NotFound(
                "this question was answered already, or is too old",
                hint="start the sign-in again from your client",
                code="ticket-spent",
            )
        del self._kept[ticket]
        return kept.asked
