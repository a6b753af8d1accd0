"""A person's yes to a client, remembered: one for each client and place it goes back to, whatever server it is for.

It covers kinds of use, not servers: tools that read, other tools, the API, the registry. Whoever asks for a kind that
it does not have, or describes itself in another way than then, is asked for anew. Pure. Above:
`usecases/remember_consent`. Not here: whether anything proves who asks (`usecases/register_client`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from pierhead.core.scope import ADMIN, ALL, READ, REGISTRY, TOOLS, WRITE

API: Final = "api"
READS: Final = f"{ALL}.read"
WRITES: Final = f"{ALL}.write"

MEANING: Final[Mapping[str, str]] = {
    READS: "use tools that only read, of every server",
    WRITES: "use tools that change or delete things, of every server",
    ALL: "use every tool of every server",
    API: "use the API of Pierhead",
    READ: "read the registry",
    WRITE: "publish servers, and change the status of yours",
    ADMIN: "act as security or as an administrator, where you are one",
}
"""Each kind of use in words: as far as the person may themselves."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One person's yes to one client. Times are seconds since 1970-01-01 UTC.

    `asked_again_at` is when it stops to stand in for a question; `expires_at`, never earlier, when nothing that came of
    it is renewed any more. `described` is the digest of what the client was when the person said yes.
    """

    id: str
    issuer: str
    person: str
    client_id: str
    client: str
    returns_to: str
    described: str
    uses: tuple[str, ...]
    given_at: float
    asked_again_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """A person let a client in. Part of the closed set in `audit`."""

    consent_id: str
    person: str
    client: str
    returns_to: str
    uses: tuple[str, ...]
    asked_again_at: float
    kind: str = "consent-given"

    @classmethod
    def of(cls, made: Consent) -> "ConsentGiven":
        return cls(made.id, made.person, made.client_id, made.returns_to, made.uses, made.asked_again_at)


@dataclass(frozen=True, slots=True)
class ConsentReused:
    """A client signed in by what its person had said before; nobody was asked."""

    consent_id: str
    person: str
    client: str
    audience: str
    scope: str
    kind: str = "consent-reused"


@dataclass(frozen=True, slots=True)
class ConsentEnded:
    """A client is not let in any more. `token_ids` are the families of its tokens that end with it."""

    consent_id: str
    person: str
    client: str
    reason: str
    by: str
    token_ids: tuple[str, ...] = ()
    kind: str = "consent-ended"


def consent_id(issuer: str, person: str, client_id: str, returns_to: str) -> str:
    """One for each person, client and place that the client goes back to."""
    whole = f"{issuer}\n{person}\n{client_id}\n{returns_to}"
    return f"cns_{sha256(whole.encode()).hexdigest()[:32]}"


def uses_of(scopes: Iterable[str], resource: str) -> tuple[str, ...]:
    """The kinds of use that these scopes of a resource (its path) are."""
    if resource == REGISTRY:
        return tuple(sorted(scopes))
    if not resource.startswith(TOOLS):
        return (API,)
    return tuple(sorted({word if word == ALL else f"{ALL}.{word.rpartition('.')[2]}" for word in scopes}))


def stands_in(consent: Consent, described: str, uses: Iterable[str], now: float) -> bool:
    """Whether nobody need be asked: the same client, nothing more than then, and not too long ago."""
    return consent.described == described and now < consent.asked_again_at and _has(consent.uses, uses)


def _has(had: tuple[str, ...], uses: Iterable[str]) -> bool:
    return all(use in had or (ALL in had and use in {READS, WRITES}) for use in uses)


def with_more(made: Consent, before: Consent | None, now: float) -> Consent:
    """The yes of now, with what the one before it covers if that still stands for the same client."""
    if before is None or before.described != made.described or before.asked_again_at <= now:
        return made
    return replace(made, uses=tuple(sorted({*made.uses, *before.uses})))
