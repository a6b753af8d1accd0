"""The operator's fleet file in the catalogue: its servers are entries, and what they first say under one is signed.

With `registry.review = "trust-fleet"` the operator vouches for what the file declares (docs/decisions/0023): the first
definitions under an entry are deployed, each gate waived by `fleet`; again when the entry changes or, for kinds of our
own, the program's version. Any later change is drift. Above: the registry's start, `publish_manifest`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from pierhead.core.audit import EntryChanged, ServerMoved, ServerPublished
from pierhead.core.audit_reviews import ReviewDecided, ReviewOpened
from pierhead.core.catalog import CALLABLE, Stage, Step
from pierhead.core.errors import Conflict
from pierhead.core.json import Json
from pierhead.core.review import Gate, Review, SignOff, Verdict, expires_at
from pierhead.usecases.open_review import open_review
from pierhead.usecases.ports_catalogue import Change, Entry, Move, Origin, Version
from pierhead.usecases.publish_version import new_version
from pierhead.usecases.register_server import changed_members
from pierhead.usecases.registry_desk import RegistryDesk, binding, commit
from pierhead.usecases.wire_forms import Manifest

FLEET: Final = "fleet"
REASON: Final = "declared in the operator's fleet file"
_LEFT: Final = "left the fleet file"


async def enter_fleet(documents: Mapping[str, Mapping[str, Json]], desk: RegistryDesk) -> None:
    """Make an entry of every server of the fleet file; those that left it and are the fleet's are suspended.

    Errors: Conflict (`name-taken`), for a name that somebody registered; Invalid (`bad-entry`).
    """
    known = await desk.catalogue.entries()
    taken = sorted(name for name in documents if name in known and known[name].origin is not Origin.FLEET)
    if taken:
        raise Conflict(
            f"the fleet file names servers that somebody registered: {', '.join(taken)}",
            hint="rename them in the fleet file, or retire the registered ones",
            code="name-taken",
        )
    changed = [_changed(name, document, known.get(name), desk) for name, document in documents.items()]
    entries = [entry for entry in changed if entry is not None]
    left = [entry for name, entry in known.items() if entry.origin is Origin.FLEET and name not in documents]
    gone = [change for entry in left if (change := await _left(entry, desk)) is not None]
    facts = [EntryChanged(entry.name, _members(entry, known), FLEET) for entry in entries]
    if entries:
        await commit(Change(tuple(facts), entries=tuple(entries)), desk)
    for change in gone:
        await commit(change, desk)


def _changed(name: str, document: Mapping[str, Json], before: Entry | None, desk: RegistryDesk) -> Entry | None:
    if before is None:
        return Entry(name, document, Origin.FLEET, FLEET, desk.clock.now(), current="", lock=0)
    return replace(before, document=document) if changed_members(before.document, document) else None


def _members(entry: Entry, known: Mapping[str, Entry]) -> tuple[str, ...]:
    before = known.get(entry.name)
    return changed_members(before.document if before else {}, entry.document)


async def _left(entry: Entry, desk: RegistryDesk) -> Change | None:
    """A server that the fleet file no longer names is callable no longer; its history stays."""
    versions = await desk.catalogue.versions(entry.name)
    callable_ones = [version for version in versions if version.stage in CALLABLE]
    if not callable_ones:
        return None
    moved = [_moved(version, Step.SUSPEND, Stage.SUSPENDED, _LEFT, desk) for version in callable_ones]
    facts = tuple(_fact(move) for _, move in moved)
    return Change(facts, versions=tuple(after for after, _ in moved), moves=tuple(move for _, move in moved))


def is_vouched(entry: Entry, current: Version | None, manifest: Manifest, desk: RegistryDesk) -> bool:
    """Whether the operator vouches for these definitions: the first under this entry, or of a newer program of ours."""
    if not desk.trusts_fleet or entry.origin is not Origin.FLEET:
        return False
    if current is None or _has_left(current):
        return True
    if current.stage not in CALLABLE:
        return False  # a person stopped it, and only a person lets it go on
    now = binding(entry.name, current.version, current.manifest, entry.document)
    if now != current.binding:
        return True
    declared = desk.declarations.read(entry.name, entry.document)
    is_ours = not declared.is_guest and not declared.place
    return is_ours and manifest.version != current.manifest.version


def _has_left(version: Version) -> bool:
    return version.stage is Stage.SUSPENDED and version.reason == _LEFT


async def vouch(entry: Entry, manifest: Manifest, desk: RegistryDesk) -> None:
    """Deploy these definitions, each gate waived by the fleet file. Errors: Conflict (`changed-meanwhile`)."""
    known = await desk.catalogue.versions(entry.name)
    before = next((version for version in known if version.version == entry.current), None)
    made = new_version(entry, manifest, known, FLEET, desk)
    review = _waived(entry, made, before, desk)
    deployed, move = _moved(made, Step.DEPLOY, Stage.DEPLOYED, REASON, desk)
    older = [version for version in known if version.stage is Stage.DEPLOYED and version.submitted_by == FLEET]
    ended = [_moved(version, Step.RETIRE, Stage.RETIRED, "followed by a newer one", desk) for version in older]
    change = Change(
        facts=(*_facts(deployed, review), _fact(move), *(_fact(each) for _, each in ended)),
        entries=(replace(entry, current=deployed.version),),
        versions=(deployed, *(version for version, _ in ended)),
        moves=(move, *(each for _, each in ended)),
        reviews=(review,),
    )
    await commit(change, desk)


def _waived(entry: Entry, version: Version, before: Version | None, desk: RegistryDesk) -> Review:
    """The review of a version that nobody looked at: it says so, gate by gate, and until when that holds."""
    review = open_review(entry, version, before, (FLEET, ()), desk)
    data_class = desk.declarations.read(entry.name, version.document).risk.data_class
    now = review.submitted_at
    waivers = tuple(_waiver(gate, expires_at(gate, data_class, now), now) for gate in sorted(review.required))
    return replace(review, due_at=(), sign_offs=waivers, closed_at=now)


def _waiver(gate: Gate, until: float, now: float) -> SignOff:
    return SignOff(gate, Verdict.WAIVE, FLEET, now, REASON, (), (), until, waiver_owner=FLEET)


def _moved(version: Version, step: Step, target: Stage, reason: str, desk: RegistryDesk) -> tuple[Version, Move]:
    """The operator's own step, beside TRANSITIONS: from whatever stage it has."""
    now = desk.clock.now()
    move = Move(version.server, version.version, step, version.stage, target, FLEET, now, reason)
    return replace(version, stage=target, moved_at=now, reason=reason), move


def _fact(move: Move) -> ServerMoved:
    return ServerMoved(
        move.server, move.version, str(move.step), str(move.source), str(move.target), move.by, move.reason
    )


def _facts(version: Version, review: Review) -> Iterable[ServerPublished | ReviewOpened | ReviewDecided]:
    bound = version.binding
    yield ServerPublished(bound.server, bound.version, str(version.stage), bound.tools_digest, FLEET)
    yield ReviewOpened.of(review)
    for made in review.sign_offs:
        yield ReviewDecided.of(review, made)
