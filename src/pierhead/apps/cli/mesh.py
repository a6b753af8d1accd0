"""`pierhead mesh`: Envoy before the gateway or before a server."""

from pathlib import Path
from typing import Annotated

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, Output, emit, settings_of

mesh_app = typer.Typer(help="Envoy in front of the gateway and of servers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(mesh_app, name="mesh")


@mesh_app.callback()
def _mesh() -> None:
    """Keep `render` a verb of its own while it is the only one."""


@mesh_app.command("render")
def render(
    target: Annotated[str, typer.Argument(help="`gateway`, or the name of a server.")],
    fleet: Annotated[
        Path | None, typer.Option("--fleet", help="Take the rows of this file, not those of the running platform.")
    ] = None,
    upstream: Annotated[str | None, typer.Option("--upstream", help="The URL that the server listens at.")] = None,
    port: Annotated[int | None, typer.Option(help="The port that Envoy listens on. Default: mesh.envoy_port")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Print Envoy's whole configuration as JSON: `envoy --mode validate -c FILE` accepts it.

    Examples: pierhead mesh render gateway > envoy.json;
    pierhead mesh render warehouse --upstream http://127.0.0.1:8501 > warehouse.json
    """
    from pierhead.bootstrap import wire_mesh as wire  # noqa: PLC0415 - see the package's docstring

    settings = settings_of(data, config).settings
    chosen, at = wire.listening_on(settings, port), settings.platform.data
    if target == wire.GATEWAY:
        rows = wire.rows_of(fleet) if fleet else wire.rows_in_force(at)
        document = wire.gateway_configuration(chosen, rows)
    else:
        document = wire.server_configuration(chosen, target, upstream or wire.upstream_of(at, target))
    emit(document, Output.JSON, json=True)
