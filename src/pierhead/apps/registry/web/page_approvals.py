"""How the approval inbox looks: what waits for you first, then what else is open, then what was closed."""

from collections.abc import Sequence
from typing import Final

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.approval_shown import ApprovalLine
from pierhead.apps.registry.web.card import question
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.live import inbox_mark, staying
from pierhead.apps.registry.web.parts import (
    Column,
    Tone,
    absolute,
    badge,
    count,
    empty,
    folded,
    in_words,
    moment,
    table,
    titled,
    to,
    visible,
)
from pierhead.apps.registry.web.shapes import Shape
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_approvals import ApprovalsView, approvals_view
from pierhead.core.approval import Approval, ApprovalState

_STATES: Final = {
    ApprovalState.PENDING: ("Pending", Shape.HOURGLASS, Tone.WAIT),
    ApprovalState.APPROVED: ("Approved", Shape.CHECK, Tone.GOOD),
    ApprovalState.DENIED: ("Denied", Shape.CROSS, Tone.BAD),
    ApprovalState.EXPIRED: ("Expired", Shape.CLOCK, Tone.FLAT),
    ApprovalState.CANCELLED: ("Withdrawn", Shape.DASH, Tone.FLAT),
    ApprovalState.SUPERSEDED: ("Superseded", Shape.DASH, Tone.FLAT),
    ApprovalState.EXECUTING: ("Running", Shape.DOTS, Tone.NOTE),
    ApprovalState.CONSUMED: ("Used", Shape.CHECK, Tone.FLAT),
    ApprovalState.FAILED_UNKNOWN: ("Unknown end", Shape.EXCLAMATION, Tone.BAD),
}
CLASSES: Final = {
    Approval.CONFIRM: "your own confirmation",
    Approval.APPROVE: "one other person",
    Approval.FOUR_EYES: "two other people",
}


async def approvals_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    before = request.query_params.get("before", "")
    view = await approvals_view(site, viewer, before)
    waiting = f" ({len(view.yours)})" if view.yours else ""
    return Shown(f"Approvals{waiting}", view, lambda: _approvals(view) if before else _staying(view))


def _staying(view: ApprovalsView) -> h.Node:
    return staying("/approvals/stream", inbox_mark(view), _approvals(view))


def state_badge(state: ApprovalState) -> h.Element:
    return badge(*_STATES[state])


def _approvals(view: ApprovalsView) -> h.Node:
    return [
        heading(_title(view), h.p(class_="read quiet")["Calls that run only once people agree to exactly these."]),
        titled(
            "Waiting for you",
            _list("Waiting for you", view.yours, view.now) if view.yours else _nothing(),
            h.p[to("/approvals/batch", "Answer several on one page")] if len(view.yours) > 1 else None,
        ),
        titled("To be reviewed", _list("To be reviewed", view.to_review, view.now)) if view.to_review else None,
        titled("Also open", _list("Also open", view.others, view.now)) if view.others else None,
        h.p[to(f"/approvals?before={view.older}", "Older calls that are open")] if view.older else None,
        folded(f"Closed, the last {len(view.closed)}", _list("Closed", view.closed, view.now)) if view.closed else None,
    ]


def _title(view: ApprovalsView) -> str:
    waiting = len(view.yours)
    if not waiting:
        return "Nothing waits for your approval."
    return f"{in_words(waiting)} {'call waits' if waiting == 1 else 'calls wait'} for your approval."


def _nothing() -> h.Node:
    return empty("Nothing is waiting for you. When a call needs a yes of your group, it appears here.")


def _list(label: str, lines: Sequence[ApprovalLine], now: float) -> h.Node:
    columns = [Column("Call"), Column("State"), Column("Asked"), Column("Needs"), Column("Until")]
    return table(label, columns, [_line(line, now) for line in lines])


def _line(line: ApprovalLine, now: float) -> list[h.Node]:
    return [
        h.div[to(f"/approvals/{line.id}", question(line)), _where(line)],
        state_badge(line.state),
        h.div[moment(line.created_at, now), h.div(class_="quiet")["by ", h.bdi[visible(line.requester)]]],
        needs(line),
        absolute(line.expires_at),
    ]


def _where(line: ApprovalLine) -> h.Element:
    return h.div(class_="quiet")[h.code[visible(line.tool)], " on ", h.bdi[visible(line.server)]]


def needs(line: ApprovalLine) -> str:
    """Whose yes it takes, and how many there are."""
    if line.approval is Approval.CONFIRM:
        return CLASSES[line.approval]
    groups = " or ".join(line.approvers) or "nobody: no group is named"
    so_far = f", {len(line.approved_by)} of {line.required}" if line.required > 1 else ""
    if line.approval is Approval.FOUR_EYES and line.required == 1:
        return f"{CLASSES[Approval.APPROVE]} of {groups}, since the glass was broken"
    return f"{CLASSES.get(line.approval, count(line.required, 'person', 'people'))} of {groups}{so_far}"
