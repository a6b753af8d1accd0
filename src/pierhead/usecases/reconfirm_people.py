"""What the company's identity provider says of people after they signed in: asked again and again, or told by it.

A group that is gone there is gone here within `every_s`, also for tokens that were issued; a person it no longer
vouches for is nobody. Where the provider tells of a logout itself, that holds at once. What cannot be asked changes
nothing here, and what was confirmed too long ago counts no more (`federate`). Below: `withdraw_person`. Above:
`bootstrap/wire_people`, `apps/registry/oauth`.
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.core.errors import Unauthenticated, UpstreamUnreachable
from pierhead.usecases.federate import Federation
from pierhead.usecases.ports_sign_in import SignedIn
from pierhead.usecases.withdraw_person import PeopleDesk, end_everything, end_tokens

BY: Final = "identity-provider"
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Reconfirming:
    """Everything that asking again needs. `every_s` is how long what the provider said counts as news."""

    federation: Federation
    desk: PeopleDesk
    every_s: float
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def reconfirm(self) -> None:
        """Ask about everyone who is due, a few at a time."""
        people = self.federation.people
        now = people.clock.now()
        due = [each for each in people.known() if now - max(each.confirmed_at, each.asked_at) >= self.every_s]
        await asyncio.gather(*(self._ask(each, now) for each in due))

    async def _ask(self, person: SignedIn, now: float) -> None:
        async with self._turn:
            asked = replace(person, asked_at=now)
            if not await self.federation.people.change(person, asked):
                return  # another registry asks, or they signed in anew
            try:
                after = await self.federation.again(asked)
            except UpstreamUnreachable:
                return
            except Unauthenticated as refused:
                await end_everything(person.name, BY, refused.code, self.desk)
                return
            is_kept = await self.federation.people.change(asked, after)
            if is_kept and person.groups - after.groups:
                await end_tokens(person.name, BY, "groups-withdrawn", self.desk)


async def told_of_logout(token: str, federation: Federation, desk: PeopleDesk) -> None:
    """The provider says that somebody's session is over (OpenID Connect Back-Channel Logout).

    Errors: Unauthenticated, for what is no such message of this provider to us; UpstreamUnreachable.
    """
    subject = await federation.provider.logged_out(token)
    person = federation.people.named(subject) or federation.provider.name_of(subject)
    if person:
        await end_everything(person, BY, "logged-out", desk)
