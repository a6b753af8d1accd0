"""`pierhead server publish` and `policy apply`: servers and their access from files, planned, then put in place.

The files are those of a fleet: what stands under `servers:` is what an entry is. A plan is the difference; applying it
makes the same requests that people make, so that no review gate is skipped. Not here: the operator's own fleet file,
which the registry reads at its start.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, Output, emit, show
from pierhead.apps.cli.life import AsOption, FormatOption, client_of, fitting, path_of, taken, told
from pierhead.core.catalog import Step
from pierhead.core.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from pierhead.bootstrap.wire_commands import ApiClient

PLAN_FOUND_CHANGES: Final = 10
_ACCESS: Final = ("access", "tools")

_Files = Annotated[Path | None, typer.Option("-f", "--files", help="A file or folder of servers, as in a fleet file.")]
_Plan = Annotated[bool, typer.Option("--plan", "--dry-run", help="Only show what would change; exit code 10 if any.")]
_Prune = Annotated[bool, typer.Option("--prune", help="Also retire what was registered and is in no file.")]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do. `why` names the members that differ, or what else was found."""

    server: str
    does: str
    why: str
    entry: Mapping[str, object] | None = None
    tag: str = ""


def register(server_app: typer.Typer, policy_app: typer.Typer) -> None:
    server_app.command("publish")(publish)
    policy_app.command("apply")(apply)


def publish(
    name: Annotated[str, typer.Argument(help="The server; or leave it out and name --files.")] = "",
    file: Annotated[Path | None, typer.Option("--file", help="Its manifest. Default: what its process says.")] = None,
    version: Annotated[str, typer.Option("--version", help="With --file: the version, if it names none.")] = "",
    files: _Files = None,
    plan: _Plan = False,
    prune: _Prune = False,
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift", help="Exit code 5 if anything differs from the files.")
    ] = False,
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Publish a version of a server for review; or bring the registry to what a folder of files says.

    Examples: pierhead server publish clock --as bob; pierhead server publish clock --file manifest.json --as bob;
    pierhead server publish -f catalog/ --plan --as bob
    """
    if (files is None) == (not name):
        raise Invalid("name a server, or --files", hint="see pierhead server publish --help")
    if files is not None:
        held_to_cases(files, data_of(data, config))
    client = client_of(person, data, config)
    if files is None:
        body = {} if file is None else {"manifest": manifest_in(file, version)}
        told(client.ask("POST", f"{path_of(name)}/versions", body), output or Output.NAME)
        return
    changes = list(planned(client, entries_in(files), prune=prune))
    _show(changes, output)
    if changes and fail_on_drift:
        raise Conflict("the registry is not as the files say", hint="apply them, or bring the files up to date")
    if plan:
        raise typer.Exit(PLAN_FOUND_CHANGES if changes else 0)
    for change in changes:
        put_in_place(client, change)


def apply(
    files: Annotated[Path, typer.Option("-f", "--files", help="A fleet file, or a folder of them.")],
    plan: _Plan = False,
    prune: Annotated[bool, typer.Option("--prune", help="Also close what is in no file to everybody.")] = False,
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Bring access to what a fleet file says. What closes is in force at once, what opens after its review.

    Examples: pierhead policy apply -f fleet.yaml --dry-run --as bob; pierhead policy apply -f fleet.yaml --as bob
    """
    held_to_cases(files, data_of(data, config))
    client = client_of(person, data, config)
    changes = list(planned_access(client, entries_in(files), prune=prune))
    _show(changes, output)
    if plan:
        raise typer.Exit(PLAN_FOUND_CHANGES if changes else 0)
    for change in changes:
        put_in_place(client, change)


def held_to_cases(place: Path, data: Path) -> None:
    """Nothing is sent while a case that the files name fails. Errors: Invalid (`policy-case-failed`)."""
    from pierhead.bootstrap.declared_policy import require_cases  # noqa: PLC0415 - only now

    require_cases(place, data)


def manifest_in(file: Path, version: str) -> Mapping[str, object]:
    """A manifest, or the output of `pierhead inspect --json`. Errors: Invalid."""
    import json  # noqa: PLC0415 - only now

    try:
        read: object = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as failed:
        raise Invalid(f"cannot read {file}: {failed}", hint="pierhead inspect NAME --json writes one") from None
    if not isinstance(read, dict):
        raise Invalid(f"{file} is no JSON object", hint="pierhead inspect NAME --json writes one")
    form = cast("dict[str, Any]", read)
    tools = [{key: value for key, value in tool.items() if key not in _SHOWN_ONLY} for tool in form.get("tools", [])]
    kept = {key: form[key] for key in ("version", "description", "instructions") if key in form}
    return {**kept, **({"version": version} if version else {}), "tools": tools}


_SHOWN_ONLY: Final = frozenset({"tokens", "narrowed", "withheld"})


def entries_in(place: Path) -> dict[str, Mapping[str, object]]:
    """Every server of a file, or of the YAML files of a folder. Errors: Misconfigured; Invalid, for one named twice."""
    from pierhead.bootstrap.document import read_document  # noqa: PLC0415

    files = sorted(file for file in place.rglob("*") if file.suffix in {".yaml", ".yml"}) if place.is_dir() else [place]
    found: dict[str, Mapping[str, object]] = {}
    for file in files:
        servers = cast("Mapping[str, Any]", read_document(file).values.get("servers") or {})
        for name, entry in servers.items():
            if name in found:
                raise Invalid(f"{file} declares {name} once more", hint="declare each server once")
            if not isinstance(entry, dict):
                raise Invalid(f"{file}: {name} is no mapping", hint="see docs/how-to/register-a-server.md")
            found[name] = cast("Mapping[str, object]", entry)
    if not found:
        raise NotFound(f"no server is declared in {place}", hint="put them under `servers:`")
    return found


def planned(client: "ApiClient", wanted: Mapping[str, Mapping[str, object]], *, prune: bool) -> Iterable[Change]:
    """What brings the registry to `wanted`: register, change, publish, retire."""
    for name, entry in wanted.items():
        known = _known(client, name)
        if known is None:
            yield Change(name, "register", "it is new", entry)
            continue
        document, tag = known
        differing = _differing(document["entry"], entry)
        if document["origin"] == "fleet":
            if differing:
                yield Change(name, "leave", f"the operator's fleet file has another {', '.join(differing)}")
        elif differing:
            yield Change(name, "change", ", ".join(differing), entry, tag)
        yield from _drifted(client, name)
    if prune:
        yield from (Change(name, "retire", "it is in no file") for name in _others(client, wanted))


def planned_access(client: "ApiClient", wanted: Mapping[str, Mapping[str, object]], *, prune: bool) -> Iterable[Change]:
    """The same for access alone: of servers that are there."""
    for name, entry in wanted.items():
        known = _known(client, name)
        if known is None:
            raise NotFound(f"no server {name} is registered", hint="register it first: pierhead server publish -f")
        document, tag = known
        asked = {**document["entry"], **{key: entry[key] for key in _ACCESS if key in entry}}
        differing = _differing(document["entry"], asked)
        if differing and document["origin"] == "fleet":
            yield Change(name, "leave", f"the operator's fleet file has another {', '.join(differing)}")
        elif differing:
            yield Change(name, "change", ", ".join(differing), asked, tag)
    for name in _others(client, wanted) if prune else ():
        document, tag = cast("tuple[Any, str]", _known(client, name))
        if document["entry"].get("access", "nobody") != "nobody":
            yield Change(name, "change", "access", {**document["entry"], "access": "nobody"}, tag)


def put_in_place(client: "ApiClient", change: Change) -> None:
    """Do one thing of a plan. What can be called is decided by its gates as always."""
    match change.does:
        case "register":
            client.ask("POST", "/servers", {"name": change.server, "entry": change.entry})
        case "change":
            client.ask("PUT", path_of(change.server), {"entry": change.entry}, {"if-match": change.tag})
        case "retire":
            taken(client, change.server, Step.RETIRE, "", {"reason": "in no file any longer"})
        case _:
            return


def _known(client: "ApiClient", name: str) -> tuple[Any, str] | None:
    try:
        return client.tagged("GET", f"{path_of(name)}/entry")
    except NotFound:
        return None


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _drifted(client: "ApiClient", name: str) -> Iterable[Change]:
    """What its process says and nobody signed."""
    withheld: list[str] = client.ask("GET", path_of(name))["withheld"]
    if withheld:
        yield Change(name, "review", f"withheld, since nobody signed them: {', '.join(withheld)}")


def _others(client: "ApiClient", wanted: Mapping[str, object]) -> Iterable[str]:
    """The caller's registered servers that are in no file and have not ended."""
    cursor: str | None = ""
    while cursor is not None:
        page = client.ask("GET", f"/servers?stage=any&limit=200&cursor={cursor}")
        for each in page["servers"]:
            known = None if each["name"] in wanted or each["stage"] == "retired" else _known(client, each["name"])
            if known is not None and known[0]["origin"] == "registered" and _may_retire(client, each["name"]):
                yield str(each["name"])
        cursor = page["next"]


def _may_retire(client: "ApiClient", name: str) -> bool:
    versions: list[dict[str, Any]] = client.ask("GET", f"{path_of(name)}/versions")["versions"]
    return bool(versions) and any(
        each["version"] == fitting(versions, Step.RETIRE, name) and "retire" in each["steps"] for each in versions
    )


def _show(changes: Sequence[Change], output: Output | None) -> None:
    rows = [{"name": change.server, "does": change.does, "why": change.why} for change in changes]
    if output not in {None, Output.TABLE}:
        emit(rows, cast("Output", output), json=False)
    elif rows:
        show(rows, ("does", "name", "why"), Output.TABLE, json=False)
