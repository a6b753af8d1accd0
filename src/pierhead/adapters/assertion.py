"""The identity a gateway shows one server: seconds long, for that server alone, for exactly one body, once.

A JWT by form (HS256, encoded by hand: this is the hot path), so that any server can read it; accepted by nothing
but `Verifier`. Its key is derived from the gateway's master key and the server's name, so a server can make
assertions for nobody but itself. Above: the relay mints, the server's host verifies.
"""

import hmac
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NoReturn, TypeGuard

import orjson

from pierhead.core.errors import Unauthenticated
from pierhead.core.identity import ANONYMOUS, Both, Caller, Principal, User, Workload
from pierhead.usecases.ports import Clock

HEADER: Final = b"pierhead-assertion"
LIFETIME_S: Final = 10
SKEW_S: Final = 60
"""How far the clocks of a gateway and a server may differ."""

_TYPE: Final = "pierhead+jwt"
_JOSE: Final = urlsafe_b64encode(orjson.dumps({"alg": "HS256", "typ": _TYPE})).rstrip(b"=")
_LONGEST: Final = 16 * 1024
_TEXTS: Final = ("aud", "jti", "sub", "sub_iss", "wl", "sfc", "env", "bd")


def server_key(master: bytes, server: str) -> bytes:
    """The key of one server, as kept in `assertion-NAME.key`."""
    return hmac.digest(master, b"server:" + server.encode(), "sha256")


@dataclass(frozen=True, slots=True)
class Minter:
    """Makes assertions; lives in the gateway alone."""

    master: bytes = field(repr=False)
    clock: Clock
    _keys: dict[str, bytes] = field(default_factory=dict[str, bytes], repr=False)

    def mint(self, caller: Caller, server: str, call_id: str, body_digest: str) -> bytes:
        """An assertion that `caller` sent the body with that digest (SHA-256, hex) to `server`."""
        key = self._keys.get(server)
        if key is None:
            key = self._keys[server] = server_key(self.master, server)
        now = int(self.clock.now())
        user, program = caller.person, caller.workload
        claims = {
            "aud": server,
            "iat": now,
            "exp": now + LIFETIME_S,
            "jti": call_id,
            "sub": user.subject if user else "",
            "sub_iss": user.issuer if user else "",
            "groups": sorted(user.groups) if user else [],
            "wl": program.spiffe_id if program else "",
            "sfc": caller.surface,
            "env": caller.environment,
            "bd": body_digest,
        }
        signed = _JOSE + b"." + urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=")
        return signed + b"." + urlsafe_b64encode(hmac.digest(key, signed, "sha256")).rstrip(b"=")


@dataclass(slots=True)
class Verifier:
    """Accepts each assertion for one server once, while it lasts."""

    key: bytes = field(repr=False)
    server: str
    clock: Clock
    _seen: dict[str, int] = field(default_factory=dict[str, int], repr=False)
    """Assertion ids and when they may be forgotten, oldest first."""

    def verify(self, header: bytes, body_digest: str) -> tuple[Caller, str]:
        """The caller, and the id of the call (which is also its correlation id).

        Errors: Unauthenticated, with a code that says which check failed and nothing more.
        """
        claims = self._signed_claims(header)
        texts = _texts(claims)
        now = self.clock.now()
        issued, expires = claims.get("iat"), claims.get("exp")
        if texts["aud"] != self.server:
            _refuse("audience")
        if not _is_time(issued) or not _is_time(expires) or not 0 < expires - issued <= LIFETIME_S:
            _refuse("times")
        if now >= expires + SKEW_S or issued > now + SKEW_S:
            _refuse("expired")
        if not hmac.compare_digest(texts["bd"], body_digest):
            _refuse("body")
        self._spend(texts["jti"], expires + SKEW_S, now)
        principal = _principal(texts, claims.get("groups"))
        return Caller(principal, texts["sfc"], texts["env"], texts["jti"]), texts["jti"]

    def _signed_claims(self, header: bytes) -> dict[str, object]:
        if len(header) > _LONGEST:
            _refuse("size")
        signed, _, signature = header.rpartition(b".")
        expected = urlsafe_b64encode(hmac.digest(self.key, signed, "sha256")).rstrip(b"=")
        if not hmac.compare_digest(signature, expected):
            _refuse("signature")
        kind, _, payload = signed.partition(b".")
        if kind != _JOSE:
            _refuse("type")
        try:
            claims: object = orjson.loads(b64decode(payload + b"=" * (-len(payload) % 4), b"-_", validate=True))
        except (orjson.JSONDecodeError, BadBase64):
            _refuse("claims")
        if not _is_object(claims):
            _refuse("claims")
        return claims

    def _spend(self, assertion_id: str, until: int, now: float) -> None:
        """Remember the id until no clock could still accept it."""
        for known in [known for known, forget_at in islice(self._seen.items(), 2) if forget_at <= now]:
            del self._seen[known]
        if not assertion_id or assertion_id in self._seen:
            _refuse("replayed")
        self._seen[assertion_id] = until


def _texts(claims: dict[str, object]) -> dict[str, str]:
    texts = {name: value for name in _TEXTS if isinstance(value := claims.get(name), str)}
    if len(texts) != len(_TEXTS):
        _refuse("claims")
    return texts


def _principal(texts: dict[str, str], groups: object) -> Principal:
    if not _is_list(groups) or not all(isinstance(group, str) for group in groups):
        _refuse("claims")
    names = frozenset(str(group) for group in groups)
    program = Workload(texts["wl"]) if texts["wl"] else None
    if not texts["sub"]:
        return program or ANONYMOUS
    user = User(texts["sub_iss"], texts["sub"], names)
    return Both(user, program) if program else user


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _refuse(check: str) -> NoReturn:
    raise Unauthenticated(
        f"the gateway's assertion was not accepted: {check}",
        hint="call this server through the gateway",
        code=f"assertion-{check}",
    )
