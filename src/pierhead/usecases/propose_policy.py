"""The policy that would be in force if entries were changed: composed as the next revision would be, and kept nowhere.

As if what changes had been reviewed: the signed definitions under the proposed access. Servers that are not named stay
as they are. Above: `simulate_policy` compares it with the one in force. Not here: publishing (`publish_policy`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.core.catalog import Server, Tool
from pierhead.core.json import Json
from pierhead.core.snapshot import Age, CompanyPolicies, Fresh, Snapshot
from pierhead.usecases.check_entry import check_entry
from pierhead.usecases.compose_policy import Composed, Standing, compose, substance, with_rules
from pierhead.usecases.ports_catalogue import Entry, Origin, Version
from pierhead.usecases.ports_declared import DeclaredServer, DeclaredTool
from pierhead.usecases.publish_policy import PolicySource
from pierhead.usecases.wire_forms import Manifest

#: Members that say who may what: their effect is what a proposal shows.
_ACCESS: Final = frozenset({"approvals", "tools"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """A policy that is not in force, as the port `Snapshots`.

    `settings` names, of each server, what else differs: its own settings, which no rule of the platform reads.
    `untold` are servers whose tools nobody knows yet.
    """

    snapshot: Snapshot
    servers: tuple[str, ...]
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]], hash=False)
    untold: tuple[str, ...] = ()

    def current(self) -> Snapshot:
        return self.snapshot

    def age(self) -> Age:
        return Fresh()


async def propose_policy(
    documents: Mapping[str, Mapping[str, Json]], source: PolicySource, company: CompanyPolicies | None = None
) -> Proposal:
    """The policy in force, with these entries in place of those that are there.

    Shapes: server to what stands under its name in a fleet file; company policies in place of all that are declared,
    None leaves those. Other company policies may touch every server.
    Errors: Invalid (`bad-entry`, `unknown-narrowing`).
    """
    entries, versions = await source.catalogue.entries(), await source.catalogue.current_versions()
    live = await source.manifests.all()
    servers, rows = dict(source.served.current().servers), dict(source.served.current().rows)
    settings: dict[str, tuple[str, ...]] = {}
    for name, document in documents.items():
        entry = entries.get(name) or Entry(name, document, Origin.FLEET, "", 0.0, current="", lock=0)
        proposed = _proposed(replace(entry, document=document), versions.get(name), live.get(name), source)
        servers[name], rows[name] = proposed.server, proposed.rows
        differing = _differing(entry.document, document)
        settings |= {name: differing} if differing else {}
    untold = tuple(sorted(name for name in documents if servers[name].is_callable and not servers[name].tools))
    revision = source.served.current().revision
    touched = documents if company is None else {name for name, server in servers.items() if server.is_callable}
    policies = source.company if company is None else company
    names = tuple(sorted({*documents, *touched}))
    return Proposal(Snapshot(revision, servers, rows, policies), names, settings, untold)


def _proposed(entry: Entry, version: Version | None, live: Manifest | None, source: PolicySource) -> Composed:
    declared = source.declarations.read(entry.name, entry.document)
    signed = replace(version, document=entry.document) if version else None
    standing = Standing(replace(entry, origin=Origin.FLEET), signed, live)
    composed = compose(standing, source.declarations, trusts_fleet=True, own_hosts=source.own_hosts)
    assert composed is not None  # noqa: S101 - only an entry that nobody vouches for composes to nothing
    if version is not None:
        check_entry(declared, version.manifest)
    return Composed(_with_declared(composed.server, declared), composed.rows)


def _with_declared(server: Server, declared: DeclaredServer) -> Server:
    """A guest's tools have what the proposal says of them; one that it no longer names does not exist."""
    if not declared.declared or not server.is_callable:
        return server
    tools = (_tool(server.tools.get(name), name, told) for name, told in declared.declared.items())
    return replace(server, tools={tool.name: tool for tool in with_rules(tools, declared.approval_rules)})


def _tool(known: Tool | None, name: str, told: DeclaredTool) -> Tool:
    if known is not None:
        return replace(known, policy=told.policy, effect=told.effect, approval=told.approval, bounds=told.bounds)
    return told.tool(name)


def _differing(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[str, ...]:
    one, other = substance(before), substance(after)
    names: Iterable[str] = (one.keys() | other.keys()) - _ACCESS
    return tuple(sorted(name for name in names if one.get(name) != other.get(name)))
