"""Keys that a shell makes for programs: a role, claims, an end. The secret is kept nowhere, only its digest.

A credential reads `ph_ID_SECRET`: the id finds the key and names its holder in the record, the secret is 256 bits of
chance. Not here: where keys are kept (`adapters/api_keys`), chance and time (they come in).
"""

import hashlib
import hmac
import re
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.core.claims import Claims
from pierhead.core.errors import Invalid, Unauthenticated

ISSUER: Final = "pierhead:keys"
"""Of every caller who came with a key; the subject is the key's id."""

SECRET_BYTES: Final = 32
ID_BYTES: Final = 5
LONGEST_S: Final = 366 * 86_400

_CREDENTIAL: Final = re.compile(rb"ph_([a-z2-7]{8})_([A-Za-z0-9_-]{43})")
_ANOTHER: Final = "make another: pierhead key create"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as it is kept. `digest` is SHA-256 of the whole credential, in hex.

    Units: times are seconds since 1970-01-01 UTC.
    """

    id: str
    digest: str
    role: str
    created: float
    expires: float
    revoked: float | None = None
    claims: Claims = ()

    def state(self, now: float) -> str:
        """`live`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "live" if now < self.expires else "expired"


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What is asked of a new key. Errors: Invalid, for a life that cannot be."""

    role: str
    lifetime_s: float
    claims: Claims = ()

    def __post_init__(self) -> None:
        if not 0 < self.lifetime_s <= LONGEST_S:
            message = "a key lives longer than no time and at most 366 days"
            raise Invalid(message, hint="write --expires 30d", code="bad-key-request")


def new_key(asked: KeyRequest, now: float, chance: bytes) -> tuple[str, ApiKey]:
    """A credential, to be shown once, and the key to keep.

    Shapes: `chance` is ID_BYTES + SECRET_BYTES bytes from the system's source of secrets.
    """
    key_id = b32encode(chance[:ID_BYTES]).decode().lower()
    secret = urlsafe_b64encode(chance[ID_BYTES:]).rstrip(b"=").decode()
    credential = f"ph_{key_id}_{secret}"
    kept = ApiKey(key_id, digest_of(credential.encode()), asked.role, now, now + asked.lifetime_s, claims=asked.claims)
    return credential, kept


def digest_of(credential: bytes) -> str:
    """A credential is 256 bits of chance, so a fast digest is as good as a slow one."""
    return hashlib.sha256(credential).hexdigest()


def check_key(credential: bytes, keys: Mapping[str, ApiKey], now: float) -> ApiKey:
    """The live key that `credential` proves.

    Errors: Unauthenticated; a wrong secret reads as an unknown key, so that nothing is learnt about ids.
    """
    found = _CREDENTIAL.fullmatch(credential)
    key = keys.get(found[1].decode()) if found else None
    if key is None or not hmac.compare_digest(key.digest, digest_of(credential)):
        raise Unauthenticated("this key is not known here", hint="make one: pierhead key create", code="unknown-key")
    match key.state(now):
        case "live":
            return key
        case "revoked":
            raise Unauthenticated(f"key {key.id} was revoked", hint=_ANOTHER, code="revoked-key")
        case _:
            raise Unauthenticated(f"key {key.id} has expired", hint=_ANOTHER, code="expired-key")
