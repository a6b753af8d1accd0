"""A new version of a server: the definitions that its reviewers will read and sign. Registered, not callable.

Above: pages, API, command line. Below: `registry_desk`. Not here: submitting and moving it (`advance_server`), the
live definitions of a process (`publish_manifest`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pierhead.core.audit import ServerMoved, ServerPublished
from pierhead.core.catalog import Stage
from pierhead.core.errors import Invalid
from pierhead.core.identity import Caller
from pierhead.core.review import Binding
from pierhead.usecases.check_definitions import check_definitions, refuse_hostile
from pierhead.usecases.check_entry import check_entry
from pierhead.usecases.official_forms import LATEST
from pierhead.usecases.ports_catalogue import Change, Entry, Version
from pierhead.usecases.registry_desk import RegistryDesk, binding, commit, entry_of, version_of
from pierhead.usecases.rights import is_owner, person_of, require
from pierhead.usecases.wire_forms import Manifest

_REPLACEABLE = frozenset({Stage.REGISTERED, Stage.REJECTED})
_UNSIGNED = _REPLACEABLE | {Stage.IN_REVIEW}
MOST_UNSIGNED = 50
"""How many versions of one server may wait for somebody to sign them: each is kept whole, with its packet."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What publishing gives now: a version that is kept already, or one that would be new.

    A version that its reviewers rejected is no new one. `before` is what clients get now; `upstream` where the process
    listens that told these definitions.
    """

    version: Version
    before: Version | None
    is_new: bool
    upstream: str


async def publish_version(server: str, manifest: Manifest | None, caller: Caller, desk: RegistryDesk) -> Version:
    """Keep a version with these definitions; with none, those that its process has now.

    The same again is the same version; other definitions under a name that was signed become `NAME+2`.
    Errors: NotFound; Forbidden (`not-yours`); Invalid (`no-definitions`, `unknown-narrowing`,
    `hostile-definition`, `too-many-versions`).
    """
    entry, offered = await _offered(server, manifest, caller, desk)
    return await keep_version(entry, offered, person_of(caller), desk)


async def candidate(server: str, caller: Caller, desk: RegistryDesk) -> Candidate:
    """What publishing what its process has now would give; nothing is kept. Errors: as `publish_version`."""
    entry, offered = await _offered(server, None, caller, desk)
    known = await desk.catalogue.versions(server)
    before = next((version for version in known if version.version == entry.current), None)
    alive = (version for version in known if version.stage is not Stage.RETIRED)
    same = next((version for version in alive if _has_these(version, entry, offered)), None)
    if same is not None:
        return Candidate(same, before, is_new=False, upstream=offered.upstream)
    made = new_version(entry, offered, known, person_of(caller), desk)
    return Candidate(made, before, is_new=True, upstream=offered.upstream)


async def _offered(
    server: str, manifest: Manifest | None, caller: Caller, desk: RegistryDesk
) -> tuple[Entry, Manifest]:
    """The entry, and the definitions that its owner may publish under it."""
    person_of(caller)
    entry = await entry_of(server, desk)
    require("" if is_owner(entry, caller, desk.rights) else f"{server} is published by its owner")
    offered = manifest or await desk.manifests.one(server)
    if offered is None:
        raise Invalid(
            f"nobody knows the definitions of {server} yet",
            hint="start it, or send a manifest: pierhead inspect --json",
            code="no-definitions",
        )
    check_entry(desk.declarations.read(server, entry.document), offered)
    refuse_hostile(check_definitions(server, offered, await desk.manifests.all()))
    return entry, offered


async def keep_version(entry: Entry, manifest: Manifest, by: str, desk: RegistryDesk) -> Version:
    """The version of these definitions, new or already kept. Errors: Conflict (`changed-meanwhile`)."""
    known = await desk.catalogue.versions(entry.name)
    same = next((version for version in known if _is_same(version, entry, manifest)), None)
    if same is not None:
        return same
    made = new_version(entry, manifest, known, by, desk)
    _refuse_flood(entry, made, known)
    stage = str(made.stage)
    published = ServerPublished(entry.name, made.version, stage, made.binding.tools_digest, by)
    moved = ServerMoved(entry.name, made.version, "register", stage, stage, by, "")
    await commit(Change((published, moved), versions=(made,)), desk)
    return await version_of(entry.name, made.version, desk)


def _refuse_flood(entry: Entry, made: Version, known: Sequence[Version]) -> None:
    """A server has few versions that nobody has signed. Errors: Invalid (`too-many-versions`)."""
    unsigned = sum(version.stage in _UNSIGNED for version in known)
    if made.lock == 0 and unsigned >= MOST_UNSIGNED:
        raise Invalid(
            f"{entry.name} has {unsigned} versions that nobody has signed",
            hint="have one reviewed, or retire those that nobody needs",
            code="too-many-versions",
        )


def new_version(entry: Entry, manifest: Manifest, known: Sequence[Version], by: str, desk: RegistryDesk) -> Version:
    """These definitions as a version that is registered, under a name that nothing signed bears."""
    declared = desk.declarations.read(entry.name, entry.document)
    told = declared.version or manifest.version
    name, lock = _free_name("1" if told in {"", LATEST} else told, known)
    now = desk.clock.now()
    return Version(
        server=entry.name,
        version=name,
        stage=Stage.REGISTERED,
        manifest=manifest,
        binding=binding(entry.name, name, manifest, entry.document),
        submitted_by=by,
        published_at=now,
        moved_at=now,
        reason="",
        message="",
        successor="",
        sunset_at=None,
        lock=lock,
        document=entry.document,
    )


def _free_name(wanted: str, known: Sequence[Version]) -> tuple[str, int]:
    """The name, and the lock of what it replaces: a version that was never signed gives way, any other stays."""
    by_name = {version.version: version for version in known}
    number = 1
    while True:
        name = wanted if number == 1 else f"{wanted}+{number}"
        taken = by_name.get(name)
        if taken is None:
            return name, 0
        if taken.stage in _REPLACEABLE:
            return name, taken.lock
        number += 1


def _is_same(version: Version, entry: Entry, manifest: Manifest) -> bool:
    """Whether that version is of these definitions and this entry already, and can still go somewhere."""
    return version.stage not in {Stage.RETIRED, Stage.REJECTED} and _has_these(version, entry, manifest)


def _has_these(version: Version, entry: Entry, manifest: Manifest) -> bool:
    if version.manifest.version != manifest.version:
        return False
    return unnamed(version.binding) == unnamed(binding(entry.name, "", manifest, entry.document))


def unnamed(bound: Binding) -> Binding:
    """A binding but for the version's name."""
    return replace(bound, version="")
