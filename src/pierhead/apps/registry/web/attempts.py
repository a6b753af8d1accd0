"""A browser's try to sign in at the identity provider, between leaving for it and coming back.

Kept in the browser alone, in a sealed cookie of ten minutes, so that no flood of tries crowds out anybody's and any
replica can take the answer. Nonce and PKCE verifier follow from the state under a key that never leaves here.
Not here: what the answer must be (`usecases/federate`).
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from pierhead.core.errors import Unauthenticated
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_sign_in import Attempt

CALLBACK: Final = "/sign-in/callback"
_LIFETIME_S: Final = 600
_LONGEST_PATH: Final = 2000
_PARTS: Final = 5


@dataclass(frozen=True, slots=True)
class Attempts:
    """Makes and reads the cookie. `public_url` decides its name and where the provider sends people back to."""

    key: bytes = field(repr=False)
    clock: Clock
    public_url: str

    @property
    def cookie(self) -> str:
        """With https a name that no other host of the domain, and no other path, can set."""
        return "__Host-pierhead_sign_in" if self._is_secure else "pierhead_sign_in"

    @property
    def _is_secure(self) -> bool:
        return self.public_url.startswith("https://")

    def start(self, wanted: str, *, is_fresh: bool = False) -> tuple[Attempt, str]:
        """A new try, and the cookie's value. `wanted` is where the person was going.

        `is_fresh` is whether the provider must ask them anew, however long it remembers people.
        """
        state, now = secrets.token_urlsafe(32), str(int(self.clock.now()))
        parts = (state, _pack(wanted if len(wanted) <= _LONGEST_PATH else "/servers"), now, "1" if is_fresh else "0")
        return self._attempt(state, is_fresh=is_fresh), ".".join((*parts, self._mac("attempt", *parts)))

    def write(self, value: str, response: Response) -> None:
        response.set_cookie(
            self.cookie, value, max_age=_LIFETIME_S, httponly=True, samesite="lax", secure=self._is_secure
        )

    def end(self, response: Response) -> None:
        response.delete_cookie(self.cookie, httponly=True, samesite="lax", secure=self._is_secure)

    def read(self, request: Request) -> tuple[Attempt, str]:
        """The try that this browser began, and where the person was going.

        Errors: Unauthenticated (`no-sign-in-begun`).
        """
        parts = request.cookies.get(self.cookie, "").split(".")
        if len(parts) == _PARTS and hmac.compare_digest(parts[4].encode(), self._mac("attempt", *parts[:4]).encode()):
            age = self.clock.now() - int(parts[2])
            if -1 <= age < _LIFETIME_S:
                return self._attempt(parts[0], is_fresh=parts[3] == "1"), _unpack(parts[1])
        raise Unauthenticated(
            "no sign-in was begun in this browser, or too long ago",
            hint="sign in again at /sign-in",
            code="no-sign-in-begun",
        )

    def _attempt(self, state: str, *, is_fresh: bool) -> Attempt:
        nonce, verifier = self._mac("nonce", state), self._mac("verifier", state)
        return Attempt(state, nonce, verifier, f"{self.public_url}{CALLBACK}", is_fresh)

    def _mac(self, *parts: str) -> str:
        return urlsafe_b64encode(hmac.digest(self.key, ".".join(parts).encode(), sha256)).rstrip(b"=").decode()


def _pack(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _unpack(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
