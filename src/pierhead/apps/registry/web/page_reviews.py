"""How the review queue looks: what waits for you first, then for others, then what was decided."""

from collections.abc import Sequence

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import (
    GATES,
    Column,
    Tone,
    badge,
    count,
    day,
    empty,
    folded,
    gate_badge,
    in_words,
    moment,
    table,
    titled,
    to,
    visible,
)
from pierhead.apps.registry.web.shapes import Shape
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_reviews import AskedGate, QueueLine, ReviewsView, reviews_view
from pierhead.core.reminding import Urgency


async def reviews_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    del request
    view = await reviews_view(site, viewer)
    return Shown("Reviews", view, lambda: _reviews(view))


def _reviews(view: ReviewsView) -> h.Node:
    return [
        heading(_title(view), h.p(class_="read quiet")["Versions whose definitions and access people sign."]),
        titled("Waiting for you", _queue("Waiting for you", view.yours, view.now) if view.yours else _nothing()),
        titled("Waiting for others", _queue("Waiting for others", view.others, view.now)) if view.others else None,
        folded(f"Decided, the last {len(view.closed)}", _queue("Decided", view.closed, view.now))
        if view.closed
        else None,
    ]


def _title(view: ReviewsView) -> str:
    waiting = len(view.yours) + len(view.others)
    first = f"{in_words(waiting)} review{'' if waiting == 1 else 's'} open."
    yours = in_words(len(view.yours)) if view.yours else "None"
    return f"{first} {yours} wait{'' if len(view.yours) > 1 else 's'} for you."


def _nothing() -> h.Node:
    return empty("Nothing is waiting for you. When a version needs a signature of your group, it appears here.")


def _queue(label: str, lines: Sequence[QueueLine], now: float) -> h.Node:
    columns = [Column("Version"), Column("Change"), Column("Submitted"), Column("Who is asked")]
    return table(label, columns, [_line(line, now) for line in lines])


def _line(line: QueueLine, now: float) -> list[h.Node]:
    return [
        to(f"/reviews/{line.id}", [h.bdi[line.server], " ", h.bdi[visible(line.version)]]),
        change_words(line),
        h.div[moment(line.submitted_at, now), h.div(class_="quiet")["by ", h.bdi[visible(line.submitted_by)]]],
        h.div(class_="stack")[(asked_line(gate, now) for gate in line.gates)],
    ]


def change_words(line: QueueLine) -> str:
    missing = count(len(line.missing), "signature", "signatures")
    ended = "closed" if line.closed_at is not None else f"{missing} missing"
    return f"{str(line.change).capitalize()}, {ended}"


def asked_line(gate: AskedGate, now: float) -> h.Element:
    """One gate in one line: its name, where it stands, whom it waits for."""
    return h.div(class_="row")[
        h.span[GATES[gate.gate]],
        gate_badge(gate.state),
        _urgency(gate),
        h.span(class_="quiet")[_whom(gate, now)],
    ]


def _urgency(gate: AskedGate) -> h.Node:
    """How far its time has run, in the words of the reminders."""
    if gate.urgency is Urgency.ESCALATED:
        return badge("Escalated", Shape.EXCLAMATION, Tone.BAD)
    if gate.is_overdue:
        return badge("Overdue", Shape.CLOCK, Tone.BAD)
    return badge("Half its time passed", Shape.HOURGLASS, Tone.WAIT) if gate.urgency is Urgency.HALF else None


def _whom(gate: AskedGate, now: float) -> h.Node:
    if gate.by:
        return ["by ", h.bdi[visible(gate.by)]]
    if not gate.group:
        return "nobody: no group is named for it"
    return [f"{gate.group}, due ", day(gate.due_at), f", {_left(gate.due_at - now)}"]


def _left(seconds: float) -> str:
    """How long is left, in days that are begun."""
    days = int(abs(seconds) // 86_400)
    whole = count(days, "day", "days") if days else "less than a day"
    return f"in {whole}" if seconds > 0 else f"{whole} ago"
