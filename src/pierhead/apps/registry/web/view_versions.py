"""What pages show of a server's versions: where each stands, how it came there, who signed it, what you may do.

Every step that is offered is one that `may_take` permits, so that no form leads to a refusal. Not here: the steps
themselves (`usecases/advance_server`), how it looks (`page_versions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.bootstrap.declared import OWN
from pierhead.core.catalog import CALLABLE, TRANSITIONS, Server, Stage, Step
from pierhead.core.identity import Caller
from pierhead.core.review import ChangeClass, Gate, GateState, Review, Verdict, sign_off_of
from pierhead.usecases.ports_catalogue import Entry, Move, Version
from pierhead.usecases.read_reviews import gate_states
from pierhead.usecases.rights import is_owner, may_take

_MOVES: Final = 50
#: The gate's own steps are nobody's to take by hand.
_OFFERED: Final = tuple(step for step in Step if step not in {Step.APPROVE, Step.REJECT})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the server stands: its stage, why it came there, and what clients see if it is on its way out.

    `sunset_at` is None without a date. `withheld` names the tools that nobody may use for now.
    """

    stage: Stage
    reason: str
    since: float
    notice: str
    successor: str
    sunset_at: float | None
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GateLine:
    """One gate of a review; the rest is of its last decision, and empty without one."""

    gate: Gate
    state: GateState
    verdict: Verdict | None
    by: str
    at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """One review of the server."""

    id: str
    version: str
    change: ChangeClass
    submitted_by: str
    submitted_at: float
    closed_at: float | None
    gates: tuple[GateLine, ...]


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version. `steps` are those that the viewer may take now; so is giving it to clients again."""

    version: str
    stage: Stage
    is_current: bool
    tools: int
    tools_digest: str
    submitted_by: str
    published_at: float
    moved_at: float
    reason: str
    message: str
    successor: str
    sunset_at: float | None
    conditions: tuple[str, ...]
    steps: tuple[Step, ...]
    may_roll_back: bool


@dataclass(frozen=True, slots=True)
class VersionsView:
    """All newest first; of `moves` at most fifty. `may_publish`: the viewer answers for the server."""

    lines: tuple[VersionLine, ...]
    moves: tuple[Move, ...]
    reviews: tuple[ReviewLine, ...]
    may_publish: bool
    may_enrol: bool = False
    """Whether the viewer answers for a server that its team runs."""


async def versions_view(site: Site, viewer: Viewer, entry: Entry | None, versions: Sequence[Version]) -> VersionsView:
    """The versions of one server, as the viewer may handle them."""
    if entry is None:
        return VersionsView((), (), (), may_publish=False)
    catalogue, caller = site.registry.catalogue, viewer.caller(site)
    moves = await catalogue.moves(entry.name)
    reviews = await catalogue.reviews(entry.name)
    answers = is_owner(entry, caller, site.registry.rights)
    return VersionsView(
        lines=tuple(_line(entry, version, caller, site) for version in versions),
        moves=tuple(reversed(moves[-_MOVES:])),
        reviews=tuple(review_line(review, site.now()) for review in reviews),
        may_publish=answers,
        may_enrol=answers and entry.document.get("kind") == OWN and "url" in entry.document,
    )


def _line(entry: Entry, version: Version, caller: Caller, site: Site) -> VersionLine:
    rights = site.registry.rights
    is_current = version.version == entry.current
    return VersionLine(
        version=version.version,
        stage=version.stage,
        is_current=is_current,
        tools=len(version.manifest.tools),
        tools_digest=version.binding.tools_digest,
        submitted_by=version.submitted_by,
        published_at=version.published_at,
        moved_at=version.moved_at,
        reason=version.reason,
        message=version.message,
        successor=version.successor,
        sunset_at=version.sunset_at,
        conditions=version.conditions,
        steps=tuple(
            step
            for step in _OFFERED
            if (version.stage, step) in TRANSITIONS and not may_take(entry, version, step, caller, rights)
        ),
        may_roll_back=bool(entry.current)
        and not is_current
        and version.stage in CALLABLE
        and is_owner(entry, caller, rights),
    )


def review_line(review: Review, now: float) -> ReviewLine:
    return ReviewLine(
        id=review.id,
        version=review.binding.version,
        change=review.change,
        submitted_by=review.submitted_by,
        submitted_at=review.submitted_at,
        closed_at=review.closed_at,
        gates=tuple(gate_line(review, gate, state) for gate, state in gate_states(review, now).items()),
    )


def gate_line(review: Review, gate: Gate, state: GateState) -> GateLine:
    made = sign_off_of(review, gate)
    if made is None:
        return GateLine(gate, state, None, "", 0.0, 0.0)
    return GateLine(gate, state, made.verdict, made.by, made.at, made.expires_at)


def standing_of(server: Server, entry: Entry | None, versions: Sequence[Version]) -> Standing:
    """Where the server stands by its current version, or else its newest."""
    current = next((version for version in versions if entry and version.version == entry.current), None)
    chosen = current or (versions[0] if versions else None)
    return Standing(
        stage=server.stage,
        reason=chosen.reason if chosen else "",
        since=chosen.moved_at if chosen else 0.0,
        notice=server.notice or (chosen.message if chosen else ""),
        successor=chosen.successor if chosen else "",
        sunset_at=chosen.sunset_at if chosen else None,
        withheld=tuple(tool.name for tool in server.tools.values() if tool.withheld),
    )
