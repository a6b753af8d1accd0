"""What the commands need of the outside: the internal API, the policy in force, a token, a server without a platform.

Not here: what a command shows (`apps/cli`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from pierhead.adapters.internal_client import ApiClient, InternalClient
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.company_policies import engine
from pierhead.bootstrap.fleet import Fleet
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import Running, find_running
from pierhead.bootstrap.secret_references import Secrets
from pierhead.bootstrap.settings import shell_access
from pierhead.bootstrap.variables import with_variables
from pierhead.core.errors import NotFound, Unauthenticated
from pierhead.core.identity import Caller, User
from pierhead.core.snapshot import Age, Fresh, Snapshot
from pierhead.usecases.wire_forms import AROUND, snapshot_from_form, tool_to_form

_PAGE: Final = 2000
_TOKEN_S: Final = 300


@dataclass(frozen=True, slots=True)
class Console:
    """The running platform, seen from a shell on its machine that may read its keys."""

    running: Running
    data: Path
    internal: InternalClient

    def token(self, person: str, server: str, ttl_s: int) -> str:
        """An access token. Errors: NotFound, for nobody of that name; Invalid."""
        said = self.internal.post("/tokens", {"person": person, "server": server, "ttl_s": ttl_s})
        return str(said["token"])

    def policy(self, after: int = 0, wait_s: float = 0) -> "NowInForce":
        """The revision in force, from the registry itself; it is waited for until it is higher than `after`."""
        envelope = self.internal.get("/snapshot", {"after": after, "wait_s": wait_s})
        form = cast("dict[str, object]", json.loads(envelope["payload"]))
        return NowInForce(snapshot_from_form({key: form[key] for key in form.keys() - AROUND}, engine=engine))

    def processes(self) -> dict[str, dict[str, Any]]:
        """What each server's process was last said to do: state, reason, since. Servers never started are missing."""
        return cast("dict[str, dict[str, Any]]", self.internal.get("/servers/states")["states"])

    def health(self, server: str) -> dict[str, Any]:
        """How a server is, its last look and what it needs; unknown where nobody looked."""
        try:
            known = self.internal.get(f"/health/{server}", {"limit": 1})["health"]
        except NotFound:
            return {"condition": "unknown", "last": None, "dependencies": []}
        return {**known, "dependencies": known["last"]["dependencies"]}

    def fleet(self) -> Fleet:
        return fleet_file.load(Path(self.running.fleet), self.data)

    def caller(self, person: str) -> Caller:
        """That person as the built-in sign-in knows them. Errors: NotFound."""
        fleet = self.fleet()
        groups = fleet.people.get(person)
        if groups is None:
            raise NotFound(f"nobody is called {person!r} here", hint="the fleet file lists people")
        return Caller(User(self.running.public_url, person, groups, fleet.claims.get(person, ())), "ide", "local", "")


@dataclass(frozen=True, slots=True)
class NowInForce:
    """A snapshot that was fetched this moment, as the port Snapshots."""

    snapshot: Snapshot

    def current(self) -> Snapshot:
        return self.snapshot

    def age(self) -> Age:
        return Fresh()


def console(data: Path) -> Console:
    """Errors: UpstreamUnreachable, if no platform runs there."""
    place = data.resolve()
    running = find_running(place)
    return Console(running, place, InternalClient(running.registry_url, Keys.at(place).read("internal.key")))


def api(data: Path, person: str) -> ApiClient:
    """The REST API: as that person of the built-in sign-in, or as whoever the shell's access token names.

    Errors: Unauthenticated, if nobody is named; UpstreamUnreachable, if no platform runs there.
    """
    url, token = shell_access()
    if person:
        here = console(data)
        return ApiClient(here.running.public_url, here.token(person, "", _TOKEN_S), here.running.trust)
    if not token:
        raise Unauthenticated(
            "nobody is named who asks",
            hint="add --as PERSON, for instance --as alice; or set PIERHEAD_TOKEN, and PIERHEAD_URL",
        )
    if url:
        return ApiClient(url, token)
    running = console(data).running
    return ApiClient(running.public_url, token, running.trust)


def has_token() -> bool:
    """Whether the shell was given an access token."""
    return bool(shell_access()[1])


def kept_lines(client: InternalClient) -> Iterator[tuple[str, bytes]]:
    """Every record that the registry keeps, writer by writer, in order."""
    after: dict[str, Any] | None = {"writer": "", "sequence": 0}
    while after is not None:
        page = client.get("/audit/export", {**after, "limit": _PAGE})
        for kept in page["lines"]:
            yield kept["writer"], kept["line"].encode()
        after = page["next"]


def declared_tools(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    """The tools that a server of the fleet declares, built without a platform.

    A guest's are what the fleet file says of them: its process is not started for a look.
    Errors: NotFound, Misconfigured.
    """
    from pierhead.bootstrap.plugins import fleet_server  # noqa: PLC0415 - loads the protocol stack

    server = fleet.servers.get(name)
    if server is None:
        raise NotFound(f"the fleet has no server {name!r}", hint=f"it has: {', '.join(fleet.servers)}")
    if server.guest is None:
        settings = with_variables(server.settings, Secrets.unread())
        return [dict(tool_to_form(tool)) for tool in fleet_server(server.kind, name, settings).manifest()]
    return [
        {"name": tool, "policy": declared.policy, "effect": declared.effect, "approval": declared.approval or "none"}
        for tool, declared in server.guest.tools.items()
    ]
