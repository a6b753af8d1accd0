"""`pierhead token`, `connect` and `policy explain`: who may do what, and how a client gets in."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, settings_of
from pierhead.core.errors import Invalid

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S: Final = 12 * 3600

_As = Annotated[str, typer.Option("--as", help="The person, as the fleet file names them.")]

policy_app = typer.Typer(help="What is decided, and why.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command("token")(token)
    app.command("connect")(connect)
    app.add_typer(policy_app, name="policy")


def token(
    person: _As,
    server: Annotated[str, typer.Option("--server", help="Only for this server. Default: every server.")] = "",
    ttl: Annotated[str, typer.Option(help="How long it holds: 15m, 1h; at most 12h.")] = "15m",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Print an access token of the built-in sign-in.

    Examples: pierhead token --as alice; pierhead token --as alice --server warehouse --ttl 1h
    """
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415 - see the package's docstring

    place = settings_of(data, config).settings.platform.data
    print(console(place).token(person, server, seconds(ttl)))


def seconds(text: str) -> int:
    """`15m` as seconds. Errors: Invalid."""
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.isdecimal() and 0 < int(number) * _UNITS[unit] <= _LONGEST_S:
        return int(number) * _UNITS[unit]
    raise Invalid(f"cannot read the time {text!r}", hint="write 30s, 15m or 1h; at most 12h")


def connect(
    client: Annotated[str, typer.Argument(help="claude-code, vscode, cursor or gemini.")],
    server: Annotated[str, typer.Option("--server", help="One server. Default: all of the fleet.")] = "",
    show: Annotated[bool, typer.Option("--print", help="Print the configuration.")] = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Print an AI client's configuration for the servers of the running platform.

    Examples: pierhead connect claude-code --print; pierhead connect vscode --server warehouse --print
    """
    from pierhead.bootstrap.running import find_running  # noqa: PLC0415
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415

    if not show:
        raise Invalid("this version prints configurations, it does not write them", hint="add --print, then paste")
    shape = _CLIENTS.get(client)
    if shape is None:
        raise Invalid(f"client {client!r} is unknown", hint=f"known: {', '.join(_CLIENTS)}")
    place = settings_of(data, config).settings.platform.data
    names = [server] if server else sorted(console(place).policy().current().servers)
    url = find_running(place.resolve()).public_url
    print(shape({name: f"{url}/mcp/{name}" for name in names}))


def _claude_code(urls: dict[str, str]) -> str:
    return "\n".join(f"claude mcp add --transport http {name} {url}" for name, url in urls.items())


def _vscode(urls: dict[str, str]) -> str:
    """For .vscode/mcp.json."""
    return json.dumps({"servers": {name: {"type": "http", "url": url} for name, url in urls.items()}}, indent=2)


def _cursor(urls: dict[str, str]) -> str:
    """For .cursor/mcp.json."""
    return json.dumps({"mcpServers": {name: {"url": url} for name, url in urls.items()}}, indent=2)


def _gemini(urls: dict[str, str]) -> str:
    """For .gemini/settings.json."""
    return json.dumps({"mcpServers": {name: {"httpUrl": url} for name, url in urls.items()}}, indent=2)


_CLIENTS: Final = {"claude-code": _claude_code, "vscode": _vscode, "cursor": _cursor, "gemini": _gemini}


@policy_app.command("explain")
def explain(
    person: _As,
    server: Annotated[str, typer.Option("--server", help="The server.")],
    tool: Annotated[str, typer.Option("--tool", help="The tool. Default: only whether the server is reached.")] = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Print what would be decided on a call, with every rule that took part.

    Example: pierhead policy explain --as bob --server warehouse --tool run_query
    """
    from pierhead.bootstrap.wire_commands import console  # noqa: PLC0415
    from pierhead.usecases.explain_decision import explain_decision  # noqa: PLC0415

    here = console(settings_of(data, config).settings.platform.data)
    found = explain_decision(here.caller(person), server, tool, here.policy())
    document: dict[str, Any] = {
        "decision": found.decision,
        "approval": str(found.approval),
        "why": found.sentence,
        "whom_to_ask": found.whom_to_ask,
        "policy_revision": found.revision,
        "rules": [
            {"effect": str(rule.effect), "question": str(rule.question), "rule": rule.rule, "says": rule.sentence}
            for rule in found.reasons
        ],
    }
    if as_json or output is not Output.TABLE:
        emit(document, output, json=as_json)
        return
    print(f"{found.decision}: {found.sentence} (policy revision {found.revision})")
    for rule in document["rules"]:
        print(f"  {rule['effect']:<7} {rule['question']:<6} {rule['rule']:<32} {rule['says']}")
    if found.decision == "refuse":
        print(f"  {found.whom_to_ask}")


def data_of(data: Path | None, config: Path | None) -> Path:
    """The data directory in force."""
    return settings_of(data, config).settings.platform.data
