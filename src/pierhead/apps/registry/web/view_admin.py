"""What the administration's page shows, as one frozen value: who answers for servers, and what nobody answers for.

For platform admins alone. Not here: the switch that suspends (`changes`), how it looks (`page_admin`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.apps.registry.web.known_servers import KnownServer
from pierhead.apps.registry.web.site import DAY_S, Site, Viewer
from pierhead.core.catalog import CALLABLE, Stage
from pierhead.core.errors import Forbidden
from pierhead.core.review import Gate
from pierhead.usecases.ports_catalogue import Entry

UNUSED_DAYS: Final = 90
_STOPPED: Final = frozenset({Stage.SUSPENDED, Stage.QUARANTINED})


@dataclass(frozen=True, slots=True)
class OwnerLine:
    """One owner. `members` are the people who sign in here and are of that group; nobody means ownerless."""

    owner: str
    servers: int
    members: int


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One group: people here who are of it, and which gates it decides."""

    group: str
    members: int
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class StoppedLine:
    """A server that nobody can call because somebody stopped it."""

    name: str
    stage: Stage
    owner: str
    reason: str
    since: float


@dataclass(frozen=True, slots=True)
class AdminView:
    """`ownerless` are servers whose owner is no group of anybody here; `unused` are older than `unused_days`
    and nobody called them for so long.
    """

    owners: tuple[OwnerLine, ...]
    groups: tuple[GroupLine, ...]
    workloads: tuple[str, ...]
    stopped: tuple[StoppedLine, ...]
    ownerless: tuple[str, ...]
    unused: tuple[str, ...]
    unused_days: int
    origins: Mapping[str, int]
    names: tuple[str, ...]
    now: float


async def admin_view(site: Site, viewer: Viewer) -> AdminView:
    """Errors: Forbidden (`not-yours`), for everyone but platform admins."""
    if not viewer.is_admin(site):
        groups = " or ".join(sorted(site.admins))
        raise Forbidden(f"this page is for {groups}", hint="ask one of them", code="not-yours")
    known, entries = (
        await site.known_servers(),
        await site.registry.catalogue.entries(),
    )
    members = _members(site)
    long_ago = site.now() - UNUSED_DAYS * DAY_S
    calls = await site.records.calls_by_server(long_ago)
    old = {name for name, entry in entries.items() if entry.at < long_ago}
    live = [server for server in known.values() if server.stage in CALLABLE]
    return AdminView(
        owners=_owners(known, members),
        groups=_groups(site, members),
        workloads=_workloads(site),
        stopped=tuple([await _stopped(site, server) for server in known.values() if server.stage in _STOPPED]),
        ownerless=tuple(sorted(server.name for server in known.values() if not members[server.owner])),
        unused=tuple(sorted(server.name for server in live if server.name in old and not calls.get(server.name))),
        unused_days=UNUSED_DAYS,
        origins=_origins(entries),
        names=tuple(sorted(server.name for server in live)),
        now=site.now(),
    )


def _members(site: Site) -> Counter[str]:
    """How many people who sign in here are of each group."""
    people = site.tokens.people
    return Counter(group for name in people.names() for group in people.groups(name) or ())


def _owners(known: Mapping[str, KnownServer], members: Counter[str]) -> tuple[OwnerLine, ...]:
    servers = Counter(server.owner for server in known.values())
    return tuple(OwnerLine(owner, count, members[owner]) for owner, count in sorted(servers.items()))


def _groups(site: Site, members: Counter[str]) -> tuple[GroupLine, ...]:
    gates = site.registry.rights.reviewers
    names = sorted({*members, *gates.values()} - {""})
    return tuple(
        GroupLine(name, members[name], tuple(gate for gate, group in gates.items() if group == name)) for name in names
    )


def _workloads(site: Site) -> tuple[str, ...]:
    """Every service identity that a rule names."""
    snapshot = site.snapshots.current()
    named = {name for rows in snapshot.rows.values() for row in rows for name in row.who.workloads}
    for server in snapshot.servers.values():
        named.update(name for tool in server.tools.values() for name in tool.policy.workloads)
    return tuple(sorted(named))


async def _stopped(site: Site, server: KnownServer) -> StoppedLine:
    entry = await site.registry.catalogue.entry(server.name)
    versions = await site.registry.catalogue.versions(server.name) if entry else ()
    current = next((version for version in versions if entry and version.version == entry.current), None)
    reason, since = (current.reason, current.moved_at) if current else ("", 0.0)
    return StoppedLine(server.name, server.stage, server.owner, reason, since)


def _origins(entries: Mapping[str, Entry]) -> Mapping[str, int]:
    return dict(Counter(str(entry.origin) for entry in entries.values()))
