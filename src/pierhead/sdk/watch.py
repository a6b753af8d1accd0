"""Whether the client of a request is still there, while the request is served by its own task.

Looking costs a task, and most requests are over before anyone could leave: looking begins a moment later. Above:
`short` and `routes`. Not here: clients of legacy sessions, whom `mcp` watches.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

_UNWATCHED_S: Final = 0.05


@dataclass(slots=True)
class Watch:
    """Cancels the task that serves a request when its client goes; begins only when it is not over in a moment."""

    receive: Callable[[], Awaitable[MutableMapping[str, Any]]]
    client_left: bool = False
    _task: "asyncio.Task[Any] | None" = None
    _timer: asyncio.TimerHandle | None = None
    _watcher: "asyncio.Task[None] | None" = None

    def begin(self) -> None:
        """From here on the task that calls this may be cancelled."""
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._timer = loop.call_later(_UNWATCHED_S, self._watch)

    def stop(self) -> None:
        """The request is served, or given up."""
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        self._timer = self._watcher = self._task = None

    def _watch(self) -> None:
        self._watcher = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        if self._task is not None:
            self.client_left = True
            self._task.cancel()
