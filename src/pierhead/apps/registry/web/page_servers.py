"""How the pages of servers look: the catalogue and one server."""

from collections.abc import Iterable

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.page_audit import calls_table
from pierhead.apps.registry.web.parts import (
    Column,
    Tone,
    ago,
    count,
    decision_badge,
    effect_badge,
    empty,
    exact,
    exact_json,
    facts,
    folded,
    in_words,
    notice,
    process_badge,
    stage_badge,
    table,
    titled,
    to,
    why,
)
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_data import KINDS
from pierhead.apps.registry.web.view_servers import (
    ServerLine,
    ServersView,
    ServerView,
    ToolView,
    server_view,
    servers_view,
)
from pierhead.core.usage import Minutes


async def servers_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    view = await servers_view(site, viewer, query_of(request).get("search", "").strip())
    return Shown("Servers", view, lambda: _servers(view))


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
        heading(_title(view), h.p(class_="read quiet")["Systems that AI agents can work with, and what you may do."]),
        _search(view.search),
        table("Servers", columns, [_line(line) for line in view.servers]) if view.servers else _none(view.search),
    ]


def _title(view: ServersView) -> str:
    number = len(view.servers)
    first = f"{in_words(number)} server{'' if number == 1 else 's'}{' found' if view.search else ''}."
    return f"{first} {in_words(view.callable) if view.callable else 'None'} you can call."


def _search(search: str) -> h.Node:
    return h.form(class_="filters", method="get", action="/servers", role="search")[
        h.label(class_="field")[
            "Search name, purpose, owner", h.input(type="search", name="search", value=search, size="28")
        ],
        h.button(class_="button")["Search"],
        to("/servers", "Show all") if search else None,
    ]


def _none(search: str) -> h.Node:
    if search:
        return empty(f'No server\'s name, purpose or owner holds "{search}".')
    return empty("Servers appear here once a fleet file names them.", h.code["pierhead up --fleet fleet.yaml"])


def _line(line: ServerLine) -> list[h.Node]:
    return [
        h.a(href=f"/servers/{line.name}")[h.bdi[line.name]],
        line.description,
        _you(line),
        h.bdi[line.owner],
        h.span(class_="row")[stage_badge(line.stage), _unwell(line)],
        f"{line.calls:,}",
    ]


def _you(line: ServerLine) -> h.Node:
    if line.you_may_call == 0:
        return h.span(class_="quiet")["No tool"]
    return f"{line.you_may_call} of {count(line.tools, 'tool', 'tools')}"


def _unwell(line: ServerLine) -> h.Node:
    """Only what is unusual: a server that runs needs no second badge."""
    return process_badge(line.process.state) if line.process.state not in {"", "running"} else None


async def server_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    view = await server_view(site, viewer, request)
    return Shown(view.name, view, lambda: _server(view))


def _server(view: ServerView) -> h.Node:
    return [
        heading(
            h.bdi[view.name],
            h.p(class_="row")[
                stage_badge(view.stage),
                process_badge(view.process.state),
                h.span(class_="quiet")[f"version {view.version} · {view.kind}"],
            ],
            h.p(class_="read")[view.description],
            h.p[to(f"/servers/{view.name}/data", "Browse its data")] if view.kind in KINDS else None,
        ),
        _process_notice(view),
        h.div(class_="split")[
            h.div(class_="stack wide")[_tools(view.tools), _activity(view)],
            h.aside(class_="stack wide side", aria_label="About this server")[
                _connect(view), _checked(view), _said(view)
            ],
        ],
    ]


def _process_notice(view: ServerView) -> h.Node:
    if view.process.state in {"", "running"}:
        return None
    since = ago(view.now - view.process.since)
    reason = f" {view.process.reason}." if view.process.reason else ""
    tone = Tone.BAD if view.process.state == "failed" else Tone.WAIT
    return notice(
        tone, f"{view.process.state.capitalize()}.", f"Since {since}.{reason} Other servers are not affected."
    )


def _tools(tools: Iterable[ToolView]) -> h.Node:
    listed = [_tool(tool) for tool in tools]
    return titled("Tools", *(listed or [empty("This server has not published its tools yet.")]))


def _tool(tool: ToolView) -> h.Node:
    return h.section(class_="tool stack", id=f"tool-{tool.name}")[
        h.div(class_="row")[h.h3[h.code[tool.name]], effect_badge(tool.effect), decision_badge(tool.you.decision)],
        h.p(class_="read")[tool.description],
        h.p(class_="quiet")[_saves(tool.minutes)],
        h.p[h.strong["You: "], _sentence(tool.you.sentence), _whom(tool.you.whom_to_ask)],
        folded("Why", _why(tool)),
        folded("Input and output", h.div(class_="stack")[_schemas(tool)]),
    ]


def _sentence(sentence: str) -> str:
    return f"{sentence}."


def _whom(whom: str) -> h.Node:
    return f" {whom[:1].upper()}{whom[1:]}." if whom else None


def _saves(minutes: Minutes) -> str:
    stated = minutes.low != minutes.high
    spread = f", between {minutes.low:g} and {minutes.high:g}" if stated else ""
    return f"Saves about {minutes.mode:g} min a call{spread} (owner's {minutes.method})"


def _why(tool: ToolView) -> h.Node:
    declared = f"declared for {tool.policy}" + (f", narrowed by the fleet to {tool.narrowed}" if tool.narrowed else "")
    return h.div(class_="stack")[
        why((rule.effect, rule.rule, rule.sentence) for rule in tool.you.rules),
        h.p(class_="quiet")[f"The tool is {declared}. Approval: {tool.approval}. Time limit: {tool.timeout_s:g} s."],
    ]


def _schemas(tool: ToolView) -> h.Node:
    return [
        exact_json(tool.input_schema, f"Input schema of {tool.name}"),
        exact_json(tool.output_schema, f"Output schema of {tool.name}"),
    ]


def _activity(view: ServerView) -> h.Node:
    whose = "Last calls" if view.sees_all else "Your last calls"
    if not view.last_calls:
        return titled(whose, empty("No calls yet. Connect a client, and they appear here with their reasons."))
    return titled(whose, calls_table(whose, view.last_calls, view.now, of_one_server=True), identity="activity")


def _connect(view: ServerView) -> h.Node:
    if all(tool.you.decision == "refuse" for tool in view.tools):
        return titled("Connect", h.p[f"You can call no tool here. Ask {view.owner} in {view.support}."])
    return titled(
        "Connect",
        *(
            h.div(class_="stack")[h.h3[snippet.client], exact(snippet.text, f"Line for {snippet.client}")]
            for snippet in view.connect[:2]
        ),
        h.p[to("/connect", "Other clients")],
    )


def _checked(view: ServerView) -> h.Node:
    return titled(
        "Checked by Pierhead",
        facts(
            [
                ("Open to", h.div(class_="stack")[(h.code[who] for who in view.access)] if view.access else "nobody"),
                ("Address", h.code[view.url]),
                ("Policy revision", str(view.revision)),
                ("Tools", str(len(view.tools))),
            ]
        ),
    )


def _said(view: ServerView) -> h.Node:
    return titled(
        "Said by the owner",
        facts([("Owner", h.bdi[view.owner]), ("Support", h.bdi[view.support]), ("Version", h.bdi[view.version])]),
    )
