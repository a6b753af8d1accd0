"""A guest's process: one supervised child that speaks MCP on stdin and stdout, and one kept client.

It gets an empty environment (what the fleet file grants, and nothing of ours), its own process group and its own
log. When it ends it is started again after a growing pause; calls that were open fail, and none is repeated.
"""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED

from pierhead.core.errors import UpstreamUnreachable

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 30.0
#: A child that lived this long was healthy: the next pause starts small again.
HEALTHY_S: Final = 30.0
_SEARCH_PATH: Final = "/usr/local/bin:/usr/bin:/bin"

Report = Callable[[str, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class GuestCommand:
    """What to run: an absolute program and its arguments, and the only variables it may see."""

    argv: Sequence[str]
    environment: Mapping[str, str]

    def parameters(self) -> StdioServerParameters:
        """`env -i` in front: the client library would pass HOME, PATH and more of ours on."""
        granted = {"PATH": _SEARCH_PATH, **self.environment}
        settings = [f"{name}={value}" for name, value in granted.items()]
        return StdioServerParameters(command="/usr/bin/env", args=["-i", *settings, *self.argv])


@dataclass(slots=True)
class StdioGuest:
    """Keeps one child and one client; `report(state, reason)` hears running, restarting and down."""

    name: str
    command: GuestCommand
    log: TextIO
    report: Report
    _client: Client | None = None
    _up: anyio.Event = field(default_factory=anyio.Event)

    async def supervise(self) -> None:
        """Run until cancelled."""
        pause = FIRST_PAUSE_S
        while True:
            started = anyio.current_time()
            reason = await self._live()
            lived = anyio.current_time() - started
            pause = FIRST_PAUSE_S if lived > HEALTHY_S else min(pause * 2, LONGEST_PAUSE_S)
            await self.report("restarting", f"{reason}; again in {pause:g} s")
            await anyio.sleep(pause)

    async def ready(self) -> None:
        """Wait until the child answers."""
        await self._up.wait()

    async def tools(self) -> list[dict[str, Any]]:
        client = self._here()
        listed = await client.list_tools()
        return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed.tools]

    async def call(self, name: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        client = self._here()
        try:
            result = await client.call_tool(name, dict(arguments))
        except MCPError as failed:
            if failed.error.code == CONNECTION_CLOSED:
                raise self._away("its process ended during the call, which is not repeated") from None
            raise
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)

    async def _live(self) -> str:
        """One life of the child, and why it ended."""
        ended = anyio.Event()
        try:
            async with Client(_watched(self.command.parameters(), self.log, ended)) as client:
                self._client = client
                self._up.set()
                await self.report("running", "")
                await ended.wait()
        except (OSError, MCPError) as failed:
            return f"{type(failed).__name__} at start"
        except ExceptionGroup as group:  # a task group's way of saying the same
            return f"{type(group.exceptions[0]).__name__} while running"
        finally:
            self._client, self._up = None, anyio.Event()
        return "its process ended"

    def _here(self) -> Client:
        if self._client is None:
            raise self._away("its process is being restarted")
        return self._client

    def _away(self, why: str) -> UpstreamUnreachable:
        return UpstreamUnreachable(f"guest {self.name!r} is away: {why}", hint="try again in a moment")


@asynccontextmanager
async def _watched(
    parameters: StdioServerParameters, log: TextIO, ended: anyio.Event
) -> AsyncGenerator[tuple[Any, Any]]:
    """The stdio transport, with an event for the end of the child's output."""
    inner, outer = anyio.create_memory_object_stream[Any](0)
    async with stdio_client(parameters, log) as (read, write), anyio.create_task_group() as tasks:

        async def pass_on() -> None:
            try:
                async with inner:
                    async for message in read:
                        with contextlib.suppress(anyio.BrokenResourceError):
                            await inner.send(message)
            finally:
                ended.set()

        tasks.start_soon(pass_on)
        try:
            yield outer, write
        finally:
            outer.close()
            tasks.cancel_scope.cancel()
