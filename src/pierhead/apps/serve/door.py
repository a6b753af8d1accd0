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
from pierhead.sdk.governance import Verifier
from pierhead.usecases.record_failed_sign_ins import FailedSignIns

Message = MutableMapping[str, Any]
Application = Callable[..., Awaitable[None]]

_MCP: Final = "/mcp"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_LONGEST_AGENT: Final = 64


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
        hosts, origins = (_values(headers, name) for name in (b"host", b"origin"))
        if len(hosts) > 1 or len(origins) > 1 or len(_values(headers, b"authorization")) > 1:
            raise Invalid("a header is repeated", hint="send Host, Origin and Authorization once", code="bad-headers")
        if not hosts or hosts[0] not in self.hosts:
            raise Invalid("this Host is not served here", hint="use the printed address", code="wrong-host")
        if origins and origins[0] not in self.origins:
            raise Forbidden("pages of this Origin may not call", hint="use the printed address", code="wrong-origin")


def _values(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value.strip().lower() for name, value in headers if name == wanted]


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
                await _answer(send, 200, b"application/json", b'{"status":"ok"}')
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
            self.verifier.verify(headers.get(self.verifier.header, b""), "")
        except Unauthenticated as failed:
            agent = headers.get(b"user-agent", b"").decode("latin-1")[:_LONGEST_AGENT]
            await self.failures.record(failed.code, "", agent if agent.isascii() and agent.isprintable() else "")
            raise

    def _known(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Host and Origin were judged here; the protocol stack behind knows this machine's names alone."""
        kept = [(name, value) for name, value in headers if name not in (b"host", b"origin")]
        return [(b"host", self.local), *kept]


async def _refuse(scope: Message, error: PierheadError, send: Any) -> None:  # noqa: ANN401 - ASGI
    status = http_status(error, MODERN)
    if scope["path"] == _MCP:
        await _answer(send, status, b"application/json", orjson.dumps(json_rpc(error, None)), *_challenge(scope, error))
        return
    problem = {"type": "about:blank", "status": status, "title": error.message, "code": error.code, "hint": error.hint}
    await _answer(send, status, b"application/problem+json", orjson.dumps(problem), *_challenge(scope, error))


def _challenge(scope: Message, error: PierheadError) -> list[tuple[bytes, bytes]]:
    """A browser that opens the documents is asked for the key as a password; programs send it as a bearer's."""
    if not isinstance(error, Unauthenticated):
        return []
    is_page = scope["path"] == "/docs"
    return [(b"www-authenticate", b'Basic realm="the key is the password"' if is_page else b"Bearer")]


async def _answer(send: Any, status: int, kind: bytes, body: bytes, *more: tuple[bytes, bytes]) -> None:  # noqa: ANN401 - ASGI
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
