"""Access tokens (JWT) to persons: issuer, audience, time, algorithm, type, key and groups, none of them optional.

Stricter than its library on purpose: the header is judged before the library sees it, claims are read as strict
JSON, and a token is at most 16 KiB. Keys come from the issuer's JWKS through a function that bootstrap supplies;
an unknown key asks for them again, once at a time and not more often than every few seconds.
Not here: HTTP, and what the person may do.
"""

import asyncio
import hashlib
import json
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeGuard

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from pierhead.core.claims import Claims, parse_claims
from pierhead.core.errors import Invalid, ToolFailed, Unauthenticated, UpstreamUnreachable
from pierhead.core.identity import User
from pierhead.usecases.ports import Clock, Snapshots

_LONGEST: Final = 16 * 1024
_SKEW_S: Final = 60
_KEPT_S: Final = 60.0
_KEPT: Final = 4096
_ASK_S: Final = 2.0
_RENEW_S: Final = 3600.0
_LAST_S: Final = 24 * 3600.0
_SMALLEST_RSA: Final = 2048
_HEADER_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
_KEY_OF: Final[Mapping[str, type[Key]]] = {"RS256": RSAKey, "ES256": ECKey}


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are accepted, and signed how."""

    name: str
    algorithms: frozenset[str]
    fetch_keys: Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a verified token says. `client` is the program the token was issued to."""

    user: User
    client: str
    audiences: frozenset[str]
    expires_at: float


@dataclass(slots=True)
class Tokens:
    """Verifies access tokens; remembers verdicts for at most a minute and at most one policy snapshot."""

    issuer: Issuer
    clock: Clock
    snapshots: Snapshots
    _keys: dict[str, Key] = field(default_factory=dict[str, Key])
    _fetched_at: float = float("-inf")
    _asked_at: float = float("-inf")
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    _kept: dict[bytes, tuple[Identity, float]] = field(default_factory=dict[bytes, tuple[Identity, float]])
    _kept_for: object = None

    async def verify(self, token: bytes, audience: str) -> Identity:
        """Who holds `token`, which must have been issued for `audience`.

        Errors: Unauthenticated, its code naming the check that failed; UpstreamUnreachable when the issuer's
        keys cannot be had and none younger than a day are known.
        """
        if len(token) > _LONGEST:
            _refuse("token-too-long")
        name, now = hashlib.sha256(token).digest(), self.clock.now()
        identity = self._remembered(name, now)
        if identity is None:
            identity = await self._verify(token, now)
            self._remember(name, identity, now)
        if audience not in identity.audiences:
            _refuse("wrong-audience")
        return identity

    def _remembered(self, name: bytes, now: float) -> Identity | None:
        snapshot = self.snapshots.current()
        if snapshot is not self._kept_for:
            self._kept_for, self._kept = snapshot, {}
        kept = self._kept.get(name)
        return kept[0] if kept is not None and now < kept[1] else None

    def _remember(self, name: bytes, identity: Identity, now: float) -> None:
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[name] = (identity, min(identity.expires_at, now + _KEPT_S))

    async def _verify(self, token: bytes, now: float) -> Identity:
        algorithm, key_id = self._judge_header(token)
        key = await self._key(key_id)
        if not isinstance(key, _KEY_OF[algorithm]):
            _refuse("wrong-key-type")
        try:
            signed = jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError):
            _refuse("bad-signature")
        return self._judge_claims(_strict_object(signed.payload), now)

    def _judge_header(self, token: bytes) -> tuple[str, str]:
        """Algorithm and key id, from a header that holds nothing else: no `jwk`, `jku`, `x5u`, `crit`."""
        header = _strict_object(_decoded(token.partition(b".")[0]))
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in self.issuer.algorithms:
            _refuse("wrong-algorithm")
        if not isinstance(key_id, str) or not key_id:
            _refuse("no-key-id")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            _refuse("wrong-type")
        if not header.keys() <= _HEADER_MEMBERS:
            _refuse("unknown-header")
        return algorithm, key_id

    def _judge_claims(self, claims: dict[str, object], now: float) -> Identity:
        if claims.get("iss") != self.issuer.name:
            _refuse("wrong-issuer")
        expires, issued, since = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
        if not _is_time(expires) or not _is_time(issued) or not _is_time(since):
            _refuse("bad-times")
        if now >= expires:
            _refuse("expired")
        if max(issued, since) > now + _SKEW_S:
            _refuse("not-yet-valid")
        subject, client = claims.get("sub"), claims.get("client_id", "")
        if not isinstance(subject, str) or not subject or not isinstance(client, str):
            _refuse("no-subject")
        groups = _names(claims.get("groups"), "bad-groups")
        user = User(self.issuer.name, subject, groups, _claims(claims.get("claims", {})))
        audience = claims.get("aud")
        audiences = frozenset({audience}) if isinstance(audience, str) else _names(audience, "wrong-audience")
        return Identity(user, client, audiences, float(expires))

    async def _key(self, key_id: str) -> Key:
        """The key of that id: asked for anew when it is unknown or an hour old, known for a day at most."""
        if key_id not in self._keys or self._age() >= _RENEW_S:
            async with self._fetching:
                wanted = key_id not in self._keys or self._age() >= _RENEW_S
                if wanted and self.clock.monotonic() - self._asked_at >= _ASK_S:
                    await self._fetch()
        key = self._keys.get(key_id) if self._age() < _LAST_S else None
        if key is None and self._age() >= _LAST_S:
            raise UpstreamUnreachable("the keys of the sign-in cannot be had", hint="try again in a few seconds")
        if key is None:
            _refuse("unknown-key")
        return key

    def _age(self) -> float:
        return self.clock.monotonic() - self._fetched_at

    async def _fetch(self) -> None:
        """Read the issuer's keys anew; the last known ones stay when it does not answer."""
        self._asked_at = self.clock.monotonic()
        with suppress(ToolFailed):
            self._keys = _read_keys(await self.issuer.fetch_keys())
            self._fetched_at = self.clock.monotonic()


def _read_keys(document: bytes) -> dict[str, Key]:
    keys = _strict_object(document).get("keys")
    found: dict[str, Key] = {}
    for entry in keys if _is_list(keys) else []:
        if not _is_object(entry) or entry.get("use", "sig") != "sig":
            continue
        key_id, kind = entry.get("kid"), entry.get("kty")
        texts: dict[str, str | list[str]] = {name: value for name, value in entry.items() if isinstance(value, str)}
        if not isinstance(key_id, str) or kind not in {"RSA", "EC"}:
            continue
        try:
            key = RSAKey.import_key(texts) if kind == "RSA" else ECKey.import_key(texts)
        except (JoseError, ValueError):
            continue
        if not isinstance(key, RSAKey) or key.public_key.key_size >= _SMALLEST_RSA:
            found[key_id] = key
    return found


def _decoded(part: bytes) -> bytes:
    try:
        return b64decode(part + b"=" * (-len(part) % 4), b"-_", validate=True)
    except BadBase64:
        _refuse("malformed")


def _strict_object(text: bytes) -> dict[str, object]:
    """One JSON object that every parser reads alike: no member twice, no NaN, UTF-8."""
    try:
        value: object = json.loads(text.decode("utf-8"), object_pairs_hook=_members, parse_constant=_constant)
    except (ValueError, RecursionError):
        _refuse("malformed")
    if not _is_object(value):
        _refuse("malformed")
    return value


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _names(value: object, fault: str) -> frozenset[str]:
    if not _is_list(value):
        _refuse(fault)
    names = frozenset(name for name in value if isinstance(name, str))
    if len(names) != len(value):
        _refuse(fault)
    return names


def _claims(value: object) -> Claims:
    try:
        return parse_claims(value)
    except Invalid:
        _refuse("bad-claims")


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _refuse(code: str) -> NoReturn:
    raise Unauthenticated("the access token was not accepted", hint="sign in again", code=code)
