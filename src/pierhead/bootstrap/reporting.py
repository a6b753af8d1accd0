"""What becomes of processes, told to the terminal at once, and for servers to the registry.

A registry that is away hears the latest state of each server as soon as it is back. A server that changes all the
time is told about once a minute: each telling is a fact for ever. Above: `wire_platform`. Not here: health.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pierhead.adapters.internal_client import InternalClient
from pierhead.core.errors import PierheadError

PREFIX: Final = "server-"
#: So many tellings within the window make a server noisy; then one a minute is enough.
_NOISY: Final = 10
_WINDOW_S: Final = 600.0
_CALM_S: Final = 60.0

Talk = Callable[[str, str, str], None]


@dataclass(slots=True)
class Reporting:
    """Hears of every process; `report` is the supervisor's port."""

    client: InternalClient
    talk: Talk
    now: Callable[[], float] = time.monotonic
    _untold: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    _told: dict[str, "deque[float]"] = field(default_factory=dict[str, "deque[float]"])
    #: One at a time, else an older state could overtake a newer one.
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def report(self, name: str, state: str, reason: str) -> None:
        self.talk(name, state, reason)
        if name.startswith(PREFIX):
            self._untold[name.removeprefix(PREFIX)] = {"state": state, "reason": reason}
        try:
            await self.tell()
        except PierheadError as failed:
            self.talk(name, "unreported", failed.message)

    async def tell(self) -> None:
        """Tell what the registry has not heard, but for noisy servers. Errors: what the registry says."""
        async with self._turn:
            for server, latest in list(self._untold.items()):
                if self._is_noisy(server):
                    continue
                await asyncio.to_thread(self.client.post, f"/servers/{server}/state", latest)
                self._told.setdefault(server, deque(maxlen=_NOISY)).append(self.now())
                if self._untold[server] is latest:
                    del self._untold[server]

    async def catch_up(self, every_s: float) -> None:
        """Until cancelled: tell what was kept back."""
        while True:
            await asyncio.sleep(every_s)
            with contextlib.suppress(PierheadError):
                await self.tell()

    def _is_noisy(self, server: str) -> bool:
        told = self._told.get(server)
        if told is None or len(told) < _NOISY:
            return False
        return told[0] > self.now() - _WINDOW_S and told[-1] > self.now() - _CALM_S
