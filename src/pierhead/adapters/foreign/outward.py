"""HTTP to one foreign address and nowhere else: resolved once, checked, pinned; no redirect is followed.

For one life of a connection. Every answer of the resolver must lie outside, or none is used, so that a name which
says two things gets nowhere; what was resolved is what is connected to, so that a name which changes its mind gets
nowhere either. A failure becomes an answer to the one request that met it: the others go on. Not here: MCP (`remote`).
"""

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

import anyio
import httpx2
import orjson

from pierhead.core.address import is_inside

LARGEST_ANSWER: Final = 16 * 2**20
#: As MCP's SDKs number it.
_CONNECTION_CLOSED: Final = -32000
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_REFUSALS: Final = frozenset({401, 403, 407})
_RESOLVE_S: Final = 5.0
_STREAM: Final = "text/event-stream"


class Unreachable(OSError):
    """A foreign address that cannot be used; the text says why and what to change."""


@dataclass(slots=True)
class OutwardTransport(httpx2.AsyncBaseTransport):
    """Sends requests of one origin to the addresses that were checked for it. `fault` is what went wrong last."""

    url: httpx2.URL
    addresses: Sequence[str]
    inner: httpx2.AsyncHTTPTransport
    fault: str = ""
    _good: int = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _origin(request.url) != _origin(self.url):
            return self._failed(request, f"it leads to {_shown(request.url)}, which is another address")
        try:
            answer = await self._sent(request)
        except httpx2.TransportError as failed:
            return self._failed(request, f"{self.url.host} does not answer ({type(failed).__name__})")
        refused = self._refusal(answer)
        if refused:
            await answer.aclose()
            return self._failed(request, refused)
        self.fault = ""
        stream = answer.stream
        if isinstance(stream, httpx2.AsyncByteStream) and not _is_stream(answer):
            answer.stream = _Bounded(stream)
        return answer

    async def aclose(self) -> None:
        await self.inner.aclose()

    async def _sent(self, request: httpx2.Request) -> httpx2.Response:
        """Through the address that worked last; another only where nothing was sent. Errors: TransportError."""
        for attempt in range(len(self.addresses)):
            at = (self._good + attempt) % len(self.addresses)
            try:
                answer = await self.inner.handle_async_request(self._pinned(request, self.addresses[at]))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if attempt == len(self.addresses) - 1:
                    raise
            else:
                self._good = at
                return answer
        raise AssertionError("unreachable")  # there is at least one address

    def _pinned(self, request: httpx2.Request, address: str) -> httpx2.Request:
        """The same request to the number; its Host header and the name of its certificate stay."""
        return httpx2.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": self.url.host},
        )

    def _refusal(self, answer: httpx2.Response) -> str:
        if answer.status_code in _REDIRECTS:
            location = answer.headers.get("location", "")
            with contextlib.suppress(httpx2.InvalidURL):
                location = _shown(self.url.join(location))
            return f"{self.url.host} redirects to {location[:200]}, which is not followed; register the final address"
        if answer.headers.get("content-encoding", "identity") != "identity":
            return f"{self.url.host} answers compressed, which was not asked for"
        if answer.status_code in _REFUSALS:
            return f"{self.url.host} refuses the credential ({answer.status_code})"
        return ""

    def _failed(self, request: httpx2.Request, why: str) -> httpx2.Response:
        """A failure as the protocol's own answer: the connection was closed."""
        self.fault = why
        error = {"code": _CONNECTION_CLOSED, "message": why}
        body = orjson.dumps({"jsonrpc": "2.0", "id": None, "error": error})
        return httpx2.Response(502, headers={"content-type": "application/json"}, content=body, request=request)


async def outward(
    url: str, *, guarded: bool, allowed: frozenset[str], trust: ssl.SSLContext | None = None
) -> OutwardTransport:
    """Resolve the host of `url` and check where it lies.

    Shapes: not `guarded`: wherever it lies; `allowed` are hosts that may lie inside; without `trust` certificates are
    checked against the system's store.
    Errors: Unreachable.
    """
    parsed = httpx2.URL(url)
    addresses = await resolved(parsed.host, parsed.port or (443 if parsed.scheme == "https" else 80))
    if guarded and parsed.host not in allowed:
        inside = [address for address in addresses if is_inside(ip_address(address))]
        if inside:
            raise Unreachable(
                f"{parsed.host} is {inside[0]}, inside the network;"
                " an administrator may put the host into registry.allowed_hosts"
            )
    return OutwardTransport(parsed, addresses, httpx2.AsyncHTTPTransport(verify=trust or True, trust_env=False))


async def resolved(host: str, port: int) -> list[str]:
    """Every address of a host, each once. Errors: Unreachable."""
    try:
        with anyio.fail_after(_RESOLVE_S):
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        raise Unreachable(f"the host {host} cannot be found") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    return list(dict.fromkeys(addresses))


@dataclass(slots=True)
class _Bounded(httpx2.AsyncByteStream):
    """An answer that ends at LARGEST_ANSWER, and whose failures are those of a stream, not of the connection."""

    inner: httpx2.AsyncByteStream
    _read: int = field(default=0)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.inner:
                self._read += len(chunk)
                if self._read > LARGEST_ANSWER:
                    raise httpx2.StreamError(f"an answer larger than {LARGEST_ANSWER} bytes")
                yield chunk
        except httpx2.TransportError as failed:
            raise httpx2.StreamError(f"the answer broke off ({type(failed).__name__})") from None

    async def aclose(self) -> None:
        await self.inner.aclose()


def _is_stream(answer: httpx2.Response) -> bool:
    return answer.headers.get("content-type", "").lower().startswith(_STREAM)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _shown(url: httpx2.URL) -> str:
    """Without what may be secret."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))
