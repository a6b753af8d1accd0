"""What came of a simulation: who gains first, then everything else that would be decided otherwise; or how far it is.

Not here: the form (`page_simulate`), the comparison (`usecases/simulate_policy`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import (
    Column,
    Tone,
    absolute,
    ago,
    badge,
    count,
    decision_badge,
    empty,
    facts,
    notice,
    table,
    titled,
    to,
    visible,
)
from pierhead.apps.registry.web.shapes import Shape
from pierhead.apps.registry.web.simulations import Started
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.usecases.simulate_policy import Change, Moved, Unjudged

LISTED: Final = 200
_WIDENS: Final = frozenset({Moved.GAINS, Moved.ASKS_NO_MORE, Moved.ASKS_LESS})
_MOVES: Final = {
    Moved.GAINS: ("Gains", Shape.EXCLAMATION, Tone.WAIT),
    Moved.ASKS_NO_MORE: ("Need not ask", Shape.EXCLAMATION, Tone.WAIT),
    Moved.ASKS_LESS: ("Must ask less", Shape.EXCLAMATION, Tone.WAIT),
    Moved.LOSES: ("Loses", Shape.BAR, Tone.BAD),
    Moved.ASKS: ("Must ask", Shape.QUESTION, Tone.NOTE),
    Moved.ASKS_MORE: ("Must ask more", Shape.QUESTION, Tone.NOTE),
}


@dataclass(frozen=True, slots=True)
class SimulationView:
    """One simulation, running or done. `changes` and `reach` begin with what widens; `widens` and `narrows` count whom.

    `done` of `total` decisions were made; times are seconds since 1970-01-01 UTC.
    """

    id: str
    is_running: bool
    failed: bool
    done: int
    total: int
    since: float
    revision: int
    current_revision: int
    servers: tuple[str, ...]
    judged_calls: int
    widens: tuple[str, ...]
    narrows: tuple[str, ...]
    changes: tuple[Change, ...]
    reach: tuple[Change, ...]
    not_judged: tuple[Unjudged, ...]
    is_cut: bool
    now: float


async def simulation_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    """Errors: NotFound."""
    started = site.simulations.find(str(request.path_params["id"]), viewer.person)
    view = _view(started, site)
    return Shown("Simulation", view, lambda: _page(view))


def _view(started: Started, site: Site) -> SimulationView:
    found = started.found
    changes, reach = (found.changes, found.reach) if found else ((), ())
    moved = (*changes, *reach)
    return SimulationView(
        id=started.id,
        is_running=started.is_running,
        failed=started.failed,
        done=started.progress.done,
        total=started.progress.total,
        since=started.since,
        revision=started.revision,
        current_revision=site.snapshots.current().revision,
        servers=started.touched,
        judged_calls=found.judged if found else 0,
        widens=tuple(sorted({each.who for each in moved if each.moved in _WIDENS})),
        narrows=tuple(sorted({each.who for each in moved if each.moved not in _WIDENS})),
        changes=changes,
        reach=reach,
        not_judged=found.unjudged if found else (),
        is_cut=bool(found and found.is_cut),
        now=site.now(),
    )


def _page(view: SimulationView) -> h.Node:
    head = heading(
        "What this policy would change",
        h.p(class_="read quiet")["Nothing of it is in force, and nothing was published."],
        h.p(class_="row")[to("/access/simulate", "Simulate another"), to("/access", "Who can, as it is")],
    )
    if view.failed:
        again = "Start it again; if it fails again, the registry's log says why."
        return [head, notice(Tone.BAD, "The simulation failed.", again)]
    if view.is_running:
        return [head, _progress(view)]
    return [
        head,
        _verdict(view),
        h.div(class_="split")[
            h.div(class_="stack wide")[_calls(view), _reach(view), _not_judged(view)],
            h.aside(class_="stack wide side", aria_label="About the simulation")[_about(view)],
        ],
    ]


def _progress(view: SimulationView) -> h.Node:
    told = f"{view.done:,} of {view.total:,} decisions" if view.total else "It waits for its turn, or reads the record."
    place = f"/access/simulations/{view.id}"
    bar = h.progress(
        aria_label="Decisions made", max=str(max(view.total, 1)), value=str(view.done), data_of=f"{place}.json"
    )
    return h.div(class_="stack")[
        h.p(role="status")[bar, " ", h.span(data_told=True)[told]],
        h.p[to(place, "Look again")],
        h.script(src="/-/static/simulation.js", defer=True),
    ]


def _verdict(view: SimulationView) -> h.Node:
    if view.revision != view.current_revision:
        moved = f"Compared with revision {view.revision:,}; {view.current_revision:,} is in force by now."
        return [notice(Tone.WAIT, "The policy changed meanwhile.", moved), _who(view)]
    return _who(view)


def _who(view: SimulationView) -> h.Node:
    if view.widens:
        named = visible(", ".join(view.widens[:5]))
        more = f" and {len(view.widens) - 5:,} more" if len(view.widens) > 5 else ""  # noqa: PLR2004 - those named
        return notice(Tone.WAIT, f"{count(len(view.widens), 'caller gains', 'callers gain')}:", f"{named}{more}.")
    if view.narrows:
        return notice(
            Tone.NOTE, "Nobody gains.", f"{count(len(view.narrows), 'caller', 'callers')} would lose or must ask."
        )
    return notice(Tone.GOOD, "Nothing changes", "for the calls that were replayed, and for everyone who is known.")


def _calls(view: SimulationView) -> h.Node:
    heads = [*_HEADS, Column("Calls", is_number=True), Column("Last"), Column("Why")]
    rows = [
        [*_cells(each), f"{each.calls:,}", ago(view.now - each.last_at), visible(each.why)]
        for each in view.changes[:LISTED]
    ]
    return titled(
        "Recorded calls",
        table("Recorded calls that would be decided otherwise", heads, rows)
        if rows
        else empty(f"None of the {view.judged_calls:,} judged calls would be decided otherwise."),
        _more(len(view.changes)),
    )


def _reach(view: SimulationView) -> h.Node:
    rows = [[*_cells(each), visible(each.why)] for each in view.reach[:LISTED]]
    return titled(
        "Everyone who is known",
        table("Who would gain or lose, whether they called or not", [*_HEADS, Column("Why")], rows)
        if rows
        else empty("Nobody who is known by name would gain, lose or have to ask."),
        _more(len(view.reach)),
    )


_HEADS: Final = (Column("Change"), Column("Who"), Column("Server, tool"), Column("From"), Column("To"))


def _cells(change: Change) -> Sequence[h.Node]:
    place = [to(f"/servers/{change.server}", h.bdi[visible(change.server)]), " ", h.code[visible(change.tool)]]
    through = h.span(class_="quiet")[f" through {visible(change.surface)}" if change.surface else ""]
    who = [h.bdi[visible(change.who)], through]
    return badge(*_MOVES[change.moved]), who, place, _decision(change.before), _decision(change.after)


def _decision(word: str) -> h.Node:
    """The decision as a badge; where two that ask differ, with what each asks for."""
    decision, _, asked = word.partition(" ")
    return [decision_badge("ask" if decision == "approval" else decision), f" {asked}" if asked else None]


def _more(total: int) -> h.Node:
    return (
        h.p(class_="quiet")[f"The first {LISTED} of {total:,} are shown; the files have more."]
        if total > LISTED
        else None
    )


def _not_judged(view: SimulationView) -> h.Node:
    if not view.not_judged:
        return None
    heads = [Column("What"), Column("Calls", is_number=True), Column("Why")]
    rows = [[visible(each.what), f"{each.calls:,}", visible(each.why)] for each in view.not_judged[:LISTED]]
    return titled("Not judged", table("What was not judged, and why", heads, rows), _more(len(view.not_judged)))


def _about(view: SimulationView) -> h.Node:
    files = f"/api/v1/policy/simulations/{view.id}"
    return [
        titled(
            "About",
            facts(
                [
                    ("Calls since", absolute(view.since)),
                    ("Calls judged", f"{view.judged_calls:,}"),
                    ("Decisions made", f"{view.total:,}"),
                    ("Policy revision", f"{view.revision:,}"),
                    ("Servers that differ", visible(", ".join(view.servers[:20])) or "none"),
                ]
            ),
            h.p(class_="quiet")["There is more than is judged or kept: name fewer servers, or a shorter time."]
            if view.is_cut
            else None,
        ),
        titled(
            "Take it along",
            h.p(class_="row")[h.a(href=f"{files}?format=csv")["As CSV"], h.a(href=f"{files}?format=json")["As JSON"]],
            h.p(class_="quiet")["For an hour, for you alone."],
        ),
    ]
