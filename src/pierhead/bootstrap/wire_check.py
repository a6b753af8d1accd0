"""Puts `pierhead check` together: finds the target, gathers evidence from every source that is there, judges.

Not here: the rules (`core/standard_rules`, `usecases/check_*`, adapters), how a report is shown (`apps/cli`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

from pierhead.adapters.cluster_rules import check_clusters
from pierhead.adapters.image_rules import check_images, check_locks
from pierhead.adapters.internal_client import ApiClient
from pierhead.adapters.source_rules import check_source
from pierhead.bootstrap.check_targets import Target, find_target, read_file, tools_in
from pierhead.bootstrap.document import read_document
from pierhead.bootstrap.wire_live import check_live
from pierhead.core.catalog import Tool
from pierhead.core.definitions import change_classes, gravest, tool_change
from pierhead.core.errors import Invalid
from pierhead.core.standard import Breach, Evidence, Look, Waiver, joined, waiver_of
from pierhead.core.standard_rules import RULES, breach
from pierhead.sdk.schema import schema_fault
from pierhead.usecases.check_declared import check_declared
from pierhead.usecases.check_lint import token_report
from pierhead.usecases.check_listing import Listing, as_tools, check_listing
from pierhead.usecases.check_standard import Change, Report, judge, unused
from pierhead.usecases.wire_forms import manifest_from_form


@dataclass(frozen=True, slots=True)
class CheckAsked:
    """What was asked for. `beside` are more files of the same server; `against` an earlier answer to tools/list."""

    target: str
    fleet: Path
    data: Path
    today: date
    beside: tuple[Path, ...] = ()
    waivers: Path | None = None
    against: Path | None = None
    inputs: int = 0
    """How many odd inputs a tool is sent; nothing is started for none."""


def run_check(asked: CheckAsked, client: ApiClient | None) -> Report:
    """Look at the target and judge it. `client` asks the platform for the registered version; None: it is not asked.

    Errors: NotFound, Invalid, Misconfigured; UpstreamUnreachable, if the platform is to be asked and is not there.
    """
    target = find_target(asked.target, asked.fleet, asked.data)
    for path in asked.beside:
        target = target.beside(read_file(path))
    tools = _tools(target)
    registered = _registered(asked, target, client)
    waivers = read_waivers(asked.waivers or target.waivers, target.name, is_named=asked.waivers is not None)
    several = [*_evidence(target, asked.today, has_registered=registered is not None)]
    if asked.inputs:
        several.append(check_live(target, asked.inputs))
    evidence = joined(several)
    verdicts = judge(evidence, waivers, asked.today.isoformat())
    return Report(
        target=target.name,
        verdicts=verdicts,
        tokens=token_report(tools),
        unused=unused(verdicts, waivers),
        change=_change(registered, tools) if registered is not None else None,
    )


def _evidence(target: Target, today: date, *, has_registered: bool) -> Iterator[Evidence]:
    """What each source says that is there."""
    if target.listing is not None:
        found = (*check_listing(target.listing), *_broken_schemas(target.listing))
        yield Evidence(found, frozenset({Look.LISTING}), {})
    if target.declared is not None:
        evidence = check_declared(target.declared)
        left = {key: why for key, why in evidence.unlooked.items() if not (has_registered and key[0] == "S15")}
        if target.locks:
            left = {key: why for key, why in left.items() if key[0] not in {"S31", "S32"}}
        yield Evidence(evidence.breaches, evidence.looked, left)
    yield from _files(target, today)


def _files(target: Target, today: date) -> Iterator[Evidence]:
    """What the files beside its definitions say."""
    if target.sources:
        yield check_source(target.sources)
    if target.images or target.materials:
        yield check_images(target.images, target.materials, target.locks)
    if target.clusters:
        yield check_clusters(target.clusters)
    if target.locks:
        evidence = check_locks(target.locks, today)
        others = {(rule.id, Look.MANIFEST): "no entry" for rule in RULES.values() if rule.id not in {"S31", "S32"}}
        unlooked = evidence.unlooked if target.declared is not None else {**others, **evidence.unlooked}
        yield Evidence(evidence.breaches, evidence.looked, unlooked)


def _broken_schemas(listing: Listing) -> Iterator[Breach]:
    for wire in listing.tools:
        for member in ("inputSchema", "outputSchema"):
            schema = wire.get(member)
            if isinstance(schema, Mapping) and (fault := schema_fault(cast("Mapping[str, object]", schema))):
                where = f"tools.{str(wire.get('name'))[:64]}.{member}"
                yield breach("S09", where, f"it is no JSON Schema 2020-12, at {fault}", "correct it there")


def _tools(target: Target) -> tuple[Tool, ...]:
    """The tools as the catalogue knows them, as far as the target says."""
    if target.listing is None:
        return ()
    if target.declared is not None and target.declared.tools:
        return tuple(target.declared.tools)
    return as_tools(target.listing.tools)


@dataclass(frozen=True, slots=True)
class Registered:
    """The version to compare with."""

    version: str
    tools: tuple[Tool, ...]


def _registered(asked: CheckAsked, target: Target, client: ApiClient | None) -> Registered | None:
    if asked.against is not None:
        listing = read_file(asked.against).listing
        if listing is None:
            raise Invalid(f"{asked.against} is no answer to tools/list", hint="give its JSON", code="bad-target")
        return Registered(str(asked.against), as_tools(listing.tools))
    if client is None:
        return None
    versions = cast("list[dict[str, Any]]", client.ask("GET", f"/servers/{target.name}/versions")["versions"])
    chosen = next((each for each in versions if each["is_current"]), versions[0] if versions else None)
    if chosen is None:
        return Registered("", ())
    found = client.ask("GET", f"/servers/{target.name}/versions/{chosen['version']}")
    manifest = manifest_from_form({"instructions": "", "description": "", "upstream": "", **found["manifest"]})
    return Registered(str(chosen["version"]), manifest.tools)


def _change(registered: Registered, tools: Sequence[Tool]) -> Change:
    """The class of the change, and what moved."""
    before = {tool.name: tool for tool in registered.tools}
    now = {tool.name: tool for tool in tools}
    told = [f"{name}: removed" for name in before if name not in now]
    told += [f"{name}: added" for name in now if name not in before]
    for name in now.keys() & before.keys():
        changed = tool_change(before[name], now[name])
        if changed.members:
            told.append(f"{name}: {changed.change}, {', '.join(changed.members)}")
    return Change(gravest(*change_classes(registered.tools, tools)), registered.version, tuple(sorted(told)))


def read_waivers(file: Path | None, server: str, *, is_named: bool) -> tuple[Waiver, ...]:
    """The waivers of one server: those without a `server`, and its own.

    Errors: Misconfigured, for a file that cannot be read; Invalid (`bad-waiver`).
    """
    if file is None or (not is_named and not file.exists()):
        return ()
    listed = read_document(file).values.get("waivers")
    if not isinstance(listed, list):
        raise Invalid(f"{file} lists no waivers", hint="begin with `waivers:` and a list", code="bad-waiver")
    found: list[Waiver] = []
    for each in cast("list[object]", listed):
        form = dict(cast("Mapping[str, object]", each)) if isinstance(each, Mapping) else {}
        if form.pop("server", server) == server:
            given = {key: value.isoformat() if isinstance(value, date) else value for key, value in form.items()}
            found.append(waiver_of(given, RULES))
    return tuple(found)


__all__ = ["CheckAsked", "Registered", "read_waivers", "run_check", "tools_in"]
