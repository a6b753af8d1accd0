"""Pools of kept byte connections to servers: one request out, one answer back, as bytes.

Knows HTTP/1.1 framing (httptools reads the answers), deadlines, backpressure and when a connection may be used
again. Knows nothing of MCP, callers or policy; redirects and cookies are just bytes. A connection belongs to no
caller. Below: asyncio; one answer as it comes (`answer`). Above: `apps/gateway` through the shapes it declares, wired
by `bootstrap/wire_gateway`.
"""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

import httptools

from pierhead.adapters.upstream.answer import Answer
from pierhead.core.errors import ToolTimedOut, UpstreamUnreachable

Origin = tuple[str, int, str]
"""Host and port of one server, and the role that it proves over TLS; an empty one where it speaks plain HTTP."""


class Secured(Protocol):
    """TLS towards our own programs, each of which proves its role."""

    def context(self) -> ssl.SSLContext:
        """That of this moment; another one once our certificate is another. Errors: PierheadError."""
        ...

    def is_role(self, certificate: bytes, role: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait, in seconds. Deadlines are looked at every `sweep_s`, so they are that coarse."""

    connect_s: float = 1.0
    idle_s: float = 45.0
    keep_s: float = 60.0
    sweep_s: float = 0.25


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
        self.secured_by: ssl.SSLContext | None = None
        self._transport: asyncio.Transport

    @property
    def is_usable(self) -> bool:
        return not self._closed and not self._transport.is_closing()

    @property
    def shown(self) -> bytes | None:
        """The certificate (DER) of the other end."""
        encrypted = cast("ssl.SSLObject | None", self._transport.get_extra_info("ssl_object"))
        return encrypted.getpeercert(binary_form=True) if encrypted is not None else None

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
    secured: Secured | None = None
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
        if not self._idle:
            return None
        context = self._context()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable and connection.secured_by is context:
                return connection
            connection.abort()  # one that was opened with a certificate of ours that is replaced is not used again
        return None

    def _context(self) -> ssl.SSLContext | None:
        """Errors: UpstreamUnreachable, where one end is secured and the other is not."""
        *_, role = self.origin
        if (self.secured is None) != (not role):
            message = "the server speaks plain HTTP, the gateway TLS" if self.secured else "the server speaks TLS alone"
            raise UpstreamUnreachable(message, hint="set the section peers for both", code="upstream-unsecured")
        return self.secured.context() if self.secured is not None else None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        (host, port, role), context = self.origin, self._context()
        try:
            async with asyncio.timeout(self.deadlines.connect_s):
                _, connection = await loop.create_connection(lambda: _Connection(self, loop), host, port, ssl=context)
        except (OSError, TimeoutError):
            raise UpstreamUnreachable("the server cannot be reached", hint="try again in a few seconds") from None
        if self.secured is not None and not self.secured.is_role(connection.shown or b"", role):
            connection.abort()
            message = "whoever listens at the server's address is another program"
            raise UpstreamUnreachable(message, hint="see its certificate", code="upstream-impostor")
        connection.secured_by = context
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
    secured: Secured | None = None
    """None where servers listen on this machine alone, in plain HTTP."""
    _pools: dict[Origin, Pool] = field(default_factory=dict[Origin, Pool])

    async def send(
        self, origin: Origin, request: bytes, *, first_byte_s: float, repeatable: bool, head_only: bool = False
    ) -> Answer:
        """As `Pool.send`, to that server."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(origin, self.deadlines, self.secured)
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
