"""Access tokens (JWT) to persons: issuer, audience, time, algorithm, type, key and groups, none of them optional.

Stricter than its library on purpose: the header is judged before the library sees it, claims are read as strict
JSON, and a token is at most 16 KiB. Two issuers at most are known: Pierhead's own authorization server, and the
company's identity provider whose plain tokens are accepted too. Not here: HTTP, and what the person may do.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.adapters.oidc.keys import KeySet
from pierhead.adapters.oidc.reading import (
    LONGEST,
    SKEW_S,
    Header,
    audiences_of,
    judge_header,
    judge_times,
    names,
    proved_at_of,
    refuse,
    scopes_of,
    signed_claims,
    unproved_claims,
)
from pierhead.core.claims import Claims, parse_claims
from pierhead.core.errors import Invalid
from pierhead.core.federation import ClaimMapping
from pierhead.core.identity import User, Workload
from pierhead.core.withdrawal import TOKEN_LIFE_S
from pierhead.core.workload import trust_domain_of
from pierhead.usecases.ports import Clock, Snapshots

_KEPT_S: Final = 60.0
_KEPT: Final = 4096
_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
#: Fingerprints of a certificate, which some providers add; nothing is looked up by them.
_FOREIGN_MEMBERS: Final = _MEMBERS | {"x5t", "x5t#S256"}
_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
#: Only a token that tells a client who signed in has these: it is no access token, whatever its type says.
_ID_TOKEN_CLAIMS: Final = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are accepted, signed how, and how they say who somebody is."""

    name: str
    algorithms: frozenset[str]
    fetch_keys: Callable[[], Awaitable[bytes]]
    people: str = ""
    """The issuer that our own tokens must name for their person; empty: we are that ourselves."""
    mapping: ClaimMapping | None = None
    """How a foreign issuer's claims are read; None for our own, which say it as we wrote it."""
    types: frozenset[str] = _TYPES
    audience: str = ""
    """An audience that a foreign issuer uses for all of this platform; empty: each resource is its own."""
    scopes: frozenset[str] = frozenset()
    """What a foreign issuer's tokens are good for besides the scopes that they name."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a verified token says. `client` is the program the token was issued to."""

    principal: User | Workload
    client: str
    audiences: frozenset[str]
    issued_at: float
    expires_at: float
    is_for_all: bool = False
    """Whether it was issued for the whole platform."""
    scopes: frozenset[str] = frozenset()
    proved_at: float = 0.0
    """When the person proved who they are (`auth_time`); 0 where it does not say."""

    @property
    def user(self) -> User:
        """The person. Errors: Unauthenticated, for a program's token."""
        if isinstance(self.principal, Workload):
            refuse("not-a-person")
        return self.principal


@dataclass(slots=True)
class Tokens:
    """Verifies access tokens; remembers verdicts for at most a minute and at most one policy snapshot."""

    issuer: Issuer
    clock: Clock
    snapshots: Snapshots
    company: Issuer | None = None
    _issuers: dict[str, tuple[Issuer, KeySet]] = field(default_factory=dict[str, "tuple[Issuer, KeySet]"])
    _kept: dict[bytes, tuple[Identity, float]] = field(default_factory=dict[bytes, tuple[Identity, float]])
    """Verdicts by digest of their token, and when each was reached."""
    _kept_for: object = None

    def __post_init__(self) -> None:
        known = (self.issuer,) if self.company is None else (self.issuer, self.company)
        self._issuers = {each.name: (each, KeySet(each.fetch_keys, self.clock)) for each in known}

    async def verify(self, token: bytes, audience: str) -> Identity:
        """Who holds `token`, which must have been issued for `audience`.

        Errors: Unauthenticated, its code naming the check that failed; UpstreamUnreachable when the issuer's
        keys cannot be had and none younger than a day are known.
        """
        if len(token) > LONGEST:
            refuse("token-too-long")
        name, now = hashlib.sha256(token).digest(), self.clock.now()
        identity = self._remembered(name, now)
        if identity is None:
            identity = await self._verify(token, now)
            self._remember(name, identity, now)
        if audience not in identity.audiences and not identity.is_for_all:
            refuse("wrong-audience")
        return identity

    def _remembered(self, name: bytes, now: float) -> Identity | None:
        snapshot = self.snapshots.current()
        if snapshot is not self._kept_for:
            self._kept_for, self._kept = snapshot, {}
        kept = self._kept.get(name)
        # A clock that was set back reached the verdict in what is now the future: it is reached again.
        is_fresh = kept is not None and -SKEW_S <= now - kept[1] < _KEPT_S and now < kept[0].expires_at
        return kept[0] if kept is not None and is_fresh else None

    def _remember(self, name: bytes, identity: Identity, now: float) -> None:
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[name] = (identity, now)

    async def _verify(self, token: bytes, now: float) -> Identity:
        named = unproved_claims(token).get("iss")
        if not isinstance(named, str) or named not in self._issuers:
            refuse("wrong-issuer")
        issuer, keys = self._issuers[named]
        members = _MEMBERS if issuer.mapping is None else _FOREIGN_MEMBERS
        algorithm, key_id = judge_header(token, Header(issuer.algorithms, issuer.types, members))
        claims = signed_claims(token, await keys.key(key_id), algorithm)
        if claims.get("iss") != issuer.name:  # pragma: no cover - the same bytes were read before; here it is proved
            refuse("wrong-issuer")
        times = judge_times(claims, now)
        if issuer.mapping is None:
            identity, skew_s = _own(claims, issuer, times), 0
        else:  # by another clock than the one that withdrawals are made by: nothing is won by its going ahead
            identity, skew_s = _foreign(claims, issuer, issuer.mapping, times), SKEW_S
        return self._left(identity, now, skew_s)

    def _left(self, identity: Identity, now: float, skew_s: int) -> Identity:
        """What is left of it by now."""
        withdrawn, user = self.snapshots.current().withdrawn, identity.principal
        if identity.issued_at < now - TOKEN_LIFE_S:
            refuse("too-old")
        if isinstance(user, Workload):
            return identity
        if identity.issued_at - skew_s < withdrawn.before(user.issuer, user.subject):
            refuse("withdrawn")
        return replace(identity, principal=withdrawn.left(user))


def _own(claims: dict[str, object], issuer: Issuer, times: tuple[int, int]) -> Identity:
    """A token that Pierhead issued."""
    subject, client = claims.get("sub"), claims.get("client_id", "")
    if not isinstance(subject, str) or not subject or not isinstance(client, str):
        refuse("no-subject")
    if "wl" in claims:
        return Identity(_workload(claims["wl"]), client, audiences_of(claims), *times, scopes=scopes_of(claims))
    people = issuer.people or issuer.name
    if claims.get("sub_iss", issuer.name) != people:  # of the time before people came from elsewhere, or after it
        refuse("wrong-issuer")
    groups = names(claims.get("groups"), "bad-groups")
    user = User(people, subject, groups, _claims(claims.get("claims", {})))
    proved_at = proved_at_of(claims, times[0])
    return Identity(user, client, audiences_of(claims), *times, scopes=scopes_of(claims), proved_at=proved_at)


def _workload(named: object) -> Workload:
    """The program that a token names in a person's place."""
    try:
        trust_domain_of(named if isinstance(named, str) else "")
    except Invalid:
        refuse("no-subject")
    return Workload(str(named))


def _foreign(claims: dict[str, object], issuer: Issuer, mapping: ClaimMapping, times: tuple[int, int]) -> Identity:
    """A token of the company's issuer: for a person, and no token that only tells a client who signed in."""
    if not claims.keys().isdisjoint(_ID_TOKEN_CLAIMS):
        refuse("wrong-type")
    client = next((claims[name] for name in ("client_id", "azp", "appid") if name in claims), "")
    if not isinstance(client, str):
        refuse("no-subject")
    if claims.get("sub") == client or claims.get("idtyp") == "app":
        refuse("not-a-person")
    stated = mapping.read(claims)
    audiences = audiences_of(claims)
    is_for_all = bool(issuer.audience) and issuer.audience in audiences
    user = User(issuer.name, stated.subject, stated.groups)
    scopes, proved_at = scopes_of(claims) | issuer.scopes, proved_at_of(claims, times[0])
    return Identity(user, client, audiences, *times, is_for_all, scopes, proved_at)


def _claims(value: object) -> Claims:
    try:
        return parse_claims(value)
    except Invalid:
        refuse("bad-claims")
