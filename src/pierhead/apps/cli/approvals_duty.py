"""`pierhead approvals away`, `break-glass`, `choices`, `fatigue` and their kin: duties of approvers, from the shell.

Every command is a request to the REST API as somebody. Not here: approvals themselves (`approvals`).
"""

from typing import Annotated
from urllib.parse import quote

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.apps.cli.life import AsOption, FormatOption, client_of, told

IdArgument = Annotated[str, typer.Argument(help="The approval: apr_...")]


def add(approvals: typer.Typer) -> None:
    approvals.command("break-glass")(break_glass)
    approvals.command("review")(review)
    approvals.command("absences")(absences)
    approvals.command("away")(away)
    approvals.command("back")(back)
    approvals.command("choices")(choices)
    approvals.command("forget")(forget)
    approvals.command("fatigue")(fatigue)


def break_glass(
    approval_id: IdArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why it cannot wait; everyone concerned reads it.")],
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Let one yes stand for two, for this call alone: an alarm, and a review the next day.

    Example: pierhead approvals break-glass apr_1xZ --reason "site is down" --as olga
    """
    client, path = client_of(person, data, config), f"/approvals/{quote(approval_id, safe='')}"
    said = {"reason": reason, "digest": client.ask("GET", path)["digest"]}
    told(client.ask("POST", f"{path}/break-glass", said), output)


def review(
    approval_id: IdArgument,
    found: Annotated[str, typer.Option("--found", help="Whether it was needed.")],
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say what you found of a broken glass that you had no part in.

    Example: pierhead approvals review apr_1xZ --found "it was needed" --as carol
    """
    path = f"/approvals/{quote(approval_id, safe='')}/review"
    told(client_of(person, data, config).ask("POST", path, {"comment": found}), output)


def absences(
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List when you are away, and for whom you stand in.

    Example: pierhead approvals absences --as frank
    """
    found = client_of(person, data, config).ask("GET", "/absences")["absences"]
    show(found, ("id", "person", "deputy", "since", "until", "reason"), output, json=as_json)


def away(
    until: Annotated[str, typer.Option("--until", help="The end, with its zone: 2026-12-01T08:00:00Z.")],
    deputy: Annotated[str, typer.Option("--deputy", help="Who stands in for you. Default: nobody.")] = "",
    since: Annotated[str, typer.Option("--since", help="The begin. Default: now.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Be away for a time, at most 30 days, and name who stands in.

    Example: pierhead approvals away --until 2026-12-01T08:00:00Z --deputy henry --as frank
    """
    wanted = {"until": until, "deputy": deputy, "reason": reason, **({"since": since} if since else {})}
    told(client_of(person, data, config).ask("POST", "/absences", wanted), output)


def back(
    absence_id: Annotated[str, typer.Argument(help="The absence: abs_...")],
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """End an absence before its time: your own, or as an administrator anyone's.

    Example: pierhead approvals back abs_1xZ --as frank
    """
    told(client_of(person, data, config).ask("POST", f"/absences/{quote(absence_id, safe='')}/end", {}), output)


def choices(
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List what you need not confirm again.

    Example: pierhead approvals choices --as alice
    """
    found = client_of(person, data, config).ask("GET", "/choices")["choices"]
    show(found, ("id", "server", "version", "tool", "environment", "surface", "expires_at"), output, json=as_json)


def forget(
    choice_id: Annotated[str, typer.Argument(help="The choice: cho_...")],
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Be asked again about calls that were remembered.

    Example: pierhead approvals forget cho_1xZ --as alice
    """
    told(client_of(person, data, config).ask("POST", f"/choices/{quote(choice_id, safe='')}/revoke", {}), output)


def fatigue(
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show what became of each rule's calls in 30 days; with another format also how people decide. For auditors.

    Example: pierhead approvals fatigue --as carol
    """
    found = client_of(person, data, config).ask("GET", "/fatigue")
    if as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
        return
    rows = [{**each, "proposed": "review it" if each["is_proposed"] else ""} for each in found["rules"]]
    columns = ("rule", "server", "tool", "cases", "approved", "denied", "expired", "median_s", "waited_s", "proposed")
    show(rows, columns, output, json=False)
