"""Servers and tools as the caller may know them: what they can reach and use, and why.

Decided by the very use cases that explain and list (`explain_decision`, `list_tools`). What a call reads as absent
is absent here: servers that are not live, tools that may not be used. Auditors see those too, with the reason.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from pierhead.apps.registry.api.answers import Asked, Reason, moment, reasons_of
from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Server, Stage, Tool
from pierhead.core.errors import NotFound
from pierhead.core.policy import Question
from pierhead.core.usage import Minutes
from pierhead.usecases.explain_decision import Explanation, explain_decision
from pierhead.usecases.list_tools import list_tools
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.ports_records import ProcessState

_UNREPORTED: Final = ProcessState(state="", reason="", since=0.0)


@dataclass(frozen=True, slots=True)
class ProcessForm:
    """What the server's process was last known to do; all null where nothing was reported."""

    state: str | None
    reason: str | None
    since: str | None


@dataclass(frozen=True, slots=True)
class ServerForm:
    """One server. `tool_count` counts the tools that the caller is shown; `whom_to_ask` is for more than that."""

    name: str
    url: str
    version: str
    kind: str
    stage: Stage
    process: ProcessForm
    owner: str
    support: str
    description: str
    tool_count: int
    may_reach: bool
    why: str
    whom_to_ask: str


@dataclass(frozen=True, slots=True)
class ToolForm:
    """One tool. `decision` is permit, approval (it waits for a person's yes) or refuse; `may_use` is not refuse."""

    name: str
    description: str
    effect: Effect
    approval: Approval
    minutes: Minutes
    timeout_s: float
    idempotent: bool
    may_use: bool
    decision: str
    reasons: tuple[Reason, ...]
    input_schema: Mapping[str, object]
    output_schema: Mapping[str, object]


async def servers(asked: Asked) -> object:
    """Every server that the caller may know of, in the order of their names."""
    asked.query()
    states = await asked.site.processes.states()
    snapshot = asked.site.snapshots.current()
    shown = [
        _server(asked, server, states.get(name, _UNREPORTED))
        for name, server in sorted(snapshot.servers.items())
        if _is_shown(asked, server)
    ]
    return {"servers": shown, "policy_version": snapshot.revision}


async def server(asked: Asked) -> object:
    """One server with its tools.

    Errors: NotFound, alike for what is not there and what is not the caller's to know.
    """
    asked.query()
    name = str(asked.request.path_params["name"])
    snapshot = asked.site.snapshots.current()
    found = snapshot.servers.get(name)
    if found is None or not _is_shown(asked, found):
        raise NotFound("no such server, or not yours to see", hint="GET /api/v1/servers lists yours")
    process = (await asked.site.processes.states()).get(name, _UNREPORTED)
    tools = [_tool(asked, found, tool) for tool in _shown_tools(asked, found)]
    return {**asdict(_server(asked, found, process)), "tools": tools, "policy_version": snapshot.revision}


async def me(asked: Asked) -> object:
    """Who the caller is, and what they can use."""
    asked.query()
    snapshot = asked.site.snapshots.current()
    reachable = [
        {
            "name": each.name,
            "url": _url(asked, each),
            "description": each.description,
            "tools": [{"name": tool.name, "effect": tool.effect} for tool in _usable(asked, each)],
        }
        for _, each in sorted(snapshot.servers.items())
        if each.is_callable and _reach(asked, each).decision == "permit"
    ]
    return {
        "person": asked.caller.name,
        "groups": sorted(asked.caller.groups),
        "servers": reachable,
        "policy_version": snapshot.revision,
    }


def _is_shown(asked: Asked, each: Server) -> bool:
    return each.is_callable or asked.sees_all


def _url(asked: Asked, each: Server) -> str:
    return f"{asked.site.public_url}/mcp/{each.name}"


def _server(asked: Asked, each: Server, process: ProcessState) -> ServerForm:
    reach = _reach(asked, each)
    return ServerForm(
        name=each.name,
        url=_url(asked, each),
        version=each.version,
        kind=each.kind,
        stage=each.stage,
        process=_process(process),
        owner=each.owner,
        support=each.support,
        description=each.description,
        tool_count=len(_shown_tools(asked, each)),
        may_reach=reach.decision == "permit",
        why=reach.sentence,
        whom_to_ask=reach.whom_to_ask,
    )


def _process(known: ProcessState) -> ProcessForm:
    return ProcessForm(known.state or None, known.reason or None, moment(known.since) if known.state else None)


def _shown_tools(asked: Asked, each: Server) -> tuple[Tool, ...]:
    if asked.sees_all:
        return tuple(each.tools.values())
    return _usable(asked, each) if _reach(asked, each).decision == "permit" else ()


def _usable(asked: Asked, each: Server) -> tuple[Tool, ...]:
    snapshots = asked.site.snapshots
    return list_tools(each.name, asked.caller, snapshots, SnapshotRules(snapshots, REACH_AND_USE))


def _tool(asked: Asked, each: Server, tool: Tool) -> ToolForm:
    use = _explained(asked, each, tool.name)
    return ToolForm(
        name=tool.name,
        description=tool.description,
        effect=tool.effect,
        approval=tool.approval,
        minutes=tool.minutes,
        timeout_s=tool.timeout_s,
        idempotent=tool.idempotent,
        may_use=use.decision != "refuse",
        decision=use.decision,
        reasons=reasons_of(use),
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
    )


def _reach(asked: Asked, each: Server) -> Explanation:
    return _explained(asked, each, "")


def _explained(asked: Asked, each: Server, tool: str) -> Explanation:
    """What would be decided; for a server that is not live, that nobody can call it."""
    snapshots = asked.site.snapshots
    if each.is_callable:
        return explain_decision(asked.caller, each.name, tool, snapshots)
    return Explanation(
        server=each.name,
        tool=tool,
        decision="refuse",
        approval=Approval.NONE,
        sentence=f"{each.name} is {each.stage}: nobody can call it",
        whom_to_ask=each.whom_to_ask,
        revision=snapshots.current().revision,
        reasons=(),
        question=Question.REACH,
    )
