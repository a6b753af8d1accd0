"""Credentials to a Caller; and which inbound headers claim an identity, so that they can be dropped.

Identity comes from a verified token and from nothing else a client sends. Surface and environment are the
listener's. Not here: how a token is verified (an adapter, behind `Tokens`).
"""

from dataclasses import dataclass
from typing import Final, Protocol

from pierhead.core.errors import Unauthenticated
from pierhead.core.identity import Caller, User


class Identity(Protocol):
    """What a verified token says."""

    @property
    def user(self) -> User: ...
    @property
    def client(self) -> str: ...
    @property
    def expires_at(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class Tokens(Protocol):
    """Verifies access tokens."""

    async def verify(self, token: bytes, audience: str) -> Identity:
        """Raises Unauthenticated unless `token` is good and was issued for `audience`."""
        ...


_FORWARDED: Final = (b"x-forwarded", b"forwarded", b"x-real-", b"x-original-", b"x-envoy-", b"x-client-")
_IDENTITY: Final = (b"x-user", b"x-remote-", b"remote-", b"x-auth-", b"x-ssl-", b"ssl-", b"pierhead-", b"x-pierhead-")
_CLAIMS: Final = _FORWARDED + _IDENTITY


def claims_identity(header: bytes) -> bool:
    """Whether a header by that (lower-case) name could be taken for proof of who, or from where, a request is."""
    return header.startswith(_CLAIMS) or b"_" in header


@dataclass(frozen=True, slots=True)
class Listener:
    """One place where callers arrive, and what is known of all who arrive there."""

    tokens: Tokens
    surface: str
    environment: str

    async def caller(self, authorization: bytes | None, audience: str, correlation_id: str) -> tuple[Caller, float]:
        """Who sent this `Authorization`, and until when that is known (seconds since 1970-01-01 UTC).

        Errors: Unauthenticated, its code a reason fit for the record.
        """
        identity = await self.tokens.verify(_bearer(authorization), audience)
        return Caller(identity.user, self.surface, self.environment, correlation_id), identity.expires_at


def _bearer(authorization: bytes | None) -> bytes:
    if authorization is None:
        raise Unauthenticated("nobody is signed in", hint="send an access token", code="no-credentials")
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Unauthenticated("the credentials are no bearer token", hint="send an access token", code="not-bearer")
    return token
