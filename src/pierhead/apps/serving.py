"""One ASGI application on bound sockets until it is told to stop; then it drains. Shared by the programs.

Not here: what is served. Forwarded headers are never read: identity comes from verified credentials alone.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Final, Literal, cast

import uvicorn

#: Longer than a gateway keeps a pooled connection (60 s), so that the pool never meets one that we just closed.
KEEP_ALIVE_S: Final = 75

#: Objects that a program makes before the collector looks for cycles among them: calls under way make thousands, and
#: leave no cycles.
_COLLECTED_AFTER: Final = 20_000

Application = Callable[..., Awaitable[None]]


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the programs have their own, and exit 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def server_of(application: Application, *, drain_s: float, **more: Any) -> Server:  # noqa: ANN401 - uvicorn's own names
    """A server for `application`; `more` are uvicorn's settings that a program chooses for itself."""
    return Server(
        uvicorn.Config(
            cast("Any", application),
            interface="asgi3",
            loop="none",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, int(drain_s)),
            **more,
        )
    )


async def serve(
    application: Application,
    sockets: Sequence[socket.socket],
    stopping: asyncio.Event,
    *,
    drain_s: float,
    lifespan: Literal["on", "off"],
) -> None:
    """Serve until `stopping` is set: no new connections then, and calls get `drain_s` seconds to finish.

    Errors: whatever the application raises at its start.
    """
    server = server_of(application, drain_s=drain_s, http="httptools", lifespan=lifespan)
    spare_collections()
    serving = asyncio.create_task(server.serve(list(sockets)))
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopped.cancel()
    await serving


def spare_collections() -> None:
    """Once a program is ready: what it is made of never becomes garbage, so no collection need walk over it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, *gc.get_threshold()[1:])


def stop_on_signals(stopping: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stopping`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a program's main coroutine on the fastest loop there is: uvloop is an extra, and large."""
    try:
        import uvloop  # noqa: PLC0415 - only programs pay for it
    except ModuleNotFoundError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_awaited(main))


async def _awaited(main: Callable[[], Awaitable[None]]) -> None:
    await main()
