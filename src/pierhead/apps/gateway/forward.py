"""Everything that is no MCP endpoint: carried to the registry byte for byte, but for what claims an identity.

The registry signs people in and answers them; the gateway only has the public port. Its internal API is not
reachable from here under any spelling. Not here: MCP (`relay`).
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from pierhead.apps.authenticate import claims_identity
from pierhead.apps.gateway.asgi import Receive, Scope, Send
from pierhead.apps.gateway.edge import Fields, body_of
from pierhead.apps.gateway.streams import HOP, Attention, Delivery, Origin, Upstreams
from pierhead.core.errors import Invalid, NotFound

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_REPEATABLE: Final = frozenset({"GET", "HEAD"})
_NOT_PASSED: Final = HOP | {b"content-length", b"expect", b"proxy-authorization"}
_FIRST_BYTE_S: Final = 35.0


@dataclass(frozen=True, slots=True)
class Forward:
    """The way to the registry."""

    registry: Origin
    upstreams: Upstreams

    async def carry(self, scope: Scope, fields: Fields, receive: Receive, send: Send) -> None:
        """Carry one request and its answer.

        Errors: NotFound, for paths that do not exist outside; Invalid; UpstreamUnreachable; ToolTimedOut.
        """
        request = await self._request(scope, fields, receive)
        method: str = scope["method"]
        attention = Attention(receive)
        attention.begin()
        answer = None
        try:
            answer = await self.upstreams.send(
                self.registry,
                request,
                first_byte_s=_FIRST_BYTE_S,
                repeatable=method in _REPEATABLE,
                head_only=method == "HEAD",
            )
            delivery = Delivery(answer, HOP, send)
            await delivery.pump()
            await delivery.finish()
        except asyncio.CancelledError:
            if attention.ended is None:
                raise
        finally:
            attention.stop()
            if answer is not None:
                answer.close()

    async def _request(self, scope: Scope, fields: Fields, receive: Receive) -> bytes:
        method: str = scope["method"]
        path: bytes = scope["raw_path"]
        query: bytes = scope["query_string"]
        if method not in _METHODS:
            raise Invalid(f"no method {method[:16]!r} here", hint="use GET or POST", code="method-not-allowed")
        if not is_public(path):
            raise NotFound("no such page", hint="start at /")
        body = await body_of(receive, fields)
        target = path + b"?" + query if query else path
        parts = [b"%b %b HTTP/1.1\r\n" % (method.encode(), target)]
        for name, value in fields.items():
            if name not in _NOT_PASSED and not claims_identity(name):
                parts += (name, b": ", value, b"\r\n")
        parts += (b"content-length: %d\r\n\r\n" % len(body), body)
        return b"".join(parts)


def is_public(path: bytes) -> bool:
    """Whether a raw path may leave for the registry: spelt in one way only, not internal, and no server's."""
    if not path.startswith(b"/") or any(odd in path for odd in (b"//", b"/./", b"/../", b"\\", b";", b"\0")):
        return False
    if path.endswith((b"/.", b"/..")) or _hides(path):
        return False
    return not path.lower().startswith((b"/internal", b"/mcp", b"/data"))


def _hides(path: bytes) -> bool:
    """Whether a percent-code stands for something that could have been written plainly, or for a separator."""
    _, *codes = path.split(b"%")
    for code in codes:
        try:
            plain = bytes.fromhex(code[:2].decode("ascii"))
        except ValueError:
            return True
        if len(plain) != 1 or plain.isalnum() or plain in {b"-", b".", b"_", b"~", b"/", b"\\", b"%", b"\0"}:
            return True
    return False
