"""What the page for connecting shows, as one frozen value: one client's way to the servers that the viewer may use.

Made from the table of clients that `pierhead connect` writes by, so that page and program say the same. Not here: how
it looks (`page_connect`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.core.ai_client import AiClient, Connection, Place
from pierhead.core.catalog import Server
from pierhead.core.policy import refuse
from pierhead.usecases.client_snippets import snippets_of
from pierhead.usecases.export_policy import EXPORTS, Exported, compile_fleet, export
from pierhead.usecases.list_tools import is_usable
from pierhead.usecases.match_rules import REACH
from pierhead.usecases.told_by_roles import whole_rules

_FIRST: Final = "claude-code"
_MOST: Final = 100
_FILES: Final = "marketplace"
"""A folder with files for each server: for a repository, not for a page."""


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
    connections = [_connection(site, name) for name in list(shown)[:_MOST]]
    return ConnectView(
        clients=tuple((each.id, each.name) for each in sorted(site.ai_clients, key=lambda each: each.name.casefold())),
        servers=tuple(usable),
        server=server,
        client=_client(client, connections),
        connections=tuple(
            ConnectionView(each.name, shown[each.name], each.url, client.links_to(each)) for each in connections
        ),
        desk=f"{site.public_url}/mcp",
        allow_lists=_allow_lists(site, viewer),
    )


def _usable(site: Site, viewer: Viewer) -> dict[str, str]:
    """The servers of which the viewer may use a tool, with what they are for."""
    caller, rules = viewer.caller(site), whole_rules(site.snapshots)
    snapshot = site.snapshots.current()

    def may(server: Server) -> bool:
        if not server.is_callable or refuse(caller, tuple(rules.reach(caller, server.name)), REACH, ""):
            return False
        shown = (tool for tool in server.tools.values() if not tool.withheld)
        return any(is_usable(server, tool, caller, snapshot.revision, rules) for tool in shown)

    return {name: server.description for name, server in sorted(snapshot.servers.items()) if may(server)}


def _connection(site: Site, name: str) -> Connection:
    full_name = f"{site.namespace}/{name}" if site.namespace else ""
    return Connection(name, f"{site.public_url}/mcp/{name}", full_name)


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
    return tuple(_allow_list(client, each) for client in EXPORTS if client != _FILES for each in export(client, fleet))


def _allow_list(client: str, exported: Exported) -> AllowList:
    return AllowList(client, exported.name, exported.places, exported.text)
