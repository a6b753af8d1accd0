"""People sign in at the company's identity provider: what is asked there, what its answer must be, who is known then.

A person is known from a sign-in until `lifetime_s` later, with the groups of that moment or of the last time that the
provider was asked again (`reconfirm_people`): then they sign in again, which a provider that remembers them answers
unseen. Below: the ports `IdentityProvider` and `PeopleStore`. Above: `apps/registry/web/page_federated`. Not here:
HTTP, cookies; the built-in people (`memory_sign_in.KnownPeople`).
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.core.audit_sign_in import SignInFailed, SignInSucceeded
from pierhead.core.claims import Claims
from pierhead.core.errors import PierheadError, Unauthenticated
from pierhead.usecases.ports import Audit, Clock
from pierhead.usecases.ports_sign_in import Attempt, IdentityProvider, PeopleStore, Seal, SignedIn, Vouched

_CLIENT: Final = "web"
_SKEW_S: Final = 60.0
"""How far clocks may differ: what is said to have been later than that was never."""
_FRESH_S: Final = 600.0 + _SKEW_S
"""As long as a sign-in may take."""
_EARLY_S: Final = 30.0
_REASON: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(slots=True)
class FederatedPeople:
    """Fills `People`: whoever signed in at the provider and is not due again."""

    store: PeopleStore
    clock: Clock
    issuer: str
    lifetime_s: float
    unconfirmed_s: float
    """For how long what the provider said counts, where it could be asked again and does not answer."""
    _known: dict[str, SignedIn] = field(default_factory=dict[str, SignedIn])
    _seen: int = 0

    async def load(self) -> None:
        """Read who signed in, or was forgotten, since the last look: here before a restart, or at another replica."""
        self._seen, changed = await self.store.signed_in(self.issuer, self._seen)
        self._known |= {person.name: person for person in changed}

    async def remember(self, person: SignedIn) -> None:
        await self.store.keep(person, self.clock.now() - self.lifetime_s)
        self._known[person.name] = person

    def person(self, name: str) -> SignedIn | None:
        """Who signed in by that name, if they are not due again."""
        known = self._known.get(name)
        return None if known is None or self._is_due(known) else known

    async def change(self, before: SignedIn, after: SignedIn) -> bool:
        """Put one in place of the other; False where something else is known meanwhile, here or at another replica."""
        is_changed = await self.store.change(before, after)
        if is_changed:
            self._known[after.name] = after
        return is_changed

    def known(self) -> tuple[SignedIn, ...]:
        """Everyone who is not due, and whom the provider can be asked about."""
        return tuple(person for person in self._known.values() if person.grant and not self._is_due(person))

    def named(self, subject: str) -> str:
        """The name of whom the provider calls that; an empty text where nobody signed in as such."""
        return next((each.name for each in self._known.values() if subject and each.subject == subject), "")

    async def forget(self, name: str) -> None:
        """They must sign in again."""
        await self.store.forget(self.issuer, name)
        self._known.pop(name, None)

    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self._known if self.groups(name) is not None)

    def groups(self, person: str) -> frozenset[str] | None:
        known = self.person(person)
        return None if known is None else known.groups

    def _is_due(self, person: SignedIn) -> bool:
        """Whether they must sign in again: it was long ago, or nothing has confirmed since what it told.

        What was "later" was told by a clock that has been set back since, and says nothing of its age.
        """
        now = self.clock.now()
        is_doubtful = bool(person.grant) and not -_SKEW_S <= now - person.confirmed_at < self.unconfirmed_s
        return is_doubtful or not -_SKEW_S <= now - person.at < self.lifetime_s

    def claims(self, person: str) -> Claims:
        del person
        return ()

    def void_before(self, person: str) -> float:
        del person
        return 0.0


@dataclass(frozen=True, slots=True)
class Federation:
    """Everything that signing in elsewhere needs."""

    provider: IdentityProvider
    people: FederatedPeople
    audit: Audit
    seal: Seal
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict[str, "tuple[str, float]"], repr=False)
    """What the provider last gave for each person, to be exchanged; in this process alone, and kept nowhere."""

    def token_of(self, name: str) -> str | None:
        """What can be exchanged for that person now, if anything."""
        token, until = self._tokens.get(name, ("", 0.0))
        return token if token and self.people.clock.now() < until - _EARLY_S else None

    def signed_in(self, vouched: Vouched, at: float) -> SignedIn:
        """Who that is, at the moment of their sign-in."""
        name, issuer = vouched.stated.subject, self.provider.issuer
        grant = self.seal.closed(vouched.grant, _about(issuer, name)) if vouched.grant else ""
        return SignedIn(name, issuer, vouched.stated.groups, at, vouched.subject, grant, confirmed_at=at)

    async def again(self, known: SignedIn) -> SignedIn:
        """What the provider says of them now. Errors: Unauthenticated, if it no longer vouches; UpstreamUnreachable."""
        grant = self.seal.opened(known.grant, _about(known.issuer, known.name))
        if grant is None:
            raise Unauthenticated("what the provider gave cannot be read", hint="sign in again", code="bad-grant")
        vouched = await self.provider.again(grant, known.subject)
        if vouched.stated.subject != known.name:
            raise Unauthenticated("the provider names somebody else now", hint="sign in again", code="no-subject")
        self._tokens[known.name] = vouched.token, vouched.token_until
        after = self.signed_in(vouched, self.people.clock.now())
        return replace(after, at=known.at, asked_at=known.asked_at)


def _about(issuer: str, name: str) -> str:
    return f"grant of {len(issuer)} {issuer} {name}"


@dataclass(frozen=True, slots=True)
class Arrived:
    """Who came back from the provider, and when they proved there who they are; 0 where it does not say."""

    name: str
    proved_at: float


async def sign_in_elsewhere(answer: Mapping[str, str], attempt: Attempt, at: Federation) -> Arrived:
    """The person whom the provider's answer proves. Recorded, either way.

    Shapes: `answer` is the query that the browser came back with.
    Errors: Unauthenticated, its code the check that failed; UpstreamUnreachable.
    """
    try:
        await _check(answer, attempt, at.provider)
        vouched = await at.provider.person(answer["code"], attempt)
        if attempt.is_fresh:
            _check_fresh(vouched.proved_at, at.people.clock.now())
    except PierheadError as refused:
        await at.audit.record(SignInFailed(reason=refused.code, server="", client=_CLIENT))
        raise
    person = at.signed_in(vouched, at.people.clock.now())
    await at.audit.record(SignInSucceeded(person=person.name, client=_CLIENT))
    await at.people.remember(person)
    return Arrived(person.name, min(vouched.proved_at, person.at))


def _check_fresh(proved_at: float, now: float) -> None:
    """They were asked anew for this: a provider that did not ask, or names no time that was, proves nothing."""
    if not -_SKEW_S <= now - proved_at <= _FRESH_S:
        raise Unauthenticated(
            "the identity provider did not ask you anew, or does not say when it did",
            hint="have it honour max_age, and send auth_time",
            code="not-fresh",
        )


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
