"""Time saved, with the formula beside the figure and every row it is made of.

The figure is gross: successful calls times what owners estimate. The page says so first, and shows what did not
succeed as plainly as what did. Source: docs/explanation/time-saved.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.chart import columns_chart
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.page_audit import PERIODS
from pierhead.apps.registry.web.parts import Column, empty, facts, folded, hours, table, titled, to
from pierhead.apps.registry.web.site import DAY_S, PERIOD_DAYS, Shown, Site, Viewer
from pierhead.core.usage import ToolUse, hours_saved
from pierhead.usecases.ports_records import DayOfCalls


@dataclass(frozen=True, slots=True)
class UseView:
    """One tool under one declaration; `hours` by the formula, from the successes that count."""

    server: str
    tool: str
    calls: int
    counted: int
    users: int
    minutes: float
    hours: float


@dataclass(frozen=True, slots=True)
class ImpactView:
    """Gross time saved in the last `days`."""

    days: int
    hours: float
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
    uses = await site.records.uses(since)
    view = ImpactView(
        days=days,
        hours=hours_saved(uses),
        calls=sum(use.calls for use in uses),
        counted=sum(use.succeeded for use in uses),
        active_users=await site.records.active_users(since),
        method="gross: sum over tools of successful calls x declared minutes / 60; owners' estimates",
        uses=tuple(_use(use) for use in uses),
        by_day=tuple(await site.records.by_day(since)),
    )
    return Shown("Impact", view, lambda: _impact(view))


def _use(use: ToolUse) -> UseView:
    return UseView(use.server, use.tool, use.calls, use.succeeded, use.users, use.minutes, hours_saved([use]))


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
            f"{view.hours:,.1f} hours saved in {view.days} days",
            h.p(class_="read quiet")[
                "Gross, from owners' estimates: no time spent waiting, reviewing or correcting is taken off."
            ],
        ),
        _periods(view.days),
        facts(
            [
                ("Hours saved, gross", hours(view.hours)),
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
    return f"{part:,} ({100 * part / whole:.0f} %)"


def _formula(view: ImpactView) -> h.Node:
    return [
        h.p[h.code["hours = sum over tools of (successful calls x minutes declared) / 60"]],
        h.p(class_="read")[
            f"{view.counted:,} successful calls, each with the minutes in force when it ran, make "
            f"{view.hours:,.1f} hours. Refused, failed and waiting calls count "
            "nothing, and the same call repeated within a minute counts once."
        ],
    ]


def _chart(days: Sequence[DayOfCalls]) -> h.Node:
    rows = [[day.day, f"{day.calls:,}", f"{day.succeeded:,}", f"{day.refused:,}"] for day in days]
    columns = [Column("Day"), *(Column(head, is_number=True) for head in ("Calls", "Succeeded", "Refused"))]
    return [columns_chart(days), folded("The same as a table", table("Calls a day", columns, rows))]


def _table(uses: Sequence[UseView]) -> h.Node:
    heads = ("Calls", "Counted", "Users", "Minutes a call", "Hours saved")
    columns = [Column("Tool"), Column("Server"), *(Column(head, is_number=True) for head in heads)]
    return table("Time saved by server and tool", columns, [_row(use) for use in uses])


def _row(use: UseView) -> list[h.Node]:
    return [
        h.a(href=f"/servers/{use.server}#tool-{use.tool}")[h.code[use.tool]],
        h.bdi[use.server],
        f"{use.calls:,}",
        f"{use.counted:,}",
        f"{use.users:,}",
        f"{use.minutes:g}",
        f"{use.hours:,.1f}",
    ]
