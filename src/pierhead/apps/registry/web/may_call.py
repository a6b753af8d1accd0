"""What a viewer may call, decided by the very rules that decide calls, so that no page promises what a call refuses.

Counting it for thousands of servers is remembered for one viewer, and done again for the servers that a new snapshot
changed: a tool's answer hangs on its own declaration and on who reaches its server, which many tools of a server share.
Not here: how it looks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.bounds import Bounds
from pierhead.core.call import Call, Opaque
from pierhead.core.call import Request as ToolRequest
from pierhead.core.catalog import Effect, Server, Tool
from pierhead.core.identity import Caller, Principal
from pierhead.core.policy import ApprovalNeeded, Decision, Match, Permit, Refusal, decide
from pierhead.core.rule import Who
from pierhead.core.snapshot import EMPTY, Snapshot
from pierhead.usecases.ports import Rules, Snapshots
from pierhead.usecases.told_by_roles import whole_rules

_NO_ARGUMENTS: Final = Opaque(digest="", size=0)
_VIEWERS: Final = 256


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule that took part."""

    effect: str
    question: str
    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class MayView:
    """What the viewer may do with one tool, and why. `decision` is permit, ask or refuse."""

    decision: str
    sentence: str
    whom_to_ask: str
    rules: tuple[RuleView, ...]


def may_call(server: Server, tool: Tool, caller: Caller, snapshots: Snapshots) -> MayView:
    """Both layers, as a call would meet them."""
    if not server.is_callable:
        return MayView("refuse", f"{server.name} is {server.stage}: nobody can call it", server.whom_to_ask, ())
    if tool.withheld:
        return MayView("refuse", tool.withheld, server.whom_to_ask, ())
    match _decided(server, tool, caller, whole_rules(snapshots), snapshots.current().revision):
        case Permit(reasons=reasons):
            return MayView("permit", "you may call it", "", _rules(reasons))
        case ApprovalNeeded(approval=approval, reasons=reasons):
            return MayView("ask", f"you may ask: each call needs {approval}", "", _rules(reasons))
        case Refusal(sentence=sentence, whom_to_ask=whom, reasons=reasons):
            return MayView("refuse", sentence, whom, _rules(reasons))


def _decided(server: Server, tool: Tool, caller: Caller, rules: Rules, revision: int) -> Decision:
    call = Call(id="", server=server.name, tool=tool.name, arguments=_NO_ARGUMENTS, era="", client="")
    request = ToolRequest(call, caller, server, tool, revision)
    return decide(request, rules.matches(request), rules.questions)


def _rules(matches: tuple[Match, ...]) -> tuple[RuleView, ...]:
    return tuple(RuleView(match.effect, match.question, match.rule, match.sentence) for match in matches)


_Who = tuple[Principal, str, str, str]
_Alike = tuple[Who, Who | None, Approval, Effect, str, Bounds, Bounds, tuple[ApprovalRule, ...], str]


@dataclass(slots=True)
class _Counted:
    """What was counted for one viewer; `stale` are the servers to count anew."""

    counts: Mapping[str, int]
    stale: frozenset[str]


@dataclass(slots=True)
class CallableTools:
    """How many tools of each server are not refused to a viewer, kept while its server and rows stay the same ones."""

    _for: Snapshot = EMPTY
    _kept: dict[_Who, _Counted] = field(default_factory=dict[_Who, _Counted])

    def counts(self, caller: Caller, snapshots: Snapshots) -> Mapping[str, int]:
        """Server to number; servers of which the viewer can call nothing are absent."""
        snapshot = snapshots.current()
        self._follow(snapshot)
        who = (caller.principal, caller.surface, caller.environment, caller.channel)
        if who not in self._kept:
            if len(self._kept) >= _VIEWERS:
                self._kept.clear()
            self._kept[who] = _Counted({}, frozenset(snapshot.servers))
        kept = self._kept[who]
        if kept.stale:
            others = {name: count for name, count in kept.counts.items() if name not in kept.stale}
            anew = _counted(
                [snapshot.servers[name] for name in kept.stale & snapshot.servers.keys()], caller, snapshots
            )
            kept.counts, kept.stale = others | anew, frozenset()
        return kept.counts

    def _follow(self, snapshot: Snapshot) -> None:
        """Identity of values, not numbers of revisions: a value that was swapped is another policy."""
        if snapshot is self._for:
            return
        changed = _changed(self._for, snapshot)
        self._for = snapshot
        for kept in self._kept.values():
            kept.stale |= changed


def _changed(before: Snapshot, after: Snapshot) -> frozenset[str]:
    """The servers whose definition or access is another value; all, where the company's policies are others."""
    names = before.servers.keys() | after.servers.keys()
    if before.policies is not after.policies:
        return frozenset(names)
    return frozenset(
        name
        for name in names
        if before.servers.get(name) is not after.servers.get(name) or before.rows.get(name) is not after.rows.get(name)
    )


def _counted(servers: Iterable[Server], caller: Caller, snapshots: Snapshots) -> dict[str, int]:
    rules, current = whole_rules(snapshots), snapshots.current()
    live = (server for server in servers if server.is_callable)
    counts = {
        server.name: _count(server, caller, rules, current) for server in live if rules.reach(caller, server.name)
    }
    return {name: count for name, count in counts.items() if count}


def _count(server: Server, caller: Caller, rules: Rules, current: Snapshot) -> int:
    """Tools that are declared alike are decided once: nothing else of a tool is read by a rule."""
    answers: dict[_Alike, bool] = {}
    count = 0
    for tool in server.tools.values():
        declared = (tool.policy, tool.narrowed, tool.approval, tool.effect, tool.withheld)
        named = tool.name if current.policies.texts or server.roles is not None else ""
        alike = (*declared, tool.bounds, tool.narrowed_bounds, tool.rules, named)
        if alike not in answers:
            refused = bool(tool.withheld) or isinstance(
                _decided(server, tool, caller, rules, current.revision), Refusal
            )
            answers[alike] = not refused
        count += answers[alike]
    return count
