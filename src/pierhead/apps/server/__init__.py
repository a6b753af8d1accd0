"""`pierhead run server NAME`: one server in its own process, or the guard before a guest.

Follows the policy, keeps its journal, publishes its manifest, serves `/mcp` to the gateway and `/healthz` to the
supervisor. Not here: what the server does (its plug-in), how parts are made (`bootstrap/wire_server`).
"""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pierhead.apps.serving import Application, serve, stop_on_signals
from pierhead.core.errors import PierheadError, UpstreamUnreachable

_RETRY_S: Final = 0.2

Message = MutableMapping[str, Any]
Endless = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Program:
    """One server, ready to run.

    `endless` run beside it until it stops (following policy, shipping facts, a guest's supervisor); `publish` tells
    the registry what this server offers; `closing` holds what is let go at the end, the journal last.
    """

    name: str
    application: Application
    endless: tuple[Endless, ...]
    publish: Endless
    is_loaded: Callable[[], bool]
    told: Callable[[], Mapping[str, object]]
    closing: AsyncExitStack
    drain_s: float
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, listener: socket.socket) -> None:
        """Serve on a bound socket until a signal, or `stopping`."""
        stop_on_signals(self.stopping)
        async with self.closing:
            beside = [asyncio.ensure_future(work()) for work in (*self.endless, self._publish)]
            try:
                await serve(self._front, [listener], self.stopping, drain_s=self.drain_s, lifespan="on")
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

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
