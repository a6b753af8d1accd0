"""A guest elsewhere: an MCP server over Streamable HTTP, in both revisions.

The credential is ours, from the environment of this process; no client's token ever comes here, for the guard passes
on a tool's name and arguments alone. Not here: connecting again (`kept`), which addresses (`outward`).
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio
import httpx2
from mcp import Client
from mcp.client.session import MessageHandlerFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from pierhead.adapters.foreign.outward import OutwardTransport, Unreachable, outward

_CONNECT_S: Final = 10.0
#: The longest a tool may be declared to take, and a little: the tool's own time is watched elsewhere.
_ANSWER_S: Final = 3700.0


@dataclass(slots=True)
class RemoteConnection:
    """One address. `guarded`: it may not lie inside, but for `allowed` hosts; so are registered entries."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    guarded: bool
    allowed: frozenset[str] = frozenset()
    what: str = "the remote server"
    #: Its session may have ended, its credential may have been withdrawn: a new connection tells.
    ends_on_refusal: bool = True
    _transport: OutwardTransport | None = field(default=None, repr=False)

    @asynccontextmanager
    async def opened(self, ended: anyio.Event, hear: MessageHandlerFnT) -> AsyncGenerator[Client]:  # noqa: ARG002 - only looking tells that it went
        self._transport = transport = await outward(self.url, guarded=self.guarded, allowed=self.allowed)
        headers = {**self.headers, "accept-encoding": "identity"}
        timeout = httpx2.Timeout(_CONNECT_S, read=_ANSWER_S)
        async with httpx2.AsyncClient(
            transport=transport, headers=headers, timeout=timeout, trust_env=False
        ) as http_client:
            connection = streamable_http_client(self.url, http_client=http_client)
            async with Client(connection, message_handler=hear, cache=None) as client:
                transport.fault = ""
                yield client

    def explain(self, failed: BaseException) -> str:
        if isinstance(failed, Unreachable):
            return str(failed)
        if self._transport is not None and self._transport.fault:
            return self._transport.fault
        if isinstance(failed, MCPError):
            return f"it refuses to speak MCP ({failed.error.code})"
        return f"{type(failed).__name__} from the remote server"
