"""How people answer approvals, and what rules come to: for auditors, with what is proposed for review.

The measures themselves: `core/fatigue`. Nothing is changed from here: a rule is loosened by a reviewed policy alone.
"""

from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import Column, Tone, badge, empty, table, titled, to, visible
from pierhead.apps.registry.web.shapes import Shape
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.core.fatigue import Fatigue, PersonFatigue, RuleFatigue, Thresholds
from pierhead.usecases.measure_fatigue import DAYS, MOST_RECORDS, FatigueDesk, measure_fatigue


@dataclass(frozen=True, slots=True)
class FatigueView:
    """What the last `days` say, of at most `most` records, and from when on a habit is told."""

    fatigue: Fatigue
    thresholds: Thresholds
    days: int
    most: int


async def fatigue_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    """Errors: Forbidden (`not-yours`), for everyone but auditors."""
    del request
    desk = FatigueDesk(site.approvals.store, site.auditors, site.thresholds)
    found = await measure_fatigue(viewer.caller(site), site.now(), desk)
    view = FatigueView(found, site.thresholds, DAYS, MOST_RECORDS)
    return Shown("Habits of approving", view, lambda: _habits(view))


def _habits(view: FatigueView) -> h.Node:
    at = view.thresholds
    return [
        heading(
            "Habits of approving",
            h.p(class_="read quiet")[
                f"The last {view.days} days, {view.fatigue.records:,} approvals, the newest {view.most:,} at most. "
                f"A rule whose calls are approved more often than {at.approved:.0%} over {at.cases} cases is proposed "
                f"for review; {at.fast_times} decisions under {at.fast_s:g} s are flagged. Neither changes anything."
            ],
            h.p[to("/approvals", "All approvals")],
        ),
        titled("Rules", _rules(view.fatigue.rules) if view.fatigue.rules else empty("No rule has asked anybody yet.")),
        titled("People", _people(view.fatigue.people) if view.fatigue.people else empty("Nobody has decided yet.")),
    ]


def _rules(rules: tuple[RuleFatigue, ...]) -> h.Node:
    names = ("Cases", "Approved", "Denied", "Expired", "Median s", "Wait s")
    columns = [Column("Rule"), Column("Call"), *(Column(name, is_number=True) for name in names), Column("Habit")]
    return table("Rules", columns, [_rule(each) for each in rules])


def _rule(rule: RuleFatigue) -> list[h.Node]:
    return [
        visible(rule.rule) or "no rule",
        [h.code[visible(rule.tool)], " on ", h.bdi[visible(rule.server)]],
        f"{rule.cases:,}",
        f"{rule.approved:.0%}",
        f"{rule.denied:.0%}",
        f"{rule.expired:.0%}",
        "none" if rule.median_s is None else f"{rule.median_s:,.0f}",
        f"{rule.waited_s:,.0f}",
        badge("Review it", Shape.QUESTION, Tone.WAIT) if rule.is_proposed else "nothing to note",
    ]


def _people(people: tuple[PersonFatigue, ...]) -> h.Node:
    names = ("Decisions", "A day", "Busiest day", "Median s", "Denied", "Fast")
    columns = [Column("Person"), *(Column(name, is_number=True) for name in names), Column("Habit")]
    return table("People", columns, [_person(each) for each in people])


def _person(person: PersonFatigue) -> list[h.Node]:
    return [
        h.bdi[visible(person.person)],
        f"{person.decisions:,}",
        f"{person.a_day:g}",
        f"{person.busiest:,}",
        f"{person.median_s:,.0f}",
        f"{person.denied:.0%}",
        f"{person.fast:,}",
        badge("Too fast to read", Shape.EXCLAMATION, Tone.WAIT) if person.is_flagged else "nothing to note",
    ]
