"""What governs the calls of one server: the ports of `call_tool`, and who the platform said is calling.

Made by bootstrap for a real server and by `pierhead.testing` for an author's tests; the host only uses it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from pierhead.core.approval import Approval
from pierhead.core.bounds import UNBOUNDED
from pierhead.core.call import Call, Opaque, Outcome, Parsed, digest
from pierhead.core.catalog import Effect, Server, Tool
from pierhead.core.definitions import tools_digest
from pierhead.core.errors import Invalid
from pierhead.core.foreseen import NOTHING_FORESEEN, Foreseen
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.run import NO_RUN, Run
from pierhead.core.scope import ALL
from pierhead.core.snapshot import Age, Snapshot
from pierhead.core.waiting_tools import WAITING_TOOLS
from pierhead.sdk.asking import MayAsk
from pierhead.sdk.authorize import Declaration
from pierhead.sdk.estimating import estimated
from pierhead.sdk.tool import Arguments, as_json
from pierhead.sdk.waiting import Waits
from pierhead.usecases.call_tool import call_tool, recording_refusals
from pierhead.usecases.compose_policy import CHANGED
from pierhead.usecases.hold_to_scope import hold_call
from pierhead.usecases.list_tools import list_tools, may_use, reachable_server
from pierhead.usecases.match_rules import REACH_AND_USE, Remembered, SnapshotRules
from pierhead.usecases.memory import NoApprovals
from pierhead.usecases.ports import Approvals, Audit, Clock, Ports, Rules, ServerApprovals, Snapshots, Upstream
from pierhead.usecases.told_by_tools import ToldByTools

_REMEMBERED: Final = 10_000


class Verifier(Protocol):
    """Who calls: as only the gateway can say it, or as a key proves it where there is no gateway."""

    @property
    def header(self) -> bytes:
        """The header that carries the proof, in lower case."""
        ...

    @property
    def is_bound(self) -> bool:
        """Whether a proof holds for one request alone: `verify` then wants its digest, and nothing else will do."""
        ...

    def verify(self, header: bytes, body_digest: str) -> tuple[Caller, str]:
        """The caller and the call's id. Errors: Unauthenticated."""
        ...


class DeclaredTool(Protocol):
    """A tool that can say what it is and read its arguments: a bound function, a guest's, or one of Pierhead's own."""

    def parse(self, raw: bytes) -> Arguments:
        """Read arguments. Errors: Invalid."""
        ...

    def declared(self) -> Tool: ...

    @property
    def declaration(self) -> Declaration: ...


@dataclass(frozen=True, slots=True)
class Admission:
    """One verified message: who sent it, under which id."""

    caller: Caller
    call_id: str


@dataclass(slots=True)
class LiveTools:
    """The policy in force, every tool withheld whose declaration is not the one in this process.

    A manifest that says otherwise than the code is a drift: the tool is withheld until they agree again. One that is
    not here at all is gone.
    """

    snapshots: Snapshots
    server: str
    tools: Mapping[str, DeclaredTool]
    version: str = ""
    """That of this process: policy may know another one still, or already."""
    _for: object = None
    _kept: Snapshot | None = None

    def current(self) -> Snapshot:
        whole = self.snapshots.current()
        if self._kept is None or whole is not self._for:
            self._for, self._kept = whole, self._live(whole)
        return self._kept

    def age(self) -> Age:
        return self.snapshots.age()

    def forget(self) -> None:
        """The tools of this process are no longer what they were."""
        self._for = self._kept = None

    def _live(self, whole: Snapshot) -> Snapshot:
        entry = whole.servers.get(self.server)
        if entry is None:
            return replace(whole, servers={})
        own = {name: bound.declared() for name, bound in self.tools.items()}
        kept = {name: _held(own[name], tool) for name, tool in entry.tools.items() if name in own}
        running = f"{self.version} {tools_digest('', own.values())}"
        return replace(whole, servers={self.server: replace(entry, tools=kept, running=running)})


def _held(own: Tool, published: Tool) -> Tool:
    """The published tool, withheld unless ours is equal in everything but what fleet and registry say of it."""
    minutes = replace(published.minutes, stated_at=own.minutes.stated_at)
    if published.withheld or own == replace(
        published, minutes=minutes, narrowed=None, narrowed_bounds=UNBOUNDED, rules=()
    ):
        return published
    return replace(published, withheld=CHANGED)


def govern(  # noqa: PLR0913 - the ports of a process
    server: str,
    tools: Mapping[str, DeclaredTool],
    snapshots: Snapshots,
    approvals: ServerApprovals,
    audit: Audit,
    clock: Clock,
    *,
    version: str = "",
) -> "Governance":
    """Put the ports of one server process together: reach and use are both asked, over the tools that are live.

    `version` is that of this process: an approval is good for it alone, whatever version policy knows.
    """
    live = LiveTools(snapshots, server, tools, version)
    rules = Remembered(SnapshotRules(live, REACH_AND_USE), _REMEMBERED)
    asks = {name: asking for name, tool in tools.items() if (asking := tool.declaration.asks) is not None}
    offered = {name: offering for name, tool in tools.items() if (offering := tool.declaration.offered) is not None}
    told = ToldByTools(rules, asks, offered)
    return Governance(server, live, told, approvals, audit, clock, frozenset(asks))


@dataclass(frozen=True, slots=True)
class Governance:
    """The ports of one server process. `rules` must answer reach and use."""

    server: str
    snapshots: Snapshots
    rules: Rules
    approvals: ServerApprovals
    audit: Audit
    clock: Clock
    asking: frozenset[str] = frozenset()
    """The tools whose arguments say whether people must agree."""
    waits: Waits = field(default_factory=Waits)
    _unread: Opaque = field(default=Opaque(digest="", size=0), init=False)

    def redeclared(self) -> None:
        """Hold the tools of this process against the policy again: a guest changed them while it ran."""
        if isinstance(self.snapshots, LiveTools):
            self.snapshots.forget()

    def visible(self, caller: Caller) -> tuple[Tool, ...]:
        """What `caller` may use here. Errors: NotFound, Forbidden, PolicyExpired."""
        return list_tools(self.server, caller, self.snapshots, self.rules)

    def reachable(self, caller: Caller) -> Server:
        """This server, if `caller` may reach it. Errors: NotFound, Forbidden, PolicyExpired."""
        return reachable_server(self.server, caller, self.snapshots, self.rules)

    def may_see(self, name: str, caller: Caller) -> bool:
        """Whether the tool exists for `caller`: asked before its arguments are read, so that faults reveal nothing."""
        return may_use(self.server, name, caller, self.snapshots, self.rules)

    def waiting_tools(self, caller: Caller) -> tuple[str, ...]:
        """The names of Pierhead's own tools that this list shows: all three, where a call may well have to wait here.

        Each definition is read by a model and paid for, so a server of reads does without, though they can be called.
        """
        if isinstance(self.approvals, NoApprovals):
            return ()
        may_wait = bool(self.snapshots.current().policies.texts) or any(map(self._may_wait, self.visible(caller)))
        return tuple(name for name in WAITING_TOOLS if may_wait and self.may_see(name, caller))

    def _may_wait(self, tool: Tool) -> bool:
        by_arguments = tool.name in self.asking and tool.effect is not Effect.READ
        return by_arguments or tool.approval is not Approval.NONE or bool(tool.rules)

    def may_answer_otherwise(self, tool: Tool) -> bool:
        """Whether policy may make a call of it wait, or deny it, though nothing in its declaration says so."""
        return bool(tool.rules or self.snapshots.current().policies.texts)

    def call(self, admission: Admission, tool: str, era: str, client: str, run: Run = NO_RUN) -> Call:
        """A call whose arguments nobody has read yet."""
        return Call(admission.call_id, self.server, tool, self._unread, era, client, run)

    async def read(
        self, call: Call, caller: Caller, tool: DeclaredTool, decoded: object
    ) -> tuple[Call, Mapping[str, object]]:
        """The call with its arguments, and the values to pass. Errors: Invalid, which is recorded."""
        async with recording_refusals(call, caller, self.audit):
            raw = as_json(decoded)
            arguments = tool.parse(raw)
            foreseen = await self.foresee(call, tool, arguments.plain, caller)
            parsed = Parsed(arguments.plain, digest(arguments.plain), len(raw), foreseen)
        return call.with_arguments(parsed), arguments.values

    async def foresee(self, call: Call, tool: DeclaredTool, arguments: Mapping[str, Json], caller: Caller) -> Foreseen:
        """What the server says that `call` would do with these arguments.

        Who may no longer plan has no plans. Errors: Invalid (`no-such-plan`); as `sdk.plan.Planning.foresee`.
        """
        declaration, foreseen = tool.declaration, NOTHING_FORESEEN
        if declaration.foresees is not None:
            if declaration.plan_tool and not self.may_see(declaration.plan_tool, caller):
                raise Invalid("no such plan, or it is not yours", hint="plan again", code="no-such-plan")
            foreseen = await declaration.foresees(arguments, caller)
        if declaration.estimates is None or not self._weighs(call.tool):
            return foreseen
        return replace(foreseen, estimate=await estimated(declaration.estimates, arguments, caller))

    def _weighs(self, tool: str) -> bool:
        """Whether a rule of that tool reads what its server estimates: working it out may cost as much as a query."""
        server = self.snapshots.current().servers.get(self.server)
        known = server.tools.get(tool) if server else None
        return known is not None and any(each.members("estimate") for rule in known.rules for each in rule.when)

    async def run(self, call: Call, caller: Caller, upstream: Upstream, asked: Approvals | None = None) -> Outcome:
        """Carry the call through `call_tool`. `asked` are approvals that the caller can be asked for at once."""
        approvals = asked or self.approvals
        if ALL not in caller.scopes:
            await hold_call(call, caller, self.snapshots, self.rules, self.audit)
        may_ask = MayAsk(upstream, approvals)
        ports = Ports(self.snapshots, self.rules, approvals, self.audit, self.clock, may_ask)
        return await call_tool(call, caller, ports)
