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
_CLIENT: Final = b"pierhead-client"
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
        method: str = scope["method"]
        if method not in _METHODS:
            raise Invalid(f"no method {method[:16]!r} here", hint="use GET or POST", code="method-not-allowed")
        path: bytes = scope["raw_path"]
        if not is_public(path):
            raise NotFound("no such page", hint="start at /")
        await self._carry(await _request(scope, path, fields, {}, receive), method, receive, send)

    async def carry_official(self, scope: Scope, path: bytes, fields: Fields, receive: Receive, send: Send) -> None:
        """Carry one request to the official registry API at that path, and where its client is: views may depend on it.

        Errors: as `carry`, but that every path and OPTIONS may pass.
        """
        method: str = scope["method"]
        if method not in _METHODS | {"OPTIONS"}:
            raise Invalid(f"no method {method[:16]!r} here", hint="use GET", code="method-not-allowed")
        place = scope.get("client")
        more = {_CLIENT: place[0].encode("ascii") if place else b"unknown"}
        await self._carry(await _request(scope, path, fields, more, receive), method, receive, send)

    async def _carry(self, request: bytes, method: str, receive: Receive, send: Send) -> None:
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


async def _request(scope: Scope, path: bytes, fields: Fields, more: Fields, receive: Receive) -> bytes:
    """The request as it goes on: of its headers nothing that is this connection's alone or claims an identity."""
    query: bytes = scope["query_string"]
    body = await body_of(receive, fields)
    target = path + b"?" + query if query else path
    parts = [b"%b %b HTTP/1.1\r\n" % (scope["method"].encode(), target)]
    passed = {name: value for name, value in fields.items() if name not in _NOT_PASSED and not claims_identity(name)}
    for name, value in (passed | more).items():
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
