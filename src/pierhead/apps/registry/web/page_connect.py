"""How to connect an AI client: choose it, then paste, click or run one line, for every server the viewer may use."""

from itertools import groupby

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import empty, exact, folded, titled, to
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_connect import AllowList, ClientView, ConnectionView, ConnectView, connect_view


async def connect_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    view = connect_view(site, viewer, query_of(request))
    return Shown("Connect", view, lambda: _connect(view))


def _connect(view: ConnectView) -> h.Node:
    return [
        heading(
            "Connect your client",
            h.p(class_="read quiet")[
                "Choose the client you use. When it first calls, it opens this site so that you can sign in; "
                "nothing here holds a secret."
            ],
        ),
        _ways(view)
        if view.servers
        else empty("You can call no server yet. Each server's page says whom to ask.", to("/servers", "Servers")),
        _allow_lists(view.allow_lists),
    ]


def _ways(view: ConnectView) -> h.Node:
    return [
        _choices(view),
        _by_program(view),
        _by_link(view),
        _by_file(view.client),
        _by_shell(view.client),
        _sign_in(view.client),
        _desk(view.desk),
        _servers(view),
    ]


def _choices(view: ConnectView) -> h.Node:
    servers = [("", "All of yours"), *((name, name) for name in view.servers)]
    return h.form(class_="filters", method="get", action="/connect")[
        _choice("Client", "client", view.clients, view.client.id),
        _choice("Server", "server", servers, view.server),
        h.button(class_="button")["Show"],
    ]


def _choice(
    label: str, name: str, options: "list[tuple[str, str]] | tuple[tuple[str, str], ...]", chosen: str
) -> h.Node:
    return h.label(class_="field")[
        label,
        h.select(name=name)[(h.option(value=value, selected=value == chosen or None)[word] for value, word in options)],
    ]


def _by_program(view: ConnectView) -> h.Node:
    server = f" --server {view.server}" if view.server else " --token-file FILE"
    line = f"pierhead connect {view.client.id} --url {view.desk.removesuffix('/mcp')}{server}"
    return titled(
        f"Let the program write {view.client.name}'s file",
        h.p(class_="read")["It keeps all else in the file, with a backup beside it."],
        exact(line, f"Command that connects {view.client.name}"),
    )


def _by_link(view: ConnectView) -> h.Node:
    links = [(each, link) for each in view.connections for link in each.links]
    if not links:
        return None
    return titled(
        "Install by one click",
        h.ul[(h.li[_link(view.client, each, link)] for each, link in links)],
        h.p(class_="quiet")[view.client.note] if view.client.note else None,
    )


def _link(client: ClientView, each: ConnectionView, link: str) -> h.Node:
    how = "in the browser" if link.startswith("https:") else "in the program"
    return h.a(href=link)[f"{each.server} for {client.name}, {how}"]


def _by_file(client: ClientView) -> h.Node:
    return titled(
        "Paste it into the client's file" if client.files else f"Paste it into {client.name}",
        h.p(class_="read")["The file is ", [[h.code[path], " or "] for path in client.files[:-1]], _last(client.files)]
        if client.files
        else h.p(class_="read")[client.note],
        exact(client.document, f"Entries for {client.name}"),
    )


def _last(files: tuple[str, ...]) -> h.Node:
    return [h.code[files[-1]], ". A path that begins with neither ~ nor a variable is inside your project."]


def _by_shell(client: ClientView) -> h.Node:
    if not client.commands:
        return None
    return titled("Or from a shell", [exact(line, f"Line for {client.name}") for line in client.commands])


def _sign_in(client: ClientView) -> h.Node:
    if not client.sign_in:
        return None
    return titled(
        "Sign in now, or when it first asks", [exact(line, f"Sign-in of {client.name}") for line in client.sign_in]
    )


def _desk(url: str) -> h.Node:
    return titled(
        "A client that holds one connection",
        h.p(class_="read")[
            "The front desk stands before the whole fleet: three tools that find a tool, describe it and call it. "
            "Each call is decided as on the server's own address."
        ],
        exact(url, "Address of the front desk"),
        identity="desk",
    )


def _servers(view: ConnectView) -> h.Node:
    return titled(
        "The addresses",
        h.ul[
            (
                h.li[to(f"/servers/{each.server}", h.bdi[each.server]), " ", h.code[each.url], " ", each.description]
                for each in view.connections
            )
        ],
        _cut(view),
    )


def _cut(view: ConnectView) -> h.Node:
    if view.server or len(view.connections) == len(view.servers):
        return None
    return h.p(class_="quiet")[f"{len(view.connections)} of {len(view.servers)} are shown; choose one above."]


def _allow_lists(files: tuple[AllowList, ...]) -> h.Node:
    if not files:
        return None
    return titled(
        "For administrators: allow-lists",
        h.p(class_="read quiet")[
            "What keeps a client from connecting to anything else, made from the servers that are live. "
            "They steer clients; what holds is the gateway."
        ],
        [
            folded(client, h.div(class_="stack")[(_allow_list(file) for file in listed)])
            for client, listed in groupby(files, key=lambda file: file.client)
        ],
        identity="allow-lists",
    )


def _allow_list(file: AllowList) -> h.Node:
    return [
        h.h3[file.name],
        h.p(class_="quiet")["It goes to ", ", ".join(file.places)],
        exact(file.text, f"{file.name} for {file.client}"),
    ]
