"""What the review queue shows, as one frozen value: what waits for you, what waits for others, what was decided.

Above: `page_reviews`; the top bar counts by `waiting_for`. Not here: one review (`view_review`), deciding (`sign_off`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.core.identity import Caller
from pierhead.core.reminding import Urgency, urgency_of
from pierhead.core.review import OPENING, ChangeClass, Gate, GateState, Review, sign_off_of
from pierhead.usecases.read_reviews import gate_states
from pierhead.usecases.rights import may_decide

_CLOSED: Final = 20


@dataclass(frozen=True, slots=True)
class AskedGate:
    """One gate that applies. `group` is who is asked, empty if nobody is; `by` who decided last, empty before."""

    gate: Gate
    state: GateState
    group: str
    due_at: float
    is_overdue: bool
    urgency: Urgency | None
    is_yours: bool
    by: str


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One review. `missing` are the gates that have not opened; `closed_at` is None while it waits."""

    id: str
    server: str
    version: str
    change: ChangeClass
    submitted_by: str
    submitted_at: float
    closed_at: float | None
    gates: tuple[AskedGate, ...]
    missing: tuple[Gate, ...]


@dataclass(frozen=True, slots=True)
class ReviewsView:
    """The queue, the oldest first; `closed` the newest first, at most twenty."""

    yours: tuple[QueueLine, ...]
    others: tuple[QueueLine, ...]
    closed: tuple[QueueLine, ...]
    now: float


async def reviews_view(site: Site, viewer: Viewer) -> ReviewsView:
    """Every review that waits, yours first, and the last that were decided, of what the viewer may know of."""
    caller, catalogue = viewer.caller(site), site.registry.catalogue
    seen = {name for name, entry in (await catalogue.entries()).items() if viewer.may_see(site, entry)}
    waiting = [queue_line(each, caller, site) for each in await catalogue.open_reviews() if each.binding.server in seen]
    all_reviews = await catalogue.reviews()
    closed = [each for each in all_reviews if each.closed_at is not None and each.binding.server in seen]
    return ReviewsView(
        yours=tuple(line for line in waiting if any(gate.is_yours for gate in line.gates)),
        others=tuple(line for line in waiting if not any(gate.is_yours for gate in line.gates)),
        closed=tuple(queue_line(review, caller, site) for review in closed[:_CLOSED]),
        now=site.now(),
    )


async def waiting_for(site: Site, viewer: Viewer) -> int:
    """How many reviews wait for a decision of the viewer's; who reviews nothing costs no look."""
    if viewer.groups.isdisjoint(site.registry.rights.reviewers.values()):
        return 0
    caller = viewer.caller(site)
    reviews: Sequence[Review] = await site.registry.catalogue.open_reviews()
    return sum(any(gate.is_yours for gate in asked_gates(review, caller, site)) for review in reviews)


def queue_line(review: Review, caller: Caller, site: Site) -> QueueLine:
    gates = asked_gates(review, caller, site)
    return QueueLine(
        id=review.id,
        server=review.binding.server,
        version=review.binding.version,
        change=review.change,
        submitted_by=review.submitted_by,
        submitted_at=review.submitted_at,
        closed_at=review.closed_at,
        gates=gates,
        missing=tuple(gate.gate for gate in gates if gate.state not in OPENING),
    )


def asked_gates(review: Review, caller: Caller, site: Site) -> tuple[AskedGate, ...]:
    """The gates that apply, as the viewer meets them."""
    rights, now, due = site.registry.rights, site.now(), dict(review.due_at)
    found: list[AskedGate] = []
    for gate, state in gate_states(review, now).items():
        if state is GateState.NOT_REQUIRED:
            continue
        is_waiting = state not in OPENING and state is not GateState.REJECTED and review.closed_at is None
        made = sign_off_of(review, gate)
        found.append(
            AskedGate(
                gate=gate,
                state=state,
                group=rights.reviewers.get(gate, ""),
                due_at=due.get(gate, 0.0),
                is_overdue=is_waiting and gate in due and due[gate] < now,
                urgency=urgency_of(review, gate, now),
                is_yours=is_waiting and not may_decide(review, gate, caller, rights),
                by=made.by if made else "",
            )
        )
    return tuple(found)
