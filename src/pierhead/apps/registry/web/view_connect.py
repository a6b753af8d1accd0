"""What the page for connecting shows, as one frozen value: one client's way to the servers that the viewer may use.

Made from the table of clients that `pierhead connect` writes by, so that page and program say the same. Not here: how
it looks (`page_connect`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.core.ai_client import AiClient, Connection, Place
from pierhead.core.errors import NotFound, Refused
from pierhead.usecases.client_snippets import snippets_of
from pierhead.usecases.export_policy import EXPORTS, Exported, compile_fleet, export
from pierhead.usecases.list_tools import list_tools
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules

_FIRST: Final = "claude-code"
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """One server that the viewer may use. `links` install it by one click."""

    server: str
    description: str
    url: str
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientView:
    """The client that was chosen: what goes into which file, what does the same from a shell, what comes after."""

    id: str
    name: str
    files: tuple[str, ...]
    document: str
    commands: tuple[str, ...]
    sign_in: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class AllowList:
    """One file that an administrator rolls out."""

    client: str
    name: str
    places: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ConnectView:
    """`servers` are all that the viewer may use, `connections` those that are shown. `allow_lists`: administrators'."""

    clients: tuple[tuple[str, str], ...]
    servers: tuple[str, ...]
    server: str
    client: ClientView
    connections: tuple[ConnectionView, ...]
    desk: str
    allow_lists: tuple[AllowList, ...]


def connect_view(site: Site, viewer: Viewer, query: Mapping[str, str]) -> ConnectView:
    """Shapes: `query` may name a client and a server; what nobody knows chooses nothing."""
    known = {client.id: client for client in site.ai_clients}
    client = known.get(query.get("client", ""), known[_FIRST])
    usable = _usable(site, viewer)
    server = query.get("server", "") if query.get("server") in usable else ""
    shown = {name: text for name, text in usable.items() if server in {"", name}}
    connections = [Connection(name, f"{site.public_url}/mcp/{name}") for name in list(shown)[:_MOST]]
    return ConnectView(
        clients=tuple((each.id, each.name) for each in sorted(site.ai_clients, key=lambda each: each.name.casefold())),
        servers=tuple(usable),
        server=server,
        client=_client(client, connections),
        connections=tuple(
            ConnectionView(each.name, shown[each.name], each.url, tuple(link.to(client, each) for link in client.links))
            for each in connections
        ),
        desk=f"{site.public_url}/mcp",
        allow_lists=_allow_lists(site, viewer),
    )


def _usable(site: Site, viewer: Viewer) -> dict[str, str]:
    """The servers of which the viewer may use a tool, with what they are for."""
    caller, rules = viewer.caller(site), SnapshotRules(site.snapshots, REACH_AND_USE)
    found: dict[str, str] = {}
    for name, server in sorted(site.snapshots.current().servers.items()):
        try:
            if list_tools(name, caller, site.snapshots, rules):
                found[name] = server.description
        except (NotFound, Refused):
            continue
    return found


def _client(client: AiClient, connections: list[Connection]) -> ClientView:
    snippets = snippets_of(client, connections)
    places = [place for place in (client.user, client.project) if place is not None]
    return ClientView(
        id=client.id,
        name=client.name,
        files=tuple(dict.fromkeys(path for place in places for path in _paths(place))),
        document=snippets.document if connections else "",
        commands=snippets.commands,
        sign_in=snippets.sign_in,
        note=client.note,
    )


def _paths(place: Place) -> tuple[str, ...]:
    """The paths on the three systems, each once."""
    return tuple(path.replace("|", ", else ") for path in (place.linux, place.macos, place.windows) if path)


def _allow_lists(site: Site, viewer: Viewer) -> tuple[AllowList, ...]:
    if viewer.groups.isdisjoint(site.admins):
        return ()
    fleet = compile_fleet(site.public_url, site.snapshots.current())
    if not any(each.tools for each in fleet.offered):
        return ()
    return tuple(_allow_list(client, each) for client in EXPORTS for each in export(client, fleet))


def _allow_list(client: str, exported: Exported) -> AllowList:
    return AllowList(client, exported.name, exported.places, exported.text)
