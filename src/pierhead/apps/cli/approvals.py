"""`pierhead approvals`: the inbox, from the shell. What waits, one of them whole, and a person's answer.

Every command is a request to the REST API as somebody: the shell can do no more than they could. Not here: asking
(a call does that by itself).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from pierhead.apps.cli import approvals_duty
from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.apps.cli.life import AsOption, FormatOption, client_of, told
from pierhead.core.errors import Conflict, Forbidden, Invalid, NotFound, PierheadError, Unauthenticated
from pierhead.core.wire_codes import numbers

if TYPE_CHECKING:
    from pierhead.bootstrap.wire_commands import ApiClient

_KINDS: Final[Mapping[str, type[PierheadError]]] = {
    "not-found": NotFound,
    "sign-in-too-old": Unauthenticated,
    "approval-state": Conflict,
    "approval-differs": Conflict,
    "changed-meanwhile": Conflict,
    "bad-decision": Invalid,
}
"""What each reason is, that an answer was not taken; all others are refusals."""
IdArgument = Annotated[str, typer.Argument(help="The approval: apr_...")]
_Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded, and told to whoever asked.")]


def register(app: typer.Typer) -> None:
    approvals = typer.Typer(help="Calls that wait for a person's yes.", no_args_is_help=True)
    approvals.command("list")(list_approvals)
    approvals.command("show")(show_approval)
    approvals.command("approve")(approve)
    approvals.command("deny")(deny)
    approvals.command("decide")(decide)
    approvals.command("ask")(ask)
    approvals.command("cancel")(cancel)
    approvals.command("settle")(settle)
    approvals_duty.add(approvals)
    app.add_typer(approvals, name="approvals")


def list_approvals(
    state: Annotated[str, typer.Option("--state", help="open, closed, any, to-review, or one state.")] = "open",
    server: Annotated[str, typer.Option("--server", help="Only calls of this server.")] = "",
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List the approvals that you asked for or may decide, newest first.

    Example: pierhead approvals list --as frank
    """
    query = f"?state={quote(state, safe='')}&limit=200" + (f"&server={quote(server, safe='')}" if server else "")
    found = client_of(person, data, config).ask("GET", f"/approvals{query}")["approvals"]
    if as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
        return
    rows = [{**each, "yours": "yes" if each["may_decide"] else ""} for each in found]
    columns = ("id", "state", "server", "tool", "environment", "requester", "approval", "expires_at", "yours")
    show(rows, columns, output, json=False)


def show_approval(
    approval_id: IdArgument,
    person: AsOption = "",
    output: OutputOption = Output.YAML,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show one approval whole: the exact arguments, whose yes it takes, every decision.

    Example: pierhead approvals show apr_1xZ --as frank
    """
    emit(_one(client_of(person, data, config), approval_id), output, json=as_json)


def approve(
    approval_id: IdArgument,
    reason: _Reason = "",
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say yes to exactly the call that `show` shows; it may then run once.

    Example: pierhead approvals approve apr_1xZ --reason "agreed in the change" --as frank
    """
    told(_answered(client_of(person, data, config), approval_id, "approve", reason), output)


def deny(
    approval_id: IdArgument,
    reason: _Reason = "",
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say no; whoever asked is told the reason.

    Example: pierhead approvals deny apr_1xZ --reason "not on a Friday" --as frank
    """
    told(_answered(client_of(person, data, config), approval_id, "deny", reason), output)


def decide(
    answers: Annotated[list[str], typer.Argument(help="Each ID=approve or ID=deny, at most 20.")],
    reason: _Reason = "",
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Answer several, each by its own word: what you do not name stays open, and there is no word for all.

    One that is not taken does not hinder the others; the exit code is 0 if all were taken, else that of the first that
    was not.

    Example: pierhead approvals decide apr_1xZ=approve apr_2yK=deny --reason "agreed in the change" --as frank
    """
    said = [_word(each) for each in answers]
    client = client_of(person, data, config)
    sent = [{"id": name, "verdict": word, "digest": _digest(client, name), "comment": reason} for name, word in said]
    told = client.ask("POST", "/approvals/decisions", {"answers": sent})["answers"]
    rows = [_told(each, word) for each, (_, word) in zip(told, said, strict=True)]
    show(rows, ("id", "answer", "state", "code", "message"), output, json=as_json)
    refused = next((row for row in rows if row["code"]), None)
    if refused is not None:
        raise typer.Exit(numbers(_KINDS.get(refused["code"], Forbidden)("", code=refused["code"])).exit)


def _word(answer: str) -> tuple[str, str]:
    """Which approval, and the answer to it. Errors: Invalid."""
    approval_id, _, word = answer.rpartition("=")
    if word not in {"approve", "deny"} or not approval_id.startswith("apr_"):
        message = f"{answer[:100]!r} is no answer to one approval"
        raise Invalid(message, hint="write apr_...=approve or apr_...=deny for each; there is no word for all")
    return approval_id, word


def _digest(client: "ApiClient", approval_id: str) -> str:
    """Of exactly that call; of what is not there for you none, which the answer then says."""
    try:
        return str(_one(client, approval_id)["digest"])
    except NotFound:
        return "0" * 64


def _told(answered: dict[str, Any], word: str) -> dict[str, Any]:
    refused: dict[str, str] = answered["refused"] or {"code": "", "message": "", "hint": ""}
    return {"id": answered["id"], "answer": word, "state": answered["state"] or "", **refused}


def ask(
    approval_id: IdArgument,
    question: Annotated[str, typer.Option("--question", help="What you want to know, or your answer to that.")],
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Ask whoever asked, before you decide; they answer in the same way. Nothing is decided.

    Example: pierhead approvals ask apr_1xZ --question "which ticket is this for?" --as frank
    """
    told(client_of(person, data, config).ask("POST", f"{_path(approval_id)}/remarks", {"comment": question}), output)


def cancel(
    approval_id: IdArgument,
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Withdraw what you asked for.

    Example: pierhead approvals cancel apr_1xZ --as alice
    """
    told(client_of(person, data, config).ask("POST", f"{_path(approval_id)}/cancel", {}), output)


def settle(
    approval_id: IdArgument,
    reason: Annotated[str, typer.Option("--found", help="What the call did, and what not.")],
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Say what became of a call whose end nobody knows; it never runs again under this approval.

    Example: pierhead approvals settle apr_1xZ --found "all 12 rows are gone" --as frank
    """
    told(client_of(person, data, config).ask("POST", f"{_path(approval_id)}/settle", {"comment": reason}), output)


def _answered(client: "ApiClient", approval_id: str, verdict: str, reason: str) -> object:
    known = _one(client, approval_id)
    said = {"verdict": verdict, "digest": known["digest"], "comment": reason}
    return client.ask("POST", f"{_path(approval_id)}/decisions", said)


def _one(client: "ApiClient", approval_id: str) -> dict[str, Any]:
    return client.ask("GET", _path(approval_id))


def _path(approval_id: str) -> str:
    return f"/approvals/{quote(approval_id, safe='')}"
