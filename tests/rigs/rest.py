"""A source behind a real HTTP server on loopback: what a client of its REST meets. The test is the gateway."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

from pierhead.apps.serving import serve
from pierhead.core.catalog import Stage
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.sdk.governance import govern
from pierhead.sdk.host import host
from pierhead.sdk.testing import MemoryVerifier
from pierhead.servers.sql import build
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemorySnapshots, NoApprovals, snapshot_of

URL = "http://127.0.0.1:1/mcp"


@dataclass
class Site:
    """One served source."""

    base: str
    audit: MemoryAudit

    @asynccontextmanager
    async def client(
        self, user: str = "ann", groups: tuple[str, ...] = ("analysts",)
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """A real HTTP client, let in as `user`."""
        said = orjson.dumps({"user": user, "groups": list(groups)}).decode()
        async with httpx2.AsyncClient(base_url=self.base, headers={"pierhead-assertion": said}, timeout=30) as client:
            yield client

    def finished(self) -> Any:
        """How the last call ended."""
        return next(fact for fact in reversed(self.audit.facts) if fact.kind == "call-finished")


@asynccontextmanager
async def serving(url: str, roles: Mapping[str, Any], *, key: bytes | None = None, **more: Any) -> AsyncIterator[Site]:
    """Serve the source at `url` until the end of the block; `key` is the installation's."""
    entry = {"kind": "sql", "owner": "data", "support": "#data", "url": url, "roles": roles, **more}
    server = build("shop", entry)
    server.installation_key = key
    rows = (Row("shop", parse_who("everyone"), EVERY, EVERY, EVERY),)
    snapshots = MemorySnapshots(snapshot_of([server.listed(Stage.DEPLOYED, URL)], rows))
    audit = MemoryAudit()
    governance = govern("shop", server.tools, snapshots, NoApprovals(), audit, MemoryClock())
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = asyncio.Event()
    application = host(server, governance, MemoryVerifier())
    running = asyncio.ensure_future(serve(application, [listener], stopping, drain_s=5, lifespan="on"))
    try:
        yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", audit)
    finally:
        stopping.set()
        await running
