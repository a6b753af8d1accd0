"""One ASGI application on bound sockets until it is told to stop; then it drains. Shared by the programs.

Not here: what is served. Forwarded headers are never read: identity comes from verified credentials alone.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Generator, MutableMapping, Sequence
from typing import Any, Final, Literal, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Longer than a gateway keeps a pooled connection (60 s), so that the pool never meets one that we just closed.
KEEP_ALIVE_S: Final = 75

#: Objects that a program makes before the collector looks for cycles among them: calls under way make thousands, and
#: leave no cycles.
_COLLECTED_AFTER: Final = 20_000

Application = Callable[..., Awaitable[None]]

_HEAD_BYTES: Final = 40 * 1024
_REQUEST_S: Final = 30.0
_LOOK_S: Final = 5.0

SHOWN: Final = "pierhead.certificate"
"""The extension of a request's scope that holds the certificate (DER) which its client showed to our own TLS."""


def shown_on(scope: MutableMapping[str, Any]) -> bytes | None:
    """The certificate that came with this request's connection; None where there was none, or no TLS of ours."""
    extensions = scope.get("extensions")
    found: object = extensions.get(SHOWN) if extensions else None
    return found if isinstance(found, bytes) else None


class ShowingProtocol(HttpToolsProtocol):
    """uvicorn's protocol, but a request says which certificate its connection's client showed."""

    _shown: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        encrypted = cast("ssl.SSLObject | None", transport.get_extra_info("ssl_object"))
        self._shown = encrypted.getpeercert(binary_form=True) if encrypted is not None else None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._shown is not None:
            cast("dict[str, object]", self.scope)["extensions"] = {SHOWN: self._shown}


class BoundedProtocol(ShowingProtocol):
    """The protocol of our listeners, but a request must be here whole within 30 s, and its head within 40 KiB."""

    _due = float("inf")
    _in_head = True
    _head_bytes = 0
    _looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._due = self.loop.time() + _REQUEST_S
        self._looking = self.loop.call_later(_LOOK_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > _HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        self._due = self.loop.time() + _REQUEST_S
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._due = float("inf")
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def _look(self) -> None:
        """End a connection whose request does not come to an end."""
        if self.loop.time() >= self._due:
            self.transport.abort()
        else:
            self._looking = self.loop.call_later(_LOOK_S, self._look)


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the programs have their own, and exit 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def server_of(application: Application, *, drain_s: float, **more: Any) -> Server:  # noqa: ANN401 - uvicorn's own names
    """A server for `application`; `more` are uvicorn's settings that a program chooses for itself.

    Slow and endless senders are bounded at each listener: on loopback stand people's other programs, too.
    """
    return Server(
        uvicorn.Config(
            cast("Any", application),
            http=BoundedProtocol,
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
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until `stopping` is set: no new connections then, and calls get `drain_s` seconds to finish.

    `tls` is that of the listener; None where it speaks plain HTTP.
    Errors: whatever the application raises at its start.
    """
    server = server_of(application, drain_s=drain_s, lifespan=lifespan, **secured(tls))
    spare_collections()
    serving = asyncio.create_task(server.serve(list(sockets)))
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopped.cancel()
    await serving


def secured(tls: ssl.SSLContext | None) -> dict[str, Any]:
    """What uvicorn is told of a listener's TLS."""

    def given(*_: object) -> ssl.SSLContext | None:
        return tls

    return {} if tls is None else {"ssl_context_factory": given}


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
