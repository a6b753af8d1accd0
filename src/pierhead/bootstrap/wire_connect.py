"""What `pierhead connect` needs of the outside: the clients, this machine, their files, and the servers to name.

Servers are asked of the platform on this machine, or of another one by its REST API. Not here: what goes into a
client's file (`usecases/connect_client`).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pierhead.adapters.client_files import DiskClientFiles
from pierhead.bootstrap.plugins import ai_clients
from pierhead.bootstrap.settings import this_machine
from pierhead.core.ai_client import AiClient, Connection, Machine, System
from pierhead.core.errors import Invalid, NotFound, Unauthenticated, UpstreamUnreachable
from pierhead.usecases.ports_clients import ClientFiles

if TYPE_CHECKING:
    from pierhead.bootstrap.wire_commands import Console

DESK: Final = "pierhead"
"""What the front desk is called in a client's file."""

_SYSTEMS: Final = {"darwin": System.MACOS, "win32": System.WINDOWS}
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TIMEOUT_S: Final = 20.0
_UNAUTHENTICATED: Final = 401
_OK: Final = 200


def known_client(identity: str) -> AiClient:
    """Errors: Invalid."""
    known = ai_clients()
    if identity not in known:
        raise Invalid(f"client {identity!r} is unknown", hint=f"known: {', '.join(sorted(known))}")
    return known[identity]


def machine() -> Machine:
    """The machine of whoever runs this command; the project is the folder they are in."""
    platform, variables = this_machine()
    return Machine(_SYSTEMS.get(platform, System.LINUX), str(Path.cwd()), variables)


def files() -> ClientFiles:
    return DiskClientFiles()


def desk(origin: str) -> Connection:
    """The front desk: one connection for the whole fleet."""
    return Connection(DESK, f"{origin}/mcp")


def named(origin: str, name: str, namespace: str = "") -> Connection:
    """One server by its name, and by its name in the public registry if the namespace is known.

    Errors: Invalid, for what cannot be a name.
    """
    if _NAME.fullmatch(name) is None:
        raise Invalid(f"{name!r} is no server's name", hint="see: pierhead server list")
    return Connection(name, f"{origin}/mcp/{name}", f"{namespace}/{name}" if namespace else "")


def origin_of(text: str) -> str:
    """The origin in an address that was given. Errors: Invalid."""
    origin = text.rstrip("/")
    if _ORIGIN.fullmatch(origin) is None:
        raise Invalid(f"{text!r} is no origin", hint="write https://HOST or http://HOST:PORT, without a path")
    return origin


def local(data: Path, person: str, server: str, namespace: str) -> list[Connection]:
    """What that person may reach on the platform that runs here; with nobody named, every server that is live.

    Errors: UpstreamUnreachable; NotFound, also for a server that is not theirs to reach.
    """
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415 - only POSIX has what it needs

    here = console(data)
    names = _reachable(here, person)
    if server and server not in names:
        raise NotFound(f"no server {server!r} to connect to", hint=f"there are: {', '.join(names) or 'none'}")
    return [named(here.running.public_url, name, namespace) for name in names if server in {"", name}]


def _reachable(here: "Console", person: str) -> list[str]:
    from pierhead.usecases.explain_decision import explain_decision  # noqa: PLC0415 - only now

    policy = here.policy()
    live = sorted(name for name, server in policy.current().servers.items() if server.is_callable)
    if not person:
        return live
    caller = here.caller(person)
    return [name for name in live if explain_decision(caller, name, "", policy).decision == "permit"]


def remote(origin: str, token: str) -> list[Connection]:
    """What the bearer of that token may reach on another platform, by its REST API.

    Errors: Unauthenticated, UpstreamUnreachable.
    """
    said = _asked(f"{origin}/api/v1/me", token)
    servers: object = said.get("servers")
    if not isinstance(servers, list):
        raise UpstreamUnreachable(f"{origin} does not answer as a platform does", hint="is it the right origin?")
    return [named(origin, str(each["name"])) for each in said["servers"]]


def _asked(url: str, token: str) -> Mapping[str, Any]:
    import httpx2  # noqa: PLC0415 - only to ask

    try:
        answer = httpx2.get(url, headers={"authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S)
        body: object = answer.json() if answer.status_code == _OK else None
    except (httpx2.HTTPError, ValueError) as failed:
        raise UpstreamUnreachable(f"{url} does not answer: {failed}", hint="is the platform up?") from None
    if answer.status_code == _UNAUTHENTICATED:
        raise Unauthenticated(f"{url} does not accept the token", hint="ask for a new one: pierhead token")
    if not isinstance(body, dict):
        raise UpstreamUnreachable(f"{url} answers {answer.status_code}", hint="is it the right origin?")
    return cast("Mapping[str, Any]", body)
