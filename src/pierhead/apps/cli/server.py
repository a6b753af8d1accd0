"""`pierhead server list|show`: what the registry has, from the shell."""

from typing import Annotated, Any

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.core.errors import NotFound

server_app = typer.Typer(help="The registry's servers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(server_app, name="server")


@server_app.command("list")
@server_app.command("ls", hidden=True)
def servers(
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List the servers, whatever their stage.

    Examples: pierhead server list; pierhead server list -o json
    """
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415 - see the package's docstring

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
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show one server, its process and its tools.

    Example: pierhead server show warehouse
    """
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415

    here = console(data_of(data, config))
    snapshot = here.policy().current()
    found = snapshot.servers.get(name)
    if found is None:
        raise NotFound(f"no server {name!r}", hint="see: pierhead server list")
    document: dict[str, Any] = {
        "name": found.name,
        "kind": found.kind,
        "version": found.version,
        "stage": str(found.stage),
        "process": _process(here.processes().get(name)),
        "description": found.description,
        "url": f"{here.running.public_url}/mcp/{name}",
        "owner": found.owner,
        "support": found.support,
        "access": [str(row.who) for row in snapshot.rows.get(name, ())],
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
    if as_json or output is not Output.TABLE:
        emit(document, output, json=as_json)
        return
    for key in ("name", "kind", "version", "stage", "process", "description", "url", "owner", "support"):
        print(f"{key:<12} {document[key]}")
    print(f"{'access':<12} {', '.join(document['access']) or 'nobody'}")
    columns = ("name", "effect", "approval", "policy", "narrowed", "minutes")
    show(document["tools"], columns, output, json=False)


def _process(known: dict[str, Any] | None) -> str:
    """What its process does, and why if that needs saying."""
    if known is None:
        return "not reported"
    return f"{known['state']}: {known['reason']}" if known["reason"] else known["state"]
