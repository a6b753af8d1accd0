"""Fleet health: what is wrong with which server, and who must act. Changes nothing. Below: `web/concerns`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.concerns import MOST, concerns, of_kind
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import Column, Tone, badge, empty, moment, table, to, visible
from pierhead.apps.registry.web.shapes import Shape
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.usecases.fleet_health import Concern, Trouble

_WORDS: Mapping[Trouble, tuple[str, Shape, Tone]] = {
    Trouble.ERRORS: ("Does not answer", Shape.EXCLAMATION, Tone.BAD),
    Trouble.DRIFT: ("Not as signed", Shape.EXCLAMATION, Tone.BAD),
    Trouble.OWNERLESS: ("No owner", Shape.QUESTION, Tone.WAIT),
    Trouble.ENDING: ("Ends soon", Shape.QUESTION, Tone.WAIT),
    Trouble.EXPIRED_REVIEW: ("Review expired", Shape.QUESTION, Tone.WAIT),
    Trouble.EXPIRED_BASELINE: ("Estimate expired", Shape.QUESTION, Tone.WAIT),
    Trouble.UNUSED: ("Unused", Shape.QUESTION, Tone.WAIT),
    Trouble.STALE: ("Stale", Shape.QUESTION, Tone.WAIT),
}


@dataclass(frozen=True, slots=True)
class FleetView:
    """The first `MOST` concerns that the viewer may know of, `counts` of all of them by kind."""

    concerns: tuple[Concern, ...]
    counts: Mapping[str, int]
    trouble: str
    now: float


async def fleet_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    """Errors: Invalid."""
    trouble, hidden = query_of(request).get("trouble", ""), viewer.hidden(site)
    found = await concerns(site, lambda each: each.name not in hidden)
    chosen = of_kind(found, trouble) if trouble else found
    view = FleetView(chosen[:MOST], Counter(str(each.trouble) for each in found), trouble, site.now())
    return Shown("Fleet health", view, lambda: _fleet(view))


def _fleet(view: FleetView) -> h.Node:
    told = "Servers that take calls and need somebody. Nothing is refused for it."
    return [
        heading("Fleet health: who must act", h.p(class_="read quiet")[told], _kinds(view)),
        _concerns(view) if view.concerns else empty("Nothing is wrong with any server that you may know of."),
    ]


def _kinds(view: FleetView) -> h.Node:
    links = [
        [to(f"/fleet-health?trouble={each}", f"{_WORDS[each][0]} ({view.counts[each]:,})"), " "]
        for each in Trouble
        if view.counts.get(each)
    ]
    return h.p[to("/fleet-health", "All"), " ", links] if links else None


def _concerns(view: FleetView) -> h.Node:
    columns = [Column("Server"), Column("What"), Column("Why"), Column("Since"), Column("Who must act")]
    return table("Concerns", columns, [_row(each, view.now) for each in view.concerns])


def _row(concern: Concern, now: float) -> list[h.Node]:
    word, shape, tone = _WORDS[concern.trouble]
    where = f" in {visible(concern.where)}" if concern.where else ""
    return [
        to(f"/servers/{concern.server}", concern.server),
        badge(word, shape, tone),
        visible(concern.sentence),
        moment(concern.since, now) if concern.since else "not known",
        [h.bdi[visible(concern.must_act)], where],
    ]
