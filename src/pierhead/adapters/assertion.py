"""The identity a gateway shows one server: seconds long, for that server alone, for exactly one body, once.

A JWT by form (HS256, encoded by hand: this is the hot path), so that any server can read it; accepted by nothing
but `Verifier`. Its key is derived from the gateway's master key and the server's name, so a server can make
assertions for nobody but itself. Above: the relay mints, the server's host verifies.
"""

import hmac
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from binascii import b2a_base64
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NoReturn, TypeGuard

import orjson

from pierhead.core.claims import Claims, claims_form, parse_claims
from pierhead.core.errors import Invalid, Unauthenticated
from pierhead.core.identity import ANONYMOUS, Both, Caller, Principal, User, Workload
from pierhead.core.scope import ALL, covers, offered
from pierhead.core.server_key import assertion_label
from pierhead.usecases.ports import Clock

HEADER: Final = b"pierhead-assertion"
LIFETIME_S: Final = 10
SKEW_S: Final = 60
"""How far the clocks of a gateway and a server may differ."""

_TYPE: Final = "pierhead+jwt"
_JOSE: Final = urlsafe_b64encode(orjson.dumps({"alg": "HS256", "typ": _TYPE})).rstrip(b"=")
_LONGEST: Final = 16 * 1024
_CALLERS_KNOWN: Final = 4096
_TEXTS: Final = ("aud", "jti", "sub", "sub_iss", "wl", "sfc", "env", "chn", "sc", "bd", "cid")


def server_key(master: bytes, server: str, key_id: str = "") -> bytes:
    """The key of one server, as kept in `assertion-NAME.key`, or in the credential with that id.

    Without the id of a credential it is good for a process of the platform alone.
    """
    return hmac.digest(master, b"server:" + assertion_label(server, key_id).encode(), "sha256")


_Known = tuple[Principal, str, str, str, bool, frozenset[str], str, str, str]


@dataclass(frozen=True, slots=True)
class Minter:
    """Makes assertions; lives in the gateway alone."""

    master: bytes = field(repr=False)
    clock: Clock
    _known: dict[_Known, tuple[bytes, bytes]] = field(default_factory=dict[_Known, tuple[bytes, bytes]], repr=False)
    """Per caller and server the key, and the beginning of the claims: what two calls of one caller share."""

    def mint(self, caller: Caller, server: str, call_id: str, body_digest: str, key_id: str = "") -> bytes:
        """An assertion that `caller` sent the body with that digest (SHA-256, hex) to `server`.

        `key_id` is that of the credential its process holds, if it is not the platform's.
        """
        who = (caller.principal, caller.surface, caller.environment, caller.channel, caller.interactive, caller.scopes)
        known = (*who, caller.client, server, key_id)
        key, shared = self._known.get(known) or self._learn(known, caller)
        now = int(self.clock.now())
        own = b'"iat":%d,"exp":%d,"jti":%b,"bd":%b}' % (
            now,
            now + LIFETIME_S,
            orjson.dumps(call_id),
            orjson.dumps(body_digest),
        )
        signed = _JOSE + b"." + _url_safe(shared + own)
        return signed + b"." + _url_safe(hmac.digest(key, signed, "sha256"))

    def _learn(self, known: _Known, caller: Caller) -> tuple[bytes, bytes]:
        if len(self._known) >= _CALLERS_KNOWN:
            self._known.clear()
        server, key_id = known[-2:]
        user, program = caller.person, caller.workload
        claims: dict[str, object] = {
            "aud": server,
            "sub": user.subject if user else "",
            "sub_iss": user.issuer if user else "",
            "groups": sorted(user.groups) if user else [],
            "wl": program.spiffe_id if program else "",
            "sfc": caller.surface,
            "env": caller.environment,
            "chn": caller.channel,
            "sc": _narrowed(caller.scopes, server),
            "ia": caller.interactive,
            "cid": caller.client,
        }
        if user and user.claims:
            claims["claims"] = claims_form(user.claims)
        learnt = server_key(self.master, server, key_id), orjson.dumps(claims)[:-1] + b","
        self._known[known] = learnt
        return learnt


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _url_safe(data: bytes) -> bytes:
    """base64url without padding, in half the time of `urlsafe_b64encode`: two of these stand in every call."""
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=")


@dataclass(slots=True)
class Verifier:
    """Accepts each assertion for one server once, while it lasts."""

    key: bytes = field(repr=False)
    server: str
    clock: Clock
    _seen: dict[str, int] = field(default_factory=dict[str, int], repr=False)
    """Assertion ids and when they may be forgotten, oldest first."""
    _forgotten_until: float = float("-inf")
    """The latest end among the forgotten: what ends no later could be one of them, whatever a clock says since."""

    @property
    def header(self) -> bytes:
        return HEADER

    @property
    def is_bound(self) -> bool:
        return True

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
        principal = _principal(texts, claims.get("groups"), claims.get("claims"))
        caller = Caller(
            principal,
            texts["sfc"],
            texts["env"],
            texts["jti"],
            texts["chn"],
            scopes=frozenset(texts["sc"].split()),
            interactive=claims.get("ia") is True,
            client=texts["cid"],
        )
        return caller, texts["jti"]

    def _signed_claims(self, header: bytes) -> dict[str, object]:
        if len(header) > _LONGEST:
            _refuse("size")
        signed, _, signature = header.rpartition(b".")
        expected = _url_safe(hmac.digest(self.key, signed, "sha256"))
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
            self._forgotten_until = max(self._forgotten_until, self._seen.pop(known))
        if until <= self._forgotten_until:
            _refuse("expired")
        if not assertion_id or assertion_id in self._seen:
            _refuse("replayed")
        self._seen[assertion_id] = until


def _narrowed(scopes: frozenset[str], server: str) -> str:
    """What of a caller's scopes concerns one server: no server learns what else a token is good for."""
    if ALL in scopes:
        return ALL
    return " ".join(scope for scope in offered(server) if covers(scopes, scope))


def _texts(claims: dict[str, object]) -> dict[str, str]:
    texts = {name: value for name in _TEXTS if isinstance(value := claims.get(name), str)}
    if len(texts) != len(_TEXTS):
        _refuse("claims")
    return texts


def _principal(texts: dict[str, str], groups: object, claims: object) -> Principal:
    if not _is_list(groups) or not all(isinstance(group, str) for group in groups):
        _refuse("claims")
    names = frozenset(str(group) for group in groups)
    program = Workload(texts["wl"]) if texts["wl"] else None
    if not texts["sub"]:
        return program or ANONYMOUS
    user = User(texts["sub_iss"], texts["sub"], names, () if claims is None else _claims(claims))
    return Both(user, program) if program else user


def _claims(claims: object) -> Claims:
    try:
        return parse_claims(claims)
    except Invalid:
        _refuse("claims")


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
