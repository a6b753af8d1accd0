"""A guest's process: one supervised child that speaks MCP on stdin and stdout.

It gets an empty environment (what its entry grants, and nothing of ours), its own process group, its own log and
limits; `launch` puts them on. Not here: connecting again (`kept`).
"""

import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.session import MessageHandlerFnT
from mcp.client.stdio import stdio_client

_LAUNCHER: Final = Path(__file__).with_name("launch.py")
_SEARCH_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_MEGABYTE: Final = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process of a guest may use. No limit on CPU time: it counts a whole life, and guests live long.

    Memory is what it may write to; mere address space is not counted, for engines that reserve much and use little.
    """

    memory_mb: int = 2048
    files: int = 1024
    processes: int = 2048
    file_mb: int = 1024

    def as_resources(self) -> Mapping[str, int]:
        return {
            "RLIMIT_DATA": self.memory_mb * _MEGABYTE,
            "RLIMIT_NOFILE": self.files,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_FSIZE": self.file_mb * _MEGABYTE,
            "RLIMIT_CORE": 0,
        }


@dataclass(frozen=True, slots=True)
class GuestCommand:
    """What to run: an absolute program and its arguments, the only variables it may see, and its limits.

    `check` is asked before each start; what it raises (OSError) is why there is none.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    limits: Limits = field(default_factory=Limits)
    check: Callable[[], None] = lambda: None

    def parameters(self) -> StdioServerParameters:
        """The values travel in the launcher's environment, not in its command, which every user of a machine sees."""
        granted = {"PATH": _SEARCH_PATH, **self.environment}
        limits, names = json.dumps(self.limits.as_resources()), json.dumps(list(granted))
        words = ["-I", "-S", str(_LAUNCHER), limits, names, *self.argv]
        return StdioServerParameters(command=sys.executable, args=words, env=granted)


@dataclass(frozen=True, slots=True)
class StdioConnection:
    """Starts the child anew for each life."""

    command: GuestCommand
    log: TextIO
    what: str = "its process"
    #: A busy child refuses nothing; one that answers at all is alive.
    ends_on_refusal: bool = False

    @asynccontextmanager
    async def opened(self, ended: anyio.Event, hear: MessageHandlerFnT) -> AsyncGenerator[Client]:
        self.command.check()
        transport = _watched(self.command.parameters(), self.log, ended)
        async with Client(transport, message_handler=hear, cache=None) as client:
            yield client

    def explain(self, failed: BaseException) -> str:
        return str(failed) if isinstance(failed, PermissionError) else f"{type(failed).__name__} from its process"


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
