"""Who looks at the pages: a signed cookie, and the token that proves a form came from one of our pages.

The cookie holds a random session id, a person's name and a time, under an HMAC; nothing secret. Groups are looked
up at every request, so a person who leaves is out at once. Not here: OAuth tokens, which no browser ever holds.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from pierhead.usecases.ports import Clock

COOKIE: Final = "pierhead_session"
LIFETIME_S: Final = 12 * 3600
_PARTS: Final = 5


@dataclass(frozen=True, slots=True)
class Session:
    """One browser. `person` is empty until someone signs in; then the id changes too."""

    id: str
    person: str
    since: int
    proved_at: int = 0
    """When the person last proved who they are, in seconds since 1970-01-01 UTC; 0 where nobody knows."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Reads and writes the cookie. `is_secure` is whether the public URL is https."""

    key: bytes
    clock: Clock
    is_secure: bool
    void_before: Callable[[str], float]
    """The moment before which a person's sessions are over; 0 where there is none."""

    def read(self, request: Request) -> Session | None:
        """The session that the request proves, if it is whole and not too old."""
        parts = request.cookies.get(COOKIE, "").split(".")
        if len(parts) != _PARTS or not hmac.compare_digest(parts[4].encode(), self._seal(*parts[:4]).encode()):
            return None
        identity, person, since, proved_at = parts[0], _unpack(parts[1]), int(parts[2]), int(parts[3])
        age, is_void = self.clock.now() - since, since < self.void_before(person)
        return Session(identity, person, since, proved_at) if -1 <= age < LIFETIME_S and not is_void else None

    def start(self, person: str, proved_at: float) -> Session:
        """`proved_at` is when they proved who they are; 0 where that is not known."""
        since = max(int(self.clock.now()), ceil(self.void_before(person)))
        return Session(secrets.token_urlsafe(16), person, since, int(proved_at))

    def write(self, session: Session, response: Response) -> None:
        parts = (session.id, _pack(session.person), str(session.since), str(session.proved_at))
        response.set_cookie(
            COOKIE,
            ".".join((*parts, self._seal(*parts))),
            max_age=LIFETIME_S,
            httponly=True,
            samesite="lax",
            secure=self.is_secure,
        )

    def form_token(self, session: Session) -> str:
        """What every form of this session carries."""
        return _mac(self.key, f"form.{session.id}.{session.person}")

    def is_form_token(self, session: Session, token: str) -> bool:
        return hmac.compare_digest(self.form_token(session).encode(), token.encode())

    def _seal(self, identity: str, person: str, since: str, proved_at: str) -> str:
        return _mac(self.key, f"session.{identity}.{person}.{since}.{proved_at}")


def _mac(key: bytes, text: str) -> str:
    return urlsafe_b64encode(hmac.digest(key, text.encode(), sha256)).rstrip(b"=").decode()


def _pack(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _unpack(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
