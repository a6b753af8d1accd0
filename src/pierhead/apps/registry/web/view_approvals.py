"""What the approval inbox and one approval's card show, as frozen values; the JSON twins are these.

Above: `page_approvals`, `page_approval`. Not here: what one record says to whom (`approval_shown`).
"""

from dataclasses import dataclass
from typing import Final

from pierhead.apps.registry.approval_shown import (
    CLOSED,
    OPEN,
    ApprovalLine,
    ApprovalWhole,
    Sight,
    line_of,
    sight_of,
    whole_of,
)
from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.usecases.answer_approval import seen_approval
from pierhead.usecases.ports_approvals import ApprovalFilter, Everyone, Seer
from pierhead.usecases.waiting_for import waiting_for

_OPEN_SHOWN: Final = 25
_CLOSED_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class ApprovalsView:
    """The inbox: what waits for you; what else is open, your own included; what was closed last.

    `older` is the approval after which older ones that are open go on; None at the end.
    """

    yours: tuple[ApprovalLine, ...]
    others: tuple[ApprovalLine, ...]
    closed: tuple[ApprovalLine, ...]
    to_review: tuple[ApprovalLine, ...]
    """Where the glass was broken, and nobody has looked yet: for those who review."""
    older: str | None
    now: float


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """One approval's card."""

    approval: ApprovalWhole
    now: float


async def approvals_view(site: Site, viewer: Viewer, before: str) -> ApprovalsView:
    """Newest first, at most 25 open and 20 closed; `before` is where the page before ended, if there is one."""
    sight, store = await _sight(site, viewer), site.approvals.store
    seer = _seer(site, viewer, sight)
    last = await store.one(before) if before else None
    place = (last.created_at, last.id) if last else None
    found = await store.listed(ApprovalFilter(seer, OPEN, limit=_OPEN_SHOWN + 1, before=place))
    opened = [line_of(each, sight) for each in found[:_OPEN_SHOWN]]
    shown = 0 if last else _CLOSED_SHOWN
    closed = await store.listed(ApprovalFilter(seer, CLOSED, limit=shown))
    broken = await store.listed(ApprovalFilter(Everyone(), to_review=True)) if viewer.sees_all(site) else ()
    return ApprovalsView(
        yours=tuple(line for line in opened if line.may_decide),
        others=tuple(line for line in opened if not line.may_decide),
        closed=tuple(line_of(each, sight) for each in closed),
        to_review=tuple(line_of(each, sight) for each in broken),
        older=opened[-1].id if len(found) > _OPEN_SHOWN else None,
        now=site.now(),
    )


async def approval_view(site: Site, viewer: Viewer, approval_id: str) -> ApprovalView:
    """Errors: NotFound, alike for what is not there and what is hidden."""
    sight = await _sight(site, viewer)
    record = await seen_approval(approval_id, sight.caller, site.auditors, site.approvals)
    return ApprovalView(whole_of(record, sight), site.now())


async def approvals_waiting(site: Site, viewer: Viewer) -> int:
    """How many wait for a decision of the viewer's, counted up to fifty."""
    return await waiting_for(viewer.person, viewer.groups, site.approvals)


async def _sight(site: Site, viewer: Viewer) -> Sight:
    return await sight_of(viewer.caller(site), site.auditors, site.approvals)


def _seer(site: Site, viewer: Viewer, sight: Sight) -> Seer | Everyone:
    return Everyone() if viewer.sees_all(site) else Seer(viewer.person, sight.groups)
