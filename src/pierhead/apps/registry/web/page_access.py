"""Who can reach a tool or a table through anything: the page for owners and auditors, with the review to download.

For everyone else it leads to "why may I?". Not here: what a grant is (`usecases/review_access`), who may ask
(`apps/registry/web/access`).
"""

from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.access import PERIOD_DAYS, Question, access
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import (
    Column,
    Tone,
    ago,
    count,
    decision_badge,
    effect_badge,
    empty,
    facts,
    notice,
    table,
    titled,
    to,
    visible,
)
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_why import in_words
from pierhead.core.catalog import Effect
from pierhead.core.errors import Invalid
from pierhead.usecases.review_access import Grant

_LISTED = 500
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class GrantView:
    """One grant, as the page and its twin tell it. `last_used` is 0.0 where the record of the period holds none."""

    who: str
    server: str
    tool: str
    effect: Effect
    decision: str
    within: tuple[str, ...]
    last_used: float


@dataclass(frozen=True, slots=True)
class AccessView:
    """What was asked and who can. `may_ask` is whether the viewer owns or audits anything."""

    server: str
    tool: str
    table: str
    may_ask: bool
    grants: tuple[GrantView, ...]
    total: int
    not_judged: tuple[str, ...]
    revision: int
    now: float


async def access_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    view = await access_view(site, viewer, query_of(request))
    return Shown("Access", view, lambda: _page(view))


async def access_view(site: Site, viewer: Viewer, query: dict[str, str]) -> AccessView:
    """Errors: Invalid; NotFound, for a server that is not theirs to ask about."""
    if query.keys() - {"server", "tool", "table"} or max(map(len, query.values()), default=0) > _LONGEST:
        raise Invalid("the question cannot be read", hint="ask with server, tool or table")
    question = Question(query.get("server", ""), query.get("tool", ""), query.get("table", ""))
    caller, live = viewer.caller(site), site.snapshots.current().servers.values()
    may_ask = viewer.sees_all(site) or any(each.is_callable and each.owner in viewer.groups for each in live)
    found = await access(site, caller, question) if may_ask else None
    grants = found.grants if found else ()
    return AccessView(
        server=question.server,
        tool=question.tool,
        table=question.table,
        may_ask=may_ask,
        grants=tuple(_told(each) for each in grants[:_LISTED]),
        total=len(grants),
        not_judged=found.not_judged if found else (),
        revision=site.snapshots.current().revision,
        now=site.now(),
    )


def _told(grant: Grant) -> GrantView:
    role = (f"as role {grant.role}: {', '.join(grant.operations)}",) if grant.role else ()
    surfaces = (f"through {grant.surfaces}",) if grant.surfaces != "any" else ()
    return GrantView(
        who=in_words(str(grant.holder)),
        server=grant.server,
        tool=grant.tool,
        effect=grant.effect,
        decision="ask" if grant.decision == "approval" else grant.decision,
        within=(*role, *surfaces, *grant.bounds),
        last_used=grant.last_used,
    )


def _page(view: AccessView) -> h.Node:
    return [
        heading(
            "Access",
            h.p(class_="read quiet")["Who can use a tool or reach a table, through anything, by the rules in force."],
            h.p(class_="row")[
                to("/why", "Why may I, or why may I not?"),
                to("/access/simulate", "What would another policy change?") if view.may_ask else None,
            ],
        ),
        h.div(class_="split")[
            h.div(class_="stack wide")[_grants(view)],
            h.aside(class_="stack wide side", aria_label="Ask, and the review")[_form(view), _review(view)],
        ]
        if view.may_ask
        else empty("This page answers owners of live servers, and auditors. You can ask for yourself."),
    ]


def _form(view: AccessView) -> h.Node:
    return titled(
        "Ask",
        h.form(class_="stack", method="get", action="/access")[
            _field("Tool, on any server", "tool", view.tool),
            _field("Or table, through any role", "table", view.table),
            _field("Only on this server", "server", view.server),
            h.button(class_="button main")["Ask who can"],
        ],
    )


def _field(label: str, name: str, value: str) -> h.Node:
    typed = h.input(type="text", name=name, value=visible(value) or None, maxlength=str(_LONGEST), size="24")
    return h.label(class_="field")[label, typed]


def _review(view: AccessView) -> h.Node:
    return titled(
        "Access review",
        facts([("Grants", f"{view.total:,}"), ("Policy revision", f"{view.revision:,}")]),
        h.p[h.a(href="/api/v1/access?format=csv")["All of them as CSV"]],
    )


def _grants(view: AccessView) -> h.Node:
    about = (
        f"table {view.table}" if view.table else f"tool {view.tool}" if view.tool else "everything you may ask about"
    )
    heads = [Column("Who"), Column("Server"), Column("Tool"), Column("May"), Column("Within"), Column("Last used")]
    rows: list[list[h.Node]] = [
        [
            h.bdi[visible(each.who)],
            to(f"/servers/{each.server}", h.bdi[each.server]),
            [h.code[visible(each.tool)], " ", effect_badge(each.effect)],
            decision_badge(each.decision),
            visible("; ".join(each.within)) or "no bounds",
            ago(view.now - each.last_used) if each.last_used else f"not in {PERIOD_DAYS} days",
        ]
        for each in view.grants
    ]
    return titled(
        "Who can",
        h.p(class_="quiet")[f"{count(view.total, 'grant', 'grants')} on {visible(about)}."],
        table("Who can", heads, rows) if rows else empty("Nobody can, by any rule."),
        h.p(class_="quiet")[f"The first {_LISTED} are shown; the CSV has all."] if view.total > _LISTED else None,
        _not_judged(view),
    )


def _not_judged(view: AccessView) -> h.Node:
    if not view.not_judged:
        return None
    return notice(Tone.WAIT, "There may be more.", visible(f"{'; '.join(view.not_judged)}."))
