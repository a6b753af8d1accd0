"""How servers fare, as it is kept and read. Pages read through `Healths`; nobody but `watch_health` writes.

Filled by `adapters/db/health` (`DatabaseHealths`, on `RegistryAdapters.healths`) and in tests by
`usecases/memory_health`. Not here: looking at servers (`bootstrap/watching`), judging (`core/health`).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from pierhead.core.audit import Fact
from pierhead.core.health import Health, Probe

#: So many looks at each server are kept, then the oldest is overwritten: at one in 30 s, the last two hours.
PROBES_KEPT: Final = 240


class Healths(Protocol):
    """The reading port. No entry means that nobody ever looked: show `unknown`."""

    async def healths(self) -> Mapping[str, Health]:
        """Of every server that was ever looked at; a last look long ago reads `unknown` (`core.health.lately`)."""
        ...

    async def healths_of(self, servers: Collection[str]) -> Mapping[str, Health]:
        """Of these alone: what a page of a long catalogue asks."""
        ...

    async def health(self, server: str) -> Health | None: ...

    async def probes(self, server: str, limit: int) -> Sequence[Probe]:
        """The last looks, newest first, at most PROBES_KEPT."""
        ...


class HealthStore(Healths, Protocol):
    """The writing port."""

    async def keep(self, healths: Sequence[Health], facts: Sequence[Fact], at: float) -> None:
        """Keep what is now known of these servers, each with its last probe, together with the facts."""
        ...
