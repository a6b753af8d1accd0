"""What one review shows, as one frozen value: what would be signed, how it differs, who signed, what you may decide.

Exactly what is signed: the version's own definitions and its entry as it was submitted, with their digests. Not here:
deciding (`usecases/sign_off`), how it looks (`page_review`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pierhead.apps.registry.web.differences import (
    MemberDifference,
    ToolDifference,
    entry_differences,
    tool_differences,
    words,
)
from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.apps.registry.web.view_reviews import AskedGate, QueueLine, asked_gates, queue_line
from pierhead.core.catalog import Effect, Risk, Stage, Tool
from pierhead.core.definitions import definition
from pierhead.core.errors import NotFound
from pierhead.core.finding import Finding
from pierhead.core.identity import Party, User
from pierhead.core.json import Json
from pierhead.core.packet import PartKind, packet_digest
from pierhead.core.reach import Row
from pierhead.core.review import Binding, Comment, Gate, Review, SignOff
from pierhead.core.token_weight import token_weight
from pierhead.usecases.check_definitions import check_definitions, check_document
from pierhead.usecases.entry_shown import shown
from pierhead.usecases.ports_catalogue import Entry, Version
from pierhead.usecases.read_packet import Packet, packet_of, part_of
from pierhead.usecases.rights import is_owner, may_decide
from pierhead.usecases.wire_forms import Manifest


@dataclass(frozen=True, slots=True)
class ExactTool:
    """One tool as it would be signed: `definition` is what clients are shown."""

    name: str
    effect: Effect
    approval: str
    policy: str
    tokens: int
    definition: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class GateView:
    """One gate: who is asked, what was decided, and why you cannot decide; empty if you can."""

    asked: AskedGate
    why_not: str
    last: SignOff | None


@dataclass(frozen=True, slots=True)
class ChangesView:
    """What differs from `before`, the version that clients get now; empty for a first one."""

    before: str
    instructions: MemberDifference | None
    tools: tuple[ToolDifference, ...]
    entry: tuple[MemberDifference, ...]


@dataclass(frozen=True, slots=True)
class PacketView:
    """What was handed in. `is_other`: not what this review was opened with; `may_keep`: the files are yours to read.

    `tokens_before` is what each tool of the version before weighs.
    """

    packet: Packet
    is_other: bool
    may_keep: bool
    tokens_before: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ReviewView:
    """One review. `is_as_submitted`: the version still is what this review was opened for.

    `access` is who would reach it, as declared.
    """

    line: QueueLine
    stage: Stage
    owner: str
    registered_by: str
    reason: str
    binding: Binding
    is_as_submitted: bool
    gates: tuple[GateView, ...]
    decisions: tuple[SignOff, ...]
    comments: tuple[Comment, ...]
    changes: ChangesView
    findings: tuple[Finding, ...]
    risk: Risk
    access: tuple[str, ...]
    access_before: tuple[str, ...]
    gains: tuple[str, ...]
    """People who are known here, and would reach it with this version and do not now; `loses` the other way round."""
    loses: tuple[str, ...]
    instructions: str
    tools: tuple[ExactTool, ...]
    tokens: int
    document: Mapping[str, Json]
    packet: PacketView
    now: float


async def review_view(site: Site, viewer: Viewer, review_id: str) -> ReviewView:
    """One review.

    Errors: NotFound.
    """
    review, entry, versions = await seen_review(site, viewer, review_id)
    version = next((each for each in versions if each.version == review.binding.version), None)
    if version is None:
        raise NotFound(f"review {review_id!r} is of a version that is gone", hint="see the queue of reviews")
    before, packet = _before(entry, version, versions), await packet_of(version, site.registry)
    kept = PacketView(
        packet=packet,
        is_other=version.binding == review.binding and packet_digest(packet.parts) != review.packet_digest,
        may_keep=may_keep(site, viewer, entry),
        tokens_before={tool.name: _weight(tool) for tool in before.manifest.tools} if before else {},
    )
    return _view(site, viewer, review, entry, (version, before, kept))


async def reviewed_part(site: Site, viewer: Viewer, review_id: str, kind: PartKind) -> tuple[Version, bytes]:
    """The bytes of a part, and the version that it is of. Errors: NotFound, also where it is not theirs to read."""
    review, entry, versions = await seen_review(site, viewer, review_id)
    version = next((each for each in versions if each.binding == review.binding), None)
    if version is None or not may_keep(site, viewer, entry):
        raise NotFound("no such part, or not yours to see", hint="see the queue of reviews")
    return version, await part_of(version, kind, site.registry)


def may_keep(site: Site, viewer: Viewer, entry: Entry) -> bool:
    """Whether the files of a packet are theirs to read: owners, reviewers, auditors."""
    rights = site.registry.rights
    reviews = not viewer.groups.isdisjoint(rights.reviewers.values())
    return reviews or viewer.sees_all(site) or is_owner(entry, viewer.caller(site), rights)


async def seen_review(site: Site, viewer: Viewer, review_id: str) -> tuple[Review, Entry, Sequence[Version]]:
    """The review, its server's entry and versions. Errors: NotFound, alike for what is not there and what is hidden."""
    review = await site.registry.catalogue.review(review_id)
    entry = await site.registry.catalogue.entry(review.binding.server) if review else None
    if review is None or entry is None or not viewer.may_see(site, entry):
        raise NotFound(f"no review {review_id!r}", hint="see the queue of reviews")
    return review, entry, await site.registry.catalogue.versions(entry.name)


def _before(entry: Entry, version: Version, versions: Sequence[Version]) -> Version | None:
    """The version that clients get now, unless it is this one."""
    return next((each for each in versions if each.version == entry.current and each is not version), None)


def _view(
    site: Site, viewer: Viewer, review: Review, entry: Entry, about: tuple[Version, Version | None, PacketView]
) -> ReviewView:
    version, before, packet = about
    caller = viewer.caller(site)
    tools = tuple(_exact(tool) for tool in version.manifest.tools)
    (risk, rows), rows_before = _declared(site, entry.name, version), _rows_before(site, entry.name, before)
    reach, reached = _people(site, rows), _people(site, rows_before)
    return ReviewView(
        line=queue_line(review, caller, site),
        stage=version.stage,
        owner=review.owner,
        registered_by=review.registered_by,
        reason=version.reason if version.stage is Stage.IN_REVIEW else "",
        binding=review.binding,
        is_as_submitted=version.binding == review.binding,
        gates=tuple(
            GateView(asked, may_decide(review, asked.gate, caller, site.registry.rights), _last(review, asked.gate))
            for asked in asked_gates(review, caller, site)
        ),
        decisions=review.sign_offs,
        comments=review.comments,
        changes=_changes(before, version),
        findings=_findings(site, entry.name, version),
        risk=risk,
        access=tuple(str(row.who) for row in rows),
        access_before=tuple(str(row.who) for row in rows_before),
        gains=tuple(sorted(reach - reached)),
        loses=tuple(sorted(reached - reach)),
        instructions=version.manifest.instructions,
        tools=tools,
        tokens=sum(tool.tokens for tool in tools),
        document=shown(version.document),
        packet=packet,
        now=site.now(),
    )


def _findings(site: Site, name: str, version: Version) -> tuple[Finding, ...]:
    """What the checks say of it beside the servers that clients know."""
    others = {
        server.name: Manifest(server.version, "", "", tuple(server.tools.values()))
        for server in site.snapshots.current().servers.values()
    }
    declared = check_document(name, version.document, others)
    return (*declared, *check_definitions(name, version.manifest, others))


def _last(review: Review, gate: Gate) -> SignOff | None:
    return next((made for made in reversed(review.sign_offs) if made.gate is gate), None)


def _exact(tool: Tool) -> ExactTool:
    return ExactTool(
        name=tool.name,
        effect=tool.effect,
        approval=str(tool.approval),
        policy=str(tool.policy),
        tokens=_weight(tool),
        definition=definition(tool),
    )


def _weight(tool: Tool) -> int:
    return token_weight(tool.name, tool.description, (tool.input_schema, tool.output_schema))


def _changes(before: Version | None, after: Version) -> ChangesView:
    if before is None:
        return ChangesView("", None, (), ())
    old, new = before.manifest, after.manifest
    return ChangesView(
        before=before.version,
        instructions=_instructions(old, new),
        tools=tool_differences(old.tools, new.tools),
        entry=entry_differences(shown(before.document), shown(after.document)),
    )


def _instructions(old: Manifest, new: Manifest) -> MemberDifference | None:
    if old.instructions == new.instructions:
        return None
    return MemberDifference("instructions", words(old.instructions, new.instructions), is_lines=False)


def _declared(site: Site, name: str, version: Version) -> tuple[Risk, Sequence[Row]]:
    """The risk and the rows of access, as that version's own entry declares them."""
    declared = site.registry.declarations.read(name, version.document)
    return declared.risk, declared.rows


def _rows_before(site: Site, name: str, before: Version | None) -> Sequence[Row]:
    return _declared(site, name, before)[1] if before else ()


def _people(site: Site, rows: Sequence[Row]) -> frozenset[str]:
    """Everyone who signs in here and whom one of these rows admits, from wherever it does."""
    people, issuer = site.tokens.people, site.tokens.terms.people_of
    users = (User(issuer, name, people.groups(name) or frozenset()) for name in people.names())
    return frozenset(user.subject for user in users if any(row.who.admits(user, Party.PERSON) for row in rows))
