"""`pierhead server publish` and `policy apply`: servers and their access from files, planned, then put in place.

The files are those of a fleet: what stands under `servers:` is what an entry is. A plan is the difference; applying it
makes the same requests that people make, so that no review gate is skipped. Not here: the operator's own fleet file,
which the registry reads at its start.
"""

import difflib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from urllib.parse import quote

import typer

from pierhead.apps.cli.access import data_of
from pierhead.apps.cli.frame import ConfigOption, DataOption, Output, emit, show
from pierhead.apps.cli.life import AsOption, FormatOption, client_of, path_of, taken, told
from pierhead.apps.cli.packet import hand_in, parts_in, parts_of
from pierhead.core.catalog import Stage, Step
from pierhead.core.errors import Conflict, Invalid, NotFound, UpstreamUnreachable
from pierhead.core.packet import PartKind

if TYPE_CHECKING:
    from pierhead.apps.cli.packet import Parts
    from pierhead.apps.cli.planning import Change
    from pierhead.bootstrap.wire_commands import ApiClient
    from pierhead.core.json import Json

PLAN_FOUND_CHANGES: Final = 10
_LOOK_S: Final = 0.5
_NOT_YET: Final = frozenset({"no-definitions", "unknown-narrowing"})

_Files = Annotated[Path | None, typer.Option("-f", "--files", help="A file or folder of servers, as in a fleet file.")]
_Plan = Annotated[bool, typer.Option("--plan", "--dry-run", help="Only show what would change; exit code 10 if any.")]
_Prune = Annotated[bool, typer.Option("--prune", help="Also retire what was registered and is in no file.")]
_Submit = Annotated[bool, typer.Option("--submit", help="Also put what was published before its reviewers.")]
_Reason = Annotated[str, typer.Option("--reason", help="With --submit and --prune, for the record: a commit, say.")]
_Wait = Annotated[float, typer.Option("--wait", help="Seconds for a new or changed process to tell its definitions.")]
_Packet = Annotated[
    Path | None,
    typer.Option("--packet", help="A folder of what reviewers should have; with --files one for each server."),
]
_Drift = Annotated[bool, typer.Option("--fail-on-drift", help="Exit code 5 if anything differs; change nothing.")]


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
    submit: _Submit = False,
    reason: _Reason = "",
    wait: _Wait = 60.0,
    fail_on_drift: _Drift = False,
    packet: _Packet = None,
    tests: Annotated[Path | None, typer.Option("--tests", help="A report of tests, JUnit XML.")] = None,
    evals: Annotated[Path | None, typer.Option("--evals", help="A report of evaluations, JUnit XML.")] = None,
    sbom: Annotated[Path | None, typer.Option("--sbom", help="A bill of materials, CycloneDX JSON.")] = None,
    signature: Annotated[Path | None, typer.Option("--signature", help="A DSSE envelope.")] = None,
    scan: Annotated[Path | None, typer.Option("--scan", help="What a scanner found, SARIF 2.1.0.")] = None,
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Publish a version of a server for review; or bring the registry to what a folder of files says.

    Examples: pierhead server publish clock --as bob; pierhead server publish clock --file manifest.json --as bob;
    pierhead server publish clock --tests tests.xml --sbom sbom.cdx.json --submit --as bob;
    pierhead server publish -f catalog/ --plan --as bob; pierhead server publish -f catalog/ --submit --as bob
    """
    from pierhead.apps.cli.planning import Planner  # noqa: PLC0415 - see the package's docstring

    if (files is None) == (not name):
        raise Invalid("name a server, or --files", hint="see pierhead server publish --help")
    named = dict(zip(PartKind, (tests, evals, sbom, signature, scan), strict=True))
    if files is not None and any(named.values()):
        raise Invalid("a part is one server's", hint="with --files, name --packet FOLDER with a folder for each server")
    if files is not None:
        held_to_cases(files, data_of(data, config))
    client = client_of(person, data, config)
    applying = Applying(client, reason, wait, packets=packet if files else None)
    if files is None:
        body = {} if file is None else {"manifest": manifest_in(file, version)}
        parts = parts_of(packet, named)
        told(applying.publish(name, body, parts, submits=submit), output or Output.NAME)
        return
    changes = list(Planner(client, submit).whole(entries_in(files), prune=prune))
    _carry_out(changes, applying, output, plan=plan, fail_on_drift=fail_on_drift)


def apply(
    files: Annotated[Path, typer.Option("-f", "--files", help="A fleet file, or a folder of them.")],
    plan: _Plan = False,
    prune: Annotated[bool, typer.Option("--prune", help="Also close what is in no file to everybody.")] = False,
    submit: _Submit = False,
    reason: _Reason = "",
    wait: _Wait = 60.0,
    fail_on_drift: _Drift = False,
    person: AsOption = "",
    output: FormatOption = None,
    data: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Bring access to what a fleet file says. What closes is in force at once, what opens after its review.

    Examples: pierhead policy apply -f fleet.yaml --dry-run --as bob; pierhead policy apply -f fleet.yaml --as bob
    """
    from pierhead.apps.cli.planning import Planner  # noqa: PLC0415 - see the package's docstring

    held_to_cases(files, data_of(data, config))
    client = client_of(person, data, config)
    changes = list(Planner(client, submit).of_access(entries_in(files), prune=prune))
    _carry_out(changes, Applying(client, reason, wait), output, plan=plan, fail_on_drift=fail_on_drift)


def _carry_out(
    changes: "Sequence[Change]", applying: "Applying", output: Output | None, *, plan: bool, fail_on_drift: bool
) -> None:
    from pierhead.apps.cli.planning import summary  # noqa: PLC0415

    _show(changes, output)
    print(summary(changes), file=sys.stderr)
    if fail_on_drift and any(change.drifts for change in changes):
        raise Conflict("the registry is not as the files say", hint="apply them, or bring the files up to date")
    acting = [change for change in changes if change.acts]
    if plan:
        raise typer.Exit(PLAN_FOUND_CHANGES if acting else 0)
    for change in acting:
        applying.take(change)
    applying.done()


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
    for key in sorted(form.keys() - _MANIFEST - _INSPECTED):
        near = difflib.get_close_matches(key, sorted(_MANIFEST), n=1)
        hint = f"did you mean {near[0]}?" if near else f"a manifest has {', '.join(sorted(_MANIFEST))}"
        raise Invalid(f"{file}: unknown member {key[:80]}", hint=hint)
    tools = [{key: value for key, value in tool.items() if key not in _SHOWN_ONLY} for tool in form.get("tools", [])]
    kept = {key: form[key] for key in ("version", "description", "instructions") if key in form}
    return {**kept, **({"version": version} if version else {}), "tools": tools}


_MANIFEST: Final = frozenset({"version", "description", "instructions", "tools"})
_INSPECTED: Final = frozenset({"server", "tokens", "upstream"})
"""What `pierhead inspect` tells besides, and what no manifest decides."""
_SHOWN_ONLY: Final = frozenset({"tokens", "narrowed", "withheld"})


def entries_in(place: Path) -> dict[str, Mapping[str, object]]:
    """Every server of a file, or of the YAML files of a folder. Errors: Misconfigured; Invalid, for one named twice."""
    from pierhead.bootstrap.document import read_document  # noqa: PLC0415
    from pierhead.usecases.entry_shown import masked  # noqa: PLC0415

    files = sorted(file for file in place.rglob("*") if file.suffix in {".yaml", ".yml"}) if place.is_dir() else [place]
    found: dict[str, Mapping[str, object]] = {}
    for file in files:
        servers = cast("Mapping[str, Any]", read_document(file).values.get("servers") or {})
        for name, entry in servers.items():
            if name in found:
                raise Invalid(f"{file} declares {name} once more", hint="declare each server once")
            if not isinstance(entry, dict):
                raise Invalid(f"{file}: {name} is no mapping", hint="see docs/how-to/register-a-server.md")
            if hidden := masked(cast("Mapping[str, Json]", entry)):
                message = f"{file}: {name} holds *** where a secret belongs: {', '.join(hidden)}"
                raise Invalid(message, hint="write what is meant, or {env: NAME} for a header", code="bad-entry")
            found[name] = cast("Mapping[str, object]", entry)
    if not found:
        raise NotFound(f"no server is declared in {place}", hint="put them under `servers:`")
    return found


@dataclass(slots=True)
class Applying:
    """Takes the steps of a plan, one request each. What can be called is decided by its gates as always.

    A process that was started or changed tells its definitions some seconds later: `wait` is how long they are waited
    for. One that does not tell them is left out, and said at the end, when everything else is done.
    """

    client: "ApiClient"
    reason: str
    """For the record; empty: a plain one for each step."""
    wait: float
    packets: Path | None = None
    """Where each server has a folder of its packet."""
    _runs: dict[str, str] = field(default_factory=dict[str, str])
    """What was started or changed here, with the run of the process before."""
    _published: dict[str, Any] = field(default_factory=dict[str, Any])
    _untold: list[str] = field(default_factory=list[str])

    def take(self, change: "Change") -> None:
        from pierhead.apps.cli.planning import Does  # noqa: PLC0415

        match change.does:
            case Does.REGISTER:
                self._runs[change.server] = ""
                self.client.ask("POST", "/servers", {"name": change.server, "entry": change.entry})
            case Does.CHANGE:
                self._runs[change.server] = self._run_before(change.server)
                headers = {"if-match": change.tag}
                self.client.ask("PUT", path_of(change.server), {"entry": change.entry}, headers)
            case Does.PUBLISH:
                self._publish(change.server)
            case Does.SUBMIT:
                self._submit(change)
            case Does.RETIRE:
                taken(self.client, change.server, Step.RETIRE, "", {"reason": self.reason or "in no file any longer"})
            case Does.LEAVE | Does.WAIT:
                pass

    def register(self, name: str, offer: Mapping[str, object], parts: "Parts", *, submits: bool) -> Any:  # noqa: ANN401 - JSON
        """Register a server, and publish what its process tells with its packet; the version.

        Errors: UpstreamUnreachable, where the process did not tell in time; the server stays registered.
        """
        self._runs[name] = ""
        self.client.ask("POST", "/servers", offer)
        if not self._has_told(name):
            self._untold.append(name)
            self.done()
        return self.publish(name, {}, parts, submits=submits)

    def publish(self, name: str, body: Mapping[str, object], parts: "Parts", *, submits: bool) -> Any:  # noqa: ANN401 - JSON
        """Publish one server's version with its packet, and put it before its reviewers if that is due; the version."""
        made = self.client.ask("POST", f"{path_of(name)}/versions", body)
        hand_in(self.client, name, str(made["version"]), parts)
        if submits and made["stage"] == Stage.REGISTERED:
            return self._submitted(name, str(made["version"]))
        return made

    def done(self) -> None:
        """Errors: UpstreamUnreachable, naming every server whose process did not tell its definitions."""
        if self._untold:
            raise UpstreamUnreachable(
                f"the process has not told its definitions: {', '.join(self._untold)}",
                hint="see why with pierhead server show; then run this again",
            )

    def _publish(self, name: str) -> None:
        if name in self._runs and not self._has_told(name):
            self._untold.append(name)
            return
        folder = self.packets / name if self.packets else None
        parts: Parts = parts_in(folder) if folder and folder.is_dir() else {}
        self._published[name] = self.publish(name, {}, parts, submits=False)

    def _submit(self, change: "Change") -> None:
        made = self._published.get(change.server, {"version": change.version, "stage": Stage.REGISTERED})
        if change.server not in self._untold and made["stage"] == Stage.REGISTERED:
            self._submitted(change.server, str(made["version"]))

    def _submitted(self, name: str, version: str) -> Any:  # noqa: ANN401 - JSON
        """Put it before its reviewers, in place of any other that still is: nobody need read what is replaced."""
        for each in self.client.ask("GET", f"{path_of(name)}/versions")["versions"]:
            if each["stage"] == Stage.IN_REVIEW and each["version"] != version:
                self._step(name, str(each["version"]), Step.WITHDRAW, f"replaced by {version}")
        return self._step(name, version, Step.SUBMIT, self.reason or "as its file says")

    def _step(self, name: str, version: str, step: Step, reason: str) -> Any:  # noqa: ANN401 - JSON
        return self.client.ask("POST", f"{path_of(name)}/versions/{quote(version, safe='')}/{step}", {"reason": reason})

    def _has_told(self, name: str) -> bool:
        """Whether the process runs that was started from the entry as it is now."""
        deadline = time.monotonic() + self.wait
        while (run := self._run(name)) in {"", self._runs[name]}:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_S)
        return bool(run)

    def _run_before(self, name: str) -> str:
        """The same before a change, which may be what mends a server that cannot be published."""
        try:
            return self._run(name)
        except Invalid:
            return ""

    def _run(self, name: str) -> str:
        """Which run of its process told the definitions; empty before the first. Errors: what the registry says."""
        try:
            return str(self.client.ask("GET", f"{path_of(name)}/candidate")["run"])
        except Invalid as refused:
            if refused.code in _NOT_YET:
                return ""
            raise


def _show(changes: "Sequence[Change]", output: Output | None) -> None:
    rows = [
        {
            "name": change.server,
            "does": str(change.does),
            "why": change.why,
            "version": change.version or None,
            "differences": list(change.differences),
        }
        for change in changes
    ]
    if output not in {None, Output.TABLE}:
        emit(rows, cast("Output", output), json=False)
    elif rows:
        show(rows, ("does", "name", "version", "why"), Output.TABLE, json=False)
