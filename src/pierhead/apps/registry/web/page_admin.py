"""How the administration's page looks: the switch first, then what was stopped, what nobody answers for, who does."""

from collections.abc import Sequence

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.inputs import BLANK, Filled, area, faults, form, submit, text
from pierhead.apps.registry.web.parts import (
    GATES,
    Column,
    count,
    empty,
    facts,
    moment,
    stage_badge,
    table,
    titled,
    to,
    visible,
)
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_admin import AdminView, admin_view

_LISTED = 100


async def admin_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    del request
    return await shown_admin(site, viewer)


async def shown_admin(site: Site, viewer: Viewer, filled: Filled = BLANK) -> Shown:
    """The page, with the switch as it was filled in and what is wrong in it. Errors: Forbidden."""
    view = await admin_view(site, viewer)
    token = site.sessions.form_token(viewer.session)
    return Shown("Admin", view, lambda: _admin(view, token, filled))


def _admin(view: AdminView, token: str, filled: Filled) -> h.Node:
    return [
        heading("Admin", h.p(class_="read quiet")["Who answers for servers, and the switch that stops one at once."]),
        faults(filled),
        h.div(class_="split")[
            h.div(class_="stack wide")[_stopped(view), _unanswered(view), _owners(view), _groups(view)],
            h.aside(class_="stack wide side", aria_label="Suspend, origins, services")[
                _switch(view, token, filled), _origins(view), _workloads(view)
            ],
        ],
    ]


def _switch(view: AdminView, token: str, filled: Filled) -> h.Node:
    return titled(
        "Suspend at once",
        form(
            "/admin/suspend",
            token,
            h.p(class_="quiet")["Nobody can call it, everywhere within two seconds. Its owner can resume it."],
            text("Server", "name", filled, is_required=True, listed="live"),
            h.datalist(id="live")[(h.option(value=name) for name in view.names[:_LISTED])],
            area("Reason, for the record", "reason", filled, is_required=True),
            submit("Suspend the server", is_main=True),
        ),
    )


def _stopped(view: AdminView) -> h.Node:
    if not view.stopped:
        return titled("Stopped", empty("No server is suspended or quarantined."))
    columns = [Column("Server"), Column("Stage"), Column("Owner"), Column("Since"), Column("Reason")]
    rows: list[list[h.Node]] = [
        [
            to(f"/servers/{line.name}", h.bdi[line.name]),
            stage_badge(line.stage),
            h.bdi[visible(line.owner)],
            moment(line.since, view.now) if line.since else "not recorded",
            h.bdi[visible(line.reason)],
        ]
        for line in view.stopped
    ]
    return titled("Stopped", table("Stopped servers", columns, rows))


def _unanswered(view: AdminView) -> h.Node:
    return titled(
        "Somebody must act",
        facts(
            [
                ("Owner is no group of anybody here", _named(view.ownerless)),
                (f"Nobody called it for {view.unused_days} days", _named(view.unused)),
            ]
        ),
    )


def _named(names: Sequence[str]) -> h.Node:
    if not names:
        return "no server"
    shown = [[", " if place else "", to(f"/servers/{name}", h.bdi[name])] for place, name in enumerate(names[:_LISTED])]
    return [shown, f", and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""]


def _owners(view: AdminView) -> h.Node:
    columns = [Column("Owner"), Column("Servers", is_number=True), Column("People here", is_number=True)]
    rows: list[list[h.Node]] = [
        [h.bdi[visible(line.owner)], f"{line.servers:,}", f"{line.members:,}"] for line in view.owners[:_LISTED]
    ]
    return titled(f"Owners, {len(view.owners):,}", table("Owners", columns, rows))


def _groups(view: AdminView) -> h.Node:
    columns = [Column("Group"), Column("Decides"), Column("People here", is_number=True)]
    rows: list[list[h.Node]] = [
        [h.bdi[line.group], ", ".join(GATES[gate] for gate in line.gates) or "nothing", f"{line.members:,}"]
        for line in view.groups[:_LISTED]
    ]
    return titled("Groups", table("Groups", columns, rows))


def _origins(view: AdminView) -> h.Node:
    pairs = [(f"{origin.capitalize()}", count(number, "entry", "entries")) for origin, number in view.origins.items()]
    return titled("Where entries come from", facts(pairs) if pairs else empty("No entry yet."))


def _workloads(view: AdminView) -> h.Node:
    named = h.ul(class_="stack")[(h.li[h.code[name]] for name in view.workloads)]
    return titled("Service identities", named if view.workloads else empty("No rule names one."))
