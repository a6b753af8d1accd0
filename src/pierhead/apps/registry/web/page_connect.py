"""How to connect an AI client: one line each, for every server the viewer may call."""

from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import empty, exact, titled, to
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_servers import Snippet, servers_view, snippets


@dataclass(frozen=True, slots=True)
class Connection:
    server: str
    description: str
    url: str
    snippets: tuple[Snippet, ...]


@dataclass(frozen=True, slots=True)
class ConnectView:
    connections: tuple[Connection, ...]


async def connect_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    del request
    catalogue = await servers_view(site, viewer, "")
    view = ConnectView(
        tuple(
            Connection(line.name, line.description, url, snippets(line.name, url))
            for line in catalogue.servers
            if line.you_may_call
            for url in (f"{site.public_url}/mcp/{line.name}",)
        )
    )
    return Shown("Connect", view, lambda: _connect(view))


def _connect(view: ConnectView) -> h.Node:
    return [
        heading(
            "Connect your client",
            h.p(class_="read quiet")[
                "Paste one line. When your client first calls, it opens this site so that you can sign in; "
                "no line holds a secret."
            ],
        ),
        [_connection(connection) for connection in view.connections]
        or empty("You can call no server yet. Each server's page says whom to ask.", to("/servers", "Servers")),
    ]


def _connection(connection: Connection) -> h.Node:
    return titled(
        connection.server,
        h.p[connection.description, " ", to(f"/servers/{connection.server}", "What you may do there")],
        [
            h.div(class_="stack")[
                h.h3[snippet.client],
                exact(snippet.text, f"Line for {snippet.client}, server {connection.server}"),
            ]
            for snippet in connection.snippets
        ],
        identity=connection.server,
    )
