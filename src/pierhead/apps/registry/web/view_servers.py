"""What the catalogue shows, as one frozen value: which servers there are, what they do, and which you can call.

One page of at most fifty lines; what stands in the heading counts them all. Not here: one server (`view_server`), how
it looks (`page_servers`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.apps.registry.web.known_servers import KnownServer
from pierhead.apps.registry.web.site import DAY_S, PERIOD_DAYS, Site, Viewer
from pierhead.core.ai_client import AiClient, Connection
from pierhead.core.catalog import Stage
from pierhead.core.health import Condition
from pierhead.usecases.ai_clients import AI_CLIENTS
from pierhead.usecases.client_snippets import snippets_of
from pierhead.usecases.ports_records import ProcessState

PAGE: Final = 50
_OFTEN: Final = frozenset({"claude-code", "vscode", "codex", "cursor"})
"""Clients that a server's own page names; the page for connecting has them all."""
UNREPORTED: Final = ProcessState(state="", reason="", since=0.0)


@dataclass(frozen=True, slots=True)
class ServersAsked:
    """What to look for; empty members do not restrict. `page` counts from 1."""

    search: str = ""
    stage: str = ""
    owner: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class ServerLine:
    """One server in the catalogue. `you_may_call` counts the tools that are not refused to the viewer."""

    name: str
    title: str
    description: str
    kind: str
    owner: str
    stage: Stage
    notice: str
    process: ProcessState
    condition: Condition
    tools: int
    withheld: int
    you_may_call: int
    calls: int


@dataclass(frozen=True, slots=True)
class ServersView:
    """The catalogue. `found` and `callable` count all that fit, `servers` are those of this page.

    `days` is the period that calls are counted over; `stages` and `owners` are what there is to choose from.
    """

    servers: tuple[ServerLine, ...]
    found: int
    callable: int
    asked: ServersAsked
    pages: int
    days: int
    stages: tuple[Stage, ...]
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snippet:
    """One line to paste into one AI client."""

    client: str
    text: str


async def servers_view(site: Site, viewer: Viewer, asked: ServersAsked) -> ServersView:
    """The servers that fit: those you can call first, then by name."""
    known = await site.known_servers()
    callable_tools = site.callable_tools.counts(viewer.caller(site), site.snapshots)
    hidden = viewer.hidden(site)
    found = [server for server in known.values() if server.name not in hidden and _fits(server, asked)]
    found.sort(key=lambda server: (server.name not in callable_tools, server.name))
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(asked.page, 1), pages)
    return ServersView(
        servers=await _lines(site, found[(page - 1) * PAGE : page * PAGE], callable_tools),
        found=len(found),
        callable=sum(server.name in callable_tools for server in found),
        asked=ServersAsked(asked.search, asked.stage, asked.owner, page),
        pages=pages,
        days=PERIOD_DAYS,
        stages=tuple(stage for stage in Stage if any(server.stage is stage for server in known.values())),
        owners=tuple(sorted({server.owner for server in known.values()})),
    )


def _fits(server: KnownServer, asked: ServersAsked) -> bool:
    return (
        asked.search.casefold() in server.text
        and asked.stage in {"", server.stage}
        and asked.owner.casefold() in {"", server.owner.casefold()}
    )


async def _lines(site: Site, page: Sequence[KnownServer], callable_tools: Mapping[str, int]) -> tuple[ServerLine, ...]:
    calls = await site.records.calls_by_server(site.now() - PERIOD_DAYS * DAY_S)
    states = await site.processes.states()
    healths = await site.healths.healths_of([server.name for server in page])
    return tuple(
        ServerLine(
            name=server.name,
            title=server.title,
            description=server.description,
            kind=server.kind,
            owner=server.owner,
            stage=server.stage,
            notice=server.notice,
            process=states.get(server.name, UNREPORTED),
            condition=healths[server.name].condition if server.name in healths else Condition.UNKNOWN,
            tools=server.tools,
            withheld=server.withheld,
            you_may_call=callable_tools.get(server.name, 0),
            calls=calls.get(server.name, 0),
        )
        for server in page
    )


def snippets(name: str, url: str) -> tuple[Snippet, ...]:
    """What to paste, as `pierhead connect` prints it. No line holds a secret: each client signs in by itself."""
    return tuple(_snippet(client, Connection(name, url)) for client in AI_CLIENTS if client.id in _OFTEN)


def _snippet(client: AiClient, connection: Connection) -> Snippet:
    """Its lines for a shell; of a client that has none, the part of its file."""
    found = snippets_of(client, [connection])
    lines = (*found.commands, *found.sign_in) if found.commands else ()
    return Snippet(client.name, " && ".join(lines) or found.document.rstrip())
