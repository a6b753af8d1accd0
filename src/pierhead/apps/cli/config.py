"""`pierhead config`: the settings, where each came from, and the roles of a served database.

Settings lie in one TOML file, roles in a YAML file of their own (`bootstrap/roles_file`); `set` changes roles.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from pierhead.apps.cli.frame import (
    ConfigOption,
    DataOption,
    JsonOption,
    Output,
    OutputOption,
    emit,
    json_line,
    settings_of,
    show,
)
from pierhead.core.errors import Misconfigured, NotFound

_ROLES: Final = "roles"

_RolesFile = Annotated[Path | None, typer.Option("--roles", help="The roles file. Default: DATA/roles.yaml")]
_Key = Annotated[str, typer.Argument(help="SECTION.KEY, or roles.NAME.MEMBER.")]

config_app = typer.Typer(help="Settings, and the roles of a served database.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(config_app, name="config")


@config_app.command("show")
def show_settings(
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value came from.")] = False,
    roles: _RolesFile = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show every setting in force, and the roles.

    Examples: pierhead config show; pierhead config show --origin
    """
    rows = [
        {"setting": f"{each.section}.{each.key}", "value": str(each.value), "origin": each.source}
        for each in settings_of(data, config).origins
    ]
    file = _place(roles, data, config)
    if roles or file.exists():
        members = _leaves((_ROLES,), _read(file))
        rows += [{"setting": key, "value": _text(value), "origin": f"file {file}"} for key, value in members]
    show(rows, ("setting", "value", "origin") if origin else ("setting", "value"), output, json=as_json)


@config_app.command("get")
def get(
    key: _Key,
    as_json: JsonOption = False,
    roles: _RolesFile = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Print one value: a setting in force, or a member of a role.

    Examples: pierhead config get platform.port; pierhead config get roles.analyst.tables
    """
    from pierhead.bootstrap.roles_keys import place_of  # noqa: PLC0415 - see the package's docstring

    place = place_of(key)
    if place[0] == _ROLES:
        file = _place(roles, data, config)
        value: object = {_ROLES: _read(file)}
        for part in place:
            value = cast("dict[str, object]", value).get(part) if isinstance(value, dict) else None
        where = str(file)
    else:
        found = [each for each in settings_of(data, config).origins if f"{each.section}.{each.key}" == key]
        value, where = (found[0].value if found else None), "the settings"
    if value is None:
        raise NotFound(f"{where} has no {key}", hint="see: pierhead config show")
    print(json_line(_plain(value)) if as_json else _text(value))


@config_app.command("set")
def set_value(
    key: Annotated[str, typer.Argument(help="roles.NAME.MEMBER.")],
    value: Annotated[str, typer.Argument(help="The value; a list as a,b,c.")],
    roles: _RolesFile = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Set one member of a role. The whole file is checked, then replaced at once; a running `serve` follows it.

    Examples: pierhead config set roles.analyst.tables "orders,products";
    pierhead config set roles.analyst.operations "read"
    """
    from pierhead.bootstrap.plugins import databases  # noqa: PLC0415
    from pierhead.bootstrap.roles_file import changed_roles  # noqa: PLC0415
    from pierhead.bootstrap.roles_keys import place_of, value_of  # noqa: PLC0415

    place = place_of(key)
    if place[0] != _ROLES:
        hint = "settings stand in pierhead.toml: edit it, then run pierhead config check"
        raise Misconfigured(f"{key} is no role", hint=hint, code="unknown-setting")
    changed_roles(_place(roles, data, config), place, value_of(place[1:], value, databases().roles_schema()))


@config_app.command("check")
def check(roles: _RolesFile = None, data: DataOption = None, config: ConfigOption = None) -> None:
    """Check settings and roles: silent if they are good, exit code 2 if not.

    Example: pierhead config check --config pierhead.toml
    """
    file = _place(roles, data, config)
    if roles or file.exists():
        _read(file)


@config_app.command("schema")
def schema(what: Annotated[str, typer.Argument(help="settings or roles.")] = "settings") -> None:
    """Print the JSON Schema of the configuration file, or of the roles file.

    Examples: pierhead config schema > pierhead.schema.json; pierhead config schema roles
    """
    from pierhead.bootstrap.plugins import databases  # noqa: PLC0415
    from pierhead.bootstrap.settings import Settings  # noqa: PLC0415

    if what == _ROLES:
        roles = databases().roles_schema()
        queries = databases().queries_schema()
        definitions = {**roles.pop("$defs", {}), **queries.pop("$defs", {})}
        properties = {_ROLES: roles, "queries": queries}
        file = {"type": "object", "properties": properties, "required": [_ROLES], "additionalProperties": False}
        emit({**file, "$defs": definitions}, Output.JSON, json=True)
    elif what == "settings":
        emit(Settings.model_json_schema(), Output.JSON, json=True)
    else:
        raise NotFound(f"there is no schema of {what!r}", hint="known: settings, roles")


def _place(named: Path | None, data: Path | None, config: Path | None) -> Path:
    from pierhead.bootstrap.roles_file import default_place  # noqa: PLC0415

    place = settings_of(data, config).settings.platform.data
    return named or default_place(place)


def _read(file: Path) -> Mapping[str, object]:
    from pierhead.bootstrap.roles_file import read_roles  # noqa: PLC0415

    return read_roles(file)


def _plain(value: object) -> object:
    return cast("object", value) if isinstance(value, int | list | dict) else str(value)


def _leaves(place: tuple[str, ...], value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key, inner in cast("dict[str, object]", value).items():
            yield from _leaves((*place, f'"{key}"' if "." in key else key), inner)
    else:
        yield ".".join(place), value


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a file may hold
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(map(_text, cast("list[object]", value)))
        case dict():
            return json_line(cast("object", value))
        case _:
            return str(value)
