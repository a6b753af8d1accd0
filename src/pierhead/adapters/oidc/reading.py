"""What is read of a signed token before and after its signature: strict JSON, an exact header, times that are times.

Pure. Above: `tokens`, `provider`. Not here: keys, who is trusted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, TypeGuard

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from pierhead.adapters.oidc.keys import KEY_OF
from pierhead.core import token_parts
from pierhead.core.errors import Invalid, Unauthenticated

LONGEST: Final = 16 * 1024
SKEW_S: Final = 60


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of a token may say, and no more."""

    algorithms: frozenset[str]
    types: frozenset[str]
    """In lower case; an empty text where a token need not name its type."""
    members: frozenset[str]


def judge_header(token: bytes, allowed: Header) -> tuple[str, str]:
    """Algorithm and key id, from a header that holds nothing else: no `jwk`, `jku`, `x5u`, `crit`."""
    header = _part(token.partition(b".")[0])
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
    if not isinstance(algorithm, str) or algorithm not in allowed.algorithms:
        refuse("wrong-algorithm")
    if not isinstance(key_id, str) or not key_id:
        refuse("no-key-id")
    if not isinstance(kind, str) or kind.lower() not in allowed.types:
        refuse("wrong-type")
    if not header.keys() <= allowed.members:
        refuse("unknown-header")
    return algorithm, key_id


def unproved_claims(token: bytes) -> dict[str, object]:
    """What the token says of itself, before anything is proved: fit to choose an issuer by, and for nothing else."""
    return _part(token.partition(b".")[2].partition(b".")[0])


def signed_claims(token: bytes, key: Key, algorithm: str) -> dict[str, object]:
    """The claims, once the signature holds under this key and the kind of key fits the algorithm."""
    if not isinstance(key, KEY_OF[algorithm]):
        refuse("wrong-key-type")
    try:
        signed = jws.deserialize_compact(token, key, algorithms=[algorithm])
    except (JoseError, ValueError):
        refuse("bad-signature")
    try:
        return token_parts.strict_object(signed.payload)
    except Invalid:
        refuse("malformed")


def judge_times(claims: dict[str, object], now: float) -> tuple[int, int]:
    """When the token was issued, and when it ends: by now it must be valid, but for a skew, and not be over."""
    expires, issued, since = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    if not _is_time(expires) or not _is_time(issued) or not _is_time(since):
        refuse("bad-times")
    if now >= expires:
        refuse("expired")
    if max(issued, since) > now + SKEW_S:
        refuse("not-yet-valid")
    return issued, expires


def proved_at_of(claims: Mapping[str, object], issued_at: float) -> int:
    """When the person proved who they are (`auth_time`); 0 for what is no time, or after the token was issued."""
    stated = claims.get("auth_time")
    return stated if _is_time(stated) and stated <= issued_at + SKEW_S else 0


def audiences_of(claims: dict[str, object]) -> frozenset[str]:
    """Whom the token is for."""
    audience = claims.get("aud")
    return frozenset({audience}) if isinstance(audience, str) else names(audience, "wrong-audience")


def scopes_of(claims: Mapping[str, object]) -> frozenset[str]:
    """Every scope that the token names, in either of the claims that issuers write them in; what is no text is none."""
    found = (claims.get(name) for name in ("scope", "scp"))
    return frozenset(scope for text in found if isinstance(text, str) for scope in text.split())


def names(value: object, fault: str) -> frozenset[str]:
    """A list of texts, as a set."""
    if not is_list(value):
        refuse(fault)
    found = frozenset(name for name in value if isinstance(name, str))
    if len(found) != len(value):
        refuse(fault)
    return found


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def refuse(code: str) -> NoReturn:
    raise Unauthenticated("the access token was not accepted", hint="sign in again", code=code)


def _part(encoded: bytes) -> dict[str, object]:
    try:
        return token_parts.part_of(encoded)
    except Invalid:
        refuse("malformed")


def _is_time(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
