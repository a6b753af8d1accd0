"""From what the catalogue keeps and what servers' processes say to the next policy revision.

A revision changes only when its content does; the fact commits with it. What was composed of each server is kept, so
that a change costs what it changed and not what there is. Not here: what one server becomes (`compose_policy`).
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from pierhead.core.audit_policy import PolicyPublished
from pierhead.core.errors import Conflict, Invalid
from pierhead.core.snapshot import NO_POLICIES, CompanyPolicies, Snapshot
from pierhead.usecases.compose_policy import Composed, Standing, compose
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_catalogue import Catalogue, Version
from pierhead.usecases.ports_declared import Declarations, DeclaredServer
from pierhead.usecases.ports_registry import Manifests, Policies, Revision, ServerKeys
from pierhead.usecases.revision_text import (
    Piece,
    Pieces,
    change_text,
    changed_names,
    digest_of,
    policies_text,
    whole_text,
)
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.wire_forms import row_to_form, server_to_form

__all__ = ["DeclaredServer", "PolicySource", "declare_policies", "publish_policy"]

_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Part:
    """One server's share of a revision, as text and as a value."""

    composed: Composed
    piece: Piece


@dataclass(slots=True)
class Composition:
    """Every server as it was last composed; `revision` is None until all of them were."""

    parts: dict[str, _Part] = field(default_factory=dict[str, _Part])
    unreadable: dict[str, str] = field(default_factory=dict[str, str])
    """Entries that are in no revision, and why."""
    revision: Revision | None = None
    published: Pieces | None = None
    """What `revision` was put together of; None, while only the one who published it knows."""
    company: CompanyPolicies = NO_POLICIES
    """The company's policies, as the operator declares them now."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class PolicySource:
    """What policy is made of, and where it is kept and served."""

    catalogue: Catalogue
    manifests: Manifests
    policies: Policies
    keys: ServerKeys
    declarations: Declarations
    clock: Clock
    served: ServedPolicy
    trusts_fleet: bool
    own_hosts: frozenset[str] = frozenset()
    """The hosts at which registered servers may run elsewhere."""
    composition: Composition = field(default_factory=Composition, compare=False)

    @property
    def company(self) -> CompanyPolicies:
        """The company's policies, as the operator declares them now."""
        return self.composition.company


async def publish_policy(source: PolicySource, by: str, servers: Iterable[str] | None = None) -> Revision:
    """Compose these servers anew (or all), publish what changed, and serve it: the revision now in force.

    Errors: Conflict, if another registry keeps publishing.
    """
    made = source.composition
    async with made.turn:
        if servers is None or made.revision is None:
            await _compose_all(source)
        else:
            for name in servers:
                await _compose_one(name, source)
        for _ in range(_TRIES):
            revision = await _publish(source, by)
            if revision is not None:
                made.revision, made.published = revision, _pieces(made)
                served = replace(_snapshot(made, revision.number), policies=source.company)
                source.served.put(revision, served, made.published)
                return revision
            await _compose_all(source)  # another registry published: nothing that is kept here can be relied on
    raise Conflict("another registry publishes policy at the same time", hint="run one registry per database")


async def declare_policies(company: CompanyPolicies, source: PolicySource, by: str) -> Revision:
    """Put these company policies in force in place of those that are. Errors: Conflict, as `publish_policy`."""
    async with source.composition.turn:
        source.composition.company = company
    return await publish_policy(source, by, ())


async def _publish(source: PolicySource, by: str) -> Revision | None:
    """The next revision, or the one in force if nothing changed; None if the number was taken meanwhile."""
    latest, before, pieces = source.composition.revision, source.composition.published, _pieces(source.composition)
    policies = policies_text(source.company.texts)
    digest = digest_of(pieces, policies)
    if latest is not None and latest.digest == digest:
        return latest
    number = latest.number + 1 if latest else 1
    if latest is None or before is None:
        document = whole_text(number, pieces, policies)
    else:
        document = change_text(number, latest.digest, changed_names(before, pieces), pieces)
    revision = Revision(number, digest, document)
    try:
        await source.policies.publish(revision, source.clock.now(), by, PolicyPublished(number, digest, by))
    except Conflict:
        return None
    return revision


def _pieces(made: Composition) -> Pieces:
    return {name: part.piece for name, part in sorted(made.parts.items())}


def _snapshot(made: Composition, number: int) -> Snapshot:
    parts = sorted(made.parts.items())
    servers = {name: part.composed.server for name, part in parts}
    return Snapshot(number, servers, {name: part.composed.rows for name, part in parts if part.composed.rows})


async def _compose_all(source: PolicySource) -> None:
    entries, current = await source.catalogue.entries(), await source.catalogue.current_versions()
    live, made = await source.manifests.all(), source.composition
    made.parts.clear()
    made.published = None
    made.revision, keys = await source.policies.latest(), await source.keys.keys()
    for name, entry in entries.items():
        key = keys[name].id if name in keys else ""
        _keep(name, Standing(entry, current.get(name), live.get(name), key), source)


async def _compose_one(name: str, source: PolicySource) -> None:
    entry = await source.catalogue.entry(name)
    source.composition.parts.pop(name, None)
    if entry is not None:
        current = _current(await source.catalogue.versions(name), entry.current)
        key = await source.keys.key(name)
        _keep(name, Standing(entry, current, await source.manifests.one(name), key.id if key else ""), source)


def _current(versions: Iterable[Version], name: str) -> Version | None:
    return next((version for version in versions if name and version.version == name), None)


def _keep(name: str, standing: Standing, source: PolicySource) -> None:
    """An entry that cannot be read, since a program or a rule changed, is in no revision; the others go on."""
    made = source.composition
    made.unreadable.pop(name, None)
    try:
        composed = compose(standing, source.declarations, trusts_fleet=source.trusts_fleet, own_hosts=source.own_hosts)
    except Invalid as unreadable:
        made.unreadable[name] = unreadable.message
        composed = None
    if composed is not None:
        source.composition.parts[name] = _part(composed)


def _part(composed: Composed) -> _Part:
    server = _text(server_to_form(composed.server))
    rows = ",".join(_text(row_to_form(row)) for row in composed.rows)
    return _Part(composed, Piece(server, rows, sha256(f"{server}\n{rows}".encode()).hexdigest()))


def _text(form: Mapping[str, object]) -> str:
    return json.dumps(form, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
