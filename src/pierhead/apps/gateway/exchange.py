"""One message's way to its server and back, as bytes: fills the port `Upstream` for one call.

Runs only against a Permit. Sends the headers of a short allow-list, the assertion, and the original body; never
the client's credentials. Below: `streams`. Above: `relay`, which lets the last bytes go once the outcome is
recorded. Nothing here decides, and nothing here records.
Its kin for the data lane: `data`.
"""

from functools import lru_cache
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from pierhead.apps.gateway.asgi import Send
from pierhead.apps.gateway.edge import Fields
from pierhead.apps.gateway.methods import Method
from pierhead.apps.gateway.streams import HOP, Answer, Attention, Delivery, Origin, Upstreams
from pierhead.core.call import Ran
from pierhead.core.catalog import Server
from pierhead.core.errors import UpstreamUnreachable
from pierhead.core.identity import Caller
from pierhead.core.peer import role_of_server
from pierhead.core.policy import Permit

_PASSED: Final = frozenset(
    {
        b"content-type",
        b"accept",
        b"mcp-protocol-version",
        b"mcp-method",
        b"mcp-name",
        b"mcp-session-id",
        b"last-event-id",
        b"traceparent",
        b"tracestate",
        b"baggage",
    }
)
DROPPED: Final = HOP | {b"set-cookie", b"www-authenticate", b"x-accel-buffering"}
_GRACE_S: Final = 5.0
_BODIES: Final = (b"application/json", b"text/event-stream")
_REDIRECT, _CLIENT_FAULT, _SERVER_FAULT = 300, 400, 500
_DENIED: Final = frozenset({401, 403})


class Minter(Protocol):
    """Makes the identity a server is shown (`adapters/assertion.Minter`)."""

    def mint(self, caller: Caller, server: str, call_id: str, body_digest: str, key_id: str = "") -> bytes: ...


class Inbound(NamedTuple):
    """One message as it arrived, read and authenticated."""

    http_method: str
    fields: Fields
    body: bytes
    digest: str
    method: Method
    caller: Caller
    send: Send
    target: bytes = b""
    """Path and query on the server, where it is not the server's MCP endpoint."""


class Exchange:
    """The port `Upstream` for one message."""

    __slots__ = ("_attention", "_delivery", "_inbound", "_minter", "_upstreams", "alarm")

    def __init__(self, inbound: Inbound, upstreams: Upstreams, minter: Minter, attention: Attention) -> None:
        self._inbound = inbound
        self._upstreams = upstreams
        self._minter = minter
        self._attention = attention
        self._delivery: Delivery | None = None
        self.alarm = 0
        """The status with which a server refused the gateway itself, or 0."""

    async def run(self, permit: Permit) -> Ran:
        """Send the message and carry its answer, but for the last bytes.

        Errors: UpstreamUnreachable, also for answers no server of ours gives; ToolTimedOut.
        """
        server, inbound = permit.request.server, self._inbound
        origin, start = _address(server.name, server.upstream, inbound.target)
        request = self._request(start, server, permit.request.call.id)
        self._attention.begin()
        answer = None
        try:
            answer = await self._upstreams.send(
                origin,
                request,
                first_byte_s=self._patience(permit) + _GRACE_S,
                repeatable=inbound.method.repeatable,
                head_only=inbound.http_method == "HEAD",
            )
            self._judge(answer)
            self._delivery = delivery = Delivery(answer, DROPPED, inbound.send)
            if inbound.method.listens:
                await delivery.open()
            await delivery.pump()
        finally:
            self._attention.stop()
            if answer is not None:
                answer.close()
        return Ran(result=None, succeeded=None, bytes_out=delivery.bytes_out)

    @property
    def started(self) -> bool:
        """Whether the client has seen the start of an answer."""
        return self._delivery is not None and self._delivery.started

    async def finish(self) -> None:
        """Let the last bytes go: called when the outcome is on record."""
        if self._delivery is not None:
            await self._delivery.finish()

    def _request(self, start: bytes, server: Server, call_id: str) -> bytes:
        inbound = self._inbound
        parts = [inbound.http_method.encode(), start]
        for name, value in inbound.fields.items():
            if self._passes(name):
                parts += (name, b": ", value, b"\r\n")
        assertion = self._minter.mint(inbound.caller, server.name, call_id, inbound.digest, server.key)
        parts += (b"pierhead-assertion: ", assertion, b"\r\ncontent-length: %d\r\n\r\n" % len(inbound.body))
        parts.append(inbound.body)
        return b"".join(parts)

    def _passes(self, name: bytes) -> bool:
        """Whether a header of the client goes on to the server."""
        return name in _PASSED or name.startswith(b"mcp-param-")

    def _patience(self, permit: Permit) -> float:
        """How long the server may think, in seconds."""
        return permit.request.tool.timeout_s

    def _judge(self, answer: Answer) -> None:
        """Only what an MCP server answers may pass."""
        status = answer.status
        if status in _DENIED:
            self.alarm = status
            raise UpstreamUnreachable("the server refused its gateway", code="upstream-refused-gateway")
        if _REDIRECT <= status < _CLIENT_FAULT:
            raise UpstreamUnreachable("the server sent a redirect", code="upstream-garbage")
        if status >= _SERVER_FAULT and not _has_body_of(answer, _BODIES[:1]):
            raise UpstreamUnreachable("the server failed", hint="try again later", code="upstream-failed")
        if status == 200 and self._inbound.http_method != "DELETE" and not _has_body_of(answer, _BODIES):  # noqa: PLR2004
            raise UpstreamUnreachable("the server's answer is no MCP", code="upstream-garbage")


def _has_body_of(answer: Answer, kinds: tuple[bytes, ...]) -> bool:
    return any(name == b"content-type" and value.lower().startswith(kinds) for name, value in answer.headers)


@lru_cache(maxsize=8192)  # more than any fleet has servers: going through them all must not push out each other
def _address(name: str, upstream: str, target: bytes = b"") -> tuple[Origin, bytes]:
    """Where a server listens, and how a request to it goes on after its HTTP method."""
    url = urlsplit(upstream)
    if url.scheme not in {"http", "https"} or not url.hostname or not url.port:
        raise UpstreamUnreachable("the server has not said where it listens", hint="try again in a few seconds")
    place = target or (url.path or "/").encode("ascii")
    role = role_of_server(name) if url.scheme == "https" else ""
    return (url.hostname, url.port, role), b" %b HTTP/1.1\r\nhost: %b\r\n" % (place, url.netloc.encode("ascii"))


def origin_of(server: Server) -> Origin | None:
    """The origin of a server's address; None where it has none yet."""
    try:
        return _address(server.name, server.upstream)[0]
    except UpstreamUnreachable:
        return None
