"""Servers and tools as the caller may know them: what they can reach and use, and why.

Decided by the very use cases that explain and list (`explain_decision`, `list_tools`). What a call reads as absent
is absent here: servers that are not live, tools that may not be used. Auditors see those too, with the reason.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from pierhead.apps.registry.api.answers import Asked, Reason, moment, reasons_of
from pierhead.apps.registry.api.figures import (
    cost_form,
    cost_of,
    declared_form,
    figures,
    integrity_form,
    pace_form,
    review_form,
    showback_form,
    use_form,
)
from pierhead.apps.registry.api.finding import Page, find, search_of
from pierhead.apps.registry.api.health import HealthForm, short
from pierhead.apps.registry.api.sight import entry_seen, knows_live, may_see, reviews, undeployed, versions_seen
from pierhead.core.approval import Approval
from pierhead.core.catalog import DataClass, Effect, Server, Stage, Tool
from pierhead.core.definitions import tool_digest
from pierhead.core.errors import Invalid
from pierhead.core.health import Health
from pierhead.core.json import Json
from pierhead.core.policy import Question
from pierhead.core.snapshot import Snapshot
from pierhead.core.token_weight import token_weight
from pierhead.core.usage import Minutes
from pierhead.usecases.explain_decision import Explanation, explain_decision
from pierhead.usecases.list_tools import list_tools
from pierhead.usecases.ports_records import ProcessState
from pierhead.usecases.record_figures import DAY_S, DAYS, objective_in
from pierhead.usecases.rights import is_owner
from pierhead.usecases.show_back import Books, Reader, show_back
from pierhead.usecases.told_by_roles import whole_rules

_LONGEST_NAME: Final = 128
_UNREPORTED: Final = ProcessState(state="", reason="", since=0.0)


@dataclass(frozen=True, slots=True)
class ProcessForm:
    """What the server's process was last known to do; all null where nothing was reported."""

    state: str | None
    reason: str | None
    since: str | None


@dataclass(frozen=True, slots=True)
class ServerForm:
    """One server. `tool_count` counts the tools that the caller is shown; `whom_to_ask` is for more than that.

    `notice` is what clients are told of a deprecation.
    """

    name: str
    title: str
    url: str
    version: str
    kind: str
    stage: Stage
    data_class: DataClass
    notice: str
    process: ProcessForm
    health: HealthForm
    owner: str
    support: str
    description: str
    tool_count: int
    may_reach: bool
    why: str
    whom_to_ask: str


@dataclass(frozen=True, slots=True)
class MinutesForm:
    """What the owner estimates that one success saves; `valid_until` is null where it is no estimate, or undated."""

    mode: float
    low: float
    high: float
    method: str
    valid_until: str | None


@dataclass(frozen=True, slots=True)
class ToolForm:
    """One tool. `decision` is permit, approval (it waits for a person's yes) or refuse; `may_use` is not refuse."""

    name: str
    description: str
    effect: Effect
    approval: Approval
    minutes: MinutesForm
    timeout_s: float
    idempotent: bool
    may_use: bool
    decision: str
    reasons: tuple[Reason, ...]
    input_schema: Mapping[str, object]
    output_schema: Mapping[str, object]
    digest: str
    token_weight: int
    examples: tuple[Mapping[str, object], ...]


async def servers(asked: Asked) -> object:
    """A page of the servers that the caller may know of, in the order of their names.

    `stage` asks for those of one stage, or of `any`: also those that no policy holds yet, where they are the caller's.
    """
    query = asked.query("search", "limit", "cursor", "stage")
    search, snapshot = search_of(query), asked.site.snapshots.current()
    if "stage" in query:
        snapshot = await _staged(asked, query["stage"])
    is_staged = "stage" in query  # then everything that is left is the caller's to see
    page = await find(
        snapshot, search, lambda each: is_staged or _is_shown(asked, each), lambda each: _shown_tools(asked, each)
    )
    states = await asked.site.processes.states()
    healths = await asked.site.healths.healths_of([each.name for each in page.servers])
    shown = [_server(asked, each, states.get(each.name, _UNREPORTED), healths.get(each.name)) for each in page.servers]
    return {"servers": shown, "next": page.next, "policy_version": snapshot.revision}


async def server(asked: Asked) -> object:
    """One server with its tools.

    Errors: NotFound, alike for what is not there and what is not the caller's to know.
    """
    asked.query()
    name = str(asked.request.path_params["name"])
    snapshot = asked.site.snapshots.current()
    found = snapshot.servers.get(name)
    if found is None or not _is_shown(asked, found):
        entry = await entry_seen(asked, name)
        found = found or undeployed(asked, entry, await versions_seen(asked, entry))
    process = (await asked.site.processes.states()).get(name, _UNREPORTED)
    tools = [_tool(asked, found, tool) for tool in _shown_tools(asked, found)]
    shown = [each for each in tools if asked.sees_all or each.may_use]
    known = await figures(asked, name, found.version)
    declared = await asked.site.registry.catalogue.entry(name)
    document: Mapping[str, Json] = declared.document if declared else {}
    return {
        **asdict(_server(asked, found, process, known.health)),
        "tool_count": len(shown),
        "withheld": await _withheld(asked, found),
        "tools": shown,
        "review": review_form(known.review, known.now),
        "integrity": await integrity_form(asked, name, found.version, known.health),
        "use": use_form(known.use),
        "cost": {
            **cost_form(cost_of(known.use, _shown_tools(asked, found), asked.site.price)),
            "showback": await _showback(asked, name),
        },
        "operation": pace_form(known.pace, objective_in(document)),
        "declared": declared_form(document, found, snapshot.rows.get(name, ())),
        "policy_version": snapshot.revision,
    }


async def _showback(asked: Asked, server: str) -> list[Mapping[str, object]] | None:
    """What each team cost, for those who answer for the server or see every call; null for others."""
    site = asked.site
    reader = Reader(asked.caller, site.registry.rights, asked.sees_all)
    books = Books(site.registry.catalogue, site.records, site.teams)
    rows = await show_back(server, site.now() - DAYS * DAY_S, reader, books)
    return None if rows is None else showback_form(rows, site.price)


async def _withheld(asked: Asked, each: Server) -> list[str]:
    """The tools that nobody may use until they are signed, for those who can see to that."""
    names = [tool.name for tool in each.tools.values() if tool.withheld]
    entry = await asked.site.registry.catalogue.entry(each.name) if names else None
    is_theirs = entry is not None and is_owner(entry, asked.caller, asked.site.registry.rights)
    return names if is_theirs or reviews(asked) else []


async def me(asked: Asked) -> object:
    """Who the caller is, and the first of what they can use; `my_servers` has the rest."""
    asked.query()
    page = await _reachable(asked, {})
    return {
        "person": asked.caller.name,
        "groups": sorted(asked.caller.groups),
        "servers": [_usable_form(asked, each) for each in page.servers],
        "next": page.next,
        "policy_version": asked.site.snapshots.current().revision,
    }


async def my_servers(asked: Asked) -> object:
    """A page of what the caller can use, there where they say they are."""
    query = asked.query("surface", "channel", "search", "limit", "cursor")
    surface = _place(query, "surface", asked.caller.surface)
    channel = _place(query, "channel", asked.caller.channel)
    there = replace(asked, caller=replace(asked.caller, surface=surface, channel=channel))
    page = await _reachable(there, query)
    return {
        "surface": surface,
        "servers": [_usable_form(there, each) for each in page.servers],
        "next": page.next,
        "policy_version": asked.site.snapshots.current().revision,
    }


def _place(query: Mapping[str, str], member: str, usual: str) -> str:
    """Where the caller says they are. Errors: Invalid."""
    found = query.get(member, usual)
    if member in query and not 0 < len(found) <= _LONGEST_NAME:
        raise Invalid(f"{member} has 1 to {_LONGEST_NAME} characters", hint="leave it out for where you are")
    return found


async def _reachable(asked: Asked, query: Mapping[str, str]) -> Page:
    def is_mine(each: Server) -> bool:
        return each.is_callable and _reach(asked, each).decision == "permit"

    return await find(asked.site.snapshots.current(), search_of(query), is_mine, lambda each: _usable(asked, each))


def _usable_form(asked: Asked, each: Server) -> Mapping[str, object]:
    return {
        "name": each.name,
        "title": each.title or each.name,
        "url": _url(asked, each),
        "description": each.description,
        "notice": each.notice,
        "tools": [{"name": tool.name, "effect": tool.effect} for tool in _usable(asked, each)],
    }


async def _staged(asked: Asked, stage: str) -> Snapshot:
    """The policy with what is not in it yet, as far as it is the caller's to see; of one stage, or of any.

    Errors: Invalid.
    """
    if stage not in {*Stage, "any"}:
        raise Invalid("no such stage", hint=f"any, or one of {', '.join(Stage)}")
    snapshot, catalogue = asked.site.snapshots.current(), asked.site.registry.catalogue
    entries = {name: each for name, each in (await catalogue.entries()).items() if may_see(asked, each)}
    waiting = [each for name, each in entries.items() if name not in snapshot.servers]
    known = {name: each for name, each in snapshot.servers.items() if each.is_callable or name in entries}
    known |= {each.name: undeployed(asked, each, await versions_seen(asked, each)) for each in waiting}
    return replace(snapshot, servers={name: each for name, each in known.items() if stage in {"any", each.stage}})


def _is_shown(asked: Asked, each: Server) -> bool:
    return asked.sees_all or (each.is_callable and knows_live(asked, each))


def _url(asked: Asked, each: Server) -> str:
    return f"{asked.site.public_url}/mcp/{each.name}"


def _server(asked: Asked, each: Server, process: ProcessState, known: Health | None) -> ServerForm:
    reach = _reach(asked, each)
    return ServerForm(
        name=each.name,
        title=each.title or each.name,
        url=_url(asked, each),
        version=each.version,
        kind=each.kind,
        stage=each.stage,
        data_class=each.data_class,
        notice=each.notice,
        process=_process(process),
        health=short(known),
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
    return list_tools(each.name, asked.caller, snapshots, whole_rules(snapshots))


def _tool(asked: Asked, each: Server, tool: Tool) -> ToolForm:
    use = _explained(asked, each, tool.name)
    return ToolForm(
        name=tool.name,
        description=tool.description,
        effect=tool.effect,
        approval=tool.approval,
        minutes=_minutes(tool.minutes),
        timeout_s=tool.timeout_s,
        idempotent=tool.idempotent,
        may_use=use.decision != "refuse",
        decision=use.decision,
        reasons=reasons_of(use),
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        digest=tool_digest(tool),
        token_weight=token_weight(tool.name, tool.description, (tool.input_schema, tool.output_schema)),
        examples=tool.examples,
    )


def _minutes(told: Minutes) -> MinutesForm:
    until = told.valid_until
    return MinutesForm(told.mode, told.low, told.high, told.method, None if until is None else moment(until))


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
