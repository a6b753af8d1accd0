"""Plug-ins: the only dynamic import. An entry point of the group `pierhead.servers` is a kind of server, the one of
`pierhead.databases` what the commands of one database ask (`pierhead.sdk.database`), one of `pierhead.clients` a tuple
of AI clients (`core/ai_client`).

Installed is not active: only kinds that the fleet file names are loaded, each in its own process. Beside entry points,
the code of a server that its team runs is loaded by the name that its command gives.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pierhead.core.errors import Misconfigured

if TYPE_CHECKING:
    from pierhead.core.ai_client import AiClient
    from pierhead.sdk.database import Databases
    from pierhead.sdk.server import Server

SERVERS: Final = "pierhead.servers"
DATABASES: Final = "pierhead.databases"
CLIENTS: Final = "pierhead.clients"

Build = Callable[[str, Mapping[str, object]], "Server"]


def server_kinds() -> dict[str, EntryPoint]:
    """What is installed, by kind; nothing is imported."""
    return {point.name: point for point in entry_points(group=SERVERS)}


def build_server(kind: str, name: str, settings: Mapping[str, object]) -> "Server":
    """Load the plug-in of that kind and let it build the server.

    Shapes: `settings` is the server's entry of the fleet file, as plain values.
    Errors: Misconfigured, for a kind that is not installed or cannot be imported; whatever the plug-in raises.
    """
    point = server_kinds().get(kind)
    if point is None:
        message = f"server {name}: kind {kind} is not installed"
        raise Misconfigured(message, hint=f"installed: {', '.join(sorted(server_kinds()))}", code="unknown-kind")
    try:
        build: Build = point.load()
    except ImportError as missing:
        message = f"server {name}: kind {kind} cannot be loaded: {missing}"
        raise Misconfigured(message, hint=f"pip install 'pierhead[{kind}]'", code="unknown-kind") from None
    return build(name, settings)


def fleet_server(kind: str, name: str, settings: Mapping[str, object]) -> "Server":
    """A server that a fleet file declares: of an installed kind, or by its `code`.

    Errors: Misconfigured; whatever the plug-in or the module raises.
    """
    if "code" not in settings or kind in server_kinds():
        return build_server(kind, name, settings)
    server = own_server(str(settings["code"]), Path(str(settings.get("folder", "."))))
    if server.name != name:
        message = f"the entry is of {name}, and {settings['code']} declares {server.name}"
        raise Misconfigured(message, hint="call both the same", code="no-such-code")
    return server


def own_server(code: str, folder: Path | None = None) -> "Server":
    """The server that a team wrote: `MODULE:NAME`, found in `folder` or this directory, or among what is installed.

    Errors: Misconfigured (`no-such-code`); whatever its module raises.
    """
    from pierhead.sdk.server import Server  # noqa: PLC0415 - loads the protocol stack

    module, _, name = code.partition(":")
    place = str((folder or Path.cwd()).resolve())
    if place not in sys.path:
        sys.path.insert(0, place)
    try:
        found: object = getattr(importlib.import_module(module), name) if module and name else None  # noqa: TID251 - here they live
    except (ImportError, AttributeError) as missing:
        message = f"there is no server {code!r}: {missing}"
        raise Misconfigured(
            message, hint="name it like lunch:server, from its directory", code="no-such-code"
        ) from None
    if not isinstance(found, Server):
        message = f"{code!r} is no server of the SDK"
        raise Misconfigured(message, hint="name a pierhead.Server, like lunch:server", code="no-such-code")
    return found


def databases() -> "Databases":
    """What serves one database to `serve`, `doctor`, `contract` and `config`. Errors: Misconfigured."""
    point = next(iter(entry_points(group=DATABASES)), None)
    if point is None:
        raise Misconfigured("nothing here serves databases", hint="pip install pierhead", code="unknown-kind")
    found: Databases = point.load()
    return found


def ai_clients() -> "dict[str, AiClient]":
    """The AI clients that are known, by id, the built-in ones first. Errors: Misconfigured, for an id told twice."""
    points = sorted(entry_points(group=CLIENTS), key=lambda point: (point.name != "built-in", point.name))
    found: dict[str, AiClient] = {}
    for point in points:
        listed: tuple[AiClient, ...] = point.load()
        for client in listed:
            if client.id in found:
                message = f"client {client.id} is told twice, again by {point.value}"
                raise Misconfigured(message, hint="uninstall one of the two packages", code="unknown-kind")
            found[client.id] = client
    return found
