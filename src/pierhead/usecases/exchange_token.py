"""The caller's credential for the system behind a server: exchanged at the company's identity provider (RFC 8693).

The registry alone holds what the provider gave at the person's own sign-in, and exchanges a token of that; the client's
token is never seen here. The audience is the operator's word for that server, and no one else's. What was exchanged is
kept in this process per person and server, until shortly before it ends or something is withdrawn from the person.
Below: `reconfirm_people`. Above: `apps/registry/internal_exchange`. Not here: who may call the server.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from pierhead.core.audit_people import TokenExchanged
from pierhead.core.errors import Forbidden, Unauthenticated
from pierhead.usecases.ports import Audit, Clock
from pierhead.usecases.ports_exchange import Credential, no_exchange
from pierhead.usecases.ports_sign_in import People
from pierhead.usecases.reconfirm_people import Reconfirming

_EARLY_S: Final = 30.0
_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which server asks, for whom, in which call."""

    server: str
    issuer: str
    person: str
    call_id: str


@dataclass(frozen=True, slots=True)
class _Kept:
    credential: Credential
    made_at: float


@dataclass(frozen=True, slots=True)
class ExchangeDesk:
    """Everything that exchanging needs. `audiences` are by server."""

    reconfirming: Reconfirming
    people: People
    audiences: Mapping[str, str]
    audit: Audit
    clock: Clock
    _kept: dict[tuple[str, str], _Kept] = field(default_factory=dict[tuple[str, str], _Kept], repr=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def exchange(self, wanted: Wanted) -> Credential:
        """The credential. On record before it leaves; one that is kept was on record when it was made.

        Errors: Forbidden (`no-exchange`, `exchange-refused`), with the reason; UpstreamUnreachable.
        """
        audience = self.audiences.get(wanted.server)
        if audience is None:
            raise no_exchange(wanted.server)
        federation = self.reconfirming.federation
        if wanted.issuer != federation.people.issuer or self.people.groups(wanted.person) is None:
            _refuse("nobody of that name is signed in")
        async with self._turn:
            return self._good(wanted) or await self._made(wanted, audience)

    def _good(self, wanted: Wanted) -> Credential | None:
        kept, now = self._kept.get((wanted.person, wanted.server)), self.clock.now()
        if kept is None or now >= kept.credential.expires_at - _EARLY_S:
            return None
        return kept.credential if kept.made_at >= self.people.void_before(wanted.person) else None

    async def _made(self, wanted: Wanted, audience: str) -> Credential:
        federation, now = self.reconfirming.federation, self.clock.now()
        subject = await self.reconfirming.subject_of(wanted.person)
        if subject is None:
            _refuse("the identity provider gave nothing that could be exchanged")
        try:
            made = await federation.provider.exchanged(subject, audience)
        except Unauthenticated as refused:
            _refuse(f"the identity provider refused: {refused.code}")
        await self.audit.record(TokenExchanged(wanted.person, wanted.server, audience, wanted.call_id))
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[wanted.person, wanted.server] = _Kept(made, now)
        return made


def _refuse(why: str) -> NoReturn:
    raise Forbidden(
        f"your sign-in could not be exchanged for a credential of the system behind: {why}",
        hint="sign in again; if it stays, ask the operator about sign_in.exchange",
        code="exchange-refused",
    )
