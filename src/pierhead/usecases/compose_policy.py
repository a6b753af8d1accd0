"""What one server is in a policy revision: its signed definitions, less what its process no longer says.

Pure. A tool whose live definition is not the signed one stays in, withheld: nobody is shown it, nobody runs it. What
is not callable has no tools and no rows at all. Above: `publish_policy`. Not here: deciding about drift (`drift`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.bounds import UNBOUNDED, Bounds
from pierhead.core.catalog import CALLABLE, Server, Stage, Tool
from pierhead.core.definitions import is_same
from pierhead.core.reach import Row, is_within
from pierhead.core.rule import Who
from pierhead.usecases.check_guest import host_of
from pierhead.usecases.ports_catalogue import Entry, Origin, Version
from pierhead.usecases.ports_declared import Declarations, DeclaredServer
from pierhead.usecases.read_roles import roles_in
from pierhead.usecases.restrict_access import restricted_narrowing, restricted_rows
from pierhead.usecases.wire_forms import Manifest

UNSIGNED: Final = "nobody has reviewed this tool yet"
CHANGED: Final = "its definition changed after it was reviewed"
UNDECLARED: Final = "what is declared of its server changed after it was reviewed"


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is known of one server. `version` is the current one, `live` what its process says now."""

    entry: Entry
    version: Version | None
    live: Manifest | None
    key: str = ""
    """The id of the key that its own process holds."""


@dataclass(frozen=True, slots=True)
class Composed:
    """One server in a revision, and who may reach it."""

    server: Server
    rows: tuple[Row, ...]


def compose(
    standing: Standing, declarations: Declarations, *, trusts_fleet: bool, own_hosts: frozenset[str]
) -> Composed | None:
    """That server as the next revision has it; None, while it was never deployed.

    Errors: Invalid (`bad-entry`), for a document that is not what a server declares.
    """
    entry, version = standing.entry, standing.version
    declared = declarations.read(entry.name, entry.document)
    is_trusted = trusts_fleet and entry.origin is Origin.FLEET
    if version is None:
        return Composed(_bare(declared), declared.rows) if is_trusted else None
    signed = declared if is_trusted else declarations.read(entry.name, version.document)
    if version.stage not in CALLABLE:
        stopped = replace(_bare(signed), version=version.version, stage=version.stage, notice=notice(version))
        return Composed(stopped, ())
    rows, narrowed = _access(declared, signed, version)
    bounds = _narrower(declared.narrowed_bounds, signed.narrowed_bounds)
    reason = "" if is_trusted or entry.origin is Origin.REGISTERED or is_as_signed(entry, version) else UNDECLARED
    tools = _narrowed(_tools(version.manifest.tools, standing.live, reason), narrowed, bounds)
    ruled = with_rules(_dated(tools, version.published_at), signed.approval_rules)
    server = replace(
        _bare(signed),
        version=version.version,
        stage=version.stage,
        owner=declared.owner,
        support=declared.support,
        on_call=str(entry.document.get("on_call", "")),
        description=signed.description or version.manifest.description,
        upstream=_upstream(standing, signed, own_hosts),
        key=standing.key,
        tools={tool.name: tool for tool in ruled},
        notice=notice(version),
        instructions=version.manifest.instructions,
        roles=roles_in(entry.document),
    )
    return Composed(server, rows)


def with_rules(tools: Iterable[Tool], rules: Iterable[ApprovalRule]) -> Iterator[Tool]:
    """Each tool with the rules that speak of it, in place of whatever its process said about rules."""
    known = tuple(rules)
    for tool in tools:
        yield replace(tool, rules=tuple(rule for rule in known if tool.name in rule.tools))


def is_as_signed(entry: Entry, version: Version) -> bool:
    """Whether what runs is declared as it was signed: access apart, which has its own rules."""
    return substance(entry.document) == substance(version.document)


def substance(document: Mapping[str, object]) -> dict[str, object]:
    """What of a document makes its server another one: all but whom to ask, how it reads, and who may reach it."""
    return {name: value for name, value in document.items() if name not in _SUPERFICIAL}


_SUPERFICIAL: Final = frozenset(
    {
        *("access", "description", "discovery", "on_call", "owner", "repository", "runbook", "slo", "support", "title"),
        "version",
    }
)


def notice(version: Version) -> str:
    """What clients are told of a deprecation or an end, in one sentence; nothing, if it is neither."""
    if version.stage not in _TOLD:
        return ""
    word, end = _TOLD[version.stage], version.sunset_at
    parts = [f"{word}: {version.message}" if version.message else word]
    if version.successor:
        parts.append(f"use {version.successor} instead")
    if version.stage is Stage.RETIRED:
        parts.append(f"it ended on {_day(version.moved_at)}")
    elif end is not None:
        parts.append(f"it ends on {_day(end)}")
    return "; ".join(parts)


_TOLD: Final = {Stage.DEPRECATED: "deprecated", Stage.RETIRED: "retired"}


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def withheld(signed: Iterable[Tool], live: Iterable[Tool]) -> dict[str, str]:
    """The live tools that are not the signed ones, and why each is withheld."""
    known = {tool.name: tool for tool in signed}
    reasons: dict[str, str] = {}
    for tool in live:
        if tool.name not in known:
            reasons[tool.name] = UNSIGNED
        elif not is_same(known[tool.name], tool):
            reasons[tool.name] = CHANGED
    return reasons


def _bare(declared: DeclaredServer) -> Server:
    return Server(
        name=declared.name,
        version="",
        kind=declared.kind,
        stage=Stage.DEPLOYED,
        owner=declared.owner,
        support=declared.support,
        description=declared.description,
        upstream="",
        tools={},
        title=declared.title,
        data_class=declared.risk.data_class,
        discovery=declared.discovery,
    )


def _upstream(standing: Standing, signed: DeclaredServer, own_hosts: frozenset[str]) -> str:
    """Where the gateway goes: where the platform's process says that it listens, else where it was signed to be.

    What a team registered goes only to hosts that the operator names, whatever it was when somebody signed it.
    """
    if not signed.place:
        return standing.live.upstream if standing.live else ""
    is_allowed = standing.entry.origin is Origin.FLEET or host_of(signed.place) in own_hosts
    return signed.place if is_allowed else ""


def _access(
    declared: DeclaredServer, signed: DeclaredServer, version: Version
) -> tuple[tuple[Row, ...], Mapping[str, Who]]:
    """Who may reach and use it: as signed, or less, where less was declared since; and within the conditions."""
    rows = declared.rows if is_within(declared.rows, signed.rows) else signed.rows
    narrowed = declared.narrowed if _narrows(declared.narrowed, signed.narrowed) else signed.narrowed
    names = [tool.name for tool in version.manifest.tools]
    return restricted_rows(rows, version.conditions), restricted_narrowing(narrowed, names, version.conditions)


def _narrows(after: Mapping[str, Who], before: Mapping[str, Who]) -> bool:
    return all(name in after and after[name].is_within(who) for name, who in before.items())


def _narrower(after: Mapping[str, Bounds], before: Mapping[str, Bounds]) -> Mapping[str, Bounds]:
    """The bounds declared since, if they are nowhere wider than the signed ones; else those."""
    is_narrower = all(name in after and after[name].is_within(bounds) for name, bounds in before.items())
    return after if is_narrower else before


def _as_told_now(signed: Tool, live: Tool) -> Tool:
    """What nobody signs, and no model reads, is as the process says it."""
    return replace(signed, minutes=live.minutes, timeout_s=live.timeout_s, examples=live.examples)


def _dated(tools: Iterable[Tool], stated_at: float) -> Iterator[Tool]:
    """Estimates are as old as the version: a process cannot say that its own are younger."""
    for tool in tools:
        yield replace(tool, minutes=replace(tool.minutes, stated_at=stated_at))


def _narrowed(tools: Iterable[Tool], narrowed: Mapping[str, Who], bounds: Mapping[str, Bounds]) -> Iterator[Tool]:
    for tool in tools:
        yield replace(tool, narrowed=narrowed.get(tool.name), narrowed_bounds=bounds.get(tool.name, UNBOUNDED))


def _tools(signed: tuple[Tool, ...], live: Manifest | None, reason: str) -> Iterator[Tool]:
    """The signed tools that are there still, then those that nobody signed, without their text."""
    now = {tool.name: tool for tool in live.tools} if live else {tool.name: tool for tool in signed}
    reasons = withheld(signed, now.values())
    for tool in signed:
        if tool.name in now:
            why = reasons.get(tool.name, reason)
            yield replace(tool if why else _as_told_now(tool, now[tool.name]), withheld=why)
    for name, tool in now.items():
        if reasons.get(name) == UNSIGNED:
            yield replace(tool, title="", description="", input_schema={}, output_schema={}, withheld=UNSIGNED)
