"""One look at the database a beat for all who wait for something in it, and none while nobody does.

A look, and no signal inside this process: another registry over the same database may have made the change. Above:
`decision_news`, `inbox_news`, which know what to look for and whom to tell.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError


@dataclass(slots=True)
class Looking:
    """Looks again and again while `is_awaited`. A database that is away is looked at again."""

    is_awaited: Callable[[], bool]
    look: Callable[[], Awaitable[None]]
    beat_s: float
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _task: "asyncio.Task[None] | None" = None

    def begin(self) -> None:
        """Somebody waits; nothing new, if others do already."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_on())

    async def close(self) -> None:
        """Look no more; whoever waits still does so until their time is over."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _look_on(self) -> None:
        while self.is_awaited():
            await self.sleep(self.beat_s)
            with suppress(SQLAlchemyError, OSError):
                await self.look()
