"""When the people who are asked to sign are reminded: at half their time, at its end, and beyond it others hear of it.

Pure: times come in. Above: `usecases/remind_reviewers` tells, the queue shows. Not here: how long a gate has
(`review.due_at`), who is a member of which group.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pierhead.core.review import OPENING, Gate, GateState, Review, state_of


class Urgency(StrEnum):
    """How far the time of a gate has run; in this order."""

    HALF = "half"
    """Half of it has passed: its reviewers are reminded."""
    DUE = "due"
    """All of it has passed: its reviewers are reminded again."""
    ESCALATED = "escalated"
    """Half as much again has passed: administrators are told."""


_PARTS: Final = {Urgency.HALF: 0.5, Urgency.DUE: 1.0, Urgency.ESCALATED: 1.5}


@dataclass(frozen=True, slots=True)
class Reminder:
    """One gate of one review that waits, and how far its time has run. `due_at`: seconds since 1970-01-01 UTC."""

    review_id: str
    server: str
    version: str
    gate: Gate
    urgency: Urgency
    due_at: float


def urgency_of(review: Review, gate: Gate, now: float) -> Urgency | None:
    """How far the time of that gate has run; None before half of it, and for a gate that waits for nobody."""
    due = dict(review.due_at).get(gate)
    if due is None or review.closed_at is not None or not _is_waiting(review, gate, now):
        return None
    passed = now - review.submitted_at
    reached = [urgency for urgency, part in _PARTS.items() if passed >= part * (due - review.submitted_at)]
    return reached[-1] if reached else None


def reminders_of(review: Review, now: float) -> tuple[Reminder, ...]:
    """What is to be told of a review at `now`: of each gate only the last that was reached, however many passed."""
    bound = review.binding
    return tuple(
        Reminder(review.id, bound.server, bound.version, gate, urgency, due)
        for gate, due in review.due_at
        if (urgency := urgency_of(review, gate, now)) is not None
    )


def _is_waiting(review: Review, gate: Gate, now: float) -> bool:
    """A gate that sent the version back or refused it waits for its owner, not for its reviewers."""
    state = state_of(review, gate, now)
    return state not in OPENING | {GateState.NOT_REQUIRED, GateState.CHANGES_REQUESTED, GateState.REJECTED}
