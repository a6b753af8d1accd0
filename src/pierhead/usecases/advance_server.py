"""A server's step in its life: publishing a manifest, and what its process does.

Until the review gate exists, a server of the operator's own fleet stands at `deployed` (ADR 0008); the other steps
of TRANSITIONS come with the gate. Above: `apps/registry/internal`. Below: `publish_policy`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pierhead.core.audit import ServerPublished, ServerStateChanged
from pierhead.core.catalog import Stage
from pierhead.core.errors import Invalid, NotFound
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_registry import Manifests, Policies, ProcessStates, Revision
from pierhead.usecases.publish_policy import DeclaredServer, check_narrowing, publish_policy
from pierhead.usecases.wire_forms import Manifest, tool_to_form

STATES: Final = ("starting", "running", "restarting", "failed", "stopped")
_LOOPBACK: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9/_-]*)?")


@dataclass(frozen=True, slots=True)
class Registration:
    """What publishing needs: the fleet, and where manifests and revisions are kept."""

    fleet: Mapping[str, DeclaredServer]
    manifests: Manifests
    policies: Policies
    clock: Clock


async def publish_manifest(server: str, manifest: Manifest, at: Registration) -> Revision:
    """Take a server's manifest, and put the policy that follows from it in force.

    Errors: NotFound, if the fleet does not declare the server; Invalid, for what cannot be published.
    """
    declared = _declared(server, at.fleet)
    if not _LOOPBACK.fullmatch(manifest.upstream):
        raise Invalid(f"{server} publishes no http address: {manifest.upstream!r}", hint="give host, port and path")
    check_narrowing(declared, manifest)
    known = (await at.manifests.all()).get(server)
    if known != manifest:
        fact = ServerPublished(
            server, manifest.version, str(Stage.DEPLOYED), tools_digest(manifest), f"server-{server}"
        )
        await at.manifests.keep(server, manifest, at.clock.now(), fact)
    return await publish_policy(at.fleet.values(), at.manifests, at.policies, at.clock, f"server-{server}")


@dataclass(frozen=True, slots=True)
class StateChange:
    """What a server's process now does, and why."""

    server: str
    state: str
    reason: str


async def report_state(
    change: StateChange, fleet: Mapping[str, DeclaredServer], states: ProcessStates, clock: Clock
) -> None:
    """Note what a server's process does.

    Errors: NotFound; Invalid, for a state that is none of STATES.
    """
    _declared(change.server, fleet)
    if change.state not in STATES:
        raise Invalid(f"no such state: {change.state!r}", hint=f"one of {', '.join(STATES)}")
    fact = ServerStateChanged(change.server, change.state, change.reason)
    await states.keep_state(change.server, change.state, change.reason, clock.now(), fact)


def tools_digest(manifest: Manifest) -> str:
    """One digest over all tools, in any order."""
    tools = sorted((tool_to_form(tool) for tool in manifest.tools), key=lambda form: str(form["name"]))
    return sha256(json.dumps(tools, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _declared(server: str, fleet: Mapping[str, DeclaredServer]) -> DeclaredServer:
    declared = fleet.get(server)
    if declared is None:
        raise NotFound(f"the fleet declares no server {server!r}", hint="add it to fleet.yaml")
    return declared
