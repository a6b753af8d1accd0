"""`pierhead run server NAME`: one server in its own process, or the guard before a guest.

Follows the policy, keeps its journal, publishes its manifest, serves `/mcp` to the gateway and `/healthz` to the
supervisor. Not here: what the server does (its plug-in), how parts are made (`bootstrap/wire_server`).
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pierhead.apps.peers import PeersOnly
from pierhead.apps.serving import Application, serve, stop_on_signals
from pierhead.bootstrap.wire_peers import Secured, may_call_servers
from pierhead.core.errors import PierheadError, RecordFailed, UpstreamUnreachable
from pierhead.usecases.record_failed_sign_ins import FailedSignIns

_RETRY_S: Final = 0.2

Message = MutableMapping[str, Any]
Endless = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Program:
    """One server, ready to run.

    `endless` run beside it until it stops (following policy, shipping facts, a guest's supervisor); `publish` tells
    the registry what this server offers; `closing` holds what is let go at the end, the journal last. `secured` is its
    TLS, by which the gateway alone gets in; None where it listens on loopback. `failed` keeps record of all others.
    """

    name: str
    application: Application
    endless: tuple[Endless, ...]
    publish: Endless
    is_loaded: Callable[[], bool]
    told: Callable[[], Mapping[str, object]]
    closing: AsyncExitStack
    drain_s: float
    secured: Secured | None
    failed: FailedSignIns
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, listener: socket.socket) -> None:
        """Serve on a bound socket until a signal, or `stopping`."""
        stop_on_signals(self.stopping)
        async with self.closing:
            beside = [asyncio.ensure_future(work()) for work in (*self.endless, self._publish)]
            try:
                await self._serve(listener)
            finally:
                with contextlib.suppress(RecordFailed):
                    await self.failed.flush(at_the_end=True)
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    async def _serve(self, listener: socket.socket) -> None:
        application: Application = self._front
        if self.secured is not None:
            application = PeersOnly(self._front, self.secured.role, may_call_servers, self._turned_away)
        tls = None if self.secured is None else self.secured.listening()
        await serve(application, [listener], self.stopping, drain_s=self.drain_s, lifespan="on", tls=tls)

    async def _turned_away(self, reason: str) -> None:
        await self.failed.record(reason, self.name, "")

    async def _publish(self) -> None:
        """Until the registry took the manifest: it may start after us. What it refuses is said once, in the log."""
        while True:
            try:
                await self.publish()
            except UpstreamUnreachable:
                await asyncio.sleep(_RETRY_S)
            except PierheadError as refused:
                sys.stderr.write(f"{self.name}: not published: {refused.message}. {refused.hint}\n")
                return
            else:
                return

    async def _front(self, scope: Message, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        if scope["type"] == "http" and scope["path"] == "/healthz":
            await self._health(send)
        else:
            await self.application(scope, receive, send)

    async def _health(self, send: Callable[[Message], Awaitable[None]]) -> None:
        """Alive, whether a policy is loaded (without one, every call is refused), and what it says of itself."""
        policy = "loaded" if self.is_loaded() else "missing"
        body = orjson.dumps({"server": self.name, "policy": policy, **self.told()})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
