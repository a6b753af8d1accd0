"""One answer of a server, as far as it has come: its bytes wait here until they are taken, and reading with them.

Not here: HTTP's framing, and whether the connection may be used again (the package).
"""

import asyncio
from typing import Final, Protocol

from pierhead.core.errors import PierheadError

_BUFFER: Final = 64 * 1024


class Reading(Protocol):
    """The connection that an answer comes on."""

    loop: asyncio.AbstractEventLoop

    def resume(self) -> None: ...
    def abort(self) -> None: ...


class Answer:
    """One answer, as far as it has come. `status` and `headers` stand once `Pool.send` returned it."""

    __slots__ = ("_chunks", "_connection", "_error", "_held", "_waiter", "complete", "headers", "status")

    def __init__(self, connection: Reading) -> None:
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
