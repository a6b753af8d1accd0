"""`pierhead token` and `connect`: how a person and a client get in."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, settings_of
from pierhead.core.errors import Invalid

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S: Final = 12 * 3600

_As = Annotated[str, typer.Option("--as", help="The person, as the fleet file names them.")]


def register(app: typer.Typer) -> None:
    app.command("token")(token)
    app.command("connect")(connect)


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


def data_of(data: Path | None, config: Path | None) -> Path:
    """The data directory in force."""
    return settings_of(data, config).settings.platform.data
