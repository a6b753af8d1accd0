"""What the company's identity provider says of people after they signed in: asked again and again, or told by it.

A group that is gone there is gone here within `every_s`, also for tokens that were issued; a person it no longer
vouches for is nobody. Where the provider tells of a logout itself, that holds at once. What cannot be asked changes
nothing here, and what was confirmed too long ago counts no more (`federate`). Below: `withdraw_person`. Above:
`bootstrap/wire_people`, `apps/registry/oauth`.
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final
from weakref import WeakValueDictionary

from pierhead.core.errors import Unauthenticated, UpstreamUnreachable
from pierhead.usecases.federate import Federation
from pierhead.usecases.ports_sign_in import SignedIn
from pierhead.usecases.withdraw_person import PeopleDesk, end_everything, end_tokens

BY: Final = "identity-provider"
_AT_ONCE: Final = 8
_ANSWER_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Reconfirming:
    """Everything that asking again needs. `every_s` is how long what the provider said counts as news."""

    federation: Federation
    desk: PeopleDesk
    every_s: float
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary[str, asyncio.Lock])

    async def reconfirm(self) -> None:
        """Ask about everyone who is due, a few at a time."""
        now = self.federation.people.clock.now()
        due = [each for each in self.federation.people.known() if not self._is_fresh(each, now)]
        await asyncio.gather(*(self._ask(each, now) for each in due))

    async def subject_of(self, name: str) -> str | None:
        """What can be exchanged for that person, asked of the provider where there is none; None where it gives none.

        Errors: UpstreamUnreachable, while another registry asks about them, or the provider does not answer.
        """
        async with self._lock_of(name):
            return await self._subject(name)

    async def _subject(self, name: str) -> str | None:
        token, person = self.federation.token_of(name), self.federation.people.person(name)
        if token is not None or person is None or not person.grant:
            return token if person is not None else None
        now = self.federation.people.clock.now()
        if person.asked_at > person.confirmed_at and now - person.asked_at < _ANSWER_S:
            raise _busy()
        if not await self._asked(person, now):
            raise _busy()
        return self.federation.token_of(name)

    def _is_fresh(self, person: SignedIn, now: float) -> bool:
        return now - max(person.confirmed_at, person.asked_at) < self.every_s

    async def _ask(self, person: SignedIn, now: float) -> None:
        async with self._turn, self._lock_of(person.name):
            await self._asked(person, now)

    def _lock_of(self, name: str) -> asyncio.Lock:
        """One question about each person at a time: what the provider gives to ask with is good once."""
        return self._locks.setdefault(name, asyncio.Lock())

    async def _asked(self, person: SignedIn, now: float) -> bool:
        """Ask about one; False where somebody else does, or the provider does not answer."""
        asked = replace(person, asked_at=now)
        if not await self.federation.people.change(person, asked):
            return False  # another registry asks, or they signed in anew
        try:
            after = await self.federation.again(asked)
        except UpstreamUnreachable:
            return False
        except Unauthenticated as refused:
            await end_everything(person.name, BY, refused.code, self.desk)
            return True
        is_kept = await self.federation.people.change(asked, after)
        if is_kept and person.groups - after.groups:
            await end_tokens(person.name, BY, "groups-withdrawn", self.desk)
        return is_kept


def _busy() -> UpstreamUnreachable:
    return UpstreamUnreachable(
        "the identity provider is being asked about this person, or does not answer", hint="try again in a few seconds"
    )


async def told_of_logout(token: str, federation: Federation, desk: PeopleDesk) -> None:
    """The provider says that somebody's session is over (OpenID Connect Back-Channel Logout).

    Errors: Unauthenticated, for what is no such message of this provider to us; UpstreamUnreachable.
    """
    subject = await federation.provider.logged_out(token)
    person = federation.people.named(subject) or federation.provider.name_of(subject)
    if person:
        await end_everything(person, BY, "logged-out", desk)
