"""What an identity provider publishes of itself, over HTTPS: its metadata and its keys, bounded and not redirected.

The operator named the issuer, so it may lie inside the company's network; what its metadata names must be HTTPS too
(or plain on this machine, for tests). Certificates are checked against the system's store. Not here: what is trusted.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx2

from pierhead.core.errors import UpstreamUnreachable
from pierhead.usecases.ports import Clock

_LARGEST: Final = 256 * 1024
_TIMEOUT_S: Final = 5.0
#: Of a whole answer: one that comes a byte at a time is never silent for long.
_WHOLE_S: Final = 10.0
_KEPT_S: Final = 3600.0
_AT_ONCE: Final = 32
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_OK: Final = 200
_BAD_REQUEST: Final = 400
_METADATA: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The endpoints of a provider (OpenID Connect Discovery 1.0, section 3). `userinfo` may be empty."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    states_issuer: bool
    """Whether each answer names its issuer (RFC 9207)."""
    takes_basic: bool


@dataclass(slots=True)
class Web:
    """Asks one provider, a bounded number of questions at once; reads the system's certificates once an hour.

    Reading them is most of what a question costs, and it holds up everybody else in this process (17 of 23 ms).
    """

    clock: Clock
    _trusted: ssl.SSLContext | None = None
    _read_at: float = float("-inf")
    _asking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """A small document. Errors: UpstreamUnreachable."""
        return _content(url, await self._answered(url, "GET", headers or {}, None))

    async def grant(self, url: str, form: Mapping[str, str], login: tuple[str, str] | None) -> dict[str, Any] | None:
        """What a grant gives; None where it is good no more (`invalid_grant`). Errors: UpstreamUnreachable."""
        status, document = await self._answered(url, "POST", {}, (form, login))
        if status == _BAD_REQUEST and read_object(url, document).get("error") == "invalid_grant":
            return None
        return read_object(url, _content(url, (status, document)))

    def _context(self) -> ssl.SSLContext:
        now = self.clock.monotonic()
        if self._trusted is None or now - self._read_at >= _KEPT_S:
            self._trusted, self._read_at = ssl.create_default_context(), now
        return self._trusted

    async def _answered(
        self,
        url: str,
        method: str,
        headers: Mapping[str, str],
        posted: tuple[Mapping[str, str], tuple[str, str] | None] | None,
    ) -> tuple[int, bytes]:
        """Status and body, within bounds; the wait for a turn counts too."""
        form, credentials = posted or (None, None)
        accepted = {"accept": "application/json", "accept-encoding": "identity", **headers}
        body = bytearray()
        try:
            async with (
                asyncio.timeout(_WHOLE_S),
                self._asking,
                httpx2.AsyncClient(
                    verify=self._context(), timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False
                ) as client,
                client.stream(method, url, headers=accepted, data=form, auth=credentials) as answer,
            ):
                async for chunk in answer.aiter_raw():
                    body += chunk
                    if len(body) > _LARGEST:
                        raise _unusable(url, f"it answers with more than {_LARGEST} bytes")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failed:
            raise _unusable(url, f"it does not answer ({type(failed).__name__})") from None
        return answer.status_code, bytes(body)


@dataclass(slots=True)
class Provider:
    """One provider's metadata, read when needed and kept for an hour; the last good ones serve beyond that."""

    issuer: str
    clock: Clock
    web: Web = field(init=False)
    _known: Metadata | None = None
    _read_at: float = field(default=float("-inf"))

    def __post_init__(self) -> None:
        self.web = Web(self.clock)

    async def metadata(self) -> Metadata:
        """Errors: UpstreamUnreachable, when there are none yet and the provider does not give usable ones."""
        if self._known is None or self.clock.monotonic() - self._read_at >= _KEPT_S:
            try:
                document = await self.web.fetch(self.issuer.rstrip("/") + _METADATA)
                self._known = _metadata(document, self)
                self._read_at = self.clock.monotonic()
            except UpstreamUnreachable:
                if self._known is None:
                    raise
        return self._known

    async def keys(self) -> bytes:
        return await self.web.fetch((await self.metadata()).keys)


def keys_of(issuer: str, clock: Clock) -> Callable[[], Awaitable[bytes]]:
    """What asks `issuer` for its keys."""
    return Provider(issuer, clock).keys


def is_safe(url: str) -> bool:
    """Whether `url` is HTTPS, or plain HTTP to this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
    )


def _content(url: str, answered: tuple[int, bytes]) -> bytes:
    status, body = answered
    if status != _OK:
        raise _unusable(url, f"it answers {status}")
    return body


def read_object(url: str, document: bytes) -> dict[str, Any]:
    """Errors: UpstreamUnreachable, if that is no JSON object."""
    try:
        value: object = json.loads(document.decode("utf-8"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _unusable(url, "it answers with something else than a JSON object")
    return cast("dict[str, Any]", value)


def _metadata(document: bytes, of: Provider) -> Metadata:
    stated = read_object(of.issuer, document)
    if stated.get("issuer") != of.issuer:
        raise _unusable(of.issuer, "its metadata name another issuer")
    places = [_place(stated, name, of) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    ways = stated.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        *places,
        userinfo=_place(stated, "userinfo_endpoint", of) if "userinfo_endpoint" in stated else "",
        states_issuer=stated.get("authorization_response_iss_parameter_supported") is True,
        takes_basic=isinstance(ways, list) and "client_secret_basic" in ways,
    )


def _place(stated: Mapping[str, Any], name: str, of: Provider) -> str:
    value = stated.get(name)
    if not isinstance(value, str) or not is_safe(value):
        raise _unusable(of.issuer, f"its metadata have no {name} that is https")
    return value


def _unusable(url: str, why: str) -> UpstreamUnreachable:
    return UpstreamUnreachable(
        f"the identity provider at {urlsplit(url).netloc} cannot be used: {why}",
        hint="try again in a few seconds; if it stays, tell whoever runs the sign-in",
        code="identity-provider-unreachable",
    )
