"""`pierhead server list|show`: what the registry has, from the shell.

As a person, what they are shown; as nobody, on the platform's own machine, every server of the policy in force. Not
here: changing anything (`offering`, `life`, `reviewing`, `gitops`).
"""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from pierhead.apps.cli import gitops, life, offering, reviewing
from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.apps.cli.policy import policy_app
from pierhead.core.errors import NotFound

if TYPE_CHECKING:
    from pierhead.bootstrap.wire_commands import ApiClient, Console
    from pierhead.core.catalog import Server

server_app = typer.Typer(help="The registry's servers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    offering.register(server_app)
    life.register(server_app)
    reviewing.register(server_app)
    gitops.register(server_app, policy_app)
    app.add_typer(server_app, name="server")


@server_app.command("list")
@server_app.command("ls", hidden=True)
def servers(
    search: Annotated[str, typer.Option("--search", help="Only those that hold this text.")] = "",
    person: life.AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List the servers, whatever their stage: as a person, those that are theirs to see.

    Examples: pierhead server list; pierhead server list --as bob -o name; pierhead server list --as bob --search time
    """
    from pierhead.apps.cli.planning import every_server  # noqa: PLC0415 - see the package's docstring
    from pierhead.bootstrap.wire_commands import console, has_token  # noqa: PLC0415

    if person or search or has_token():
        client = life.client_of(person, data, config)
        query = f"&{urlencode({'search': search})}" if search else ""
        found = [{**each, "tools": each["tool_count"]} for each in every_server(client, query)]
        show(found, ("name", "kind", "stage", "version", "tools", "owner", "support"), output, json=as_json)
        return
    snapshot = console(data_of(data, config)).policy().current()
    rows = [
        {
            "name": server.name,
            "kind": server.kind,
            "version": server.version,
            "stage": str(server.stage),
            "tools": len(server.tools),
            "owner": server.owner,
            "support": server.support,
            "access": " or ".join(str(row.who) for row in snapshot.rows.get(server.name, ())) or "nobody",
        }
        for server in snapshot.servers.values()
    ]
    columns = ("name", "kind", "stage", "tools", "owner", "support", "access")
    show(rows, columns, output, json=as_json)


@server_app.command("show")
def server(
    name: Annotated[str, typer.Argument(help="The server.")],
    person: life.AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show one server, its process and its tools: as a person, with what they may do, and its versions.

    Examples: pierhead server show warehouse; pierhead server show clock --as bob
    """
    from pierhead.bootstrap.wire_commands import console, has_token  # noqa: PLC0415

    if person or has_token():
        _seen(life.client_of(person, data, config), name, Output.JSON if as_json else output)
        return
    here = console(data_of(data, config))
    snapshot = here.policy().current()
    found = snapshot.servers.get(name)
    if found is None:
        raise NotFound(f"no server {name!r}", hint="see: pierhead server list")
    document = _document(here, found, [str(row.who) for row in snapshot.rows.get(name, ())])
    if as_json or output is not Output.TABLE:
        emit(document, output, json=as_json)
        return
    shown = {**document, "health": _health(document["health"])}
    for key in ("name", "kind", "version", "stage", "process", "health", "description", "url", "owner", "support"):
        print(f"{key:<12} {shown[key]}")
    print(f"{'access':<12} {', '.join(document['access']) or 'nobody'}")
    columns = ("name", "effect", "approval", "policy", "narrowed", "minutes")
    show(document["tools"], columns, output, json=False)


def _document(here: "Console", found: "Server", access: list[str]) -> dict[str, Any]:
    """One server of the policy in force, with what its process does."""
    return {
        "name": found.name,
        "kind": found.kind,
        "version": found.version,
        "stage": str(found.stage),
        "process": _process(here.processes().get(found.name)),
        "health": here.health(found.name),
        "description": found.description,
        "url": f"{here.running.public_url}/mcp/{found.name}",
        "owner": found.owner,
        "support": found.support,
        "access": access,
        "tools": [
            {
                "name": tool.name,
                "effect": str(tool.effect),
                "approval": str(tool.approval),
                "policy": str(tool.policy),
                "narrowed": str(tool.narrowed) if tool.narrowed else "",
                "minutes": tool.minutes.mode,
                "description": tool.description,
            }
            for tool in found.tools.values()
        ],
    }


def _seen(client: "ApiClient", name: str, output: Output) -> None:
    """One server as its caller sees it."""
    path = life.path_of(name)
    found = {**client.ask("GET", path), "versions": client.ask("GET", f"{path}/versions")["versions"]}
    found["health"] = client.ask("GET", f"{path}/health?limit=1")
    if output is not Output.TABLE:
        emit(found, output, json=False)
        return
    for key in ("name", "title", "kind", "version", "stage", "data_class", "description", "url", "owner", "support"):
        print(f"{key:<12} {found[key]}")
    print(f"{'health':<12} {_health(found['health'])}")
    print(f"{'you':<12} {found['why']}" + ("" if found["may_reach"] else f"; {found['whom_to_ask']}"))
    for key in ("notice", "withheld"):
        if found[key]:
            print(f"{key:<12} {found[key] if key == 'notice' else ', '.join(found[key])}")
    if found["tools"]:
        show(found["tools"], ("name", "effect", "approval", "decision"), Output.TABLE, json=False)
    else:
        print(f"{'tools':<12} none that are yours to use")
    columns = ("version", "stage", "is_current", "submitted_by", "reason", "steps")
    show(found["versions"], columns, Output.TABLE, json=False)


def _process(known: dict[str, Any] | None) -> str:
    """What its process does, and why if that needs saying."""
    if known is None:
        return "not reported"
    return f"{known['state']}: {known['reason']}" if known["reason"] else known["state"]


def _health(known: dict[str, Any]) -> str:
    """How it is, why if that needs saying, and what it needs that is not well."""
    reason = known["last"]["reason"] if known["last"] else ""
    unwell = [f"{one['name']} is {one['condition']}" for one in known["dependencies"] if one["condition"] != "up"]
    told = [str(part) for part in (reason, *unwell) if part]
    return f"{known['condition']}: {'; '.join(told)}" if told else str(known["condition"])
