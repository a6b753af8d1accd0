"""How a server's health looks: a sentence first, then its last looks as a strip, what it needs, and what changed.

Above: `page_server`. Not here: what is shown (`view_health`).
"""

from collections.abc import Iterable
from typing import Any, Final

import htpy as h

from pierhead.apps.registry.web.parts import (
    CONDITIONS,
    Column,
    Tone,
    absolute,
    ago,
    condition_badge,
    count,
    duration,
    empty,
    facts,
    folded,
    moment,
    notice,
    table,
    titled,
    to,
    visible,
)
from pierhead.apps.registry.web.view_health import HealthView, Mark
from pierhead.core.health import FLAP_CHANGES, FLAP_WINDOW_S, Condition, Dependency, Probe, Span, VersionLooks

_rect: Any = h.Element("rect")
_title: Any = h.Element("title")
_HEIGHT: Final = 24
_STEP: Final = 10
#: How high a mark stands, so that nobody needs its colour.
_HEIGHTS: Final = {Condition.UP: 24, Condition.DEGRADED: 14, Condition.DOWN: 5}
_MINUTES: Final = f"{FLAP_WINDOW_S / 60:g} minutes"


def health_notice(view: HealthView) -> h.Node:
    """Only where something is unusual, and without alarm."""
    if view.condition is Condition.FLAPPING:
        return notice(
            Tone.WAIT, "Unsteady.", "Some calls may fail and work when tried again.", to("#health", "Since when")
        )
    return None


def health_section(view: HealthView, now: float) -> h.Node:
    last = view.last
    if last is None:
        return titled("Health", empty("Nobody has looked at it yet. Looks begin once it runs."), identity="health")
    return titled(
        "Health",
        h.p(class_="row")[condition_badge(view.condition), h.span[_sentence(view, last)]],
        _strip(view.marks),
        facts(_facts(view, last, now), kind="across"),
        _needs(view.dependencies),
        folded("What the looks found", h.div(class_="stack")[_history(view.spans, now), _versions(view.versions, now)]),
        identity="health",
    )


def _sentence(view: HealthView, last: Probe) -> str:
    reason = visible(last.reason)
    match view.condition:
        case Condition.UP:
            return f"It answers, and all it needs does too; the last answer took {duration(last.latency_ms)}."
        case Condition.DEGRADED:
            return f"It answers, but {reason or 'something is not well'}."
        case Condition.DOWN:
            return f"It does not answer: {reason or 'no reason was told'}. Other servers are not affected."
        case Condition.FLAPPING:
            return _flapping(view)
        case Condition.UNKNOWN:
            return "Nobody looked at it lately, so nothing is known of it now."


def _flapping(view: HealthView) -> str:
    several = count(len(view.changes), "time", "times")
    at_least = "at least " if len(view.changes) >= FLAP_CHANGES else ""
    return (
        f"It changed {at_least}{several} in the last {_MINUTES}. That is told once, not each time, "
        f"until it was steady for {_MINUTES}."
    )


def _strip(marks: tuple[Mark, ...]) -> h.Node:
    """The last looks, oldest at the left; the drawing is stretched to its place, so words stand outside it."""
    good = sum(mark.looks for mark in marks if mark.condition is Condition.UP)
    looks = sum(mark.looks for mark in marks)
    said = f"{count(looks, 'look', 'looks')}, oldest at the left. High is up, half is degraded, low is down."
    return h.figure(class_="stack")[
        h.svg(
            viewBox=f"0 0 {len(marks) * _STEP} {_HEIGHT}",
            width="100%",
            height=str(_HEIGHT),
            preserveAspectRatio="none",
            role="img",
            aria_label=said,
        )[_title[said], (_bar(mark, index) for index, mark in enumerate(marks))],
        h.div(class_="ends")[
            h.span["since ", absolute(marks[0].since)],
            h.span["always up" if good == looks else "high is up, half is degraded, low is down"],
        ],
    ]


def _bar(mark: Mark, index: int) -> h.Node:
    word, _, tone = CONDITIONS[mark.condition]
    height = _HEIGHTS[mark.condition]
    return _rect(
        class_=str(tone),
        fill="var(--tone)",
        x=str(index * _STEP + 1),
        y=str(_HEIGHT - height),
        width=str(_STEP - 2),
        height=str(height),
    )[_title[word]]


def _facts(view: HealthView, last: Probe, now: float) -> Iterable[tuple[str, h.Node]]:
    yield "Since", moment(view.since, now)
    yield "Last answered", moment(view.seen_at, now) if view.seen_at else "never"
    yield "Last look", f"{ago(now - last.at)}, {duration(last.latency_ms)}"
    yield "Definitions it shows", _digest(last)


def _digest(last: Probe) -> h.Node:
    if not last.tools_digest:
        return "not told at the last look"
    said = "as published" if last.is_as_published else "not as published"
    return [f"{said} ", h.code[visible(last.tools_digest[:12])]]


def _needs(dependencies: tuple[Dependency, ...]) -> h.Node:
    if not dependencies:
        return h.p(class_="quiet")["It told of nothing that it needs."]
    columns = [Column("What it needs"), Column("State"), Column("As the server tells")]
    return table("What it needs", columns, [_need(one) for one in dependencies])


def _need(one: Dependency) -> list[h.Node]:
    return [h.bdi[visible(one.name)], condition_badge(one.condition), h.bdi[visible(one.reason)] if one.reason else "-"]


def _history(spans: tuple[Span, ...], now: float) -> h.Node:
    columns = [Column("Since"), Column("Found"), Column("Version"), Column("Looks", is_number=True), Column("Reason")]
    return table("What the looks found, newest first", columns, [_span(span, now) for span in spans])


def _span(span: Span, now: float) -> list[h.Node]:
    return [
        moment(span.since, now),
        condition_badge(span.condition),
        h.bdi[visible(span.version)] if span.version else "-",
        f"{span.looks:,}",
        h.bdi[visible(span.reason)] if span.reason else "-",
    ]


def _versions(versions: tuple[VersionLooks, ...], now: float) -> h.Node:
    columns = [Column("Version"), Column("Answered", is_number=True), Column("Last look"), Column("Definitions")]
    rows: list[list[h.Node]] = [
        [
            h.bdi[visible(each.version)] if each.version else "not told",
            f"{each.answered:,} of {each.looks:,}",
            moment(each.last.at, now),
            _digest(each.last),
        ]
        for each in versions
    ]
    return table("By version", columns, rows)
