"""`pierhead serve`: one database's application on one listener, until it is told to stop.

Not here: what every request passes first (`door`), what is served (`bootstrap/wire_serve`).
"""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from pierhead.apps.serve.door import Door, Message
from pierhead.apps.serving import server_of, spare_collections

Endless = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Program:
    """One database, ready to be served. `endless` run beside it; `closing` holds what is let go at the end."""

    door: Door
    endless: tuple[Endless, ...]
    closing: AsyncExitStack = field(repr=False)
    drain_s: float

    async def run(self, listener: socket.socket, ready: Callable[[], None]) -> bool:
        """Serve on a bound socket until a signal; whether every call could finish, or a second signal cut it short."""
        spare_collections()
        listener.listen()  # from now on nobody is turned away, only kept waiting
        async with self.closing:
            beside = [asyncio.ensure_future(work()) for work in self.endless]
            try:
                return await self._serve(listener, ready)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
                await self.door.failures.flush(at_the_end=True)

    async def _serve(self, listener: socket.socket, ready: Callable[[], None]) -> bool:
        async def application(scope: Message, receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
            async def started(message: Message) -> None:
                await send(message)
                if message["type"] == "lifespan.startup.complete":
                    asyncio.get_running_loop().call_soon(ready)

            await self.door(scope, receive, started if scope["type"] == "lifespan" else send)

        server = server_of(application, drain_s=self.drain_s, lifespan="on")

        def asked_to_stop() -> None:
            server.force_exit = server.should_exit
            server.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked_to_stop)
        await server.serve([listener])
        return not server.force_exit
