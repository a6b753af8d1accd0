"""Where the suite and the clients call: the SDK's fixture server itself, and the same behind the real gateway.

Either way the forwarder adds the credential that the suite cannot send: the assertion, or the access token.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator

import orjson
from tests.conformance import everything
from tests.conformance.serving import Forwarder, serving
from tests.rigs.gateway import MASTER, WallClock, bound, claims, registry, sign, verifier
from tests.rigs.gateway import serving as serving_registry

from pierhead.apps.gateway import program
from pierhead.bootstrap.wire_gateway import GatewaySetting, gateway_adapters
from pierhead.core.catalog import Stage
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.sdk.governance import govern
from pierhead.sdk.host import host
from pierhead.sdk.testing import lifespan
from pierhead.testing import platform
from pierhead.usecases.memory import MemoryAudit, MemoryIds, MemorySnapshots, NoApprovals, snapshot_of

NAME = "everything"


@dataclasses.dataclass(frozen=True)
class Site:
    """A server's address, what was recorded on both sides, and the token for whoever calls the gateway itself."""

    url: str
    server_audit: MemoryAudit
    gateway_audit: MemoryAudit = dataclasses.field(default_factory=MemoryAudit)
    token: str = dataclasses.field(default="", repr=False)
    gateway_port: int = 0


@contextlib.asynccontextmanager
async def direct() -> AsyncGenerator[Site]:
    """The SDK's application on a socket; the forwarder says who is calling, as the gateway would."""
    caller = [(b"pierhead-assertion", orjson.dumps({"user": "alice", "groups": []}))]
    async with (
        platform(everything.build(), access="everyone") as running,
        serving(running.application) as port,
        serving(Forwarder(lambda _: caller, port)) as front,
    ):
        yield Site(f"http://127.0.0.1:{front}/mcp", running.audit)


@contextlib.asynccontextmanager
async def through_gateway() -> AsyncGenerator[Site]:
    """The gateway, whose public address is the forwarder's, so that Host and Origin stay as the suite sends them."""
    forwarder = Forwarder()
    async with serving(forwarder) as front, behind_gateway(front) as site:
        forwarder.port = site.gateway_port
        forwarder.credential = lambda _: [(b"authorization", f"Bearer {site.token}".encode())]
        yield site


@contextlib.asynccontextmanager
async def behind_gateway(public_port: int = 0) -> AsyncGenerator[Site]:
    """The gateway as it runs, real tokens before it and real assertions behind it; policy and audits in memory."""
    snapshots, server_audit = MemorySnapshots(snapshot_of([], [])), MemoryAudit()
    server = everything.build()
    governance = govern(NAME, server.tools, snapshots, NoApprovals(), server_audit, WallClock())
    application = host(server, governance, verifier(NAME))
    async with lifespan(application), serving(application) as port, _gateway(public_port, snapshots) as site:
        rows = [Row(NAME, parse_who("everyone"), EVERY, EVERY, EVERY)]
        listed = server.listed(Stage.DEPLOYED, f"http://127.0.0.1:{port}/mcp")
        snapshots.snapshot = snapshot_of([listed], rows, revision=2)
        yield dataclasses.replace(site, server_audit=server_audit)


@contextlib.asynccontextmanager
async def _gateway(public_port: int, snapshots: MemorySnapshots) -> AsyncGenerator[Site]:
    """Known as `public_port`, or as its own."""
    audit = MemoryAudit()
    public, port = bound()
    diagnostics, _ = bound()
    url = f"http://127.0.0.1:{public_port or port}"
    async with serving_registry(registry) as registry_url:
        setting = GatewaySetting(url, registry_url, "ide", "local", MASTER)
        outside = gateway_adapters(setting, snapshots=snapshots, audit=audit, clock=WallClock(), ids=MemoryIds())
        running = program(outside, {})
        task = asyncio.create_task(running.run(public, diagnostics))
        try:
            token = sign(claims(url, aud=f"{url}/mcp/{NAME}"))
            yield Site(f"{url}/mcp/{NAME}", MemoryAudit(), audit, token, port)
        finally:
            running.stopping.set()
            await task


SITES = {"direct": direct, "through the gateway": through_gateway}
