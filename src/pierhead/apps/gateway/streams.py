"""Carrying one answer to its client as it comes, and noticing when the client goes away.

The start waits for the first bytes, so that a failure before them is still a proper error (but a listener's goes at
once); the last bytes wait for the caller's word (the outcome record). Not here: what may be sent at all (`exchange`,
`forward`).
"""

import asyncio
import re
from collections.abc import Callable
from typing import Final, Protocol

from pierhead.apps.gateway.asgi import Receive, Send
from pierhead.core.errors import UpstreamUnreachable

Origin = tuple[str, int, str]
"""Host, port, and the role that whoever listens there proves over TLS, if it speaks TLS."""
HeaderList = list[tuple[bytes, bytes]]

_SSE: Final = b"text/event-stream"
_HOP: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"date", b"server", b"te", b"trailer"})
_HOP_MORE: Final = frozenset({b"upgrade", b"proxy-authenticate", b"proxy-connection"})
HOP: Final = _HOP | _HOP_MORE
"""Headers of one connection, never of an answer."""

_UNSENDABLE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_GRACE_S: Final = 0.02
"""Most calls are over sooner; watching for the client's farewell before that would cost more than it saves."""


class Answer(Protocol):
    """An answer as far as it has come (`adapters/upstream.Answer`)."""

    status: int
    headers: HeaderList
    complete: bool

    def take(self) -> bytes: ...
    async def more(self) -> None: ...
    def close(self) -> None: ...


class Upstreams(Protocol):
    """Connections to servers (`adapters/upstream.Pools`)."""

    async def send(
        self, origin: Origin, request: bytes, *, first_byte_s: float, repeatable: bool, head_only: bool = False
    ) -> Answer: ...


class Delivery:
    """One answer on its way to the client."""

    __slots__ = ("_answer", "_headers", "_held", "_is_stream", "_send", "bytes_out", "started")

    def __init__(self, answer: Answer, drop: frozenset[bytes], send: Send) -> None:
        self._answer = answer
        self._send = send
        self._held = b""
        self._is_stream = False
        self._headers = self._passed_on(drop)
        self.bytes_out = 0
        self.started = False

    async def open(self) -> None:
        """Send the start of a stream now: one that only listens may stay silent for long, and its client waits."""
        if self._is_stream:
            await self._start()

    async def pump(self) -> None:
        """Send what comes, but for the last bytes; ends when the answer is complete.

        Of a stream of events each chunk goes at once; of any other answer the newest bytes always wait.
        """
        answer = self._answer
        self._held = answer.take()
        while not answer.complete:
            if self._held and self._is_stream:
                await self._pass(self._held)
                self._held = b""
            await answer.more()
            new = answer.take()
            if self._held and new:
                await self._pass(self._held)
                self._held = b""
            self._held = self._held or new
        self.bytes_out += len(self._held)

    async def finish(self) -> None:
        """Let the last bytes go."""
        await self._start()
        await self._send({"type": "http.response.body", "body": self._held, "more_body": False})

    async def _pass(self, body: bytes) -> None:
        await self._start()
        self.bytes_out += len(body)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def _start(self) -> None:
        if not self.started:
            self.started = True
            await self._send({"type": "http.response.start", "status": self._answer.status, "headers": self._headers})

    def _passed_on(self, drop: frozenset[bytes]) -> HeaderList:
        kept: HeaderList = []
        for name, value in self._answer.headers:
            if name in drop:
                continue
            if _UNSENDABLE.search(value):
                raise UpstreamUnreachable("the server sent an unusable header", code="upstream-garbage")
            if name == b"content-type" and value[:17].lower() == _SSE:
                self._is_stream = True
            kept.append((name, value))
        if self._is_stream:
            kept = [pair for pair in kept if pair[0] != b"x-accel-buffering"]
            kept.append((b"x-accel-buffering", b"no"))
        return kept


class Attention:
    """Watches one request's client, and lets others end the request: by cancelling the task that serves it."""

    __slots__ = ("_receive", "_task", "_timer", "_watcher", "ended", "on_long")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.on_long: Callable[[], None] | None = None
        """Called when the request turns out not to be over in a moment."""
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.ended: BaseException | None = None
        """Why the serving task was cancelled, if it was this that cancelled it."""

    def begin(self, delay_s: float = _GRACE_S) -> None:
        """From now on the current task is cancelled when the client goes."""
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._timer = loop.call_later(delay_s, self._watch, loop)

    def stop(self) -> None:
        """Watch no more; keeps nothing that leads back here, so that a call leaves no cyclic garbage."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        self._timer = self._watcher = self.on_long = None

    def end(self, why: BaseException) -> None:
        """Cancel the serving task, and say why."""
        if self._task is not None and self.ended is None:
            self.ended = why
            self._task.cancel()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watcher = loop.create_task(self._wait())
        if self.on_long is not None:
            self.on_long()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.end(ClientGone())


class ClientGone(Exception):
    """The client closed its connection: for a stateless request that is its cancellation."""
