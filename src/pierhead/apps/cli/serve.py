"""`pierhead serve`: one database as a governed REST API and MCP server, until Ctrl-C.

Everything is checked before the port answers: a bad url, file, login or role starts nothing. Not here: what is served
(`bootstrap/wire_serve`), the listener (`apps/serve`).
"""

import shlex
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pierhead.apps.cli.frame import INTERRUPTED, ConfigOption, DataOption, settings_of
from pierhead.core.errors import Misconfigured

if TYPE_CHECKING:
    import socket

    from pierhead.bootstrap.settings import Settings
    from pierhead.bootstrap.wire_serve import Served, ServeSetting

_SHOWN: Final = 5
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    db: Annotated[str, typer.Option("--db", help="The database's url. Default: the setting serve.db")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port. Default: 8080; 0 takes a free one.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Nothing writes, whatever the roles say.")] = False,
    roles: Annotated[Path | None, typer.Option("--roles", help="The roles file. Default: DATA/roles.yaml")] = None,
    host: Annotated[str, typer.Option(help="Where to listen. Beyond loopback it needs --public-url.")] = "127.0.0.1",
    public_url: Annotated[str, typer.Option("--public-url", help="https://… of the proxy that stands before.")] = "",
    trust_login: Annotated[
        bool, typer.Option("--sql-with-privileged-login", help="Run statements of others under such a login.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print where it stands, and the key, as one JSON line.")
    ] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve one database, governed: REST at /api/v1, MCP at /mcp, until Ctrl-C.

    Examples: pierhead serve --db sqlite:///shop.db; pierhead serve --db postgresql://reader@db/shop --roles roles.yaml
    """
    from pierhead.bootstrap.database_url import database_url  # noqa: PLC0415 - see the package's docstring
    from pierhead.bootstrap.roles_file import default_place  # noqa: PLC0415
    from pierhead.bootstrap.running import bound  # noqa: PLC0415
    from pierhead.bootstrap.wire_serve import ServeSetting  # noqa: PLC0415

    began = time.monotonic()
    _keep_out_of_the_title(db)
    settings = settings_of(data, config).settings
    place = settings.platform.data.resolve()
    _require_proxy(host, public_url)
    listener = bound(host, settings.serve.port if port is None else port)
    setting = ServeSetting(
        url=database_url(db, settings),
        data=place,
        roles=(roles or default_place(place)).resolve(),
        is_roles_named=roles is not None,
        port=listener.getsockname()[1],
        is_read_only=read_only,
        is_loopback=host in _LOOPBACK,
        trusts_login=trust_login,
        surface=settings.platform.surface,
        environment=settings.platform.environment,
        refresh_s=settings.serve.refresh_s,
    )
    _run(_Whole(setting, settings, listener, public_url, began, as_json=as_json))


def _run(whole: "_Whole") -> None:
    from pierhead.apps import serving  # noqa: PLC0415

    serving.run(whole.run)
    if not whole.drained:
        raise typer.Exit(INTERRUPTED)


def _keep_out_of_the_title(db: str) -> None:
    """A url with a password moves from the command, which every user of this machine reads, to the environment."""
    from pierhead.bootstrap.database_url import holds_password  # noqa: PLC0415
    from pierhead.bootstrap.settings import restart_with_secret  # noqa: PLC0415

    if holds_password(db):
        given = sys.orig_argv[1:]
        places = {place for place, word in enumerate(given) if db in word}
        named = {place - 1 for place in places if given[place - 1] == "--db"}
        rest = [word for place, word in enumerate(given) if place not in places | named]
        restart_with_secret(("serve", "db"), db, rest)


def _require_proxy(host: str, public_url: str) -> None:
    """A key on a wire that others can read is everybody's key."""
    if host not in _LOOPBACK and not public_url.startswith("https://"):
        message = f"--host {host} is open to other machines, and nothing here encrypts"
        hint = "name the proxy that does: --public-url https://data.corp.example; or stay on 127.0.0.1"
        raise Misconfigured(message, hint=hint, code="half-secured")


class _Whole:
    """One run of the command."""

    def __init__(
        self,
        setting: "ServeSetting",
        settings: "Settings",
        listener: "socket.socket",
        public_url: str,
        began: float,
        *,
        as_json: bool,
    ) -> None:
        self._setting = setting
        self._settings = settings
        self._listener = listener
        self._public_url = public_url
        self._began = began
        self._as_json = as_json
        self.drained = True

    async def run(self) -> None:
        from pierhead.bootstrap.wire_serve import served  # noqa: PLC0415 - see the package's docstring

        with closing(self._listener):
            await self._serve(await served(self._setting, self._say))
        self._say("pierhead", "stopped", "")

    async def _serve(self, whole: "Served") -> None:
        from pierhead.apps.serve import Program  # noqa: PLC0415 - see the package's docstring
        from pierhead.apps.serve.door import Door, Names  # noqa: PLC0415

        port = self._setting.port
        names = Names.of(port, self._public_url)
        door = Door(whole.application, whole.verifier, whole.failures, names, f"127.0.0.1:{port}".encode())
        follow = whole.followed.follow_for_ever

        async def endless() -> None:
            await follow(self._setting.refresh_s)

        program = Program(door, (endless,), whole.closing, self._settings.shutdown.drain_s)
        self.drained = await program.run(self._listener, lambda: self._ready(whole))

    def _say(self, name: str, state: str, reason: str) -> None:
        end = f"  {reason}" if reason else ""
        print(f"{time.monotonic() - self._began:6.1f} s  {name:<10} {state}{end}", file=sys.stderr, flush=True)

    def _ready(self, whole: "Served") -> None:
        host, port = self._listener.getsockname()[:2]
        facts = facts_of(whole, self._public_url, time.monotonic() - self._began)
        facts["listening"] = f"http://{host}:{port}"
        if self._as_json:
            from pierhead.apps.cli.frame import json_line  # noqa: PLC0415

            print(json_line(facts), flush=True)
            return
        show_ready(facts)


def facts_of(whole: "Served", public_url: str, seconds: float) -> dict[str, Any]:
    """Where it stands, who may do what, and how to begin."""
    setting, role = whole.setting, whole.followed.printed_role
    url = public_url.rstrip("/") or f"http://127.0.0.1:{setting.port}"
    tables = whole.database.tables(role)
    return {
        "name": setting.name,
        "url": url,
        "rest": f"{url}/api/v1",
        "mcp": f"{url}/mcp",
        "openapi": f"{url}/openapi.json",
        "docs": f"{url}/docs",
        "key": whole.credential,
        "key_id": whole.followed.own.id,
        "key_expires": datetime.fromtimestamp(whole.followed.own.expires, UTC).isoformat(timespec="seconds"),
        "role": role,
        "tables": list(tables),
        "roles_file": str(setting.roles),
        "warnings": [f"{finding.check}: {finding.said}" for finding in whole.dangers],
        "seconds": round(seconds, 2),
        "curl": _curl(f"{url}/api/v1", tables, whole.credential),
        "client": f"claude mcp add --transport http {setting.name} {url}/mcp --header {_header(whole.credential)}",
    }


def _curl(base: str, tables: tuple[str, ...], key: str) -> str:
    query = f"/{tables[0]}?limit=3" if tables else "/"
    return f"curl -H {_header(key)} {shlex.quote(base + query)}"


def _header(key: str) -> str:
    return f'"Authorization: Bearer {key}"'


def show_ready(facts: dict[str, Any]) -> None:
    """What a newcomer needs: the key, and two lines to paste. Warnings go to stderr, in front of all."""
    for warning in facts["warnings"]:
        print(f"warning: the database's login is more than a reader: {warning}", file=sys.stderr)
    if facts["warnings"]:
        print("hint: pierhead doctor --db URL prints the script of a login that can only read", file=sys.stderr)
    tables = facts["tables"]
    more = f" and {len(tables) - _SHOWN} more" if len(tables) > _SHOWN else ""
    some = ", ".join(tables[:_SHOWN]) + more
    lines = [
        "",
        f"  {facts['name']} is served in {facts['seconds']:.1f} s:  {facts['url']}",
        "",
        f"    REST      {facts['rest']}",
        f"    MCP       {facts['mcp']}",
        f"    document  {facts['openapi']}, {facts['docs']}",
        "",
        f"  Key, shown once, kept nowhere, until {facts['key_expires']}; role {facts['role']}, reads only:",
        f"    {facts['key']}",
        f"  It reads {len(tables)} tables: {some}" if tables else "  It reads nothing yet: its role names no table.",
        "",
        "  Try it:",
        f"    {facts['curl']}",
        "",
        "  Connect an AI client:",
        f"    {facts['client']}",
        "",
        f"  Roles: {facts['roles_file']}, followed as it changes (pierhead config set roles.NAME.tables ...)",
        "  Ctrl-C stops it; the record stays.",
        "",
    ]
    print("\n".join(lines), flush=True)
