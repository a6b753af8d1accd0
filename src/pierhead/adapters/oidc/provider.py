"""Signing a person in at the company's identity provider: OpenID Connect, code flow, PKCE, a client with a secret.

Fills `usecases.ports_sign_in.IdentityProvider`. The ID token is verified like any token, and must answer our own
question (nonce) and be meant for us (audience, `azp`). Not here: the person's cookie, and what the claims mean here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from pierhead.adapters.oidc.documents import Metadata, Provider, fetch, read_object, send_form
from pierhead.adapters.oidc.keys import KeySet
from pierhead.adapters.oidc.reading import (
    LONGEST,
    Header,
    audiences_of,
    judge_header,
    judge_times,
    refuse,
    signed_claims,
)
from pierhead.core.federation import ClaimMapping, Stated
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_sign_in import Attempt

_TYPES: Final = frozenset({"", "jwt"})
_MEMBERS: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})


@dataclass(frozen=True, slots=True)
class Registered:
    """As what Pierhead is registered at the provider, and how the provider's claims are read."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    algorithms: frozenset[str]
    mapping: ClaimMapping


@dataclass(slots=True)
class CompanyProvider:
    """One identity provider, as its client."""

    registered: Registered
    clock: Clock
    _provider: Provider = field(init=False)
    _keys: KeySet = field(init=False)

    def __post_init__(self) -> None:
        self._provider = Provider(self.registered.issuer, self.clock)
        self._keys = KeySet(self._provider.keys, self.clock)

    @property
    def issuer(self) -> str:
        return self.registered.issuer

    async def question(self, attempt: Attempt) -> str:
        metadata = await self._provider.metadata()
        asked = {
            "response_type": "code",
            "client_id": self.registered.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": self.registered.scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization else "?"
        return f"{metadata.authorization}{joint}{urlencode(asked)}"

    async def states_issuer(self) -> bool:
        return (await self._provider.metadata()).states_issuer

    async def person(self, code: str, attempt: Attempt) -> Stated:
        metadata = await self._provider.metadata()
        granted = read_object(metadata.token, await self._exchanged(code, attempt, metadata))
        id_token, access_token = granted.get("id_token"), granted.get("access_token")
        if not isinstance(id_token, str):
            refuse("no-id-token")
        claims = await self._proved(id_token.encode(), attempt.nonce)
        mapping = self.registered.mapping
        if metadata.userinfo and isinstance(access_token, str) and not mapping.states_groups(claims):
            claims = {**await _more(metadata.userinfo, access_token, claims), **claims}
        return mapping.read(claims)

    async def _exchanged(self, code: str, attempt: Attempt, metadata: Metadata) -> bytes:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        identity = (self.registered.client_id, self.registered.client_secret)
        if metadata.takes_basic:
            return await send_form(metadata.token, form, identity)
        return await send_form(metadata.token, {**form, "client_id": identity[0], "client_secret": identity[1]}, None)

    async def _proved(self, token: bytes, nonce: str) -> dict[str, object]:
        """The claims of an ID token that this provider signed for us, in answer to this very question."""
        if len(token) > LONGEST:
            refuse("token-too-long")
        algorithm, key_id = judge_header(token, Header(self.registered.algorithms, _TYPES, _MEMBERS))
        claims = signed_claims(token, await self._keys.key(key_id), algorithm)
        if claims.get("iss") != self.registered.issuer:
            refuse("wrong-issuer")
        judge_times(claims, self.clock.now())
        audiences = audiences_of(claims)
        party = claims.get("azp", self.registered.client_id if len(audiences) == 1 else None)
        if self.registered.client_id not in audiences or party != self.registered.client_id:
            refuse("wrong-audience")
        if claims.get("nonce") != nonce:
            refuse("wrong-nonce")
        return claims


async def _more(url: str, access_token: str, proved: Mapping[str, object]) -> dict[str, object]:
    """What the provider says besides; it must be of the same person (OpenID Connect Core, section 5.3.2)."""
    said: dict[str, object] = read_object(url, await fetch(url, {"authorization": f"Bearer {access_token}"}))
    if said.get("sub") != proved.get("sub"):
        refuse("no-subject")
    return said
