"""What the page of one server shows, as one frozen value: what it is, who vouches for what, and what you may do.

What Pierhead checked and what the owner said stay apart, as on the page. Not here: versions and their moves
(`view_versions`), what may be called (`may_call`), how it looks (`page_server`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pierhead.apps.registry.web.known_servers import standing, text_of
from pierhead.apps.registry.web.may_call import MayView, may_call
from pierhead.apps.registry.web.site import DAY_S, PERIOD_DAYS, Site, Viewer
from pierhead.apps.registry.web.view_health import HealthView, health_view
from pierhead.apps.registry.web.view_servers import UNREPORTED, Snippet, snippets
from pierhead.apps.registry.web.view_versions import Standing, VersionsView, standing_of, versions_view
from pierhead.core.approval import Approval
from pierhead.core.catalog import DataClass, Effect, Server, Tool
from pierhead.core.cost import Cost
from pierhead.core.errors import NotFound
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.showback import TeamCost
from pierhead.core.token_weight import token_weight
from pierhead.core.usage import Minutes, Objective, Pace
from pierhead.usecases.ports_catalogue import Entry, Origin, Version
from pierhead.usecases.ports_records import CallRow, Filter, ProcessState
from pierhead.usecases.record_figures import objective_in
from pierhead.usecases.show_back import Books, Reader, show_back

_LAST_CALLS = 10


@dataclass(frozen=True, slots=True)
class ToolView:
    """One tool. `withheld` says why nobody may use it for now; `tokens` is an estimate (`core.token_weight`)."""

    name: str
    description: str
    effect: Effect
    approval: Approval
    policy: str
    narrowed: str
    bounds: tuple[str, ...]
    """What channel and arguments must be, in words."""
    minutes: Minutes
    timeout_s: float
    idempotent: bool
    withheld: str
    tokens: int
    you: MayView
    input_schema: Mapping[str, object]
    output_schema: Mapping[str, object]
    examples: tuple[Mapping[str, object], ...]
    """Arguments that it takes, as the owner gives them."""


@dataclass(frozen=True, slots=True)
class UseView:
    """What was made of it in the last `days`: `hours` are saved ones, gross, by owners' estimates.

    From `hours_low` to `hours_high` are those of calls whose estimate was in date: `coverage` of those that counted.
    """

    days: int
    calls: int
    succeeded: int
    people: int
    hours: float
    hours_low: float
    hours_high: float
    coverage: float | None
    expired: int
    """Calls that counted, on an estimate that was too old."""
    last_at: float
    """Seconds since 1970-01-01 UTC; zero where nobody called."""
    pace: Pace
    cost: Cost
    showback: tuple[TeamCost, ...] | None
    """What each team cost; None where no group is a team, or it is not the viewer's to see."""


@dataclass(frozen=True, slots=True)
class SaidView:
    """What the owner declares, and nobody checked. Empty members were not declared."""

    owner: str
    support: str
    data_class: DataClass
    has_personal_data: bool
    egress: tuple[str, ...]
    environments: tuple[str, ...]
    is_autonomous: bool
    has_untrusted_results: bool
    repository: str
    runbook: str
    on_call: str
    slo: Objective | None


@dataclass(frozen=True, slots=True)
class ServerView:
    """One server. `entry_by` registered it at `entry_at`; both are empty for one that no entry declares."""

    name: str
    title: str
    version: str
    kind: str
    description: str
    standing: Standing
    process: ProcessState
    said: SaidView
    url: str
    access: tuple[str, ...]
    revision: int
    origin: str
    entry_by: str
    entry_at: float
    tools: tuple[ToolView, ...]
    tokens: int
    use: UseView
    versions: VersionsView
    health: HealthView
    connect: tuple[Snippet, ...]
    last_calls: tuple[CallRow, ...]
    sees_all: bool
    now: float


async def server_view(site: Site, viewer: Viewer, name: str) -> ServerView:
    """One server.

    Errors: NotFound.
    """
    entry, versions = await site.registry.catalogue.entry(name), await site.registry.catalogue.versions(name)
    server = _shown(site.snapshots.current().servers.get(name), entry, versions)
    if server is None or name in viewer.hidden(site):
        raise NotFound(f"no server {name!r}", hint="see the list of servers")
    caller, sees_all = viewer.caller(site), viewer.sees_all(site)
    wanted = Filter(since=0.0, principal="" if sees_all else viewer.person, server=name, limit=_LAST_CALLS)
    tools = tuple(_tool(server, tool, caller, site) for tool in server.tools.values())
    return ServerView(
        name=name,
        title=server.title,
        version=server.version,
        kind=server.kind,
        description=server.description,
        standing=standing_of(server, entry, versions),
        process=(await site.processes.states()).get(name, UNREPORTED),
        said=_said(server, entry),
        url=f"{site.public_url}/mcp/{name}",
        access=tuple(str(row.who) for row in site.snapshots.current().rows.get(name, ())),
        revision=site.snapshots.current().revision,
        origin=str(entry.origin if entry else Origin.FLEET),
        entry_by=entry.by if entry else "",
        entry_at=entry.at if entry else 0.0,
        tools=tools,
        tokens=sum(tool.tokens for tool in tools if not tool.withheld),
        use=await _use(site, viewer, name, sum(tool.tokens for tool in tools if not tool.withheld)),
        versions=await versions_view(site, viewer, entry, versions),
        health=await health_view(site, name),
        connect=snippets(name, f"{site.public_url}/mcp/{name}"),
        last_calls=tuple(await site.records.calls(wanted)),
        sees_all=sees_all,
        now=site.now(),
    )


def _shown(deployed: Server | None, entry: Entry | None, versions: Sequence[Version]) -> Server | None:
    """The server as policy has it; where nobody can call it, policy has no tools, and its own version tells them."""
    if deployed is None or entry is None or deployed.is_callable:
        return deployed or _undeployed(entry, versions)
    current = next((version for version in versions if version.version == deployed.version), None)
    tools = current.manifest.tools if current else ()
    return replace(deployed, tools={tool.name: tool for tool in tools}) if tools else deployed


def _undeployed(entry: Entry | None, versions: Sequence[Version]) -> Server | None:
    """A server that no snapshot holds yet, as its newest version would be."""
    if entry is None:
        return None
    newest = versions[0] if versions else None
    tools = newest.manifest.tools if newest else ()
    return Server(
        name=entry.name,
        version=newest.version if newest else "",
        kind=text_of(entry, "kind"),
        stage=standing(entry, versions),
        owner=text_of(entry, "owner"),
        support=text_of(entry, "support"),
        description=text_of(entry, "description") or (newest.manifest.description if newest else ""),
        upstream="",
        tools={tool.name: tool for tool in tools},
        title=text_of(entry, "title"),
        data_class=_data_class(entry),
    )


def _data_class(entry: Entry) -> DataClass:
    """As declared; what cannot be read is the strictest."""
    declared = text_of(entry, "data_class") or DataClass.INTERNAL
    return DataClass(declared) if declared in set(DataClass) else DataClass.RESTRICTED


def _said(server: Server, entry: Entry | None) -> SaidView:
    document: Mapping[str, Json] = entry.document if entry else {}
    return SaidView(
        owner=server.owner,
        support=server.support,
        data_class=_data_class(entry) if entry else server.data_class,
        has_personal_data=document.get("personal_data") is True,
        egress=_texts(document.get("egress")),
        environments=_texts(document.get("environments")),
        is_autonomous=document.get("autonomous") is True,
        has_untrusted_results=document.get("untrusted_results") is True,
        repository=text_of(entry, "repository") if entry else "",
        runbook=text_of(entry, "runbook") if entry else "",
        on_call=text_of(entry, "on_call") if entry else "",
        slo=objective_in(document),
    )


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()


def _tool(server: Server, tool: Tool, caller: Caller, site: Site) -> ToolView:
    return ToolView(
        name=tool.name,
        description=tool.description,
        effect=tool.effect,
        approval=tool.approval,
        policy=str(tool.policy),
        narrowed=str(tool.narrowed) if tool.narrowed is not None else "",
        bounds=(*tool.bounds.told(), *tool.narrowed_bounds.told(), *(rule.told() for rule in tool.rules)),
        minutes=tool.minutes,
        timeout_s=tool.timeout_s,
        idempotent=tool.idempotent,
        withheld=tool.withheld,
        tokens=token_weight(tool.name, tool.description, (tool.input_schema, tool.output_schema)),
        you=may_call(server, tool, caller, site.snapshots),
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        examples=tool.examples,
    )


async def _use(site: Site, viewer: Viewer, name: str, definition_tokens: int) -> UseView:
    since = site.now() - PERIOD_DAYS * DAY_S
    use, pace = await site.records.use_of(name, since), await site.records.pace_of(name, since)
    reader = Reader(viewer.caller(site), site.registry.rights, viewer.sees_all(site))
    saved = use.saved
    return UseView(
        days=PERIOD_DAYS,
        calls=use.calls,
        succeeded=saved.counted,
        people=use.people,
        hours=saved.gross / 60,
        hours_low=saved.low / 60,
        hours_high=saved.high / 60,
        coverage=saved.coverage,
        expired=saved.expired,
        last_at=use.last_at,
        pace=pace,
        cost=Cost(use.calls, use.result_tokens, definition_tokens, site.price),
        showback=await show_back(name, since, reader, Books(site.registry.catalogue, site.records, site.teams)),
    )
