"""`pierhead server submit`, `deploy` and the other steps: a server's life, from the shell.

Every one is a request to the REST API as somebody, so that the shell can do no more than they could. Writes are silent
on success, unless a format is asked for. Not here: registering (`offering`), reviews (`reviewing`),
whole folders (`gitops`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote, urlencode

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.core.catalog import TRANSITIONS, Stage, Step
from pierhead.core.errors import NotFound

if TYPE_CHECKING:
    from pierhead.bootstrap.wire_commands import ApiClient

AsOption = Annotated[str, typer.Option("--as", help="Who does it. Default: whoever PIERHEAD_TOKEN names.")]
NameArgument = Annotated[str, typer.Argument(help="The server.")]
VersionOption = Annotated[str, typer.Option("--version", help="The version. Default: the one this fits.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
FormatOption = Annotated[Output | None, typer.Option("--output", "-o", help="Show what came of it.")]

#: What each step does, and an example of it.
_STEPS: Final[Mapping[Step, tuple[str, str]]] = {
    Step.SUBMIT: ("Put a version before its reviewers.", 'submit clock --reason "first version" --as bob'),
    Step.WITHDRAW: ("Take a version back from its reviewers.", 'withdraw clock --reason "not ready" --as bob'),
    Step.DEPLOY: ("Give clients a version that was approved.", 'deploy clock --reason "signed" --as bob'),
    Step.SUSPEND: ("Stop a server at once; its owner can resume it.", 'suspend clock --reason "it errs" --as bob'),
    Step.RESUME: ("Let a stopped server be called again.", 'resume clock --reason "mended" --as bob'),
    Step.QUARANTINE: (
        "Stop a server at once; only security can end that.",
        'quarantine clock --reason "leaks names" --as carol',
    ),
    Step.RETIRE: ("End a version. It cannot come back.", 'retire clock --reason "unused" --as bob'),
}


def register(server_app: typer.Typer) -> None:
    server_app.command("enrol")(enrol)
    server_app.command("deprecate")(deprecate)
    server_app.command("rollback")(rollback)
    server_app.command("diff")(diff)
    for step, (does, example) in _STEPS.items():
        server_app.command(str(step), help=f"{does}\n\nExample: pierhead server {example}")(_command(step))


def client_of(person: str, data: Path | None, config: Path | None) -> "ApiClient":
    from pierhead.bootstrap.wire_commands import api  # noqa: PLC0415 - see the package's docstring

    return api(data_of(data, config), person)


def enrol(
    name: NameArgument,
    file: Annotated[
        Path | None, typer.Option("--to", help="Write it to this file instead, for its owner alone.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="Make none: take back the one it has.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="With --end: why, for the record.")] = "",
    person: AsOption = "",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Make the credential of a server that you run yourself: shown once, kept nowhere. The one before ends.

    Examples: pierhead server enrol lunch --to lunch.credential --as bob;
    pierhead server enrol lunch --end --reason "leaked" --as bob
    """
    client, path = client_of(person, data, config), f"{path_of(name)}/enrolment"
    if end:
        client.ask("DELETE", path, {"reason": reason or "ended from the shell"})
        return
    credential = str(client.ask("POST", path, {})["credential"])
    if file is None:
        print(credential)
        return
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(f"{credential}\n", "utf-8")


def _command(step: Step) -> Callable[..., None]:
    def take(
        name: NameArgument,
        reason: ReasonOption,
        version: VersionOption = "",
        person: AsOption = "",
        output: FormatOption = None,
        data: DataOption = None,
        config: ConfigOption = None,
    ) -> None:
        client = client_of(person, data, config)
        told(taken(client, name, step, version, {"reason": reason}), output)

    return take


def deprecate(
    name: NameArgument,
    reason: ReasonOption,
    message: Annotated[str, typer.Option("--message", help="What clients are told.")] = "",
    successor: Annotated[str, typer.Option("--successor", help="The server to use instead.")] = "",
    sunset: Annotated[str, typer.Option("--sunset", help="The last day it can be called: 2027-03-31.")] = "",
    version: VersionOption = "",
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Announce a server's end: it can be called until then, and every client sees the message.

    Example: pierhead server deprecate clock --reason "time does it" --successor time --sunset 2027-03-31 --as bob
    """
    said: dict[str, object] = {"reason": reason}
    said |= {key: value for key, value in (("message", message), ("successor", successor)) if value}
    if sunset:
        said["sunset_at"] = sunset if "T" in sunset else f"{sunset}T23:59:59Z"
    told(taken(client_of(person, data, config), name, Step.DEPRECATE, version, said), output)


def rollback(
    name: NameArgument,
    version: Annotated[str, typer.Argument(help="The version to go back to; it must be callable still.")],
    reason: ReasonOption,
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Give clients an earlier version again.

    Example: pierhead server rollback clock 1 --reason "2 is slow" --as bob
    """
    body = {"version": version, "reason": reason}
    told(client_of(person, data, config).ask("POST", f"{path_of(name)}/rollback", body), output)


def diff(
    name: NameArgument,
    before: Annotated[str, typer.Option("--from", help="Default: the version that clients get.")] = "",
    after: Annotated[str, typer.Option("--to", help="Default: the newest version.")] = "",
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show how two versions of a server differ: what a reviewer will look at.

    Examples: pierhead server diff clock --as bob; pierhead server diff clock --from 1 --to 2 -o json --as bob
    """
    query = urlencode({key: value for key, value in (("from", before), ("to", after)) if value})
    found = client_of(person, data, config).ask("GET", f"{path_of(name)}/diff" + (f"?{query}" if query else ""))
    if as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
        return
    print(f"{name}: {found['from'] or 'nothing'} -> {found['to']}: {found['change']}")
    rows = [{"what": "tool", "name": tool["name"], "change": "added"} for tool in found["added"]]
    rows += [{"what": "tool", "name": tool["name"], "change": "removed"} for tool in found["removed"]]
    rows += [
        {"what": "tool", "name": tool["name"], "change": f"{tool['change']}: {', '.join(tool['members'])}"}
        for tool in found["changed"]
    ]
    rows += [{"what": "entry", "name": each["member"], "change": each["change"]} for each in found["entry"]]
    rows += [{"what": "weakened", "name": "", "change": said} for said in found["weakened"]]
    if found["instructions"]:
        rows.append({"what": "instructions", "name": "", "change": "changed"})
    show(rows, ("what", "name", "change"), output, json=False)


def taken(client: "ApiClient", name: str, step: Step, version: str, said: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON
    """Take a step with that version, or with the newest that can take it."""
    chosen = version or fitting(client.ask("GET", f"{path_of(name)}/versions")["versions"], step, name)
    return client.ask("POST", f"{path_of(name)}/versions/{quote(chosen, safe='')}/{step}", said)


def fitting(versions: list[dict[str, Any]], step: Step, name: str) -> str:
    """What clients get, if it can take that step; else the newest that can; else the newest, to be told why not."""
    if not versions:
        raise NotFound(f"{name} has no version yet", hint=f"publish one: pierhead server publish {name}")
    able = [each for each in versions if (Stage(each["stage"]), step) in TRANSITIONS]
    if step is Step.RETIRE:
        able = [each for each in able if each["is_current"]] or able
    chosen = next((each for each in able if each["is_current"]), (able or versions)[0])
    return str(chosen["version"])


def path_of(name: str) -> str:
    return f"/servers/{quote(name, safe='')}"


def told(document: object, output: Output | None) -> None:
    """Silent, unless a format was asked for."""
    if output is Output.TABLE:
        emit(document, Output.YAML, json=False)
    elif output is not None:
        emit(document, output, json=False)
