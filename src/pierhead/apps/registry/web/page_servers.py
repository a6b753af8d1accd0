"""How the catalogue looks: search and filters, then one line for each server, the ones you can call first."""

from dataclasses import replace
from urllib.parse import urlencode

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.inputs import choice
from pierhead.apps.registry.web.parts import (
    Column,
    condition_badge,
    count,
    empty,
    in_words,
    process_badge,
    stage_badge,
    table,
    to,
    visible,
)
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_servers import ServerLine, ServersAsked, ServersView, servers_view
from pierhead.core.health import Condition

_DIGITS = 6
_OWNERS = 200
_UNWELL = frozenset({Condition.DOWN, Condition.DEGRADED, Condition.FLAPPING})


async def servers_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    view = await servers_view(site, viewer, _asked(query_of(request)))
    return Shown("Servers", view, lambda: _servers(view))


def _asked(query: dict[str, str]) -> ServersAsked:
    page = query.get("page", "")
    return ServersAsked(
        search=query.get("search", "").strip(),
        stage=query.get("stage", ""),
        owner=query.get("owner", "").strip(),
        page=int(page) if page.isascii() and page.isdigit() and len(page) < _DIGITS else 1,
    )


def _servers(view: ServersView) -> h.Node:
    columns = [
        Column("Server"),
        Column("What it does"),
        Column("You"),
        Column("Owner"),
        Column("Stage"),
        Column(f"Calls, {view.days} days", is_number=True),
    ]
    return [
        heading(
            _title(view),
            h.p(class_="read quiet")["Systems that AI agents can work with, and what you may do."],
            h.p[to("/servers/register", "Register a server"), " ", to("/fleet-health", "Fleet health: who must act")],
        ),
        _search(view),
        table("Servers", columns, [_line(line) for line in view.servers]) if view.servers else _none(view.asked),
        _pager(view),
    ]


def _title(view: ServersView) -> str:
    narrowed = " found" if _is_narrowed(view.asked) else ""
    first = f"{in_words(view.found)} server{'' if view.found == 1 else 's'}{narrowed}."
    return f"{first} {in_words(view.callable) if view.callable else 'None'} you can call."


def _is_narrowed(asked: ServersAsked) -> bool:
    return bool(asked.search or asked.stage or asked.owner)


def _search(view: ServersView) -> h.Node:
    asked = view.asked
    stages = {"": "any", **{stage: str(stage).replace("-", " ") for stage in view.stages}}
    return h.form(class_="filters", method="get", action="/servers", role="search")[
        h.label(class_="field")[
            "Search name, purpose, tools, owner",
            h.input(type="search", name="search", value=asked.search, size="28", maxlength="200"),
        ],
        choice("Stage", "stage", stages, asked.stage),
        h.label(class_="field")[
            "Owner", h.input(type="text", name="owner", value=asked.owner, size="16", maxlength="200", list="owners")
        ],
        h.datalist(id="owners")[(h.option(value=owner) for owner in view.owners[:_OWNERS] if visible(owner) == owner)],
        h.button(class_="button")["Search"],
        to("/servers", "Show all") if _is_narrowed(asked) else None,
    ]


def _none(asked: ServersAsked) -> h.Node:
    if asked.search:
        return empty(f'No server\'s name, purpose, tools or owner holds "{visible(asked.search)}".')
    if _is_narrowed(asked):
        return empty("No server fits.")
    return empty("Servers appear here once a fleet file names them.", h.code["pierhead up --fleet fleet.yaml"])


def _line(line: ServerLine) -> list[h.Node]:
    return [
        _name(line),
        _purpose(line),
        _you(line),
        to(_address(ServersAsked(owner=line.owner)), h.bdi[visible(line.owner)]),
        h.span(class_="row")[stage_badge(line.stage), _unwell(line)],
        f"{line.calls:,}",
    ]


def _name(line: ServerLine) -> h.Node:
    link = h.a(href=f"/servers/{line.name}")[h.bdi[line.name]]
    return h.div[link, h.div(class_="quiet")[h.bdi[visible(line.title)]]] if line.title else link


def _purpose(line: ServerLine) -> h.Node:
    more = [
        f"{count(line.withheld, 'tool', 'tools')} withheld." if line.withheld else "",
        visible(line.notice),
    ]
    said = " ".join(part for part in more if part)
    return h.div[h.bdi[visible(line.description)], h.div(class_="quiet")[said] if said else None]


def _you(line: ServerLine) -> h.Node:
    if line.you_may_call == 0:
        return h.span(class_="quiet")["No tool"]
    return f"{line.you_may_call} of {count(line.tools, 'tool', 'tools')}"


def _unwell(line: ServerLine) -> h.Node:
    """Only what is unusual, and one badge for it: a server that runs and answers needs none."""
    if line.process.state not in {"", "running"}:
        return process_badge(line.process.state)
    return condition_badge(line.condition) if line.condition in _UNWELL else None


def _pager(view: ServersView) -> h.Node:
    if view.pages == 1:
        return None
    page = view.asked.page
    return h.nav(class_="row", aria_label="More servers")[
        to(_address(replace(view.asked, page=page - 1)), "Previous") if page > 1 else None,
        h.span(class_="quiet")[f"Page {page} of {view.pages}"],
        to(_address(replace(view.asked, page=page + 1)), "Next") if page < view.pages else None,
    ]


def _address(asked: ServersAsked) -> str:
    """The list so narrowed; only what restricts stands in the address."""
    page = str(asked.page) if asked.page > 1 else ""
    wanted = {"search": asked.search, "stage": asked.stage, "owner": asked.owner, "page": page}
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"/servers?{query}" if query else "/servers"
