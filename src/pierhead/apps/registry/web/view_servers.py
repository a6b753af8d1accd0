"""What the pages of servers show, as frozen values: the catalogue, one server, and how to connect.

What *you* may do is decided here by the very rules that decide calls (`usecases/match_rules`), so a page cannot
promise what a call would refuse. Not here: how it looks (`page_servers`, `page_connect`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from pierhead.apps.registry.web.site import DAY_S, PERIOD_DAYS, Site, Viewer
from pierhead.core.approval import Approval
from pierhead.core.call import Call, Opaque
from pierhead.core.call import Request as ToolRequest
from pierhead.core.catalog import Effect, Server, Stage, Tool
from pierhead.core.errors import NotFound
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded, Match, Permit, Refusal, decide
from pierhead.core.usage import Minutes
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.ports_records import CallRow, Filter, ProcessState

_LAST_CALLS: Final = 10
_NO_ARGUMENTS: Final = Opaque(digest="", size=0)
_UNREPORTED: Final = ProcessState(state="", reason="", since=0.0)


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule that took part."""

    effect: str
    question: str
    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class MayView:
    """What the viewer may do with one tool, and why. `decision` is permit, ask or refuse."""

    decision: str
    sentence: str
    whom_to_ask: str
    rules: tuple[RuleView, ...]


@dataclass(frozen=True, slots=True)
class ToolView:
    name: str
    description: str
    effect: Effect
    approval: Approval
    policy: str
    narrowed: str
    minutes: Minutes
    timeout_s: float
    idempotent: bool
    you: MayView
    input_schema: Mapping[str, object]
    output_schema: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One server in the catalogue. `you_may_call` counts the tools that are not refused to the viewer."""

    name: str
    description: str
    kind: str
    owner: str
    stage: Stage
    process: ProcessState
    tools: int
    you_may_call: int
    calls: int


@dataclass(frozen=True, slots=True)
class ServersView:
    """The catalogue. `days` is the period that calls are counted over."""

    servers: tuple[ServerLine, ...]
    callable: int
    search: str
    days: int


@dataclass(frozen=True, slots=True)
class Snippet:
    """One line to paste into one AI client."""

    client: str
    text: str


@dataclass(frozen=True, slots=True)
class ServerView:
    name: str
    version: str
    kind: str
    description: str
    stage: Stage
    process: ProcessState
    owner: str
    support: str
    url: str
    access: tuple[str, ...]
    revision: int
    tools: tuple[ToolView, ...]
    connect: tuple[Snippet, ...]
    last_calls: tuple[CallRow, ...]
    sees_all: bool
    now: float


async def servers_view(site: Site, viewer: Viewer, search: str) -> ServersView:
    """The servers whose name, description or owner holds `search`; all for an empty one."""
    snapshot = site.snapshots.current()
    calls = await site.records.calls_by_server(site.now() - PERIOD_DAYS * DAY_S)
    states = await site.processes.states()
    lines = [
        ServerLine(
            name=server.name,
            description=server.description,
            kind=server.kind,
            owner=server.owner,
            stage=server.stage,
            process=states.get(server.name, _UNREPORTED),
            tools=len(server.tools),
            you_may_call=_callable_tools(server, viewer.caller(site), site),
            calls=calls.get(server.name, 0),
        )
        for server in snapshot.servers.values()
        if _holds(server, search)
    ]
    lines.sort(key=lambda line: (line.you_may_call == 0, line.name))
    return ServersView(tuple(lines), sum(line.you_may_call > 0 for line in lines), search, PERIOD_DAYS)


def _holds(server: Server, search: str) -> bool:
    wanted = search.casefold()
    return any(wanted in text.casefold() for text in (server.name, server.description, server.owner))


def _callable_tools(server: Server, caller: Caller, site: Site) -> int:
    return sum(_may(server, tool, caller, site).decision != "refuse" for tool in server.tools.values())


async def server_view(site: Site, viewer: Viewer, request: Request) -> ServerView:
    """One server.

    Errors: NotFound.
    """
    name = str(request.path_params["name"])
    snapshot = site.snapshots.current()
    server = snapshot.servers.get(name)
    if server is None:
        raise NotFound(f"no server {name!r}", hint="see the list of servers")
    caller, sees_all = viewer.caller(site), viewer.sees_all(site)
    wanted = Filter(since=0.0, principal="" if sees_all else viewer.person, server=name, limit=_LAST_CALLS)
    url = f"{site.public_url}/mcp/{name}"
    return ServerView(
        name=name,
        version=server.version,
        kind=server.kind,
        description=server.description,
        stage=server.stage,
        process=(await site.processes.states()).get(name, _UNREPORTED),
        owner=server.owner,
        support=server.support,
        url=url,
        access=tuple(str(row.who) for row in snapshot.rows.get(name, ())),
        revision=snapshot.revision,
        tools=tuple(_tool(server, tool, caller, site) for tool in server.tools.values()),
        connect=snippets(name, url),
        last_calls=tuple(await site.records.calls(wanted)),
        sees_all=sees_all,
        now=site.now(),
    )


def _tool(server: Server, tool: Tool, caller: Caller, site: Site) -> ToolView:
    return ToolView(
        name=tool.name,
        description=tool.description,
        effect=tool.effect,
        approval=tool.approval,
        policy=str(tool.policy),
        narrowed=str(tool.narrowed) if tool.narrowed is not None else "",
        minutes=tool.minutes,
        timeout_s=tool.timeout_s,
        idempotent=tool.idempotent,
        you=_may(server, tool, caller, site),
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
    )


def _may(server: Server, tool: Tool, caller: Caller, site: Site) -> MayView:
    """Both layers, as a call would meet them."""
    if not server.is_callable:
        return MayView("refuse", f"{server.name} is {server.stage}: nobody can call it", server.whom_to_ask, ())
    rules = SnapshotRules(site.snapshots, REACH_AND_USE)
    call = Call(id="", server=server.name, tool=tool.name, arguments=_NO_ARGUMENTS, era="", client="")
    request = ToolRequest(call, caller, server, tool, site.snapshots.current().revision)
    match decide(request, rules.matches(request), rules.questions):
        case Permit(reasons=reasons):
            return MayView("permit", "you may call it", "", _rules(reasons))
        case ApprovalNeeded(approval=approval, reasons=reasons):
            return MayView("ask", f"you may ask: each call needs {approval}", "", _rules(reasons))
        case Refusal(sentence=sentence, whom_to_ask=whom, reasons=reasons):
            return MayView("refuse", sentence, whom, _rules(reasons))


def _rules(matches: tuple[Match, ...]) -> tuple[RuleView, ...]:
    return tuple(RuleView(match.effect, match.question, match.rule, match.sentence) for match in matches)


def snippets(name: str, url: str) -> tuple[Snippet, ...]:
    """What to paste. No line holds a secret: each client signs in by itself when it first connects."""
    return (
        Snippet("Claude Code", f"claude mcp add --transport http {name} {url}"),
        Snippet("VS Code", f'code --add-mcp \'{{"name":"{name}","type":"http","url":"{url}"}}\''),
        Snippet("Codex", f"codex mcp add {name} --url {url} && codex mcp login {name}"),
        Snippet("Cursor, in .cursor/mcp.json", f'{{"mcpServers":{{"{name}":{{"url":"{url}"}}}}}}'),
    )
