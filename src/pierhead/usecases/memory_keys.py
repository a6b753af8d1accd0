"""The keys of servers in a dict, for tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pierhead.core.audit import Fact
from pierhead.core.server_key import ServerKey


@dataclass(slots=True)
class MemoryServerKeys:
    """Fills `ports_registry.ServerKeys`. `facts` are those of every change."""

    facts: list[Fact] = field(default_factory=list[Fact])
    kept: dict[str, ServerKey] = field(default_factory=dict[str, ServerKey])

    async def keys(self) -> Mapping[str, ServerKey]:
        return dict(self.kept)

    async def key(self, server: str) -> ServerKey | None:
        return self.kept.get(server)

    async def keep_key(self, key: ServerKey, fact: Fact) -> None:
        self.kept[key.server] = key
        self.facts.append(fact)

    async def end_key(self, server: str, at: float, fact: Fact) -> None:
        del at
        self.kept.pop(server, None)
        self.facts.append(fact)
