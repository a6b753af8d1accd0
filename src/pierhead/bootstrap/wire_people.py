"""Who people are and what was taken from them, in the registry: built at its start, and looked at while it runs.

Every registry of a platform looks: what another one did holds here within a second. Above: `wire_registry`. Not
here: the rules (`usecases/withdraw_person`).
"""

from contextlib import AsyncExitStack
from typing import Final

from pierhead.adapters.db import Database, DatabaseConsents, DatabaseWithdrawals
from pierhead.bootstrap.repeating import beside
from pierhead.bootstrap.sign_in_settings import SignInSettings
from pierhead.usecases.exchange_token import ExchangeDesk
from pierhead.usecases.federate import FederatedPeople, Federation
from pierhead.usecases.grant_tokens import TokenDesk
from pierhead.usecases.ports import Audit, Clock
from pierhead.usecases.reconfirm_people import Reconfirming
from pierhead.usecases.remember_consent import ConsentDesk
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.withdraw_person import PeopleDesk, catch_up

_EVERY_S: Final = 0.5
_LONGEST_S: Final = 15.0


async def people_desk(
    database: Database, clock: Clock, served: ServedPolicy, desk: TokenDesk, federated: FederatedPeople | None
) -> PeopleDesk:
    """Everything that was withdrawn is in force before anybody is served."""
    store = DatabaseWithdrawals(database, clock)
    await store.begin()
    at = PeopleDesk(store, served, desk, federated, ConsentDesk(DatabaseConsents(database), desk))
    await catch_up(at)
    return at


def exchange_desk(
    federation: Federation | None, at: PeopleDesk, sign_in: SignInSettings, audit: Audit
) -> ExchangeDesk | None:
    """Where callers' sign-ins are exchanged; None for the built-in sign-in, which has nothing to exchange."""
    if federation is None:
        return None
    desk = at.desk
    reconfirming = Reconfirming(federation, at, sign_in.reconfirm_s)
    return ExchangeDesk(reconfirming, desk.people, sign_in.exchange, audit, desk.clock)


def follow_people(at: PeopleDesk, opened: AsyncExitStack) -> None:
    """Look until `opened` closes."""

    async def look() -> None:
        await catch_up(at)

    beside(look, _EVERY_S, "people", opened)


def ask_again(reconfirming: Reconfirming, every_s: float, opened: AsyncExitStack) -> None:
    """Ask the provider again about those who are due, until `opened` closes."""
    beside(reconfirming.reconfirm, min(every_s / 4, _LONGEST_S), "asking the identity provider again", opened)
