"""What remembering consents needs: where they are kept.

Filled by `adapters/db/consents` and, in tests, by `usecases/memory_consents`. Above: `usecases/remember_consent`.
"""

from collections.abc import Sequence
from typing import Protocol

from pierhead.core.consent import Consent, ConsentEnded, ConsentGiven, ConsentReused


class Consents(Protocol):
    """Consents by id; each change with its fact, or not at all."""

    async def one(self, consent_id: str, now: float) -> Consent | None:
        """None also for one that is over."""
        ...

    async def of(self, issuer: str, person: str, now: float) -> Sequence[Consent]:
        """That person's, the latest first."""
        ...

    async def keep(self, consent: Consent, fact: ConsentGiven | ConsentReused, at: float) -> None:
        """In place of the one of that id."""
        ...

    async def end(self, consent: Consent, fact: ConsentEnded, at: float) -> bool:
        """Forget it; no code of that person and client is good any more, and no token of theirs is refreshed again.

        The fact is kept with the families that ended. False, and nothing done, where it was forgotten already.
        """
        ...
