"""Everything that a change of the catalogue needs, and what all of them do alike: look up, write, publish.

Above: the use cases `register_server`, `publish_version`, `advance_server`, `sign_off`. Not here: what each means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pierhead.core.definitions import document_digest, tools_digest
from pierhead.core.errors import NotFound
from pierhead.core.json import Json
from pierhead.core.review import WORKING_DAYS, Binding, Gate
from pierhead.usecases.ports import Clock, Ids
from pierhead.usecases.ports_catalogue import Catalogue, Change, Entry, Version
from pierhead.usecases.ports_declared import Declarations
from pierhead.usecases.ports_registry import Manifests, Policies
from pierhead.usecases.ports_review import SignatureKeys, Vetting
from pierhead.usecases.publish_policy import PolicySource, publish_policy
from pierhead.usecases.rights import Rights
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.warn_owners import OwnerNews
from pierhead.usecases.wire_forms import Manifest

_ACCESS = ("access", "approvals", "approvers", "roles", "tools")


@dataclass(frozen=True, slots=True)
class RegistryDesk:
    """Where servers are registered, published, reviewed and moved."""

    source: PolicySource
    rights: Rights
    ids: Ids
    signatures: SignatureKeys
    vetting: Vetting
    review_days: Mapping[Gate, int] = field(default_factory=lambda: WORKING_DAYS, hash=False)
    """How many working days each gate has to answer."""
    news: OwnerNews | None = None
    """What owners are told of outside the pages; None where nothing leaves."""

    @property
    def catalogue(self) -> Catalogue:
        return self.source.catalogue

    @property
    def manifests(self) -> Manifests:
        return self.source.manifests

    @property
    def policies(self) -> Policies:
        return self.source.policies

    @property
    def declarations(self) -> Declarations:
        return self.source.declarations

    @property
    def clock(self) -> Clock:
        return self.source.clock

    @property
    def served(self) -> ServedPolicy:
        return self.source.served

    @property
    def trusts_fleet(self) -> bool:
        return self.source.trusts_fleet


async def entry_of(server: str, desk: RegistryDesk) -> Entry:
    """Errors: NotFound."""
    entry = await desk.catalogue.entry(server)
    if entry is None:
        raise NotFound(f"no server {server!r} is registered", hint="register it: pierhead server register")
    return entry


async def version_of(server: str, version: str, desk: RegistryDesk) -> Version:
    """Errors: NotFound."""
    for kept in await desk.catalogue.versions(server):
        if kept.version == version:
            return kept
    raise NotFound(f"{server} has no version {version!r}", hint="see its versions: pierhead server show")


async def commit(change: Change, desk: RegistryDesk) -> None:
    """Write a change with its facts, and wake who follows the catalogue. Errors: Conflict (`changed-meanwhile`)."""
    await desk.catalogue.change(change, desk.clock.now())
    desk.served.note_entries()


async def put_in_force(server: str, by: str, desk: RegistryDesk) -> None:
    """Publish and serve the policy that follows from what changed of that server."""
    await publish_policy(desk.source, by, (server,))


def binding(server: str, version: str, manifest: Manifest, document: Mapping[str, Json]) -> Binding:
    """What a signature on that version is bound to.

    Access is everything that says who: rows, roles, narrowings, and what each tool declares of itself.
    """
    declared = {tool.name: [str(tool.policy), str(tool.effect), str(tool.approval)] for tool in manifest.tools}
    access: dict[str, Json] = {name: document[name] for name in _ACCESS if name in document}
    return Binding(
        server=server,
        version=version,
        tools_digest=tools_digest(manifest.instructions, manifest.tools),
        manifest_digest=document_digest({name: value for name, value in document.items() if name != "access"}),
        access_digest=document_digest({**access, "declared": declared}),
    )
