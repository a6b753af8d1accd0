"""A fleet of one server and what a registry keeps of it, in memory: for the use cases of the registry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.audit import Fact
from pierhead.core.catalog import Effect, Tool
from pierhead.core.errors import Conflict
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import Who, parse_who
from pierhead.core.usage import Minutes
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.wire_forms import Manifest

TOOLS: Final = tuple(
    Tool(name, "", parse_who("group:data-eng"), Effect.READ, approval, Minutes.estimate(2), {"type": "object"}, {})
    for name, approval in (("read", Approval.NONE), ("ask", Approval.APPROVE), ("narrow", Approval.NONE))
)
MANIFEST: Final = Manifest("1", "", "http://127.0.0.1:1/mcp", TOOLS)


@dataclass(frozen=True)
class Declared:
    name: str = "warehouse"
    kind: str = "sql"
    owner: str = "data-platform"
    support: str = "#help"
    description: str = "Flights"
    rows: tuple[Row, ...] = (Row("warehouse", parse_who("group:data-eng"), frozenset({"ide"}), EVERY),)
    narrowed: Mapping[str, Who] = field(default_factory=lambda: {"narrow": parse_who("user:bob")})


@dataclass
class Kept:
    """Manifests, states and revisions in memory; `taken` revisions are lost to another registry."""

    manifests: dict[str, Manifest] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)
    states: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    taken: int = 0

    async def all(self) -> Mapping[str, Manifest]:
        return self.manifests

    async def keep(self, server: str, manifest: Manifest, at: float, fact: Fact) -> None:
        self.manifests[server] = manifest
        self.facts.append(fact)

    async def keep_state(self, server: str, state: str, reason: str, at: float, fact: Fact) -> None:
        self.states[server] = (state, reason, at)
        self.facts.append(fact)

    async def latest(self) -> Revision | None:
        return self.revisions[-1] if self.revisions else None

    async def publish(self, revision: Revision, at: float, by: str, fact: Fact) -> None:
        if self.taken:
            self.taken -= 1
            self.revisions.append(Revision(revision.number, "another", "{}"))
            raise Conflict("taken")
        self.revisions.append(revision)
        self.facts.append(fact)
