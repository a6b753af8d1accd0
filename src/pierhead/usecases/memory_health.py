"""`HealthStore` in dicts, for tests."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pierhead.core.audit import Fact
from pierhead.core.health import Health, Probe
from pierhead.usecases.ports_health import PROBES_KEPT


@dataclass(slots=True)
class MemoryHealths:
    """Keeps what it is given; `facts` are those that came along."""

    known: dict[str, Health] = field(default_factory=dict[str, Health])
    looks: dict[str, list[Probe]] = field(default_factory=dict[str, list[Probe]])
    facts: list[Fact] = field(default_factory=list[Fact])

    async def healths(self) -> Mapping[str, Health]:
        return dict(self.known)

    async def healths_of(self, servers: Collection[str]) -> Mapping[str, Health]:
        return {server: health for server, health in self.known.items() if server in servers}

    async def health(self, server: str) -> Health | None:
        return self.known.get(server)

    async def probes(self, server: str, limit: int) -> Sequence[Probe]:
        return self.looks.get(server, [])[::-1][:limit]

    async def keep(self, healths: Sequence[Health], facts: Sequence[Fact], at: float) -> None:  # noqa: ARG002 - facts of tests have no time
        for health in healths:
            self.known[health.server] = health
            self.looks[health.server] = [*self.looks.get(health.server, []), health.last][-PROBES_KEPT:]
        self.facts += facts
