"""What a server needs from outside, as it tells itself: looked at again and again while the server runs.

A server that can tell sets `Server.needs`; its host looks and says what was found with its health. Not here: judging
(`core/health`), looking at the server itself (its platform does, from outside).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pierhead.core.errors import PierheadError
from pierhead.core.health import Condition, Dependency

_LOOK_S: Final = 10.0


class Needs(Protocol):
    """Whoever can tell how what the server needs is."""

    async def look(self) -> Sequence[Dependency]:
        """One look; what cannot be reached is a dependency that is down, no error."""
        ...


@dataclass(slots=True)
class LookedAt:
    """What the last look at a server's needs found."""

    needs: Needs
    every_s: float
    found: tuple[Dependency, ...] = ()

    async def look_for_ever(self) -> None:
        """Until cancelled. Looking that ends otherwise leaves no old finding behind."""
        try:
            while True:
                self.found = await self._look()
                await asyncio.sleep(self.every_s)
        finally:
            self.found = (Dependency("its needs", Condition.UNKNOWN, "the server no longer looks at what it needs"),)

    async def _look(self) -> tuple[Dependency, ...]:
        try:
            async with asyncio.timeout(_LOOK_S):
                return tuple(await self.needs.look())
        except TimeoutError:
            return (Dependency("its needs", Condition.DOWN, f"no answer within {_LOOK_S:g} s"),)
        except PierheadError as failed:
            return (Dependency("its needs", Condition.DOWN, failed.message),)
