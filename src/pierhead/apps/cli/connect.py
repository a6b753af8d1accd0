"""`pierhead connect CLIENT`: put servers into an AI client's own file, or print what to paste, or check what is there.

Every client signs its person in by itself when it first connects: no file and no line holds a secret.
"""

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, settings_of
from pierhead.core.ai_client import AiClient, Connection, Scope
from pierhead.core.errors import Invalid

if TYPE_CHECKING:
    from pierhead.usecases.connect_client import Plan


def register(app: typer.Typer) -> None:
    app.command("connect")(connect)


def connect(
    client: Annotated[str, typer.Argument(help="The client: claude-code, vscode, cursor, codex, gemini, ...")],
    server: Annotated[str, typer.Option("--server", help="One server. Default: all that can be reached.")] = "",
    desk: Annotated[bool, typer.Option("--desk", help="One connection to the whole fleet: the front desk.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Print what to paste; change nothing.")] = False,
    deeplink: Annotated[bool, typer.Option("--deeplink", help="Print links that install by one click.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the file points where it should.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change; change nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace another entry of the same name.")] = False,
    scope: Annotated[Scope | None, typer.Option(help="For you, or for everyone in this folder's project.")] = None,
    person: Annotated[str, typer.Option("--as", help="Only what this person may reach.")] = "",
    url: Annotated[str, typer.Option("--url", help="The origin of a platform elsewhere: https://mcp.example")] = "",
    token: Annotated[Path | None, typer.Option("--token-file", help="With --url: a file with your token.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Connect an AI client: write its file, keeping all else in it, with a backup beside it.

    Examples: pierhead connect claude-code --as alice; pierhead connect vscode --server warehouse --print;
    pierhead connect codex --url https://mcp.example --server presto
    """
    from pierhead.bootstrap.wire_connect import known_client  # noqa: PLC0415 - see the package's docstring

    chosen = known_client(client)
    connections = _connections(url, server, person, token, data, config) if not desk else _desk(url, data, config)
    if not connections:
        raise Invalid("there is no server to connect to", hint="ask an owner for access: pierhead server list")
    if deeplink:
        _print_links(chosen, connections)
    elif show or not (chosen.scopes() or check):
        _print_snippets(chosen, connections)
    elif check:
        _check(chosen, connections, scope)
    else:
        _write(chosen, connections, scope, force=force, dry_run=dry_run)


def _connections(
    url: str, server: str, person: str, token: Path | None, data: Path | None, config: Path | None
) -> list[Connection]:
    from pierhead.bootstrap import wire_connect as wire  # noqa: PLC0415

    if not url:
        settings = settings_of(data, config).settings
        return wire.local(settings.platform.data, person, server, settings.registry.namespace)
    origin = wire.origin_of(url)
    if person:
        raise Invalid("--as names a person of the platform here", hint="with --url, add --token-file")
    if server:
        return [wire.named(origin, server)]
    if token is None:
        raise Invalid("nobody is named who connects", hint="add --server NAME, --desk, or --token-file FILE")
    return wire.remote(origin, _read(token))


def _desk(url: str, data: Path | None, config: Path | None) -> list[Connection]:
    from pierhead.bootstrap import wire_connect as wire  # noqa: PLC0415

    if url:
        return [wire.desk(wire.origin_of(url))]
    from pierhead.bootstrap.running import find_running  # noqa: PLC0415 - only POSIX has what it needs

    return [wire.desk(find_running(settings_of(data, config).settings.platform.data.resolve()).public_url)]


def _read(token: Path) -> str:
    try:
        return token.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Invalid(f"{token} cannot be read", hint="write a token into it: pierhead token") from None


def _print_links(client: AiClient, connections: list[Connection]) -> None:
    links = [link for each in connections for link in client.links_to(each)]
    if not links:
        message = f"{client.name} has no link to servers that are known no better"
        raise Invalid(message, hint="leave --deeplink out", code="client-without-file")
    print("\n".join(links))


def _print_snippets(client: AiClient, connections: list[Connection]) -> None:
    """The part of its file on stdout; what else there is to know on stderr."""
    from pierhead.usecases.client_snippets import snippets_of  # noqa: PLC0415

    snippets = snippets_of(client, connections)
    print(snippets.document, end="")
    _talk(*snippets.commands and ("or from a shell:", *(f"  {line}" for line in snippets.commands)), client.note)


def _check(client: AiClient, connections: list[Connection], scope: Scope | None) -> None:
    from pierhead.bootstrap.wire_connect import files, machine  # noqa: PLC0415
    from pierhead.usecases.connect_client import look, path_of, refuse_drift  # noqa: PLC0415

    path = path_of(client, scope, machine())
    refuse_drift(path, look(client, connections, files().read(path, client.format).document))
    _talk(f"{path} names every server as it should")


def _write(client: AiClient, connections: list[Connection], scope: Scope | None, *, force: bool, dry_run: bool) -> None:
    from pierhead.bootstrap.wire_connect import files, machine  # noqa: PLC0415
    from pierhead.usecases.connect_client import path_of, plan  # noqa: PLC0415

    disk = files()
    made = plan(client, connections, disk.read(path_of(client, scope, machine()), client.format), disk, force=force)
    if not made.changes:
        _talk(f"{made.kept.path} names every server already")
        return
    if dry_run:
        sys.stdout.writelines(_difference(made))
        return
    backup = disk.replace(made.kept, made.text)
    _talk(f"{made.kept.path} names {', '.join(each.name for each in made.found)}", backup and f"as it was: {backup}")
    if client.sign_in:
        _talk("sign in when the client first asks, or now:", *(f"  {line}" for line in _sign_ins(client, connections)))
    _talk(client.note)


def _sign_ins(client: AiClient, connections: list[Connection]) -> tuple[str, ...]:
    from pierhead.usecases.client_snippets import snippets_of  # noqa: PLC0415

    return snippets_of(client, connections).sign_in


def _difference(made: "Plan") -> list[str]:
    before, after = made.kept.text.splitlines(keepends=True), made.text.splitlines(keepends=True)
    return list(difflib.unified_diff(before, after, made.kept.path, made.kept.path))


def _talk(*lines: str) -> None:
    for line in lines:
        if line:
            print(line, file=sys.stderr)
