"""`pierhead config show|check|schema`: the settings, and where each came from."""

from typing import Annotated

import typer

from pierhead.apps.cli.frame import ConfigOption, JsonOption, Output, OutputOption, emit, settings_of, show

config_app = typer.Typer(help="Settings.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(config_app, name="config")


@config_app.command("show")
def show_settings(
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value came from.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show every setting in force.

    Examples: pierhead config show; pierhead config show --origin
    """
    rows = [
        {"setting": f"{each.section}.{each.key}", "value": str(each.value), "origin": each.source}
        for each in settings_of(None, config).origins
    ]
    show(rows, ("setting", "value", "origin") if origin else ("setting", "value"), output, json=as_json)


@config_app.command("check")
def check(config: ConfigOption = None) -> None:
    """Check the configuration: silent if it is good, exit code 2 if not.

    Example: pierhead config check --config pierhead.toml
    """
    settings_of(None, config)


@config_app.command("schema")
def schema() -> None:
    """Print the JSON Schema of the configuration.

    Example: pierhead config schema > pierhead.schema.json
    """
    from pierhead.bootstrap.settings import Settings  # noqa: PLC0415 - see the package's docstring

    emit(Settings.model_json_schema(), Output.JSON, json=True)
