"""Signing a person in at the company's identity provider: OpenID Connect, code flow, PKCE, a client with a secret.

Fills `usecases.ports_sign_in.IdentityProvider`. The ID token is verified like any token, and must answer our own
question (nonce) and be meant for us (audience, `azp`); so is what the provider tells of a logout. Not here: the
person's cookie, and what the claims mean here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from pierhead.adapters.oidc.documents import Metadata, Provider, Web, read_object
from pierhead.adapters.oidc.keys import KeySet
from pierhead.adapters.oidc.reading import (
    LONGEST,
    Header,
    audiences_of,
    is_object,
    judge_header,
    judge_times,
    refuse,
    signed_claims,
)
from pierhead.core.federation import ClaimMapping
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_exchange import Credential
from pierhead.usecases.ports_sign_in import Attempt, Vouched

_ID_TOKEN: Final = frozenset({"", "jwt"})
_LOGOUT_TOKEN: Final = frozenset({"", "jwt", "logout+jwt"})
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:"  # noqa: S105 - a name
_UNTOLD_S: Final = 60
_LONGEST_LIFE_S: Final = 3600
"""However long a token is said to live: what was withdrawn at the provider is asked for anew within the hour."""
_BEARER: Final = re.compile(r"[A-Za-z0-9._~+/-]{1,16384}=*")
"""What fits into the header (RFC 6750, section 2.1), and cannot end it."""
_LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
_ANEW: Final = {"prompt": "login", "max_age": "0"}
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
    exchanges: str = "access_token"
    """Which of its tokens is exchanged for credentials of other systems: `access_token`, `id_token`, or `jwt`, which
    is the access token under the type that some providers take it by."""


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
            **(_ANEW if attempt.is_fresh else {}),
        }
        joint = "&" if "?" in metadata.authorization else "?"
        return f"{metadata.authorization}{joint}{urlencode(asked)}"

    async def states_issuer(self) -> bool:
        return (await self._provider.metadata()).states_issuer

    async def person(self, code: str, attempt: Attempt) -> Vouched:
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        metadata = await self._provider.metadata()
        granted = await self._granted(asked, metadata)
        id_token = granted.get("id_token") if granted else None
        if granted is None or not isinstance(id_token, str):
            refuse("no-id-token")
        claims = await self._proved(id_token.encode(), _ID_TOKEN)
        if claims.get("nonce") != attempt.nonce:
            refuse("wrong-nonce")
        return await self._vouched(claims, granted, metadata, "")

    async def again(self, grant: str, subject: str) -> Vouched:
        metadata = await self._provider.metadata()
        granted = await self._granted({"grant_type": "refresh_token", "refresh_token": grant}, metadata)
        if granted is None:
            refuse("provider-withdrew")
        id_token = granted.get("id_token")
        claims: dict[str, object] = {"sub": subject}
        if isinstance(id_token, str):
            claims = await self._proved(id_token.encode(), _ID_TOKEN)
        if claims.get("sub") != subject:
            refuse("no-subject")
        return await self._vouched(claims, granted, metadata, grant)

    async def logged_out(self, token: str) -> str:
        claims = await self._proved(token.encode(), _LOGOUT_TOKEN)
        events, subject = claims.get("events"), claims.get("sub")
        if not is_object(events) or not is_object(events.get(_LOGOUT)) or "nonce" in claims:
            refuse("wrong-type")
        if not isinstance(subject, str) or not subject:
            refuse("no-subject")
        return subject

    async def exchanged(self, token: str, audience: str) -> Credential:
        asked = {
            "grant_type": _EXCHANGE,
            "subject_token": token,
            "subject_token_type": f"{_TOKEN_TYPE}{self.registered.exchanges}",
            "requested_token_type": f"{_TOKEN_TYPE}access_token",
            "audience": audience,
        }
        granted = await self._granted(asked, await self._provider.metadata())
        made = granted.get("access_token") if granted else None
        is_bearer = granted is not None and str(granted.get("token_type")).lower() == "bearer"
        if granted is None or not is_bearer or not isinstance(made, str) or not _BEARER.fullmatch(made):
            refuse("exchange-refused")
        return Credential(f"Bearer {made}", self.clock.now() + _life(granted))

    def name_of(self, subject: str) -> str:
        return subject if self.registered.mapping.subject == "sub" else ""

    async def _granted(self, form: Mapping[str, str], metadata: Metadata) -> dict[str, Any] | None:
        """What the provider's token endpoint gives for that; None where it is not good any more."""
        identity = (self.registered.client_id, self.registered.client_secret)
        if metadata.takes_basic:
            return await self._provider.web.grant(metadata.token, form, identity)
        told = {**form, "client_id": identity[0], "client_secret": identity[1]}
        return await self._provider.web.grant(metadata.token, told, None)

    async def _vouched(
        self, claims: dict[str, object], granted: Mapping[str, Any], metadata: Metadata, kept: str
    ) -> Vouched:
        """Whom these claims name, with what the provider says besides where they leave the groups out."""
        access_token, grant, mapping = (
            granted.get("access_token"),
            granted.get("refresh_token"),
            self.registered.mapping,
        )
        if not mapping.states_groups(claims) and metadata.userinfo and isinstance(access_token, str):
            claims = {**await _more(self._provider.web, metadata.userinfo, access_token, claims), **claims}
        token, until = self._exchangeable(granted, claims)
        kept = grant if isinstance(grant, str) else kept
        stated, subject = mapping.read(claims), str(claims.get("sub", ""))
        return Vouched(stated, subject, kept, _auth_time(claims), token, until)

    def _exchangeable(self, granted: Mapping[str, Any], claims: Mapping[str, object]) -> tuple[str, float]:
        """What of this grant is exchanged later, and until when; an empty text where that was not given."""
        kind = "id_token" if self.registered.exchanges == "id_token" else "access_token"
        token = granted.get(kind)
        ends = claims.get("exp") if kind == "id_token" else None
        if not isinstance(token, str):
            return "", 0.0
        if isinstance(ends, int):
            return token, float(ends)
        return token, self.clock.now() + _life(granted)

    async def _proved(self, token: bytes, kind: frozenset[str]) -> dict[str, object]:
        """The claims of a token that this provider signed for us."""
        if len(token) > LONGEST:
            refuse("token-too-long")
        algorithm, key_id = judge_header(token, Header(self.registered.algorithms, kind, _MEMBERS))
        claims = signed_claims(token, await self._keys.key(key_id), algorithm)
        if claims.get("iss") != self.registered.issuer:
            refuse("wrong-issuer")
        judge_times(claims, self.clock.now())
        audiences = audiences_of(claims)
        party = claims.get("azp", self.registered.client_id if len(audiences) == 1 else None)
        if self.registered.client_id not in audiences or party != self.registered.client_id:
            refuse("wrong-audience")
        return claims


def _life(granted: Mapping[str, Any]) -> float:
    """For how many seconds a token counts: what the provider says, if that is a time one can believe."""
    life = granted.get("expires_in")
    if not isinstance(life, int) or isinstance(life, bool) or life < 0:
        return _UNTOLD_S
    return float(min(life, _LONGEST_LIFE_S))


def _auth_time(claims: Mapping[str, object]) -> float:
    """When they proved who they are (OpenID Connect Core, section 2); 0 where the provider does not say."""
    stated = claims.get("auth_time")
    return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) else 0.0


async def _more(web: Web, url: str, access_token: str, proved: Mapping[str, object]) -> dict[str, object]:
    """What the provider says besides; it must be of the same person (OpenID Connect Core, section 5.3.2)."""
    said: dict[str, object] = read_object(url, await web.fetch(url, {"authorization": f"Bearer {access_token}"}))
    if said.get("sub") != proved.get("sub"):
        refuse("no-subject")
    return said
