"""A person loses something at once: groups, or whatever was issued to them until now.

On record first, then served to every gateway and server beside the policy, then their sessions and refresh families
end. It can only take away: what is restored counts again only where the sign-in states it. Below: the ports
`WithdrawalStore` and `SignInStore`. Above: `apps/registry/api/people`, `usecases/reconfirm_people`. Not here: how it
travels (`serve_policy`), who verifies tokens against it (`adapters/oidc`).
"""

from dataclasses import dataclass

from pierhead.core.audit_people import PersonRestored, PersonWithdrawn
from pierhead.core.claims import Claims
from pierhead.core.errors import NotFound
from pierhead.core.withdrawal import KEPT_S, Withdrawal, Withdrawals
from pierhead.usecases.federate import FederatedPeople
from pierhead.usecases.grant_tokens import TokenDesk, end_family
from pierhead.usecases.ports_sign_in import People, WithdrawalStore
from pierhead.usecases.remember_consent import ConsentDesk, end_consents
from pierhead.usecases.serve_policy import ServedPolicy


@dataclass(frozen=True, slots=True)
class CurrentPeople:
    """Fills `People`: those of a sign-in, without what was withdrawn from them."""

    stated: People
    served: ServedPolicy
    issuer: str

    def names(self) -> tuple[str, ...]:
        return self.stated.names()

    def groups(self, person: str) -> frozenset[str] | None:
        stated = self.stated.groups(person)
        return None if stated is None else stated - self._withdrawn.groups_of(self.issuer, person)

    def claims(self, person: str) -> Claims:
        return self.stated.claims(person)

    def void_before(self, person: str) -> float:
        return self._withdrawn.before(self.issuer, person)

    @property
    def _withdrawn(self) -> Withdrawals:
        return self.served.current().withdrawn


@dataclass(frozen=True, slots=True)
class PeopleDesk:
    """Everything that taking something from a person needs."""

    store: WithdrawalStore
    served: ServedPolicy
    desk: TokenDesk
    federated: FederatedPeople | None
    """Who signed in at the company's provider, if that is where people sign in."""
    consents: ConsentDesk

    @property
    def issuer(self) -> str:
        return self.desk.terms.people_of


async def end_everything(person: str, by: str, reason: str, at: PeopleDesk) -> float:
    """Whatever was issued to that person until now is void; they sign in again, and their groups are read anew.

    The moment from which on things count again (seconds since 1970). Holds for names that nobody here knows, too:
    the provider's own tokens may be of people who never signed in here.
    """
    now = await end_tokens(person, by, reason, at)
    if at.federated is not None:
        await at.federated.forget(person)
    for family in await at.desk.store.families_of(person):
        await end_family(family, person, reason, at.desk)
    await end_consents(person, by, reason, at.consents)
    return now


async def end_tokens(person: str, by: str, reason: str, at: PeopleDesk) -> float:
    """Tokens and sessions of until now are void; whoever may refresh gets new ones, with the groups of now."""
    now = at.desk.clock.now()
    await _withdraw(Withdrawal(at.issuer, person, now, frozenset()), by, reason, at)
    return now


async def withdraw_groups(person: str, groups: frozenset[str], by: str, reason: str, at: PeopleDesk) -> None:
    """These groups are not that person's any more, whatever a credential of theirs says, until restored."""
    await _withdraw(Withdrawal(at.issuer, person, 0.0, groups), by, reason, at)


async def restore_groups(person: str, groups: frozenset[str], by: str, reason: str, at: PeopleDesk) -> None:
    """These groups count again, where the sign-in states them. Errors: NotFound, where none of them was withdrawn."""
    fact = PersonRestored(person, at.issuer, tuple(sorted(groups)), by, reason)
    if not await at.store.restore((at.issuer, person), groups, at.desk.clock.now(), fact):
        raise NotFound(
            f"none of these groups was withdrawn from {person!r}", hint="pierhead people list shows what was"
        )
    await _serve(at)


async def _withdraw(lost: Withdrawal, by: str, reason: str, at: PeopleDesk) -> None:
    fact = PersonWithdrawn(lost.subject, lost.issuer, lost.before, tuple(sorted(lost.groups)), by, reason)
    await at.store.withdraw(lost, at.desk.clock.now(), fact)
    await _serve(at)


async def _serve(at: PeopleDesk) -> None:
    at.served.put_withdrawn(await at.store.withdrawals(at.desk.clock.now() - KEPT_S))


async def catch_up(at: PeopleDesk) -> None:
    """See what other registries of this database did: who signed in there, who lost something."""
    if await at.store.version() != at.served.current().withdrawn.version:
        await _serve(at)
    if at.federated is not None:
        await at.federated.load()
