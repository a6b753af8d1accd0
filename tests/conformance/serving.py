"""Real sockets on 127.0.0.1 for an ASGI application, and the forwarder that signs in for the suite.

The suite sends no credential, so the forwarder adds one to each message and changes nothing else: Host, Origin,
header values to their last blank and every byte of both bodies stay as they were.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Callable, MutableMapping
from typing import Any

import anyio
import httptools
import uvicorn

Headers = list[tuple[bytes, bytes]]
Message = MutableMapping[str, Any]
_OWN_TO_A_CONNECTION = {b"content-length", b"connection", b"keep-alive", b"transfer-encoding", b"date", b"server"}


@contextlib.asynccontextmanager
async def serving(application: Any) -> AsyncGenerator[int]:
    """Serve as `pierhead run server` does (uvicorn, httptools); the port. Whoever made it started its lifespan."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        config = uvicorn.Config(
            application, http="httptools", lifespan="off", log_level="error", timeout_graceful_shutdown=1
        )
        server = _Quiet(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            with anyio.fail_after(10):
                while not server.started:  # noqa: ASYNC110 - uvicorn has a flag and no event
                    await anyio.sleep(0.01)
            try:
                yield port
            finally:
                server.should_exit = True


class _Quiet(uvicorn.Server):
    """Leaves the test process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


class Forwarder:
    """An ASGI application that passes everything on to `port`, with the headers that `credential(body)` gives.

    It speaks HTTP by hand, because a client library corrects header values on the way.
    """

    def __init__(self, credential: Callable[[bytes], Headers] = lambda _: [], port: int = 0) -> None:
        self.credential = credential
        self.port = port

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        body = await _body(receive)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
            await self._forward(scope, body, send)
            tasks.cancel_scope.cancel()

    async def _forward(self, scope: Message, body: bytes, send: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(self._request(scope, body))
            await _pass_back(reader, send)
        finally:
            writer.close()

    def _request(self, scope: Message, body: bytes) -> bytes:
        kept = [pair for pair in scope["headers"] if pair[0] not in _OWN_TO_A_CONNECTION]
        own = [(b"connection", b"close"), (b"content-length", b"%d" % len(body))]
        lines = b"".join(b"%b: %b\r\n" % pair for pair in [*kept, *self.credential(body), *own])
        return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (scope["method"].encode(), scope["raw_path"], lines, body)


class _Answer:
    """What httptools has read of an answer so far."""

    def __init__(self) -> None:
        self.headers: Headers = []
        self.has_headers = False
        self.chunks: list[bytes] = []
        self.is_whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.has_headers = True

    def on_body(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    def on_message_complete(self) -> None:
        self.is_whole = True


async def _pass_back(reader: asyncio.StreamReader, send: Any) -> None:
    """Send on what comes, as it comes."""
    answer, begun = _Answer(), False
    parser = httptools.HttpResponseParser(answer)
    while not answer.is_whole:
        received = await reader.read(65536)
        if not received:
            break
        parser.feed_data(received)
        if answer.has_headers and not begun:
            kept = [pair for pair in answer.headers if pair[0] not in _OWN_TO_A_CONNECTION]
            await send({"type": "http.response.start", "status": parser.get_status_code(), "headers": kept})
            begun = True
        for chunk in answer.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        answer.chunks.clear()
    await send({"type": "http.response.body", "body": b""})


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _cancel_when_gone(receive: Any, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
