"""People sign in at the company's identity provider: what is asked there, what its answer must be, who is known then.

A person is known from a sign-in until `lifetime_s` later, with the groups of that moment: then they sign in again,
which a provider that remembers them answers unseen. Below: the ports `IdentityProvider` and `PeopleStore`. Above:
`apps/registry/web/page_federated`. Not here: HTTP, cookies; the built-in people (`memory_sign_in.KnownPeople`).
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.audit import SignInFailed, SignInSucceeded
from pierhead.core.claims import Claims
from pierhead.core.errors import PierheadError, Unauthenticated
from pierhead.usecases.ports import Audit, Clock
from pierhead.usecases.ports_sign_in import Attempt, IdentityProvider, PeopleStore, SignedIn

_CLIENT: Final = "web"
_REASON: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(slots=True)
class FederatedPeople:
    """Fills `People`: whoever signed in at the provider and is not due again."""

    store: PeopleStore
    clock: Clock
    issuer: str
    lifetime_s: float
    _known: dict[str, SignedIn] = field(default_factory=dict[str, SignedIn])

    async def load(self) -> None:
        """Read who signed in: here before a restart, or at another replica."""
        known = await self.store.signed_in(self.issuer)
        self._known = {person.name: person for person in known}

    async def remember(self, person: SignedIn) -> None:
        await self.store.keep(person, self.clock.now() - self.lifetime_s)
        self._known[person.name] = person

    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self._known if self.groups(name) is not None)

    def groups(self, person: str) -> frozenset[str] | None:
        known = self._known.get(person)
        is_due = known is None or self.clock.now() - known.at >= self.lifetime_s
        return None if known is None or is_due else known.groups

    def claims(self, person: str) -> Claims:
        del person
        return ()


@dataclass(frozen=True, slots=True)
class Federation:
    """Everything that signing in elsewhere needs."""

    provider: IdentityProvider
    people: FederatedPeople
    audit: Audit


async def sign_in_elsewhere(answer: Mapping[str, str], attempt: Attempt, at: Federation) -> str:
    """The name of the person whom the provider's answer proves. Recorded, either way.

    Shapes: `answer` is the query that the browser came back with.
    Errors: Unauthenticated, its code the check that failed; UpstreamUnreachable.
    """
    try:
        await _check(answer, attempt, at.provider)
        stated = await at.provider.person(answer["code"], attempt)
    except PierheadError as refused:
        await at.audit.record(SignInFailed(reason=refused.code, server="", client=_CLIENT))
        raise
    person = SignedIn(stated.subject, at.provider.issuer, stated.groups, at.people.clock.now())
    await at.audit.record(SignInSucceeded(person=person.name, client=_CLIENT))
    await at.people.remember(person)
    return person.name


async def _check(answer: Mapping[str, str], attempt: Attempt, provider: IdentityProvider) -> None:
    """The answer is to our question, from the provider that was asked (RFC 9207), and a yes."""
    if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
        raise Unauthenticated(
            "the answer belongs to another sign-in", hint="sign in again, in one window", code="wrong-state"
        )
    stated = answer.get("iss")
    if stated != provider.issuer and (stated is not None or await provider.states_issuer()):
        raise Unauthenticated(
            "the answer is not of the identity provider that was asked", hint="sign in again", code="wrong-issuer"
        )
    if "error" in answer:
        said = answer["error"] if _REASON.fullmatch(answer["error"]) else "another reason"
        raise Unauthenticated(
            f"the identity provider did not sign you in: {said}", hint="ask whoever runs it", code="provider-refused"
        )
    if not answer.get("code"):
        raise Unauthenticated("the identity provider sent no code", hint="sign in again", code="no-code")
