"""Pools of kept byte connections to servers: one request out, one answer back, as bytes.

Knows HTTP/1.1 framing (httptools reads the answers), deadlines, backpressure and when a connection may be used
again. Knows nothing of MCP, callers or policy; redirects and cookies are just bytes. A connection belongs to no
caller. Below: asyncio. Above: `apps/gateway` through the shapes it declares, wired by `bootstrap/wire_gateway`.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

import httptools

from pierhead.core.errors import PierheadError, ToolTimedOut, UpstreamUnreachable

Origin = tuple[str, int]
"""Host and port of one server."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait, in seconds. Deadlines are looked at every `sweep_s`, so they are that coarse."""

    connect_s: float = 1.0
    idle_s: float = 45.0
    keep_s: float = 60.0
    sweep_s: float = 0.25


_BUFFER: Final = 64 * 1024
_HEADER_BYTES: Final = 64 * 1024
_HEADER_COUNT: Final = 200
_NO_BODY: Final = frozenset({204, 304})
_FIRST_FINAL: Final = 200


class _Parser(Protocol):
    def feed_data(self, data: bytes) -> None: ...
    def get_status_code(self) -> int: ...
    def should_keep_alive(self) -> bool: ...


class _Garbage(Exception):
    """The bytes are no answer we would pass on."""


class Answer:
    """One answer, as far as it has come. `status` and `headers` stand once `Pool.send` returned it."""

    __slots__ = ("_chunks", "_connection", "_error", "_held", "_waiter", "complete", "headers", "status")

    def __init__(self, connection: "_Connection") -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        self._chunks: list[bytes] = []
        self._held = 0
        self._error: PierheadError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._connection = connection

    def take(self) -> bytes:
        """The body bytes that came since the last time; reading goes on if it was stopped."""
        if not self._chunks:
            return b""
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        if self._held >= _BUFFER and not self.complete:
            self._connection.resume()
        self._held = 0
        return body

    async def more(self) -> None:
        """Wait until there is more to take, or the end.

        Errors: UpstreamUnreachable when the server closes early or sends no HTTP; ToolTimedOut.
        """
        if not self._chunks and not self.complete and self._error is None:
            self._waiter = self._connection.loop.create_future()
            await self._waiter
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Be done with it: a connection whose answer has not ended is closed, never kept."""
        if not self.complete:
            self._connection.abort()

    def begin(self, status: int) -> None:
        self.status = status
        self._wake()

    def add(self, body: bytes) -> bool:
        """Take body bytes in; False when reading should stop until they are taken."""
        self._chunks.append(body)
        self._held += len(body)
        self._wake()
        return self._held < _BUFFER

    def end(self, error: PierheadError | None = None) -> None:
        if error is None:
            self.complete = True
        elif not self.complete and self._error is None:
            self._error = error
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class _Connection(asyncio.Protocol):
    """One connection: at most one exchange at a time."""

    def __init__(self, pool: "Pool", loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.deadline = 0.0
        self.answer: Answer | None = None
        self.used = False
        self.heard = False
        self._pool = pool
        self._parser = cast("_Parser", httptools.HttpResponseParser(self))
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._head_only = False
        self._finished: Answer | None = None
        self._closed = False
        self._dirty = False
        self._transport: asyncio.Transport

    @property
    def is_usable(self) -> bool:
        return not self._closed and not self._transport.is_closing()

    def start(self, request: bytes, deadline: float, *, head_only: bool) -> Answer:
        answer = self.answer = Answer(self)
        self._head_only = head_only
        self.heard = False
        self.deadline = deadline
        self._transport.write(request)
        return answer

    def resume(self) -> None:
        if not self._closed:
            self.deadline = self.loop.time() + self._pool.deadlines.idle_s
            self._transport.resume_reading()

    def abort(self) -> None:
        self._closed = True
        self._transport.abort()

    def expire(self) -> None:
        """The deadline of this exchange has passed."""
        answer = self.answer
        if answer is not None:
            where = "before it answered" if answer.status == 0 else "in the middle of its answer"
            answer.end(ToolTimedOut(f"the server fell silent {where}", hint="try again later, or ask for less"))
        self.abort()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio says how, we say that
        self._closed = True
        if self.answer is not None:
            where = "before it answered" if self.answer.status == 0 else "in the middle of its answer"
            message = f"the server closed the connection {where}"
            self._fail(UpstreamUnreachable(message, hint="see what became of the call", code="upstream-closed"))
        self._pool.forget(self)

    def data_received(self, data: bytes) -> None:
        answer = self.answer
        if answer is None:
            self.abort()
            return
        self.heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, _Garbage):
            if self._finished is None:
                message = "the server sent what is no HTTP answer"
                self._fail(UpstreamUnreachable(message, hint="tell its owner", code="upstream-garbage"))
            self._dirty = True
        if answer.status:
            self.deadline = self.loop.time() + self._pool.deadlines.idle_s
        if self._finished is not None:
            self._finish(self._finished)
        elif self._dirty:
            self.abort()

    def _finish(self, answer: Answer) -> None:
        """Hand the whole answer over, and the connection back if nothing is left on it."""
        self._finished = None
        answer.end()
        if self._dirty or self._transport.get_write_buffer_size():
            self.abort()
            return
        # The last bytes may have filled the buffer; the next answer must be heard.
        self._transport.resume_reading()
        self._pool.keep(self)

    def _fail(self, error: UpstreamUnreachable) -> None:
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.end(error)

    # httptools' side

    def on_message_begin(self) -> None:
        if self.answer is None:
            self._dirty = True
        self._headers = []
        self._header_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _HEADER_BYTES or len(self._headers) >= _HEADER_COUNT:
            raise _Garbage
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        answer, status = self.answer, self._parser.get_status_code()
        if answer is None or status < _FIRST_FINAL:
            return
        if status not in _NO_BODY and not self._head_only and not _is_framed(self._headers):
            raise _Garbage
        answer.headers = self._headers
        answer.begin(status)
        if self._head_only:
            self._complete(answer)

    def on_body(self, body: bytes) -> None:
        if self.answer is not None and not self.answer.add(body):
            self.deadline = float("inf")
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self.answer is not None and self.answer.status:
            self._complete(self.answer)

    def _complete(self, answer: Answer) -> None:
        """The last callback of a message: only in it does the parser know whether the connection lives on."""
        self.answer, self._finished = None, answer
        self._dirty = self._dirty or self._head_only or not self._parser.should_keep_alive()


def _is_framed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the answer says where it ends: one that ends by closing cannot be told from half of one."""
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in headers)


@dataclass(slots=True)
class Pool:
    """Connections to one server."""

    origin: Origin
    deadlines: Deadlines
    _idle: list[_Connection] = field(default_factory=list[_Connection])
    _busy: set[_Connection] = field(default_factory=set[_Connection])
    _sweeper: asyncio.TimerHandle | None = None

    async def send(self, request: bytes, *, first_byte_s: float, repeatable: bool, head_only: bool = False) -> Answer:
        """Send `request` whole; returns once the answer's head is there.

        A kept connection that the server closed is replaced before a byte is written. After that only a
        `repeatable` request is sent again, once, and only if no byte of an answer came.
        Errors: UpstreamUnreachable; ToolTimedOut.
        """
        connection = self._kept() or await self._connect()
        try:
            return await self._exchange(connection, request, first_byte_s, head_only=head_only)
        except UpstreamUnreachable:
            if not repeatable or not connection.used or connection.heard:
                raise
        return await self._exchange(await self._connect(), request, first_byte_s, head_only=head_only)

    async def _exchange(
        self, connection: _Connection, request: bytes, first_byte_s: float, *, head_only: bool
    ) -> Answer:
        self._busy.add(connection)
        self._watch(connection.loop)
        answer = connection.start(request, connection.loop.time() + first_byte_s, head_only=head_only)
        try:
            await answer.more()
        finally:
            if answer.status == 0:  # failed, or nobody waits any more
                answer.close()
        return answer

    def keep(self, connection: _Connection) -> None:
        """Take a clean connection back."""
        self._busy.discard(connection)
        connection.used = True
        connection.deadline = connection.loop.time() + self.deadlines.keep_s
        self._idle.append(connection)

    def forget(self, connection: _Connection) -> None:
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close what is idle; exchanges under way end by themselves."""
        for connection in self._idle[:]:
            connection.abort()
        self._idle.clear()

    @property
    def open_connections(self) -> int:
        return len(self._idle) + len(self._busy)

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        host, port = self.origin
        try:
            async with asyncio.timeout(self.deadlines.connect_s):
                _, connection = await loop.create_connection(lambda: _Connection(self, loop), host, port)
        except (OSError, TimeoutError):
            raise UpstreamUnreachable("the server cannot be reached", hint="try again in a few seconds") from None
        return connection

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._sweeper is None:
            self._sweeper = loop.call_later(self.deadlines.sweep_s, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what is past its deadline, busy or idle."""
        self._sweeper = None
        now = loop.time()
        for connection in [*self._busy, *self._idle]:
            if connection.deadline <= now:
                connection.expire()
        if self._busy or self._idle:
            self._watch(loop)


@dataclass(slots=True)
class Pools:
    """One pool per server, made on first use."""

    deadlines: Deadlines = field(default_factory=Deadlines)
    _pools: dict[Origin, Pool] = field(default_factory=dict[Origin, Pool])

    async def send(
        self, origin: Origin, request: bytes, *, first_byte_s: float, repeatable: bool, head_only: bool = False
    ) -> Answer:
        """As `Pool.send`, to that server."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(origin, self.deadlines)
        return await pool.send(request, first_byte_s=first_byte_s, repeatable=repeatable, head_only=head_only)

    def retain(self, origins: Iterable[Origin]) -> None:
        """Forget the pools of servers that are no more."""
        for origin in self._pools.keys() - set(origins):
            self._pools.pop(origin).close()

    def close(self) -> None:
        self.retain(())

    def open_connections(self, origin: Origin) -> int:
        pool = self._pools.get(origin)
        return pool.open_connections if pool else 0
