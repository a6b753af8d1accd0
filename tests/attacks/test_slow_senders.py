"""Whoever sends a head, a body or a handshake a byte at a time, or no end of a head: each listener lets go of them."""

import asyncio
import asyncio.constants
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.rigs.gateway import WallClock, bound, gateway
from tests.rigs.gateway import serving as upstream_serving
from tests.rigs.mesh import DOMAIN, mesh

from pierhead.adapters.local_authority import Authority, replace_file
from pierhead.adapters.own_tls import OwnTls, TlsFiles
from pierhead.apps import serving
from pierhead.apps.serving import serve

pytestmark = pytest.mark.anyio

Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Opening = Callable[[], Awaitable[Pipe]]
HEAD = b"POST /mcp/warehouse HTTP/1.1\r\nhost: here\r\ncontent-length: 1000000\r\n"
WHOLE = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Reads all of a request, and says so."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    with contextlib.suppress(OSError):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes half a minute takes no time here."""
    monkeypatch.setattr(serving, "_REQUEST_S", 0.1)
    monkeypatch.setattr(serving, "_LOOK_S", 0.02)
    monkeypatch.setattr(asyncio.constants, "SSL_HANDSHAKE_TIMEOUT", 0.1)


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """A listener as the registry and servers have it; its port."""
    listener, port = bound()
    stopping = asyncio.Event()
    task = asyncio.create_task(serve(application, [listener], stopping, drain_s=1, lifespan="off", tls=tls))
    try:
        yield port
    finally:
        stopping.set()
        await task


def to_port(port: int, tls: ssl.SSLContext | None = None) -> Opening:
    return lambda: asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None)


def to_socket(path: Path) -> Opening:
    return lambda: asyncio.open_unix_connection(path)


async def ended(opening: Opening, begun: bytes, drip: bytes = b"x") -> bytes:
    """Send that, then a byte at a time for as long as anybody listens; what came back."""
    reader, writer = await opening()
    came = asyncio.ensure_future(reader.read())
    writer.write(begun)
    async with asyncio.timeout(20):
        while not came.done():
            writer.write(drip)
            await asyncio.wait({came}, timeout=0.02)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return b"" if came.exception() else came.result()


async def lets_go(opening: Opening) -> None:
    """That no way of being slow keeps a connection, and a request that is whole is answered on the same listener."""
    assert await ended(opening, b"", b"") == b"", "who says nothing"
    assert await ended(opening, b"GET /") == b"", "a start that never ends"
    assert b"HTTP/1.1 200" not in await ended(opening, HEAD + b"x-slow: "), "a head that never ends"
    assert b"HTTP/1.1 200" not in await ended(opening, HEAD + b"\r\n"), "a body that never ends"
    endless = await ended(opening, HEAD + b"x-long: " + b"x" * 64 * 1024, b"x" * 1024)
    assert endless[:12] in {b"", b"HTTP/1.1 400", b"HTTP/1.1 431"}, "a head that is too large"
    reader, writer = await opening()
    writer.write(WHOLE)
    assert (await reader.readline()).startswith(b"HTTP/1.1 ")
    writer.close()


async def test_a_registry_or_a_server_lets_go_of_slow_senders() -> None:
    async with listening() as port:
        await lets_go(to_port(port))


async def test_so_it_does_where_it_speaks_tls_and_of_handshakes_that_do_not_end(tmp_path: Path) -> None:
    authority = Authority.new(DOMAIN, WallClock())
    own = authority.svid(f"spiffe://{DOMAIN}/registry", ["localhost"])
    for name, text in (("own.pem", own.certificate), ("own.key", own.key), ("bundle.pem", authority.bundle)):
        replace_file(tmp_path / name, text)
    files = TlsFiles(tmp_path / "own.pem", tmp_path / "own.key", tmp_path / "bundle.pem")
    async with listening(OwnTls(files, WallClock()).listening()) as port:
        await lets_go(to_port(port, ssl.create_default_context(cadata=authority.bundle)))
        assert await ended(to_port(port), b"", b"") == b"", "who says nothing"
        assert await ended(to_port(port), b"\x16\x03\x01\x02\x00\x01", b"\x00") == b"", "a handshake byte by byte"


async def test_each_listener_of_a_gateway_lets_go_of_slow_senders(tmp_path: Path) -> None:
    setting = mesh(tmp_path, sidecar=f"unix:{tmp_path}/sidecar.sock", authz=f"unix:{tmp_path}/authz.sock")
    async with upstream_serving(application) as upstream, gateway(f"{upstream}/mcp", mesh=setting) as rig:
        for url in (rig.url, rig.diagnostics):
            await lets_go(to_port(int(url.rpartition(":")[2])))
        assert setting.sidecar_socket is not None
        assert setting.authz_socket is not None
        for path in (setting.sidecar_socket, setting.authz_socket):
            await lets_go(to_socket(path))
        assert rig.audit.facts == []
