"""`pierhead inspect SERVER`: what a server declares, without running the platform."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.core.token_weight import token_weight


def register(app: typer.Typer) -> None:
    app.command("inspect")(inspect)


def inspect(
    server: Annotated[str, typer.Argument(help="The server's name in the fleet file.")],
    fleet: Annotated[Path | None, typer.Option("--fleet", help="The fleet file. Default: the demo fleet.")] = None,
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show a server's tools, schemas, declarations, and how much of a model's context they take.

    Examples: pierhead inspect warehouse; pierhead inspect warehouse --json
    """
    from pierhead.bootstrap import fleet as fleet_file  # noqa: PLC0415 - see the package's docstring
    from pierhead.bootstrap.wire_commands import declared_tools  # noqa: PLC0415
    from pierhead.bootstrap.wire_platform import demo_fleet, prepare_demo  # noqa: PLC0415

    place = data_of(data, config)
    if fleet is None:
        prepare_demo(place)
    known = fleet_file.load(fleet or demo_fleet(), place)
    tools = [{**tool, "tokens": weight(tool)} for tool in declared_tools(known, server)]
    if as_json or output is not Output.TABLE:
        emit({"server": server, "tokens": sum(tool["tokens"] for tool in tools), "tools": tools}, output, json=as_json)
        return
    show(tools, ("name", "effect", "approval", "policy", "tokens", "description"), output, json=False)
    print(f"{len(tools)} tools, about {sum(tool['tokens'] for tool in tools)} tokens in a model's context")


def weight(tool: dict[str, Any]) -> int:
    """About how many tokens the tool takes in `tools/list`."""
    return token_weight(tool["name"], tool["description"], (tool["input_schema"], tool["output_schema"]))
