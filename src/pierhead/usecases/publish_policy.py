"""From the fleet's declarations and the servers' manifests to the next policy revision.

A revision changes only when its content does; the fact commits with it. The fleet narrows, it never widens: what
it says of a tool is kept beside the tool's own policy. Not here: reading the fleet file (`bootstrap/fleet`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Protocol

from pierhead.core.audit import PolicyPublished
from pierhead.core.catalog import Server, Stage, Tool
from pierhead.core.errors import Conflict, Invalid
from pierhead.core.reach import Row
from pierhead.core.rule import Who
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_registry import Manifests, Policies, Revision
from pierhead.usecases.wire_forms import Manifest, snapshot_to_form


class DeclaredServer(Protocol):
    """One server as the fleet file declares it. No rows: nobody reaches it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def support(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def rows(self) -> tuple[Row, ...]: ...
    @property
    def narrowed(self) -> Mapping[str, Who]: ...


async def publish_policy(
    fleet: Iterable[DeclaredServer], manifests: Manifests, policies: Policies, clock: Clock, by: str
) -> Revision:
    """The revision now in force: a new one if the content changed, else the latest.

    Errors: Conflict, if another registry keeps publishing; Invalid, for a narrowing of a tool that is not there.
    """
    content = compose(fleet, await manifests.all())
    for _ in range(3):
        latest = await policies.latest()
        digest = content_digest(content)
        if latest is not None and latest.digest == digest:
            return latest
        number = latest.number + 1 if latest else 1
        form = snapshot_to_form(replace(content, revision=number))
        revision = Revision(number, digest, json.dumps(form, ensure_ascii=False, separators=(",", ":")))
        try:
            await policies.publish(revision, clock.now(), by, PolicyPublished(number, digest, by))
        except Conflict:
            continue
        return revision
    raise Conflict("another registry publishes policy at the same time", hint="run one registry per database")


def compose(fleet: Iterable[DeclaredServer], manifests: Mapping[str, Manifest]) -> Snapshot:
    """The content of a revision; its number is given when it is published."""
    declared = sorted(fleet, key=lambda server: server.name)
    servers = {server.name: _server(server, manifests.get(server.name)) for server in declared}
    return Snapshot(0, servers, {server.name: server.rows for server in declared})


def check_narrowing(declared: DeclaredServer, manifest: Manifest) -> None:
    """A narrowing that fits no tool narrows nothing, and its author believes that it does.

    Errors: Invalid (`unknown-narrowing`).
    """
    unknown = sorted(set(declared.narrowed) - {tool.name for tool in manifest.tools})
    if unknown:
        raise Invalid(
            f"the fleet narrows tools that {declared.name} does not have: {', '.join(unknown)}",
            hint=f"its tools are {', '.join(sorted(tool.name for tool in manifest.tools)) or 'none'}",
            code="unknown-narrowing",
        )


def content_digest(content: Snapshot) -> str:
    """SHA-256 over everything but the number."""
    form = snapshot_to_form(replace(content, revision=0))
    return sha256(json.dumps(form, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _server(declared: DeclaredServer, manifest: Manifest | None) -> Server:
    """Deployed because the operator's own fleet file declares it, until the review gate exists (ADR 0008)."""
    tools = manifest.tools if manifest else ()
    return Server(
        name=declared.name,
        version=manifest.version if manifest else "",
        kind=declared.kind,
        stage=Stage.DEPLOYED,
        owner=declared.owner,
        support=declared.support,
        description=declared.description or (manifest.description if manifest else ""),
        upstream=manifest.upstream if manifest else "",
        tools={tool.name: _narrowed(tool, declared) for tool in tools},
    )


def _narrowed(tool: Tool, declared: DeclaredServer) -> Tool:
    return replace(tool, narrowed=declared.narrowed.get(tool.name))
