"""Core values as JSON and back: tools, manifests, servers, rows, snapshots.

The one place that knows these forms; strict: an unknown or missing member is Invalid (`wire-form`), so that two
versions that disagree say so instead of guessing. Pure: dicts in, values out. Not here: text, signatures, HTTP.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar, cast

from pierhead.core.approval import Approval
from pierhead.core.bounds import UNBOUNDED, Bounds
from pierhead.core.catalog import DataClass, Discovery, Effect, Server, Stage, Tool
from pierhead.core.condition import parse_condition
from pierhead.core.errors import Invalid
from pierhead.core.reach import Row
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import NO_POLICIES, CompanyPolicies, PolicyText, Snapshot, SnapshotChange
from pierhead.core.usage import Minutes
from pierhead.usecases.approval_rule_forms import rule_from_form, rule_to_form
from pierhead.usecases.role_forms import roles_from_form, roles_to_form
from pierhead.usecases.wire_members import Members, set_from_form, set_to_form, unique, wrong

Form = dict[str, object]
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a server's process says of itself: its version, where it listens, its tools."""

    version: str
    description: str
    upstream: str
    tools: tuple[Tool, ...]
    instructions: str = ""


def tool_to_form(tool: Tool) -> Form:
    return {
        "name": tool.name,
        "description": tool.description,
        "policy": str(tool.policy),
        "effect": str(tool.effect),
        "approval": str(tool.approval),
        "minutes": _minutes_to_form(tool.minutes),
        "timeout_s": tool.timeout_s,
        "idempotent": tool.idempotent,
        "input_schema": tool.input_schema,
        "output_schema": tool.output_schema,
        "narrowed": None if tool.narrowed is None else str(tool.narrowed),
        "title": tool.title,
        "withheld": tool.withheld,
        "bounds": _bounds_to_form(tool.bounds),
        "narrowed_bounds": _bounds_to_form(tool.narrowed_bounds),
        **({"rules": [rule_to_form(rule) for rule in tool.rules]} if tool.rules else {}),
        **({"examples": list(tool.examples)} if tool.examples else {}),
        **({"drafts": True} if tool.drafts else {}),
    }


_LATER: Final = frozenset({"narrowed", "title", "withheld", "bounds", "narrowed_bounds", "rules", "examples", "drafts"})
"""What a tool that was kept before may lack."""


def tool_from_form(form: object) -> Tool:
    members = Members(form, "tool", optional=_LATER)
    narrowed = members.form.get("narrowed")
    tool = Tool(
        name=members.take("name", str),
        description=members.take("description", str),
        policy=parse_who(members.take("policy", str)),
        effect=members.choose("effect", Effect),
        approval=members.choose("approval", Approval),
        minutes=_minutes_from_form(members.mapping("minutes")),
        input_schema=members.mapping("input_schema"),
        output_schema=members.mapping("output_schema"),
        narrowed=None if narrowed is None else parse_who(members.take("narrowed", str)),
        timeout_s=members.number("timeout_s"),
        idempotent=members.take("idempotent", bool),
        title=members.take("title", str) if "title" in members.form else "",
        withheld=members.take("withheld", str) if "withheld" in members.form else "",
        bounds=_bounds_from_form(members.form["bounds"]) if "bounds" in members.form else UNBOUNDED,
        narrowed_bounds=(
            _bounds_from_form(members.form["narrowed_bounds"]) if "narrowed_bounds" in members.form else UNBOUNDED
        ),
        rules=members.each("rules", rule_from_form) if "rules" in members.form else (),
        examples=members.each("examples", _example) if "examples" in members.form else (),
        drafts=members.take("drafts", bool) if "drafts" in members.form else False,
    )
    members.done()
    return tool


def _minutes_to_form(minutes: Minutes) -> Form:
    stated = {"stated_at": minutes.stated_at} if minutes.stated_at else {}
    return {"mode": minutes.mode, "low": minutes.low, "high": minutes.high, "method": minutes.method, **stated}


def _minutes_from_form(form: object) -> Minutes:
    members = Members(form, "minutes", optional=frozenset({"stated_at"}))
    minutes = Minutes(
        members.number("mode"),
        members.number("low"),
        members.number("high"),
        members.take("method", str),
        members.number("stated_at") if "stated_at" in members.form else 0.0,
    )
    members.done()
    if not minutes.is_range:
        raise wrong("minutes", "they are no range from low over mode to high, or of more than a week")
    return minutes


def _example(form: object) -> Mapping[str, object]:
    if not isinstance(form, Mapping):
        raise wrong("tool", "an example is no object")
    return cast("Mapping[str, object]", form)


def manifest_to_form(manifest: Manifest) -> Form:
    return {
        "version": manifest.version,
        "description": manifest.description,
        "upstream": manifest.upstream,
        "instructions": manifest.instructions,
        "tools": [tool_to_form(tool) for tool in manifest.tools],
    }


def manifest_from_form(form: object) -> Manifest:
    members = Members(form, "manifest", optional=frozenset({"instructions"}))
    manifest = Manifest(
        version=members.take("version", str),
        description=members.take("description", str),
        upstream=members.take("upstream", str),
        tools=members.each("tools", _declared),
        instructions=members.take("instructions", str) if "instructions" in members.form else "",
    )
    members.done()
    unique([tool.name for tool in manifest.tools], "tool")
    return manifest


def _declared(form: object) -> Tool:
    """A tool as its process says it: since when an estimate is, the registry alone knows."""
    tool = tool_from_form(form)
    return replace(tool, minutes=replace(tool.minutes, stated_at=0.0))


def server_to_form(server: Server) -> Form:
    return {
        "name": server.name,
        "version": server.version,
        "kind": server.kind,
        "stage": str(server.stage),
        "owner": server.owner,
        "support": server.support,
        "description": server.description,
        "upstream": server.upstream,
        "title": server.title,
        "data_class": str(server.data_class),
        "notice": server.notice,
        "instructions": server.instructions,
        "discovery": str(server.discovery),
        "key": server.key,
        "on_call": server.on_call,
        "roles": roles_to_form(server.roles),
        "tools": [tool_to_form(tool) for tool in server.tools.values()],
    }


def server_from_form(form: object) -> Server:
    members = Members(form, "server")
    tools = members.each("tools", tool_from_form)
    unique([tool.name for tool in tools], "tool")
    server = Server(
        name=members.take("name", str),
        version=members.take("version", str),
        kind=members.take("kind", str),
        stage=members.choose("stage", Stage),
        owner=members.take("owner", str),
        support=members.take("support", str),
        description=members.take("description", str),
        upstream=members.take("upstream", str),
        title=members.take("title", str),
        data_class=members.choose("data_class", DataClass),
        notice=members.take("notice", str),
        instructions=members.take("instructions", str),
        discovery=members.choose("discovery", Discovery),
        key=members.take("key", str),
        on_call=members.take("on_call", str),
        roles=roles_from_form(members.take_any("roles")),
        tools={tool.name: tool for tool in tools},
    )
    members.done()
    return server


def row_to_form(row: Row) -> Form:
    return {
        "server": row.server,
        "who": str(row.who),
        "surfaces": set_to_form(row.surfaces),
        "environments": set_to_form(row.environments),
        "channels": set_to_form(row.channels),
    }


def row_from_form(form: object) -> Row:
    members = Members(form, "row")
    row = Row(
        server=members.take("server", str),
        who=parse_who(members.take("who", str)),
        surfaces=set_from_form(members.take_any("surfaces")),
        environments=set_from_form(members.take_any("environments")),
        channels=set_from_form(members.take_any("channels")),
    )
    members.done()
    return row


def snapshot_to_form(snapshot: Snapshot) -> Form:
    """Everything but the time of issue: that belongs to one answer, not to the revision."""
    return {
        "revision": snapshot.revision,
        "servers": [server_to_form(server) for server in snapshot.servers.values()],
        "rows": [row_to_form(row) for rows in snapshot.rows.values() for row in rows],
        "policies": policies_to_form(snapshot.policies.texts),
    }


def policies_to_form(texts: Sequence[PolicyText]) -> list[Form]:
    return [{"name": each.name, "text": each.text} for each in texts]


def _policy_from_form(form: object) -> PolicyText:
    members = Members(form, "policy")
    policy = PolicyText(members.take("name", str), members.take("text", str))
    members.done()
    return policy


ReadPolicies = Callable[[tuple[PolicyText, ...]], CompanyPolicies]
"""Reads company policies. Errors: Invalid (`policy-syntax`, `policy-unknown-name`, `policy-engine-missing`)."""


def no_engine(texts: tuple[PolicyText, ...]) -> CompanyPolicies:
    """Where nothing can read them: none there are, or nothing of that revision is taken."""
    if texts:
        raise Invalid(
            "company policies cannot be read here: no policy engine is installed",
            hint="install pierhead[server], or take `policies` out of the fleet file",
            code="policy-engine-missing",
        )
    return NO_POLICIES


def snapshot_from_form(
    form: object, read: Callable[[object], Server] = server_from_form, engine: ReadPolicies = no_engine
) -> Snapshot:
    """`read` is asked for each server: one that has read its form before may answer with the same value."""
    members = Members(form, "snapshot")
    servers, rows = _servers_and_rows(members, read)
    revision = members.take("revision", int)
    texts = members.each("policies", _policy_from_form)
    members.done()
    return Snapshot(revision, servers, rows, engine(texts))


def change_from_form(form: object, read: Callable[[object], Server] = server_from_form) -> SnapshotChange:
    """The same for what changed. Rows without their server are refused: they would be added to what it had."""
    members = Members(form, "snapshot")
    servers, rows = _servers_and_rows(members, read)
    gone, revision = cast("list[object]", members.take("gone", list)), members.take("revision", int)
    members.done()
    names = frozenset(name for name in gone if isinstance(name, str))
    if len(names) != len(gone) or not rows.keys() <= servers.keys():
        raise wrong("snapshot", "a change names who is gone once each, and rows only of servers that changed")
    return SnapshotChange(revision, servers, rows, names)


def _servers_and_rows(
    members: Members, read: Callable[[object], Server]
) -> tuple[dict[str, Server], dict[str, tuple[Row, ...]]]:
    servers = members.each("servers", read)
    unique([server.name for server in servers], "server")
    rows: dict[str, tuple[Row, ...]] = {}
    for row in members.each("rows", row_from_form):
        rows[row.server] = (*rows.get(row.server, ()), row)
    return {server.name: server for server in servers}, rows


AROUND: Final = frozenset({"issued_at", "digest", "base", "people", "only"})
"""What stands around a snapshot in the text that is signed: of the telling, not of the policy."""


@dataclass(slots=True)
class SnapshotReader:
    """Reads one snapshot after another: a server whose form did not change stays the very same value."""

    engine: ReadPolicies = no_engine
    _kept: dict[object, tuple[object, Server]] = field(default_factory=dict[object, tuple[object, Server]])

    def read(self, form: object) -> Snapshot:
        """Errors: Invalid (`wire-form`), and nothing is kept of it."""
        return self._reading(lambda server: snapshot_from_form(form, server, self.engine))

    def read_change(self, form: object) -> SnapshotChange:
        """Errors: Invalid (`wire-form`), and nothing is kept of it."""
        return self._reading(lambda server: change_from_form(form, server))

    def _reading(self, of: Callable[[Callable[[object], Server]], _Read]) -> _Read:
        read: dict[object, tuple[object, Server]] = {}

        def server(each: object) -> Server:
            known = self._kept.get(_name_in(each))
            found = known[1] if known is not None and known[0] == each else server_from_form(each)
            read[found.name] = (each, found)
            return found

        made = of(server)
        self._kept = read
        return made


def _name_in(form: object) -> object:
    name = cast("Mapping[str, object]", form).get("name") if isinstance(form, Mapping) else None
    return name if isinstance(name, str) else None


def _bounds_to_form(bounds: Bounds) -> Form:
    return {"channels": set_to_form(bounds.channels), "when": [str(each) for each in bounds.when]}


def _bounds_from_form(form: object) -> Bounds:
    """Every member is demanded: bounds that went missing would be rights."""
    members = Members(form, "bounds")
    texts = members.each("when", lambda each: each)
    if not all(isinstance(each, str) for each in texts):
        raise wrong("bounds", "a condition is a text")
    bounds = Bounds(set_from_form(members.take_any("channels")), tuple(parse_condition(str(each)) for each in texts))
    members.done()
    return bounds
