"""`pierhead token`: how a person gets in; and where the data is."""

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


def data_of(data: Path | None, config: Path | None) -> Path:
    """The data directory in force."""
    return settings_of(data, config).settings.platform.data
