"""Requests to an ASGI application in this process, whose answers arrive while they are made.

`httpx2.ASGITransport` waits for the end of an answer; a question to the client stands in the middle of one.
"""

from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from pierhead.sdk.host import Application

Message = MutableMapping[str, Any]


@dataclass(slots=True)
class StreamingTransport(httpx2.AsyncBaseTransport):
    """Runs the application in `tasks`, one task a request. Errors of the application end the task group."""

    application: Application
    tasks: TaskGroup

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = _Exchange(await request.aread())
        self.tasks.start_soon(self._run, _scope(request), exchange)
        await exchange.begun.wait()
        return httpx2.Response(exchange.status, headers=exchange.headers, stream=_Body(exchange))

    async def _run(self, scope: Message, exchange: "_Exchange") -> None:
        try:
            await self.application(scope, exchange.receive, exchange.send)
        finally:
            exchange.end()


@dataclass(slots=True)
class _Exchange:
    """One request and its answer."""

    body: bytes
    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    begun: anyio.Event = field(default_factory=anyio.Event)
    gone: anyio.Event = field(default_factory=anyio.Event)
    pieces: MemoryObjectReceiveStream[bytes] = field(init=False)
    _made: MemoryObjectSendStream[bytes] = field(init=False)
    _is_read: bool = False

    def __post_init__(self) -> None:
        self._made, self.pieces = anyio.create_memory_object_stream[bytes](1_000)

    async def receive(self) -> Message:
        if not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
            self.begun.set()
        elif not self.gone.is_set() and (piece := message.get("body", b"")):
            await self._made.send(piece)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.end()

    def end(self) -> None:
        self._made.close()
        self.begun.set()


@dataclass(slots=True)
class _Body(httpx2.AsyncByteStream):
    exchange: _Exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self.exchange.pieces:
            yield piece

    async def aclose(self) -> None:
        self.exchange.gone.set()
        self.exchange.pieces.close()


def _scope(request: httpx2.Request) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "state": {},
    }
