"""The gateway as a program: its listeners, their limits on slow senders, and how it stops.

SIGTERM or SIGINT: readiness false, no new connections, listeners are told goodbye, calls finish within 30 s, exit.
Not here: what a request means (`relay`).
"""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import uvicorn

from pierhead.apps.probes import Probes
from pierhead.apps.serving import Application, Server, secured, server_of, spare_collections
from pierhead.core.errors import RecordFailed

_TICK_S: Final = 0.5
_DRAIN_S: Final = 27
_RECORDS_S: Final = 2.0
_CONNECTIONS: Final = 2000


Door = tuple[Application, socket.socket]
"""What is served on one more bound socket."""


@dataclass(frozen=True, slots=True)
class Program:
    """One gateway, ready to run. `tick` is called twice a second; `close` once everything has ended."""

    application: Application
    of_sidecar: Application
    """The same for the sidecar, on a listener that it has for itself."""

    authz: Application
    """Decisions for Envoy, on a listener of this machine."""

    probes: Probes
    tick: Callable[[], Awaitable[None]]
    stop_listeners: Callable[[], None]
    close: Callable[[], Awaitable[None]]
    tls: ssl.SSLContext | None = None
    """Of the public listener; None where something in front of it has that, or nothing."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, public: socket.socket, diagnostics: socket.socket, *more: Door) -> None:
        """Serve on bound sockets until `stopping` is set, or a signal sets it; then drain."""
        doors = [(_front(self.application, self.tls), public)]
        doors += [(_front(application, None), listener) for application, listener in more]
        back = server_of(self.probes, drain_s=_DRAIN_S, lifespan="off")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.stopping.set)
        spare_collections()
        serving = [asyncio.create_task(front.serve([listener])) for front, listener in doors]
        probing = asyncio.create_task(back.serve([diagnostics]))
        ticking = asyncio.create_task(self._tick())
        stopped = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({*serving, probing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        self.probes.readiness.draining = True
        self.stop_listeners()
        for front, _ in doors:
            front.should_exit = True
        await asyncio.gather(*serving)
        for front, _ in doors:
            await _recorded(front)
        ticking.cancel()
        back.should_exit = True
        await asyncio.wait({probing, stopped, ticking}, timeout=_RECORDS_S)
        stopped.cancel()
        await self.close()

    async def _tick(self) -> None:
        while True:
            with contextlib.suppress(RecordFailed):  # readiness says so, and every call is refused meanwhile
                await self.tick()
            if self.stopping.is_set():
                self.stop_listeners()
            await asyncio.sleep(_TICK_S)


def _front(application: Application, tls: ssl.SSLContext | None) -> Server:
    return server_of(
        application,
        drain_s=_DRAIN_S,
        limit_concurrency=_CONNECTIONS,
        lifespan="off",
        **secured(tls),
    )


async def _recorded(server: uvicorn.Server) -> None:
    """Give what was cut off the time to write its outcome."""
    left = set(server.server_state.tasks)
    if left:
        await asyncio.wait(left, timeout=_RECORDS_S)
