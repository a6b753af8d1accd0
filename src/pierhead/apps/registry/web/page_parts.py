"""Every part in every state, from the real functions: to judge looks by, and for the tests of contrast and axe."""

from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import (
    CONDITIONS,
    DECISIONS,
    OUTCOMES,
    PROCESSES,
    Column,
    Tone,
    condition_badge,
    decision_badge,
    duration,
    effect_badge,
    empty,
    exact,
    exact_json,
    facts,
    folded,
    moment,
    notice,
    outcome_badge,
    process_badge,
    stage_badge,
    table,
    titled,
    to,
    why,
)
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.core.catalog import Effect, Stage
from pierhead.core.health import Condition


@dataclass(frozen=True, slots=True)
class PartsView:
    """Every value that has a badge."""

    stages: tuple[Stage, ...]
    effects: tuple[Effect, ...]
    decisions: tuple[str, ...]
    outcomes: tuple[str, ...]
    processes: tuple[str, ...]
    conditions: tuple[Condition, ...]
    now: float


async def parts_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    del viewer, request
    view = PartsView(
        tuple(Stage),
        tuple(Effect),
        tuple(DECISIONS),
        (*OUTCOMES, "cannot-reach"),
        (*PROCESSES, "unknown"),
        tuple(CONDITIONS),
        site.now(),
    )
    return Shown("Parts", view, lambda: _parts(view))


def _parts(view: PartsView) -> h.Node:
    return [
        heading("Parts", h.p(class_="read quiet")["What pages are made of, in every state."]),
        titled("Stages", h.p(class_="row")[(stage_badge(stage) for stage in view.stages)]),
        titled("Effects", h.p(class_="row")[(effect_badge(effect) for effect in view.effects)]),
        titled("Decisions", h.p(class_="row")[(decision_badge(decision) for decision in view.decisions)]),
        titled("Outcomes", h.p(class_="row")[(outcome_badge(outcome) for outcome in view.outcomes)]),
        titled("Processes", h.p(class_="row")[(process_badge(state) for state in view.processes)]),
        titled("Health", h.p(class_="row")[(condition_badge(condition) for condition in view.conditions)]),
        titled("Notices", *(_notice(tone) for tone in _TINTS)),
        titled("Buttons", _buttons()),
        titled("Facts", facts([("Owner", "data-platform"), ("Support", "#data-help")], kind="across")),
        titled("Why", why(_RULES), folded("Unmatched rules", why(_RULES[:1]))),
        titled("Table", _table(view.now)),
        titled("Exact", exact("select 1", "A statement"), exact_json({"sql": "[text 118]"}, "Arguments, as kept")),
        titled("Empty", empty("Nothing is here yet. What would be here, and how to begin, stands in this place.")),
    ]


_TINTS = (Tone.NOTE, Tone.GOOD, Tone.WAIT, Tone.BAD)
_RULES = (
    ("permit", "warehouse.access[0]", "access admits group:data-eng"),
    ("ask", "airflow.clear_task.approval", "clear_task is write and declared to need approve"),
    ("forbid", "airflow.clear_task.narrowed", "the fleet narrows clear_task to group:data-admin"),
)


def _notice(tone: Tone) -> h.Node:
    return notice(tone, "Policy is stale.", "Only reads run.", to("/servers", "Why"))


def _buttons() -> h.Node:
    return h.p(class_="row")[
        h.a(class_="button main", href="#content")["Continue as alice"],
        h.a(class_="button", href="#content")["Decline"],
    ]


def _table(now: float) -> h.Node:
    columns = [Column("Name"), Column("When"), Column("Took", is_number=True)]
    long_name = "a_name_that_is_as_long_as_names_may_be_in_this_registry_and_then_some"
    rows: list[list[h.Node]] = [
        [h.code["run_query"], moment(now - 90, now), duration(4.23)],
        [h.code[long_name], moment(now - 86_400, now), duration(1234.0)],
        [h.bdi["שם מימין לשמאל"], moment(now - 5, now), duration(None)],
    ]
    return table("An example", columns, rows)
