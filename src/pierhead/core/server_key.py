"""The key of a server whose process is not the platform's own: made once, shown once, kept as a digest.

It proves that process to the registry, and its id tells the gateway which secret that process checks callers with, so
that a new key ends an old one at both ends. Not here: what it opens (`usecases/enrol_server`), chance and time.
"""

import hashlib
import hmac
import re
from base64 import b32encode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final

from pierhead.core.errors import Unauthenticated

ID_BYTES: Final = 5
SECRET_BYTES: Final = 32
_BEARER: Final = re.compile(r"ps_([a-z][a-z0-9-]{0,62})_[a-z2-7]{8}_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class ServerKey:
    """The one key of a server. `digest` is SHA-256 of the whole bearer, in hex. Units: seconds since 1970 UTC."""

    server: str
    id: str
    digest: str
    made_at: float
    made_by: str


def new_server_key(server: str, made_by: str, now: float, chance: bytes) -> tuple[str, ServerKey]:
    """A bearer, to be shown once, and the key to keep.

    Shapes: `chance` is ID_BYTES + SECRET_BYTES bytes from the system's source of secrets.
    """
    key_id = b32encode(chance[:ID_BYTES]).decode().lower()
    secret = urlsafe_b64encode(chance[ID_BYTES:]).rstrip(b"=").decode()
    bearer = f"ps_{server}_{key_id}_{secret}"
    return bearer, ServerKey(server, key_id, _digest(bearer), now, made_by)


def server_named_in(bearer: str) -> str:
    """The server that a bearer says it is of; nothing is proven by that. Errors: Unauthenticated."""
    found = _BEARER.fullmatch(bearer)
    if found is None:
        raise unknown_server_key()
    return found[1]


def check_server_key(bearer: str, known: ServerKey | None) -> ServerKey:
    """The key that `bearer` proves. Errors: Unauthenticated; no key and a wrong one read alike."""
    if known is None or not hmac.compare_digest(known.digest, _digest(bearer)):
        raise unknown_server_key()
    return known


def unknown_server_key() -> Unauthenticated:
    hint = "its owner makes another: pierhead server enrol NAME"
    return Unauthenticated("this key of a server is not known here", hint=hint, code="unknown-server-key")


def assertion_label(server: str, key_id: str) -> str:
    """What the secret is derived for that a server checks its callers with: another one for each of its keys.

    No name of a server holds `#`; a server of the platform's own has no key.
    """
    return f"{server}#{key_id}" if key_id else server


def _digest(bearer: str) -> str:
    """A bearer is 256 bits of chance, so a fast digest is as good as a slow one."""
    return hashlib.sha256(bearer.encode()).hexdigest()
