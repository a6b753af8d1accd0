"""The policy that a fleet file declares, without a platform: every server as if what it declares had been signed.

For tools that judge a policy before anybody publishes it. Nothing runs and nothing is connected: a plug-in builds its
server, a guest has the tools that its entry declares. Not here: what reviews and drift make of it (`compose_policy`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

from pierhead.bootstrap.company_policies import declared_policies
from pierhead.bootstrap.fleet import Fleet, FleetServer, load, located
from pierhead.bootstrap.plugins import fleet_server
from pierhead.bootstrap.policy_cases import read_cases, require_good
from pierhead.bootstrap.secret_references import Secrets
from pierhead.bootstrap.variables import with_variables
from pierhead.core.bounds import UNBOUNDED
from pierhead.core.catalog import Server, Stage, Tool
from pierhead.core.errors import Misconfigured, UpstreamUnreachable
from pierhead.core.snapshot import Age, Fresh, Snapshot
from pierhead.usecases.check_entry import UnknownNarrowing, check_entry
from pierhead.usecases.compose_policy import with_rules
from pierhead.usecases.judge_cases import Judged, judge_cases
from pierhead.usecases.wire_forms import Manifest


@dataclass(frozen=True, slots=True)
class Declared:
    """A policy that is asked and not in force, as the port Snapshots.

    `untold` are servers that cannot be built here, and why: who reaches them is known, their tools are not.
    """

    snapshot: Snapshot
    untold: Mapping[str, str] = field(default_factory=dict[str, str])

    def current(self) -> Snapshot:
        return self.snapshot

    def age(self) -> Age:
        return Fresh()


def declared_policy(fleet: Fleet) -> Declared:
    """What the fleet file would make, were it all in force. Errors: Invalid (`unknown-narrowing`, `policy-syntax`)."""
    servers: dict[str, Server] = {}
    untold: dict[str, str] = {}
    for name, entry in fleet.servers.items():
        try:
            tools = tuple(_tools(entry))
        except (Misconfigured, UpstreamUnreachable) as unbuilt:
            servers[name], untold[name] = _server(entry, ()), f"{name} cannot be built here: {unbuilt.message}"
        else:
            _check(entry, tools, fleet)
            servers[name] = _server(entry, tools)
    rows = {name: entry.rows for name, entry in fleet.servers.items()}
    return Declared(
        Snapshot(
            0, servers, rows, declared_policies(fleet.policies, {name: known.tools for name, known in servers.items()})
        ),
        untold,
    )


def judged_fleet(fleet: Fleet, files: Iterable[Path] = ()) -> tuple[Judged, ...]:
    """The cases of these files, or those that the fleet file names, under what it declares.

    Errors: as `declared_policy`; Misconfigured, for a file that cannot be read.
    """
    cases = read_cases(tuple(files) or fleet.tests, fleet.people, fleet.claims)
    if not cases:
        return ()
    declared = declared_policy(fleet)
    return judge_cases(cases, declared, declared.untold)


def require_cases(place: Path, data: Path) -> None:
    """Hold a fleet file, or a folder of them, to the cases that it names; one that names none passes.

    Errors: Invalid (`policy-case-failed`); as `judged_fleet`.
    """
    files = sorted(file for file in place.rglob("*") if file.suffix in {".yaml", ".yml"}) if place.is_dir() else [place]
    fleets = [load(file, data) for file in files if not place.is_dir() or _is_fleet(file)]
    if any(fleet.tests for fleet in fleets):
        require_good(judged_fleet(reduce(_together, fleets)))


def _is_fleet(file: Path) -> bool:
    """Beside fleet files a folder may hold the cases themselves."""
    return any(line.startswith("servers:") for line in file.read_text("utf-8").splitlines())


def _together(one: Fleet, other: Fleet) -> Fleet:
    return replace(
        one,
        people={**one.people, **other.people},
        claims={**one.claims, **other.claims},
        servers={**one.servers, **other.servers},
        tests=(*one.tests, *other.tests),
        policies=(*one.policies, *other.policies),
        document=None,
    )


def _check(entry: FleetServer, tools: tuple[Tool, ...], fleet: Fleet) -> None:
    """Errors: Invalid (`unknown-narrowing`, with the place in the file; `bad-approval-rule`)."""
    try:
        check_entry(entry, Manifest(entry.version, entry.description, "", tools))
    except UnknownNarrowing as fault:
        raise located(fault, fleet.document) from None


def _server(entry: FleetServer, tools: Iterable[Tool]) -> Server:
    narrowed = (_narrowed(tool, entry) for tool in tools)
    return Server(
        name=entry.name,
        version=entry.version,
        kind=entry.kind,
        stage=Stage.DEPLOYED,
        owner=entry.owner,
        support=entry.support,
        description=entry.description,
        upstream="",
        tools={tool.name: tool for tool in with_rules(narrowed, entry.approval_rules)},
        title=entry.title,
        data_class=entry.risk.data_class,
        discovery=entry.discovery,
    )


def _narrowed(tool: Tool, entry: FleetServer) -> Tool:
    bounds = entry.narrowed_bounds.get(tool.name, UNBOUNDED)
    return replace(tool, narrowed=entry.narrowed.get(tool.name), narrowed_bounds=bounds)


def _tools(entry: FleetServer) -> Iterable[Tool]:
    if entry.guest is None:
        return fleet_server(entry.kind, entry.name, with_variables(entry.settings, Secrets.unread())).manifest()
    return (told.tool(name) for name, told in entry.declared.items())
