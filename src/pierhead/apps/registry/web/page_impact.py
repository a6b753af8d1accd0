"""Time saved, with the formula beside the figure and every row it is made of.

A range comes first, over the calls whose estimate was in date, with what it covers; the gross figure stands beside it.
The page shows what did not succeed as plainly as what did. Source: docs/explanation/time-saved.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.chart import columns_chart
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.page_audit import PERIODS
from pierhead.apps.registry.web.parts import Column, count, empty, facts, folded, hours, spread, table, titled, to
from pierhead.apps.registry.web.site import DAY_S, PERIOD_DAYS, Shown, Site, Viewer
from pierhead.core.usage import ESTIMATE_DAYS, ToolUse
from pierhead.usecases.ports_records import DayOfCalls
from pierhead.usecases.report_impact import FORMULA, METHOD, RANGE_FORMULA, report_impact


@dataclass(frozen=True, slots=True)
class UseView:
    """One tool under one declaration; hours by the formulas, from the successes that count."""

    server: str
    tool: str
    calls: int
    counted: int
    users: int
    minutes: float
    low: float
    high: float
    hours: float
    hours_low: float
    hours_high: float
    covered: int
    expired: int


@dataclass(frozen=True, slots=True)
class ImpactView:
    """Time saved in the last `days`: `hours` gross, of which `hours_autonomous` without a person.

    From `hours_low` to `hours_high` over the calls with an estimate in date: `coverage` of those `counted`.
    """

    days: int
    hours: float
    hours_low: float
    hours_high: float
    hours_autonomous: float
    coverage: float | None
    expired: int
    calls: int
    counted: int
    active_users: int
    method: str
    uses: tuple[UseView, ...]
    by_day: tuple[DayOfCalls, ...]


async def impact_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    del viewer
    asked = query_of(request).get("days", "")
    days = int(asked) if asked in {str(days) for days in PERIODS} else PERIOD_DAYS
    since = site.now() - days * DAY_S
    found = await report_impact(site.records, since)
    view = ImpactView(
        days=days,
        hours=found.hours,
        hours_low=found.hours_low,
        hours_high=found.hours_high,
        hours_autonomous=found.hours_autonomous,
        coverage=found.coverage,
        expired=found.expired,
        calls=found.invocations,
        counted=found.succeeded,
        active_users=found.active_users,
        method=METHOD,
        uses=tuple(_use(use) for use in found.tools),
        by_day=tuple(await site.records.by_day(since)),
    )
    return Shown("Impact", view, lambda: _impact(view))


def _use(use: ToolUse) -> UseView:
    saved = use.saved
    return UseView(
        server=use.server,
        tool=use.tool,
        calls=use.calls,
        counted=use.succeeded,
        users=use.users,
        minutes=use.minutes,
        low=use.low,
        high=use.high,
        hours=saved.gross / 60,
        hours_low=saved.low / 60,
        hours_high=saved.high / 60,
        covered=use.covered,
        expired=use.expired,
    )


def _impact(view: ImpactView) -> h.Node:
    if not view.calls:
        return [
            heading("Impact"),
            empty(
                "No calls in this period. Each successful call counts the minutes its tool's owner declared.",
                to("/connect", "Connect a client"),
            ),
        ]
    return [
        heading(
            _headline(view),
            h.p(class_="read quiet")[
                "Owners' estimates, not measured: no time spent waiting, reviewing or correcting is taken off."
            ],
        ),
        _periods(view.days),
        facts(
            [
                ("Hours saved, low to high", spread(view.hours_low, view.hours_high) if view.coverage else "no range"),
                ("Hours saved, gross", hours(view.hours)),
                ("Coverage", f"{view.coverage or 0:.0%}"),
                ("Calls", f"{view.calls:,}"),
                ("Succeeded and counted", _share(view.counted, view.calls)),
                ("Active users", f"{view.active_users:,}"),
            ],
            kind="across figure",
        ),
        titled("How this is counted", _formula(view)),
        titled("Calls a day", _chart(view.by_day), identity="days"),
        titled("By server and tool", _table(view.uses)),
    ]


def _headline(view: ImpactView) -> str:
    if not view.coverage:
        return f"{view.hours:,.1f} hours saved in {view.days} days, gross"
    low, high = f"{view.hours_low:,.1f}", f"{view.hours_high:,.1f}"
    told = high if low == high else f"{low} to {high}"
    return f"{told} hours saved in {view.days} days"


def _periods(chosen: int) -> h.Node:
    return h.nav(class_="row", aria_label="Period")[
        (
            h.a(class_="button", href=f"/impact?days={days}", aria_current="true" if days == chosen else None)[
                f"{days} day{'s' if days > 1 else ''}"
            ]
            for days in PERIODS
        )
    ]


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({100 * part / whole:.0f}%)"


def _formula(view: ImpactView) -> h.Node:
    return [
        h.p[h.code[FORMULA]],
        h.p(class_="read")[
            f"{view.counted:,} successful calls, each with the minutes in force when it ran, make "
            f"{view.hours:,.1f} hours gross, {view.hours_autonomous:,.1f} of them by programs without a person. "
            "Refused, failed and waiting calls count nothing, nor do tools that poll or read back, and the same call "
            "repeated within a minute counts once."
        ],
        h.p[h.code[RANGE_FORMULA]],
        h.p(class_="read")[
            f"The range speaks for {view.coverage or 0:.0%} of those calls: an estimate holds for {ESTIMATE_DAYS} days "
            f"after its version was handed in. {_expired(view.expired)}"
        ],
    ]


def _expired(calls: int) -> str:
    if not calls:
        return "None of them ran on an expired one."
    return f"{count(calls, 'call', 'calls')} ran on an expired one and count 0 in the range."


def _chart(days: Sequence[DayOfCalls]) -> h.Node:
    rows = [[day.day, f"{day.calls:,}", f"{day.succeeded:,}", f"{day.refused:,}"] for day in days]
    columns = [Column("Day"), *(Column(head, is_number=True) for head in ("Calls", "Succeeded", "Refused"))]
    return [columns_chart(days), folded("The same as a table", table("Calls a day", columns, rows))]


def _table(uses: Sequence[UseView]) -> h.Node:
    heads = ("Calls", "Counted", "Users", "Minutes a call", "Hours, low to high", "Hours, gross")
    columns = [Column("Tool"), Column("Server"), *(Column(head, is_number=True) for head in heads)]
    return table("Time saved by server and tool", columns, [_row(use) for use in uses])


def _row(use: UseView) -> list[h.Node]:
    return [
        h.a(href=f"/servers/{use.server}#tool-{use.tool}")[h.code[use.tool]],
        h.bdi[use.server],
        f"{use.calls:,}",
        f"{use.counted:,}",
        f"{use.users:,}",
        f"{use.minutes:g}" if use.low == use.high or not use.high else f"{use.minutes:g} ({use.low:g} to {use.high:g})",
        _range(use),
        f"{use.hours:,.1f}",
    ]


def _range(use: UseView) -> str:
    """What counts of it in the range, and whether some of its calls ran on an estimate that was too old."""
    if not use.covered:
        return "expired" if use.expired else "none"
    return spread(use.hours_low, use.hours_high).removesuffix(" h") + (", some expired" if use.expired else "")
