"""What a server's process says of itself: kept as its live definitions, compared with the signed ones.

What differs is drift: those tools are withheld, and a fact says so once per change. Where the operator vouches for the
fleet file, the first definitions under an entry are signed by that (`trust_fleet`). Above: `apps/registry/internal`.
"""

import re
from dataclasses import replace
from typing import Final

from pierhead.core.audit import DefinitionsDrifted, ServerPublished
from pierhead.core.catalog import Stage
from pierhead.core.definitions import gravest, tools_digest
from pierhead.core.errors import Invalid
from pierhead.usecases.check_definitions import check_definitions, refuse_hostile
from pierhead.usecases.check_entry import check_entry
from pierhead.usecases.compose_policy import withheld
from pierhead.usecases.ports_catalogue import Change, Entry, Version
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.publish_policy import publish_policy
from pierhead.usecases.read_reviews import difference
from pierhead.usecases.registry_desk import RegistryDesk, commit, entry_of, version_of
from pierhead.usecases.trust_fleet import is_vouched, vouch
from pierhead.usecases.wire_forms import Manifest

_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9/_-]*)?")
INSTRUCTIONS: Final = "(instructions)"
"""How a fact names changed instructions among withheld tools: no tool can be called so."""


async def publish_manifest(server: str, manifest: Manifest, desk: RegistryDesk) -> Revision:
    """Take a server's manifest, and put the policy that follows from it in force.

    Errors: NotFound, if nobody declared the server; Invalid, for what cannot be published, and for hostile definitions
    (`hostile-definition`), which are kept for reviewers and not put in force.
    """
    entry = await entry_of(server, desk)
    if not _ADDRESS.fullmatch(manifest.upstream):
        raise Invalid(f"{server} publishes no http address: {manifest.upstream!r}", hint="give host, port and path")
    check_entry(desk.declarations.read(server, entry.document), manifest)
    by = f"server-{server}"
    known = await desk.manifests.one(server)
    if known != manifest:
        fact = ServerPublished(server, manifest.version, await _stage(entry, desk), digest_of(manifest), by)
        await desk.manifests.keep(server, manifest, desk.clock.now(), fact)
    if is_vouched(entry, await _current(entry, desk), manifest, desk):
        refuse_hostile(check_definitions(server, manifest, {}))  # an operator vouches for a server, not for its text
        await vouch(entry, manifest, desk)
    elif known is None or digest_of(known) != digest_of(manifest):
        await _tell_of_drift(entry, manifest, desk)
    return await publish_policy(desk.source, by, (server,))


def digest_of(manifest: Manifest) -> str:
    """One digest over the instructions and all tools, in any order."""
    return tools_digest(manifest.instructions, manifest.tools)


def drifted(signed: Manifest, live: Manifest) -> tuple[str, ...]:
    """What of the live definitions is withheld: names of tools, and the instructions."""
    names = tuple(withheld(signed.tools, live.tools))
    return names if signed.instructions == live.instructions else (*names, INSTRUCTIONS)


async def _current(entry: Entry, desk: RegistryDesk) -> Version | None:
    return await version_of(entry.name, entry.current, desk) if entry.current else None


async def _stage(entry: Entry, desk: RegistryDesk) -> str:
    version = await _current(entry, desk)
    return str(version.stage if version else Stage.REGISTERED)


async def _tell_of_drift(entry: Entry, live: Manifest, desk: RegistryDesk) -> None:
    current = await _current(entry, desk)
    names = drifted(current.manifest, live) if current else ()
    if current is None or not names:
        return
    change = gravest(difference(current.manifest, replace(live, upstream="")).change)
    fact = DefinitionsDrifted(entry.name, current.version, digest_of(live), names, str(change))
    notices = (desk.news.drifted(entry, fact, desk.clock.now()),) if desk.news else ()
    await commit(Change((fact,), notices=notices), desk)
