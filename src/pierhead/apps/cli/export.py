"""`pierhead policy export`: allow-lists for AI clients, made from the servers that are live."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, settings_of
from pierhead.apps.cli.policy import policy_app
from pierhead.core.errors import Conflict

if TYPE_CHECKING:
    from pierhead.usecases.export_policy import Exported


def register(app: typer.Typer) -> None:
    del app  # a verb of the noun `policy`, which is registered by its own module
    policy_app.command("export")(export)


def export(
    client: Annotated[str, typer.Option("--client", help="copilot, claude-code, codex, gemini, vscode, cursor, ...")],
    out: Annotated[Path | None, typer.Option("--out", help="Write the files into this folder.")] = None,
    check: Annotated[Path | None, typer.Option("--check", help="Compare this file, as it was rolled out.")] = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Print or write a client's allow-list, or say how one that was rolled out differs: exit code 5 if it does.

    Examples: pierhead policy export --client claude-code --out rollout/;
    pierhead policy export --client codex --check /etc/codex/requirements.toml
    """
    from pierhead.bootstrap import wire_export as wire  # noqa: PLC0415 - see the package's docstring
    from pierhead.usecases import export_policy  # noqa: PLC0415

    files = export_policy.export(client, wire.fleet_in_force(settings_of(data, config).settings.platform.data))
    if check is not None:
        _compare(check, files)
        return
    if out is not None:
        written = wire.write(out, files)
        for path, each in zip(written, files, strict=True):
            print(f"{path}  goes to  {', '.join(each.places)}", file=sys.stderr)
        return
    for each in files:
        print(f"{each.name}  goes to  {', '.join(each.places)}", file=sys.stderr)
        print(each.text, end="")


def _compare(file: Path, files: "tuple[Exported, ...]") -> None:
    from pierhead.bootstrap.wire_export import rolled_out  # noqa: PLC0415
    from pierhead.usecases.export_policy import differences  # noqa: PLC0415

    exported, text, document = rolled_out(file, files)
    found = differences(exported, document) if exported.document else ["its text"] * (text != exported.text)
    if found:
        message = f"{file} is not what the registry says: {'; '.join(found)}"
        raise Conflict(message, hint="roll it out anew: add --out DIR instead of --check", code="allow-list-drift")
    print(f"{file} says what the registry says", file=sys.stderr)
