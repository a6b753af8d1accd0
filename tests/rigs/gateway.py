"""A real gateway on loopback, before servers that each test makes as good or as bad as it needs."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey

from pierhead.adapters.assertion import Verifier, server_key
from pierhead.apps.gateway import program
from pierhead.apps.gateway.run import Program
from pierhead.bootstrap.mesh_settings import MeshSettings
from pierhead.bootstrap.running import bound_path
from pierhead.bootstrap.settings import Settings
from pierhead.bootstrap.sign_in_settings import SignInSettings
from pierhead.bootstrap.tls_settings import TlsSettings
from pierhead.bootstrap.wire_gateway import NO_MESH, NO_TLS, GatewayAdapters, GatewaySetting, gateway_adapters
from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Server, Stage, Tool
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.usage import Minutes
from pierhead.usecases.memory import MemoryAudit, MemoryIds, MemorySnapshots, snapshot_of
from pierhead.usecases.ports import Audit

MASTER = b"m" * 32
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "rig", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}

App = Callable[..., Awaitable[None]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class WallClock:
    """The machine's time."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


@cache
def signing_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "rig-1", "use": "sig", "alg": "RS256"}, private=True)


def claims(url: str, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": url,
        "aud": f"{url}/mcp/warehouse",
        "sub": "alice",
        "groups": ["data-eng"],
        "client_id": "rig",
        "scope": "mcp",
        "iat": now,
        "exp": now + 600,
        "jti": "t-1",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def sign(body: dict[str, Any], header: dict[str, Any] | None = None, key: RSAKey | None = None) -> str:
    return jwt.encode(header or {"alg": "RS256", "kid": "rig-1", "typ": "at+jwt"}, body, key or signing_key())


def tool(name: str, timeout_s: float = 5.0, effect: Effect = Effect.READ) -> Tool:
    return Tool(
        name, name, parse_who("everyone"), effect, Approval.NONE, Minutes.estimate(3), {}, {}, timeout_s=timeout_s
    )


def warehouse(upstream: str, tools: tuple[Tool, ...], name: str = "warehouse") -> Server:
    upstreams = {each.name: each for each in tools}
    return Server(name, "1", "sql", Stage.DEPLOYED, "data-platform", "#data-help", "", upstream, upstreams)


def message(method: str, params: dict[str, Any] | None = None, message_id: Any = 1) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "id": message_id, "method": method, "params": {**(params or {}), "_meta": META}}
    ).encode()


def headers(method: str, name: str = "", **more: str) -> dict[str, str]:
    found = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": method,
    }
    if name:
        found["mcp-name"] = name
    return {**found, **{key.replace("_", "-"): value for key, value in more.items()}}


def bound() -> tuple[socket.socket, int]:
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio leaves Nagle on, and answers wait 40 ms
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    listener.setblocking(False)
    return listener, listener.getsockname()[1]


class _Prompt(uvicorn.Server):
    """Looks a hundred times a second whether it shall stop, where uvicorn looks ten times: each rig has several."""

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(app: App, keep_alive_s: int = 75) -> AsyncGenerator[str]:
    """Any ASGI application on a real port."""
    listener, port = bound()
    server = _Prompt(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            ws="none",
            timeout_keep_alive=keep_alive_s,
            timeout_graceful_shutdown=1,
        )
    )
    task = asyncio.create_task(server._serve([listener]))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def talking(talk: Talk) -> AsyncGenerator[str]:
    """Any bytes on a real port."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def registry(scope: Any, receive: Any, send: Any) -> None:
    """Enough of a registry: the keys, and an echo of what reached it."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/oauth/jwks":
        body = json.dumps({"keys": [signing_key().as_dict(private=False)]}).encode()
    else:
        seen = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        body = json.dumps({"method": scope["method"], "path": scope["raw_path"].decode(), "headers": seen}).encode()
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


@dataclass
class Rig:
    """One running gateway."""

    url: str
    diagnostics: str
    outside: GatewayAdapters
    program: Program
    audit: Any
    snapshots: MemorySnapshots
    client: httpx2.AsyncClient = field(repr=False)
    sidecar: httpx2.AsyncClient = field(repr=False)
    """What arrives by it arrives on the socket that the sidecar has for itself, if there is one."""

    def token(self, **changes: Any) -> str:
        return sign(claims(self.url, **changes))

    async def call(self, name: str = "echo", arguments: Any = None, **more: Any) -> httpx2.Response:
        return await self.post(message("tools/call", {"name": name, "arguments": arguments or {}}), name=name, **more)

    async def post(
        self, body: bytes, *, method: str = "tools/call", name: str = "", token: str | None = None, **more: Any
    ) -> httpx2.Response:
        sent = headers(method, name, authorization=f"Bearer {token or self.token()}")
        return await self.client.post(f"{self.url}/mcp/warehouse", content=body, headers={**sent, **more})

    def open_connections(self) -> int:
        origin = next(iter(self.snapshots.current().servers.values())).upstream.removeprefix("http://127.0.0.1:")
        return self.outside.upstreams.open_connections(("127.0.0.1", int(origin.partition("/")[0]), ""))


@contextlib.asynccontextmanager
async def gateway(
    upstream: str,
    *tools: Tool,
    audit: Audit | None = None,
    access: str = "group:data-eng",
    rows: Sequence[Row] = (),
    mesh: MeshSettings = NO_MESH,
    tls: TlsSettings = NO_TLS,
    public_url: str = "",
    sign_in: SignInSettings | None = None,
) -> AsyncGenerator[Rig]:
    """A gateway before the server at `upstream` (its MCP endpoint), with a registry of its own.

    Each server that `rows` name is there; `public_url` is what stands in front of the gateway, if anything does.
    """
    public, port = bound()
    back, back_port = bound()
    url = public_url or f"{'https' if tls.certificate else 'http'}://127.0.0.1:{port}"
    opened = rows or [Row("warehouse", parse_who(access), EVERY, EVERY, EVERY)]
    servers = [warehouse(upstream, tools or (tool("echo"),), name) for name in {row.server for row in opened}]
    snapshots = MemorySnapshots(snapshot_of(servers, opened))
    record = audit or MemoryAudit()
    way = httpx2.AsyncHTTPTransport(uds=str(mesh.sidecar_socket)) if mesh.sidecar_socket else None
    async with (
        serving(registry) as registry_url,
        httpx2.AsyncClient(timeout=10) as client,
        httpx2.AsyncClient(timeout=10, transport=way) as sidecar,
    ):
        setting = GatewaySetting(url, registry_url, "ide", "local", MASTER, mesh, tls, sign_in or Settings().sign_in)
        outside = gateway_adapters(setting, snapshots=snapshots, audit=record, clock=WallClock(), ids=MemoryIds())
        running = program(outside, {})
        doors = [(running.of_sidecar, bound_path(path)) for path in (mesh.sidecar_socket,) if path]
        doors += [(running.authz, bound_path(path)) for path in (mesh.authz_socket,) if path]
        task = asyncio.create_task(running.run(public, back, *doors))
        try:
            yield Rig(url, f"http://127.0.0.1:{back_port}", outside, running, record, snapshots, client, sidecar)
        finally:
            running.stopping.set()
            await task


def verifier(server: str = "warehouse") -> Verifier:
    return Verifier(server_key(MASTER, server), server, WallClock())


async def eventually(question: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for what other tasks will bring about."""
    async with asyncio.timeout(within_s):
        while not question():  # noqa: ASYNC110 - asks about other programs too
            await asyncio.sleep(0.005)
