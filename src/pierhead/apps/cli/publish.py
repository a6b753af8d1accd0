"""`pierhead publish`: a project becomes a version before its reviewers, with its packet, by one command.

The same again changes nothing. Below: `gitops`, which registers and publishes. Not here: what is made (`wire_publish`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from pierhead.apps.cli.frame import ConfigOption, DataOption
from pierhead.apps.cli.life import AsOption, client_of, path_of
from pierhead.core.catalog import Stage
from pierhead.core.errors import Invalid, NotFound

if TYPE_CHECKING:
    from pierhead.bootstrap.wire_commands import ApiClient
    from pierhead.bootstrap.wire_publish import Offer


def register(app: typer.Typer) -> None:
    app.command("publish")(publish)


def publish(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    url: Annotated[str, typer.Option("--url", help="Where you run it, http://HOST:PORT/mcp: registers it first.")] = "",
    key: Annotated[
        Path | None, typer.Option("--key", help="Your key (PEM). Default: publisher.key, made once.")
    ] = None,
    tests: Annotated[Path | None, typer.Option("--tests", help="A report (JUnit XML), in place of a run.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="For the record: a commit, say.")] = "",
    person: AsOption = "",
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Check and test a project, and put it before its reviewers: definitions, tests, bill of materials, signature.

    Examples: pierhead publish --as bob; pierhead publish lunch --url http://lunch.corp.example:9000/mcp --as bob
    """
    from pierhead.apps.cli.check import today  # noqa: PLC0415 - see the package's docstring
    from pierhead.bootstrap.projects import project_in  # noqa: PLC0415
    from pierhead.bootstrap.wire_publish import entry_of, offer_of  # noqa: PLC0415

    project = project_in(path)
    client = client_of(person, data, config)
    name = project.server().name
    missing = _unknown(client, name, entry_of(project, name), url)  # asked first: tests take longer than a sign-in
    offer = offer_of(project, key, tests, today())
    if offer.key.is_new:
        print(f"made {offer.key.path}: keep it; an administrator pins {offer.key.public} (review.keys)")
    made = _offered(client, offer, missing, reason)
    print(f"{offer.name} {made['version']}: {made['stage']}, tools digest {offer.digest[:16]}")


def _offered(client: "ApiClient", offer: "Offer", missing: Mapping[str, Any], reason: str) -> Mapping[str, Any]:
    """Registered if it has to be, published, handed in and submitted; the version as it stands then."""
    from pierhead.apps.cli.packet import hand_in  # noqa: PLC0415

    if missing:
        client.ask("POST", "/servers", missing)
    made = client.ask("POST", f"{path_of(offer.name)}/versions", {"manifest": offer.manifest})
    if made["stage"] != Stage.REGISTERED:
        return made
    version = str(made["version"])
    hand_in(client, offer.name, version, offer.parts)
    step = f"{path_of(offer.name)}/versions/{quote(version, safe='')}/submit"
    return client.ask("POST", step, {"reason": reason or "published by its author"})


def _unknown(client: "ApiClient", name: str, entry: Mapping[str, Any], url: str) -> Mapping[str, Any]:
    """What has to be registered first; empty for a server that the registry knows.

    Errors: NotFound and Invalid (`not-registered`), saying how it gets known.
    """
    try:
        client.ask("GET", path_of(name))
    except NotFound:
        if not url:
            hint = "say where you run it: --url http://HOST:PORT/mcp"
            raise NotFound(f"the registry does not know {name}", hint=hint, code="not-registered") from None
        if not entry:
            hint = f"put {name} under `servers:` of fleet.yaml"
            message = f"nothing says who owns {name}, and who may reach it"
            raise Invalid(message, hint=hint, code="not-registered") from None
        said = {member: value for member, value in entry.items() if member not in {"code", "folder"}}
        return {"name": name, "entry": {**said, "url": url}}
    return {}
