"""A registry in memory: a fleet of one server, people with rights, and what is kept of it; for its use cases."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.audit import Fact
from pierhead.core.bounds import Bounds, read_bounds
from pierhead.core.catalog import DataClass, Discovery, Effect, Risk, Tool
from pierhead.core.errors import Conflict, Invalid
from pierhead.core.identity import Caller, User
from pierhead.core.json import Json
from pierhead.core.reach import EVERY, Row
from pierhead.core.review import Gate
from pierhead.core.rule import Who, parse_who
from pierhead.core.snapshot import Snapshot
from pierhead.core.usage import Minutes
from pierhead.usecases.check_guest import GuestRules, parse_artefact
from pierhead.usecases.memory import MemoryClock, MemoryIds
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.memory_keys import MemoryServerKeys
from pierhead.usecases.ports_declared import DeclaredTool
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.ports_review import NO_KEYS, NOBODY, Vetting
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_policy import PolicySource, publish_policy
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.rights import Rights
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.trust_fleet import enter_fleet
from pierhead.usecases.wire_forms import Manifest

TOOLS: Final = tuple(
    Tool(name, "", parse_who("group:data-eng"), Effect.READ, approval, Minutes.estimate(2), {"type": "object"}, {})
    for name, approval in (("read", Approval.NONE), ("ask", Approval.APPROVE), ("narrow", Approval.NONE))
)
MANIFEST: Final = Manifest("1", "", "http://127.0.0.1:1/mcp", TOOLS)
DOCUMENT: Final[Mapping[str, Json]] = {
    "kind": "sql",
    "owner": "data-platform",
    "support": "#help",
    "description": "Flights",
    "access": {"groups": ["data-eng"], "surfaces": ["ide"]},
    "tools": {"narrow": {"policy": "user:bob"}},
}
GUEST: Final[Mapping[str, Json]] = {
    "kind": "stdio",
    "owner": "web",
    "support": "#web",
    "command": ["mcp-clock", "--utc"],
    "access": {"groups": ["data-eng", "ads"]},
}
OWN: Final[Mapping[str, Json]] = {
    "kind": "python",
    "owner": "web",
    "support": "#lunch",
    "url": "http://lunch.example:9000/mcp",
    "access": {"groups": ["data-eng"]},
}
RIGHTS: Final = Rights(
    registrars=parse_who("everyone"),
    reviewers={Gate.SECURITY: "security-reviewers", Gate.LEGAL: "legal-reviewers", Gate.GENAI: "genai-reviewers"},
    admins=frozenset({"platform-admin"}),
    guests=GuestRules((parse_artefact("mcp-clock==1.2.3 *"),), frozenset({"lunch.example"})),
)
_GROUPS: Final = {
    "alice": "data-eng",
    "bob": "ads",
    "carol": "security-reviewers",
    "dave": "legal-reviewers",
    "erin": "genai-reviewers",
    "frank": "platform-admin",
    "wanda": "web",
    "all": "security-reviewers legal-reviewers genai-reviewers",
}


def somebody(name: str, *groups: str) -> Caller:
    """A person as the sign-in knows them; of the usual groups, if none is given."""
    held = groups or tuple(_GROUPS.get(name, "").split())
    return Caller(User("https://sign-in", name, frozenset(held)), "web", "local", "")


_RISK: Final = Risk(
    DataClass.INTERNAL, has_personal_data=False, egress=(), is_autonomous=False, has_untrusted_results=False
)


@dataclass(frozen=True)
class Declared:
    name: str = "warehouse"
    kind: str = "sql"
    owner: str = "data-platform"
    support: str = "#help"
    title: str = ""
    version: str = ""
    description: str = "Flights"
    rows: tuple[Row, ...] = (Row("warehouse", parse_who("group:data-eng"), frozenset({"ide"}), EVERY, EVERY),)
    narrowed: Mapping[str, Who] = field(default_factory=lambda: {"narrow": parse_who("user:bob")})
    narrowed_bounds: Mapping[str, Bounds] = field(default_factory=dict)
    discovery: Discovery = Discovery.OPEN
    risk: Risk = _RISK
    place: str = ""
    is_guest: bool = False
    declared: Mapping[str, DeclaredTool] = field(default_factory=dict)
    approval_rules: tuple[ApprovalRule, ...] = ()


class Declarations:
    """Reads the few members that these tests declare."""

    def read(self, name: str, document: Mapping[str, Json]) -> Declared:
        if "kind" not in document:
            raise Invalid(f"server {name}: kind is missing", code="bad-entry")
        access = document.get("access", {})
        tools = document.get("tools", {})
        assert isinstance(access, Mapping)
        assert isinstance(tools, Mapping)
        who = Who(groups=frozenset(access.get("groups", ())), any_person=bool(access.get("everyone")))
        surfaces = frozenset(access["surfaces"]) if "surfaces" in access else EVERY
        text = {
            key: str(document.get(key, "")) for key in ("kind", "owner", "support", "title", "version", "description")
        }
        return Declared(
            name=name,
            **text,
            rows=(Row(name, who, surfaces, EVERY, EVERY),),
            narrowed={tool: parse_who(given["policy"]) for tool, given in tools.items() if "policy" in given},
            narrowed_bounds={
                tool: read_bounds(given.get("channels"), given.get("when")) for tool, given in tools.items()
            },
            discovery=Discovery(document.get("discovery", "open")),
            risk=Risk(
                DataClass(document.get("data_class", "internal")),
                has_personal_data=bool(document.get("personal_data")),
                egress=tuple(document.get("egress", ())),
                is_autonomous=bool(document.get("autonomous")),
                has_untrusted_results=bool(document.get("untrusted_results")),
            ),
            place=str(document.get("url", "")) if document["kind"] == "python" else "",
            is_guest=document["kind"] in {"stdio", "http"},
        )


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

    async def one(self, server: str) -> Manifest | None:
        return self.manifests.get(server)

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


def desk_in_memory(
    kept: Kept, *, trusts_fleet: bool = True, clock: MemoryClock | None = None, vetting: Vetting = NOBODY
) -> RegistryDesk:
    """A registry desk over `kept` and an empty catalogue whose facts join those of `kept`."""
    source = PolicySource(
        catalogue=MemoryCatalogue(facts=kept.facts),
        manifests=kept,
        policies=kept,
        keys=MemoryServerKeys(kept.facts),
        declarations=Declarations(),
        clock=clock or MemoryClock(),
        served=ServedPolicy(),
        trusts_fleet=trusts_fleet,
        own_hosts=RIGHTS.guests.allowed_hosts,
    )
    return RegistryDesk(source, RIGHTS, MemoryIds(), NO_KEYS, vetting)


async def fleet_in_memory(kept: Kept, *, trusts_fleet: bool = True, clock: MemoryClock | None = None) -> RegistryDesk:
    """The desk of a registry whose fleet file declares the warehouse; its policy is published."""
    desk = desk_in_memory(kept, trusts_fleet=trusts_fleet, clock=clock)
    await enter_fleet({"warehouse": DOCUMENT}, desk)
    await publish_policy(desk.source, "fleet")
    return desk


async def _published() -> Snapshot:
    desk = await fleet_in_memory(Kept())
    await publish_manifest("warehouse", MANIFEST, desk)
    return desk.served.current()


FLEET_SNAPSHOT: Final = asyncio.run(_published())
"""The policy of that fleet once its server has published."""


def manifest_of(*tools: Tool, version: str = "1", instructions: str = "") -> Manifest:
    """A manifest of these tools."""
    return replace(MANIFEST, version=version, tools=tools, instructions=instructions)
