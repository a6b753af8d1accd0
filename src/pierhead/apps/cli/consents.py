"""`pierhead consents list|revoke`: the clients that you let in, from the shell.

Every command is a request to the REST API as you. Not here: what a consent covers (`core/consent`).
"""

from typing import Annotated
from urllib.parse import quote

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption, JsonOption, Output, OutputOption, show
from pierhead.apps.cli.life import AsOption, FormatOption, client_of, told


def register(app: typer.Typer) -> None:
    consents = typer.Typer(help="The clients that you let in.", no_args_is_help=True)
    consents.command("list")(list_consents)
    consents.command("ls", hidden=True)(list_consents)
    consents.command("revoke")(revoke)
    app.add_typer(consents, name="consents")


def list_consents(
    person: AsOption = "",
    output: OutputOption = Output.TABLE,
    as_json: JsonOption = False,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """List the clients that you let in, and when you are asked about each again.

    Example: pierhead consents list --as alice
    """
    found = client_of(person, data, config).ask("GET", "/consents")["consents"]
    show(found, ("id", "client", "returns_to", "uses", "given_at", "asked_again_at"), output, json=as_json)


def revoke(
    consent_id: Annotated[str, typer.Argument(help="The consent: cns_...")],
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Let a client in no more: it is asked for again, and what it has is not renewed.

    Example: pierhead consents revoke cns_1xZ --as alice
    """
    told(client_of(person, data, config).ask("POST", f"/consents/{quote(consent_id, safe='')}/revoke", {}), output)
