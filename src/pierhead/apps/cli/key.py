"""`pierhead key create|list|revoke`: who may call a database that `pierhead serve` serves, for how long, as what."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.core.errors import Invalid, NotFound

_UNITS: Final = {"m": 60, "h": 3600, "d": 86400}
_LOCAL: Final = "local"

_Roles = Annotated[Path | None, typer.Option("--roles", help="The roles file. Default: DATA/roles.yaml")]

key_app = typer.Typer(help="API keys of a served database.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(key_app, name="key")


@key_app.command("create")
def create(
    role: Annotated[str, typer.Option("--role", help="What the key may do: a role of the roles file.")],
    expires: Annotated[str, typer.Option("--expires", help="How long it holds: 30m, 12h, 30d; at most 366d.")] = "30d",
    claim: Annotated[list[str] | None, typer.Option("--claim", help="What rules over rows may ask: region=EU.")] = None,
    as_json: JsonOption = False,
    roles: _Roles = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key and print it, once: only its digest is kept. A running `serve` honours it within seconds.

    Examples: pierhead key create --role analyst; pierhead key create --role support --expires 7d --claim region=EU
    """
    from pierhead.bootstrap.wire_keys import key_place  # noqa: PLC0415 - see the package's docstring
    from pierhead.core.api_key import KeyRequest  # noqa: PLC0415
    from pierhead.core.claims import parse_claims  # noqa: PLC0415
    from pierhead.usecases.keep_keys import create_key  # noqa: PLC0415

    place = data_of(data, config).resolve()
    _require_role(role, roles, place)
    asked = KeyRequest(role, seconds(expires), parse_claims(claims_of(claim or [])))
    here = key_place(place)
    credential, key = create_key(asked, here.file, here.clock, here.chance)
    if as_json:
        emit({"key": credential, "id": key.id, "role": role, "expires": _time(key.expires)}, Output.JSON, json=True)
        return
    print(credential)
    typer.echo(f"key {key.id} for role {role}, until {_time(key.expires)}; it is shown only now", err=True)


@key_app.command("list")
@key_app.command("ls", hidden=True)
def listed(
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List the keys that were made, whatever became of them.

    Example: pierhead key list
    """
    from pierhead.bootstrap.wire_keys import key_place  # noqa: PLC0415
    from pierhead.core.claims import claims_form  # noqa: PLC0415

    here = key_place(data_of(data, config).resolve())
    rows: list[dict[str, Any]] = [
        {
            "id": key.id,
            "role": key.role,
            "state": key.state(here.clock.now()),
            "created": _time(key.created),
            "expires": _time(key.expires),
            "claims": claims_form(key.claims),
            "claimed": ", ".join(f"{name}={value}" for name, value in claims_form(key.claims).items()),
        }
        for key in here.file.read().values()
    ]
    show(rows, ("id", "role", "state", "created", "expires", "claimed"), output, json=as_json)


@key_app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `key list` shows it.")],
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """End a key for good. A running `serve` refuses it within seconds.

    Example: pierhead key revoke jhs5qye6
    """
    from pierhead.bootstrap.wire_keys import key_place  # noqa: PLC0415
    from pierhead.usecases.keep_keys import revoke_key  # noqa: PLC0415

    here = key_place(data_of(data, config).resolve())
    revoke_key(key_id, here.file, here.clock)


def _require_role(role: str, named: Path | None, data: Path) -> None:
    """A key for a role that is misspelt would open nothing, and nobody would know why."""
    from pierhead.bootstrap.roles_file import default_place, read_roles  # noqa: PLC0415

    file = named or default_place(data)
    known = list(read_roles(file)) if named or file.exists() else [_LOCAL]
    if role not in known:
        hint = f"known: {', '.join(known)}; or name another file: --roles FILE"
        raise NotFound(f"no role {role!r} in {file}", hint=hint)


def seconds(text: str) -> int:
    """`30d` as seconds. Errors: Invalid."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isdecimal():
        raise Invalid(f"cannot read the time {text!r}", hint="write 30m, 12h or 30d", code="bad-key-request")
    return int(number) * _UNITS[unit]


def claims_of(written: list[str]) -> Mapping[str, object]:
    """`region=EU` each; a name given twice is a list of texts. Errors: Invalid."""
    found: dict[str, object] = {}
    for text in written:
        name, sign, value = text.partition("=")
        if not sign or not value:
            raise Invalid(f"cannot read the claim {text!r}", hint="write --claim region=EU", code="bad-key-request")
        before = found.get(name)
        if before is None:
            found[name] = _typed(value)
        else:
            found[name] = [*(before if isinstance(before, list) else [_text(before)]), _text(value)]
    return found


def _typed(value: str) -> object:
    """A whole number and a truth value are themselves, `"12"` in quotes and all else is text."""
    if value in ("true", "false"):
        return value == "true"
    if value.removeprefix("-").isdecimal() and str(int(value)) == value:
        return int(value)
    return _text(value)


def _text(value: object) -> str:
    text = str(value)
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _time(seconds_since: float) -> str:
    return datetime.fromtimestamp(seconds_since, UTC).isoformat(timespec="seconds")
