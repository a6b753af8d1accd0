"""Telling the registry what a process does, without making the process wait: the latest state, until it is taken.

States that were overtaken before the registry heard them are not told. Above: `bootstrap/wire_server`, for guests.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.errors import UpstreamUnreachable

_RETRY_S: Final = 0.5


@dataclass(slots=True)
class LatestState:
    """What was reported last. `tell` passes it on; `pause` waits some seconds."""

    tell: Callable[[str, str], Awaitable[None]]
    pause: Callable[[float], Awaitable[None]]
    _latest: tuple[str, str] = ("", "")
    _is_new: asyncio.Event = field(default_factory=asyncio.Event)

    async def report(self, state: str, reason: str) -> None:
        """Take note; returns at once."""
        self._latest = (state, reason)
        self._is_new.set()

    async def tell_for_ever(self) -> None:
        """Pass each news on, again and again while the registry is away; ends by cancellation."""
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            try:
                await self.tell(*self._latest)
            except UpstreamUnreachable:
                await self.pause(_RETRY_S)
                self._is_new.set()
