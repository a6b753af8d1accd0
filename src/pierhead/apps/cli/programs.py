"""`pierhead up` and `pierhead run ROLE`: the platform on one machine, and each of its programs alone."""

from pathlib import Path
from typing import Annotated

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, settings_of

_Port = Annotated[int, typer.Option(help="The port to listen on.")]
_Host = Annotated[str, typer.Option(help="The address to listen on: loopback, unless the section peers is set.")]
_Registry = Annotated[str, typer.Option("--registry", help="The URL of the registry's internal API.")]
_Fleet = Annotated[Path, typer.Option("--fleet", help="The fleet file.")]
_PublicUrl = Annotated[str | None, typer.Option("--public-url", help="The URL that clients use.")]
_Supervised = Annotated[bool, typer.Option("--supervised", hidden=True)]

run_app = typer.Typer(help="One role of the platform as its own process.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.add_typer(run_app, name="run")


def up(
    fleet: Annotated[Path | None, typer.Option("--fleet", help="The fleet file. Default: the demo fleet.")] = None,
    data: DataOption = None,
    host: Annotated[str | None, typer.Option(help="Loopback only while the built-in sign-in is used.")] = None,
    port: Annotated[int | None, typer.Option(help="The public port. Default: 8420")] = None,
    diagnostics_port: Annotated[int | None, typer.Option(help="Health and metrics. Default: 9464")] = None,
    mesh: Annotated[bool, typer.Option("--mesh", help="Behind Envoy, with an authority of this machine.")] = False,
    config: ConfigOption = None,
) -> None:
    """Run registry, gateway, sign-in and the fleet's servers on this machine until Ctrl-C.

    Examples: pierhead up; pierhead up --fleet fleet.yaml --data /srv/pierhead --port 9000
    """
    from pierhead.apps.cli.up import run_up  # noqa: PLC0415 - see the package's docstring

    resolved = settings_of(data, config, host=host, port=port, diagnostics_port=diagnostics_port)
    code = run_up(resolved, fleet, mesh=mesh)
    if code:
        raise typer.Exit(code)


@run_app.command("registry")
def registry(
    fleet: _Fleet,
    port: _Port = 8421,
    host: _Host = "127.0.0.1",
    data: DataOption = None,
    public_url: _PublicUrl = None,
    config: ConfigOption = None,
    supervised: _Supervised = False,
) -> None:
    """Run the registry: catalogue, policy, record, sign-in and pages. It alone opens the database.

    Example: pierhead run registry --fleet fleet.yaml --data /srv/pierhead --port 8421
    """
    from pierhead.apps.cli.roles import Where, run_registry  # noqa: PLC0415

    settings = settings_of(data, config, public_url=public_url).settings
    run_registry(settings, fleet, Where(host, port), supervised=supervised)


@run_app.command("gateway")
def gateway(
    registry: _Registry,
    port: Annotated[int | None, typer.Option(help="The public port. Default: 8420")] = None,
    host: Annotated[str | None, typer.Option(help="Loopback only while the built-in sign-in is used.")] = None,
    diagnostics_port: Annotated[int | None, typer.Option(help="Health and metrics. Default: 9464")] = None,
    data: DataOption = None,
    public_url: _PublicUrl = None,
    config: ConfigOption = None,
    mesh_settings: Annotated[Path | None, typer.Option("--mesh-settings", hidden=True)] = None,
    supervised: _Supervised = False,
) -> None:
    """Run the gateway: the one public listener, which relays what policy permits.

    Example: pierhead run gateway --registry http://127.0.0.1:8421 --data /srv/pierhead
    """
    from pierhead.apps.cli.roles import run_gateway  # noqa: PLC0415

    flags = {"host": host, "port": port, "diagnostics_port": diagnostics_port, "public_url": public_url}
    resolved = settings_of(data, config, mesh_settings, **flags)
    run_gateway(resolved.settings, registry, supervised=supervised)


@run_app.command("server")
def server(
    name: Annotated[str, typer.Argument(help="The server's name in the fleet file, or in the registry.")],
    registry: _Registry,
    port: _Port,
    host: _Host = "127.0.0.1",
    fleet: Annotated[Path | None, typer.Option("--fleet", help="The fleet file, if it names the server.")] = None,
    data: DataOption = None,
    public_url: _PublicUrl = None,
    config: ConfigOption = None,
    supervised: _Supervised = False,
) -> None:
    """Run one server of the fleet or of the registry, or the guard before a guest.

    Example: pierhead run server warehouse --fleet fleet.yaml --registry http://127.0.0.1:8421 --port 8501
    """
    from pierhead.apps.cli.roles import Where, run_server  # noqa: PLC0415

    resolved = settings_of(data, config, public_url=public_url)
    run_server(resolved.settings, fleet, name, registry, Where(host, port), supervised=supervised)


@run_app.command("own")
def own(
    code: Annotated[str, typer.Argument(help="Where the server is declared: MODULE:NAME, as in lunch:server.")],
    credential: Annotated[Path | None, typer.Option("--credential", help="The file of its credential.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port. Default: the one that its entry declares.")] = 0,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Run a server of your own, written with the SDK, that is registered and enrolled at a platform elsewhere.

    Its credential is what `pierhead server enrol NAME` printed: in a file, in PIERHEAD_CREDENTIAL, or in the file that
    PIERHEAD_CREDENTIAL_FILE names. Its data directory keeps its record until the platform has it: keep it.

    Example: pierhead run own lunch:server --credential lunch.credential --data /var/lib/lunch
    """
    from pierhead.apps.cli.roles import run_own  # noqa: PLC0415
    from pierhead.bootstrap.own_credential import own_credential  # noqa: PLC0415

    run_own(settings_of(data, config).settings, code, own_credential(credential), host, port)
