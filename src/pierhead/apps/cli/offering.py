"""`pierhead server register`: a server is offered, by a file or an address; if asked for, all the way to its reviewers.

Above: `server`. Below: `gitops`, which publishes and submits. Not here: the steps of its life after that (`life`).
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, Output
from pierhead.apps.cli.gitops import Applying
from pierhead.apps.cli.life import AsOption, FormatOption, client_of, told
from pierhead.apps.cli.packet import parts_in
from pierhead.core.errors import Invalid

if TYPE_CHECKING:
    from pierhead.apps.cli.packet import Parts

_TOOL: Final = re.compile(r"(\S{1,128})\s+([a-z]{1,20})\s+(\d{1,5}(?:\.\d{1,4})?)\s+(\S.{0,500})")
_Tool = Annotated[
    list[str] | None, typer.Option("--tool", help='A tool: "NAME EFFECT MINUTES WHO"; once for each. As --owner.')
]


def register(server_app: typer.Typer) -> None:
    server_app.command("register")(register_server)


def register_server(
    file: Annotated[Path | None, typer.Argument(help="One server as in a fleet file, or a server.json.")] = None,
    name: Annotated[str, typer.Option("--name", help="Its name, if the file is only what stands under it.")] = "",
    url: Annotated[str, typer.Option("--url", help="Of a remote MCP server, instead of a file.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="The group that owns it, unless an entry says so.")] = "",
    support: Annotated[str, typer.Option("--support", help="Where its users ask, unless an entry says so.")] = "",
    access: Annotated[str, typer.Option("--access", help="Who may reach it, unless an entry says so.")] = "nobody",
    tool: _Tool = None,
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
    pierhead server register --name maps --url https://maps.corp.example/mcp --owner web --support "#web"
    --tool "find_route read 3 group:web" --as bob;
    pierhead server register server.json --owner web --support "#web" --tool "search read 2 everyone" --as bob;
    pierhead server register clock.yaml --packet reports/ --submit --reason "first version" --as bob
    """
    if (file is None) == (not url):
        raise Invalid("name a file, or the --url of a remote server", hint="see pierhead server register --help")
    said = {"owner": owner, "support": support, "access": access, "tools": _tools(tool or [])}
    offer = _offer(file, name, said) if file else {"name": name, "entry": {"kind": "http", "url": url, **said}}
    client = client_of(person, data, config)
    if packet is None and not submit:
        told(client.ask("POST", "/servers", offer), output)
        return
    parts: Parts = parts_in(packet) if packet else {}
    applying = Applying(client, reason, wait)
    told(applying.register(str(offer["name"]), offer, parts, submits=submit), output or Output.NAME)


def _tools(lines: list[str]) -> Mapping[str, object]:
    """Tools as they are told in one line each. Errors: Invalid."""
    tools: dict[str, object] = {}
    for line in lines:
        found = _TOOL.fullmatch(line.strip())
        if found is None:
            hint = 'write a name, an effect, minutes saved and who may use it: "find read 3 group:web"'
            raise Invalid(f"--tool {line[:100]!r} declares no tool", hint=hint)
        tools[found[1]] = {"effect": found[2], "minutes_saved": float(found[3]), "policy": found[4]}
    return tools


def _offer(file: Path, name: str, said: Mapping[str, object]) -> Mapping[str, object]:
    """What to send of a file: an entry as in a fleet file, or another registry's `server.json` and what `said` adds."""
    source = _server_json(file)
    if source is None:
        named, entry = entry_in(file, name)
        return {"name": named, "entry": entry}
    from pierhead.usecases.import_server import slug_of  # noqa: PLC0415 - of one kind of file

    inner = source.get("server")
    foreign = cast("Mapping[str, object]", inner if isinstance(inner, dict) else source)
    return {"name": name or slug_of(str(foreign.get("name", ""))), "entry": said, "server_json": source}


def _server_json(file: Path) -> Mapping[str, object] | None:
    """The document, if the file is a `server.json` or a registry's answer around one."""
    try:
        source: object = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # whatever it is else, reading it as an entry tells
    if not isinstance(source, dict):
        return None
    found = cast("Mapping[str, object]", source)
    is_one = isinstance(found.get("server"), dict) or "remotes" in found or "packages" in found
    return found if is_one else None


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
