"""`pierhead server register`: a server is offered, by a file or an address; if asked for, all the way to its reviewers.

Above: `server`. Below: `gitops`, which publishes and submits. Not here: the steps of its life after that (`life`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, Output
from pierhead.apps.cli.gitops import Applying
from pierhead.apps.cli.life import AsOption, FormatOption, client_of, told
from pierhead.apps.cli.packet import parts_in
from pierhead.core.errors import Invalid

if TYPE_CHECKING:
    from pierhead.apps.cli.packet import Parts


def register(server_app: typer.Typer) -> None:
    server_app.command("register")(register_server)


def register_server(
    file: Annotated[Path | None, typer.Argument(help="A YAML file with one server, as in a fleet file.")] = None,
    name: Annotated[str, typer.Option("--name", help="Its name, if the file is only what stands under it.")] = "",
    url: Annotated[str, typer.Option("--url", help="Of a remote MCP server, instead of a file.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="With --url: the group that owns it.")] = "",
    support: Annotated[str, typer.Option("--support", help="With --url: where its users ask.")] = "",
    access: Annotated[str, typer.Option("--access", help="With --url: who may reach it.")] = "nobody",
    packet: Annotated[Path | None, typer.Option("--packet", help="A folder for its reviewers; publishes too.")] = None,
    submit: Annotated[bool, typer.Option("--submit", help="Also publish, and put it before its reviewers.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="With --submit, for the record.")] = "",
    wait: Annotated[float, typer.Option("--wait", help="Seconds for its process to tell its definitions.")] = 60.0,
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Register a server. Nothing of it can be called before a version of it was reviewed and deployed.

    Examples: pierhead server register clock.yaml --as bob;
    pierhead server register --name maps --url https://maps.corp.example/mcp --owner web --support "#web" --as bob;
    pierhead server register clock.yaml --packet reports/ --submit --reason "first version" --as bob
    """
    if (file is None) == (not url):
        raise Invalid("name a file, or the --url of a remote server", hint="see pierhead server register --help")
    if file is None:
        named = name
        entry: Mapping[str, object] = {
            "kind": "http",
            "url": url,
            "owner": owner,
            "support": support,
            "access": access,
        }
    else:
        named, entry = entry_in(file, name)
    client = client_of(person, data, config)
    if packet is None and not submit:
        told(client.ask("POST", "/servers", {"name": named, "entry": entry}), output)
        return
    parts: Parts = parts_in(packet) if packet else {}
    told(Applying(client, reason, wait).register(named, entry, parts, submits=submit), output or Output.NAME)


def entry_in(file: Path, name: str) -> tuple[str, Mapping[str, object]]:
    """The one server of a file: under `servers:`, or the whole of it if it is named on the command line."""
    from pierhead.bootstrap.document import read_document  # noqa: PLC0415

    values = read_document(file).values
    if not isinstance(values.get("servers"), dict):
        if name:
            return name, values
        raise Invalid(f"{file} names no server", hint="put it under `servers:`, or add --name")
    servers = cast("Mapping[str, object]", values["servers"])
    wanted = [each for each in servers.items() if name in {"", each[0]}]
    if len(wanted) != 1:
        raise Invalid(f"{file} has {len(wanted)} servers to register", hint="name one: --name NAME")
    found, entry = wanted[0]
    if not isinstance(entry, dict):
        raise Invalid(f"{file}: {found} is no mapping", hint="see docs/how-to/register-a-server.md")
    return found, cast("Mapping[str, object]", entry)
