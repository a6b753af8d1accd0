"""Plug-ins: the only dynamic import. An entry point of the group `pierhead.servers` is a kind of server, the one of
`pierhead.databases` what the commands of one database ask (`pierhead.sdk.database`).

Installed is not active: only kinds that the fleet file names are loaded, each in its own process.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Final

from pierhead.core.errors import Misconfigured

if TYPE_CHECKING:
    from pierhead.sdk.database import Databases
    from pierhead.sdk.server import Server

SERVERS: Final = "pierhead.servers"
DATABASES: Final = "pierhead.databases"

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


def databases() -> "Databases":
    """What serves one database to `serve`, `doctor`, `contract` and `config`. Errors: Misconfigured."""
    point = next(iter(entry_points(group=DATABASES)), None)
    if point is None:
        raise Misconfigured("nothing here serves databases", hint="pip install pierhead", code="unknown-kind")
    found: Databases = point.load()
    return found
