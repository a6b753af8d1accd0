"""`pierhead server review`, `approve`, `reject`: the review gate, from the shell.

A decision is made as somebody, on one gate, with a reason; the API says who may. Not here: the page where reviewers
read what they sign.
"""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, emit, show
from pierhead.apps.cli.life import AsOption, FormatOption, NameArgument, ReasonOption, client_of, told
from pierhead.core.errors import Invalid, NotFound

if TYPE_CHECKING:
    from pierhead.bootstrap.wire_commands import ApiClient

_Gate = Annotated[str, typer.Option("--gate", help="security, legal or genai. Default: the one that is yours.")]
_Evidence = Annotated[list[str] | None, typer.Option("--evidence", help="A link or reference; may be repeated.")]


def register(server_app: typer.Typer) -> None:
    server_app.command("review")(review)
    server_app.command("approve")(approve)
    server_app.command("reject")(reject)


def review(
    name: Annotated[str, typer.Argument(help="The server. Default: every review that waits.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    comment: Annotated[str, typer.Option("--comment", help="Say something in the review of that server.")] = "",
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the reviews that wait, where each gate stands, and which is yours.

    Examples: pierhead server review --as carol; pierhead server review clock --comment "which zone?" --as carol
    """
    client = client_of(person, data, config)
    if comment:
        if not name:
            raise Invalid("a comment needs the server", hint="pierhead server review NAME --comment TEXT")
        client.ask("POST", f"/reviews/{waiting(client, name)['id']}/comments", {"text": comment})
        return
    query = f"?state={'any' if everything else 'open'}&limit=200" + (f"&server={quote(name, safe='')}" if name else "")
    found = client.ask("GET", f"/reviews{query}")["reviews"]
    if as_json or output is not Output.TABLE:
        emit(found, output, json=as_json)
        return
    rows = [{**each, "gates": [_gate_words(gate) for gate in each["gates"]]} for each in found]
    show(rows, ("server", "version", "change", "submitted_by", "gates", "id"), output, json=False)


def approve(
    name: NameArgument,
    reason: ReasonOption,
    gate: _Gate = "",
    condition: Annotated[list[str] | None, typer.Option("--condition", help="What it depends on; repeatable.")] = None,
    evidence: _Evidence = None,
    until: Annotated[str, typer.Option("--until", help="When it stops to count, if sooner: 2027-03-31.")] = "",
    waive: Annotated[bool, typer.Option("--waive", help="Waive the gate instead; needs --until and --owner.")] = False,
    owner: Annotated[str, typer.Option("--owner", help="With --waive: who answers for it until then.")] = "",
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Approve the version of a server that waits, for one gate.

    Examples: pierhead server approve clock --reason "read it" --as carol;
    pierhead server approve clock --gate legal --condition "surfaces: ide" --reason "no chat" --as dave;
    pierhead server approve clock --waive --until 2027-03-31 --owner web --reason "pilot" --as erin
    """
    verdict = "waive" if waive else "approve-with-conditions" if condition else "approve"
    said: dict[str, object] = {"verdict": verdict, "reason": reason}
    said |= {"conditions": condition or [], "evidence": evidence or []}
    if owner:
        said["waiver_owner"] = owner
    if until:
        said["expires_at"] = until if "T" in until else f"{until}T23:59:59Z"
    told(_decided(client_of(person, data, config), name, gate, said), output)


def reject(
    name: NameArgument,
    reason: ReasonOption,
    gate: _Gate = "",
    changes: Annotated[bool, typer.Option("--request-changes", help="Ask for changes; the review stays open.")] = False,
    evidence: _Evidence = None,
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Reject the version of a server that waits, or send it back for changes.

    Examples: pierhead server reject clock --reason "it runs a shell" --as carol;
    pierhead server reject clock --request-changes --reason "say which zone" --as erin
    """
    said: dict[str, object] = {"verdict": "request-changes" if changes else "reject", "reason": reason}
    told(_decided(client_of(person, data, config), name, gate, {**said, "evidence": evidence or []}), output)


def waiting(client: "ApiClient", name: str) -> dict[str, Any]:
    """The review of that server that waits. Errors: NotFound."""
    found = client.ask("GET", f"/reviews?server={quote(name, safe='')}")["reviews"]
    if not found:
        raise NotFound(f"no review of {name} waits", hint="see: pierhead server review --all")
    return found[0]


def _decided(client: "ApiClient", name: str, gate: str, said: dict[str, object]) -> object:
    found = waiting(client, name)
    return client.ask("POST", f"/reviews/{found['id']}/decisions", {"gate": gate or _yours(found, name), **said})


def _yours(found: dict[str, Any], name: str) -> str:
    """The one gate that the caller may decide. Errors: Invalid."""
    mine = [gate["gate"] for gate in found["gates"] if gate["may_decide"]]
    if len(mine) == 1:
        return str(mine[0])
    asked = ", ".join(gate["gate"] for gate in found["gates"])
    if mine:
        raise Invalid("more than one gate is yours", hint=f"add --gate, one of {', '.join(mine)}")
    raise Invalid(
        f"no gate of {name} is yours to decide", hint=f"it asks for {asked}: see pierhead server review {name}"
    )


def _gate_words(gate: dict[str, Any]) -> str:
    return f"{gate['gate']}: {gate['state']}" + (" (yours)" if gate["may_decide"] else "")
