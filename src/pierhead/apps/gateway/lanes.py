"""How many messages one server is given at once, and how many may wait: a slow server holds up its own callers only.

Listening streams have lanes of their own. Not here: rates per person (they come with limits).
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from pierhead.core.errors import LimitExceeded


@dataclass(frozen=True, slots=True)
class Bounds:
    """For one server: messages under way, messages waiting, and how long they wait in seconds."""

    running: int = 100
    waiting: int = 200
    wait_s: float = 5.0


@dataclass(slots=True)
class Lane:
    """The places of one server."""

    bounds: Bounds
    running: int = 0
    _queue: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])

    def enter_at_once(self) -> bool:
        """Take a place if one is free."""
        if self.running >= self.bounds.running:
            return False
        self.running += 1
        return True

    async def enter(self) -> None:
        """Take a place, waiting for one; raises LimitExceeded when too many wait, or it takes too long."""
        if self.enter_at_once():
            return
        if len(self._queue) >= self.bounds.waiting:
            raise _full("too many calls wait for this server")
        place = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            async with asyncio.timeout(self.bounds.wait_s):
                await place
        except TimeoutError:
            self._abandon(place)
            raise _full("this server is busy") from None
        except asyncio.CancelledError:
            self._abandon(place)
            raise

    def leave(self) -> None:
        """Give the place to the one who waited longest."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.running -= 1

    def _abandon(self, place: asyncio.Future[None]) -> None:
        if place.done() and not place.cancelled():
            self.leave()
        elif place in self._queue:
            self._queue.remove(place)


def _full(message: str) -> LimitExceeded:
    return LimitExceeded(message, hint="try again in a few seconds", code="server-busy")


@dataclass(slots=True)
class Lanes:
    """Each server's lane, and its listeners' lane."""

    bounds: Bounds
    listening: Bounds
    _lanes: dict[tuple[str, bool], Lane] = field(default_factory=dict[tuple[str, bool], Lane])

    def of(self, server: str, *, listens: bool) -> Lane:
        lane = self._lanes.get((server, listens))
        if lane is None:
            bounds = self.listening if listens else self.bounds
            lane = self._lanes[server, listens] = Lane(bounds)
        return lane
