"""`pierhead people revoke|restore|list`: what people no longer have, from the shell, at once and everywhere.

Every command is a request to the REST API as an administrator. Not here: what it means (`usecases/withdraw_person`).
"""

from typing import Annotated

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.apps.cli.life import AsOption, FormatOption, ReasonOption, client_of, told

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The person, as the sign-in names them.")]


def register(app: typer.Typer) -> None:
    people = typer.Typer(help="What people no longer have, whatever their tokens say.", no_args_is_help=True)
    people.command("revoke")(revoke)
    people.command("restore")(restore)
    people.command("list")(list_people)
    people.command("ls", hidden=True)(list_people)
    app.add_typer(people, name="people")


def revoke(
    name: _Name,
    reason: ReasonOption,
    group: Annotated[list[str] | None, typer.Option("--group", help="Only this group, until restored.")] = None,
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """End every token and session of a person at once; with --group, take only these groups from them.

    Examples: pierhead people revoke alice --reason "left the company" --as frank;
    pierhead people revoke alice --group data-eng --reason "moved to ads" --as frank
    """
    body = {"person": name, "groups": group or [], "reason": reason}
    told(client_of(person, data, config).ask("POST", "/people/revoke", body), output)


def restore(
    name: _Name,
    reason: ReasonOption,
    group: Annotated[list[str], typer.Option("--group", help="The group that counts again.")],
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Let groups of a person count again, where the sign-in states them.

    Example: pierhead people restore alice --group data-eng --reason "back in the team" --as frank
    """
    body = {"person": name, "groups": group, "reason": reason}
    told(client_of(person, data, config).ask("POST", "/people/restore", body), output)


def list_people(
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List what is withdrawn now: groups, and the moment before which nothing counts.

    Example: pierhead people list --as frank
    """
    found = client_of(person, data, config).ask("GET", "/people/withdrawn")["people"]
    if as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
        return
    rows = [{**each, "groups": ", ".join(each["groups"]), "void_before": each["void_before"] or ""} for each in found]
    show(rows, ("person", "groups", "void_before", "issuer"), output, json=False)
