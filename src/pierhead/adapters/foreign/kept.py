"""One kept client before a guest: connected again after a growing pause, looked at again and again.

Calls that were open when the connection ended fail, and none is repeated. After each connection, on its own word
and every so often the guest lists its tools again; whoever `heard` names learns them. Not here: how a connection is
made (`stdio`, `remote`), what the tools mean.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import anyio
from mcp import Client
from mcp.client.session import IncomingMessage, MessageHandlerFnT
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST, ToolListChangedNotification
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from pierhead.core.errors import UpstreamUnreachable

#: How often at most a guest is asked for its tools, whatever it says of changes.
CALMLY_S: Final = 1.0
_MOST_PAGES: Final = 50
_MOST_TOOLS: Final = 2_000

Report = Callable[[str, str], Awaitable[None]]
Wire = dict[str, Any]
Heard = Callable[[list[Wire]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: the first and the longest pause before connecting again, and how often and how long it is looked at.

    A connection that lived `healthy` was well: the next pause starts small again.
    """

    first_pause: float = 0.25
    longest_pause: float = 30.0
    healthy: float = 30.0
    look_every: float = 300.0
    look_within: float = 20.0


class Connection(Protocol):
    """How one guest is reached."""

    @property
    def what(self) -> str:
        """What is at the other end, in words that start a clause: `its process`."""
        ...

    @property
    def ends_on_refusal(self) -> bool:
        """Whether a list that is refused means that the connection is of no more use."""
        ...

    def opened(self, ended: anyio.Event, hear: MessageHandlerFnT) -> AbstractAsyncContextManager[Client]:
        """One life: a connected client, and `ended` set when the other end goes."""
        ...

    def explain(self, failed: BaseException) -> str:
        """Why a connection could not be made or kept, in a few words without a secret."""
        ...


@dataclass(slots=True)
class Look:
    """What the last look found. `fault` is empty when the guest listed its tools; `at` is monotonic."""

    fault: str = "it was not reached yet"
    latency_ms: float = 0.0
    instructions: str = ""


@dataclass(slots=True)
class KeptGuest:
    """Keeps one client; `report(state, reason)` hears running and restarting, `heard` the tools of each look."""

    name: str
    connection: Connection
    report: Report
    heard: Heard
    timing: Timing = field(default_factory=Timing)
    look: Look = field(default_factory=Look)
    _client: Client | None = None
    _up: anyio.Event = field(default_factory=anyio.Event)
    _asked: anyio.Event = field(default_factory=anyio.Event)

    async def supervise(self) -> None:
        """Run until cancelled."""
        pause = self.timing.first_pause
        while True:
            started = anyio.current_time()
            reason = await self._live()
            lived = anyio.current_time() - started
            long = lived > self.timing.healthy
            pause = self.timing.first_pause if long else min(pause * 2, self.timing.longest_pause)
            self.look = Look(reason)
            await self.report("restarting", f"{reason}; again in {pause:g} s")
            await anyio.sleep(pause)

    async def ready(self) -> None:
        """Wait until it listed its tools for the first time of a life."""
        await self._up.wait()

    def look_now(self) -> None:
        """Ask for its tools soon."""
        self._asked.set()

    async def tools(self) -> list[Wire]:
        """All pages of its list. Errors: UpstreamUnreachable."""
        return await self._listed(self._here())

    async def call(self, name: str, arguments: Mapping[str, object]) -> Wire:
        client = self._here()
        try:
            result = await client.call_tool(name, dict(arguments))
        except MCPError as failed:
            if failed.error.code == CONNECTION_CLOSED:
                self.look_now()
                raise self._away(f"{self.connection.what} went away during the call, which is not repeated") from None
            if failed.error.code == INVALID_REQUEST:
                self.look_now()  # perhaps a session that ended
            raise
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)

    async def _live(self) -> str:
        """One life of the connection, and why it ended."""
        ended = anyio.Event()
        try:
            async with self.connection.opened(ended, self._hear) as client:
                await self._look(client)
                self._client = client
                self._up.set()
                await self.report("running", "")
                await self._keep(client, ended)
        except (OSError, MCPError, TimeoutError) as failed:
            return self.connection.explain(failed)
        except ExceptionGroup as group:  # a task group's way of saying the same
            return self.connection.explain(group.exceptions[0])
        finally:
            self._client, self._up = None, anyio.Event()
        return self.look.fault or f"{self.connection.what} ended"

    async def _keep(self, client: Client, ended: anyio.Event) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, client)
            tasks.start_soon(self._look_again, client, ended)
            await ended.wait()
            tasks.cancel_scope.cancel()

    async def _look_again(self, client: Client, ended: anyio.Event) -> None:
        while True:
            await anyio.sleep(min(CALMLY_S, self.timing.look_every))
            with anyio.move_on_after(self.timing.look_every - CALMLY_S):
                await self._asked.wait()
            self._asked = anyio.Event()
            try:
                await self._look(client)
            except TimeoutError:
                self.look = Look(f"it did not list its tools within {self.timing.look_within:g} s")
            except MCPError as failed:
                self.look = Look(self.connection.explain(failed))
                if failed.error.code == CONNECTION_CLOSED or self.connection.ends_on_refusal:
                    ended.set()

    async def _look(self, client: Client) -> None:
        """Errors: MCPError, TimeoutError."""
        began = anyio.current_time()
        with anyio.fail_after(self.timing.look_within):
            tools = await self._listed(client)
        self.look = Look("", (anyio.current_time() - began) * 1000, client.instructions or "")
        await self.heard(tools)

    async def _listed(self, client: Client) -> list[Wire]:
        tools: list[Wire] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor, cache_mode="bypass")
            tools += [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools]
            cursor = page.next_cursor
            if not cursor or len(tools) > _MOST_TOOLS:
                break
        return tools[:_MOST_TOOLS]

    async def _listen(self, client: Client) -> None:
        """In the stateless revision changes are told on a stream of their own, if the guest has one."""
        capability = client.server_capabilities.tools
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or not (capability and capability.list_changed):
            return
        while True:
            try:
                async with client.listen(tools_list_changed=True) as events:
                    async for _ in events:
                        self.look_now()
            except (MCPError, ListenNotSupportedError):
                return
            except SubscriptionLost:
                self.look_now()
            await anyio.sleep(self.timing.longest_pause)

    async def _hear(self, message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.look_now()

    def _here(self) -> Client:
        if self._client is None:
            raise self._away(f"{self.connection.what} is being connected again")
        return self._client

    def _away(self, why: str) -> UpstreamUnreachable:
        return UpstreamUnreachable(f"guest {self.name!r} is away: {why}", hint="try again in a moment")
