"""What every request to `pierhead serve` passes first: Host, Origin, `/healthz`, the key.

A page of another site, or a name that was pointed at this machine, must not reach a server on it: that is what Host
and Origin are held to. What is refused for its key is on the record before its sender hears of it. Plain ASGI.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from pierhead.apps.problem import MODERN, http_status, json_rpc
from pierhead.core.errors import Forbidden, Invalid, PierheadError, Unauthenticated
from pierhead.sdk.governance import Admission, Verifier
from pierhead.sdk.protocol import ADMISSION
from pierhead.sdk.routes import Reply, refusal, send_reply
from pierhead.usecases.record_failed_sign_ins import FailedSignIns

Message = MutableMapping[str, Any]
Application = Callable[..., Awaitable[None]]

_MCP: Final = "/mcp"
_ONCE: Final = frozenset({b"host", b"origin", b"authorization"})
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_LONGEST_AGENT: Final = 64
_PAGE: Final = "/docs"
_CONTENT_TYPE: Final = b"content-type"
_CHALLENGE: Final = b"www-authenticate"
#: A browser asks for it as a password; programs send it as a bearer's.
_FOR_BROWSERS: Final = b'Basic realm="leave the name empty; the key is the password"'


@dataclass(frozen=True, slots=True)
class Names:
    """The Host and Origin values that are ours."""

    hosts: frozenset[bytes]
    origins: frozenset[bytes]

    @classmethod
    def of(cls, port: int, public_url: str) -> "Names":
        """This machine's names for itself, and the public address where a proxy stands before us."""
        hosts = {f"{name}:{port}" for name in _LOOPBACK}
        origins = {f"http://{host}" for host in hosts}
        if public_url:
            url = urlsplit(public_url)
            hosts.add(url.netloc.lower())
            origins.add(f"{url.scheme}://{url.netloc.lower()}")
        return cls(frozenset(host.encode() for host in hosts), frozenset(origin.encode() for origin in origins))

    def check(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Errors: Invalid (`wrong-host`, `bad-headers`); Forbidden (`wrong-origin`)."""
        found: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in _ONCE:
                if name in found:
                    message = "a header is repeated"
                    raise Invalid(message, hint="send Host, Origin and Authorization once", code="bad-headers")
                found[name] = value.strip().lower()
        if found.get(b"host") not in self.hosts:
            raise Invalid("this Host is not served here", hint="use the printed address", code="wrong-host")
        if b"origin" in found and found[b"origin"] not in self.origins:
            raise Forbidden("pages of this Origin may not call", hint="use the printed address", code="wrong-origin")


@dataclass(frozen=True, slots=True)
class Door:
    """Lets in who may come; `local` is the name under which the application behind knows itself."""

    application: Application
    verifier: Verifier
    failures: FailedSignIns
    names: Names
    local: bytes

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        try:
            self.names.check(scope["headers"])
            if scope["path"] == "/healthz":
                await send_reply(Reply(200, [(_CONTENT_TYPE, b"application/json")], b'{"status":"ok"}'), send)
                return
            await self._admit(scope)
        except PierheadError as refused:
            await _refuse(scope, refused, send)
            return
        if scope["path"] == _MCP:
            scope["headers"] = self._known(scope["headers"])
        await self.application(scope, receive, send)

    async def _admit(self, scope: Message) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            scope[ADMISSION] = Admission(*self.verifier.verify(headers.get(self.verifier.header, b""), ""))
        except Unauthenticated as failed:
            agent = headers.get(b"user-agent", b"").decode("latin-1")[:_LONGEST_AGENT]
            await self.failures.record(failed.code, "", agent if agent.isascii() and agent.isprintable() else "")
            raise

    def _known(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Host and Origin were judged here; the protocol stack behind knows this machine's names alone."""
        kept = [(name, value) for name, value in headers if name not in (b"host", b"origin")]
        return [(b"host", self.local), *kept]


async def _refuse(scope: Message, error: PierheadError, send: Any) -> None:  # noqa: ANN401 - ASGI
    """In the words of what was asked for: MCP's, or those of the routes."""
    reply = refusal(error)
    if scope["path"] == _MCP:
        body = orjson.dumps(json_rpc(error, None))
        headers = [*_not(reply.headers, _CONTENT_TYPE), (_CONTENT_TYPE, b"application/json")]
        reply = Reply(http_status(error, MODERN), headers, body)
    elif scope["path"] == _PAGE and isinstance(error, Unauthenticated):
        reply = Reply(reply.status, [*_not(reply.headers, _CHALLENGE), (_CHALLENGE, _FOR_BROWSERS)], reply.body)
    await send_reply(reply, send, is_head=scope["method"] == "HEAD")


def _not(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[tuple[bytes, bytes]]:
    return [header for header in headers if header[0] != name]
