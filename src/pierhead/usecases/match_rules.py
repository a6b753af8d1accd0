"""The rules in force, from the snapshot: access rows (reach), declared policies, fleet narrowings and drift (use).

Pure, and indexed by server, tool and whom a row names, so that the number of other rules costs nothing. The company's
policies, if the snapshot has any, add their matches. Fills the port `Rules`. `Remembered` keeps answers for one
revision and must never change one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule, lowered
from pierhead.core.call import Parsed, Request
from pierhead.core.catalog import Effect
from pierhead.core.identity import Caller, Party, Principal, parties, person, workload
from pierhead.core.json import Json
from pierhead.core.policy import Match, Question, RuleEffect
from pierhead.core.reach import Every, Only, Row
from pierhead.core.snapshot import Snapshot
from pierhead.core.waiting_tools import is_waiting_tool
from pierhead.usecases.ports import Snapshots

REACH: Final = frozenset({Question.REACH})
REACH_AND_USE: Final = frozenset({Question.REACH, Question.USE})


_Index = Mapping[str, Sequence[int]]


@dataclass(slots=True)
class SnapshotRules:
    """Every rule of the current snapshot that speaks of a request."""

    snapshots: Snapshots
    questions: frozenset[Question]
    _for: object = None
    _indexes: dict[str, _Index] = field(default_factory=dict[str, _Index])

    def matches(self, request: Request) -> tuple[Match, ...]:
        return (*self.settled(request), *self.argued(request))

    def settled(self, request: Request) -> tuple[Match, ...]:
        """The matches that hang on no argument: the same for every call of that caller, there, of that tool."""
        found = list(self.reach(request.caller, request.server.name))
        if Question.USE in self.questions:
            for party in parties(request.caller.principal):
                found.extend(_use(request, party))
            found.extend(_asks(request))
            found.extend(self._stated(request))
        return tuple(found)

    def _stated(self, request: Request) -> Iterator[Match]:
        """What company policies say of use."""
        policies = self.snapshots.current().policies
        if not policies.texts:
            return iter(())
        stated = policies.matches(request.caller, Question.USE, request.server, request.tool)
        return _counting(stated, delegates=request.tool.policy.by_policies)

    def argued(self, request: Request) -> tuple[Match, ...]:
        """The matches of conditions on arguments: judged on every call, where both questions are asked."""
        tool = request.tool
        if Question.USE not in self.questions or not (tool.bounds.when or tool.narrowed_bounds.when or tool.rules):
            return ()
        return (*_conditions(request), *_weighed(request))

    def reach(self, caller: Caller, server: str) -> tuple[Match, ...]:
        snapshot = self.snapshots.current()
        rows = snapshot.rows.get(server, ())
        by_rows = tuple(
            Match(
                RuleEffect.PERMIT,
                Question.REACH,
                party,
                f"{server}.access[{place}]",
                f"access admits {rows[place].who}",
            )
            for place in self._places(snapshot, server, caller.principal)
            for party in parties(caller.principal)
            if rows[place].admits(caller, party)
        )
        known = snapshot.servers.get(server)
        if not snapshot.policies.texts or known is None:
            return by_rows
        delegates = any(row.who.by_policies and row.stands_open(caller) for row in rows)
        stated = snapshot.policies.matches(caller, Question.REACH, known, None)
        return (*by_rows, *_counting(stated, delegates=delegates))

    def _places(self, snapshot: Snapshot, server: str, principal: Principal) -> Sequence[int]:
        """The rows that name this principal in any way; each row is still asked whether it admits them."""
        if snapshot is not self._for:
            self._for, self._indexes = snapshot, {}
        index = self._indexes.get(server)
        if index is None:
            index = self._indexes[server] = _index(snapshot.rows.get(server, ()))
        return sorted({place for name in _names(principal) for place in index.get(name, ())})


def _counting(stated: Iterable[Match], *, delegates: bool) -> Iterator[Match]:
    """A permit of a company policy counts where a reviewed declaration leaves it to them; all else always does."""
    return (match for match in stated if delegates or match.effect is not RuleEffect.PERMIT)


def _index(rows: Sequence[Row]) -> _Index:
    """The places of a server's rows, by whom they name."""
    index: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        who = row.who
        names = [f"group:{name}" for name in who.groups] + [f"user:{name}" for name in who.users]
        names += [f"workload:{name}" for name in who.workloads] + ["everyone"] * who.any_person
        for name in names:
            index.setdefault(name, []).append(place)
    return index


def _names(principal: Principal) -> Iterator[str]:
    """Every way a row can name this principal."""
    who, program = person(principal), workload(principal)
    if who is not None:
        yield "everyone"
        yield f"user:{who.subject}"
        yield from (f"group:{name}" for name in who.groups)
    if program is not None:
        yield f"workload:{program.spiffe_id}"


def _use(request: Request, party: Party) -> Iterator[Match]:
    tool, principal = request.tool, request.caller.principal
    name = f"{request.server.name}.{tool.name}"
    if tool.withheld:
        sentence = f"{tool.name} is withheld: {tool.withheld}"
        yield Match(RuleEffect.FORBID, Question.USE, party, f"{name}.withheld", sentence, code="definition_drift")
    if is_waiting_tool(tool):
        yield Match(RuleEffect.PERMIT, Question.USE, party, f"{name}.own", "everyone looks after what they asked for")
    if tool.policy.admits(principal, party):
        sentence = f"{tool.name} is declared for {tool.policy}"
        yield Match(RuleEffect.PERMIT, Question.USE, party, f"{name}.policy", sentence)
    if tool.narrowed is not None and not tool.narrowed.admits(principal, party):
        sentence = f"the fleet narrows {tool.name} to {tool.narrowed}"
        yield Match(RuleEffect.FORBID, Question.USE, party, f"{name}.narrowed", sentence)
    for rule, bounds in ((f"{name}.channels", tool.bounds), (f"{name}.narrowed.channels", tool.narrowed_bounds)):
        if request.caller.channel not in bounds.channels:
            sentence = f"{tool.name} is used {_names_of(bounds.channels)}"
            yield Match(RuleEffect.FORBID, Question.USE, party, rule, sentence)


def _names_of(channels: Only | Every) -> str:
    named = sorted(channels) if isinstance(channels, frozenset) else []
    return f"only in the channels {', '.join(named)}" if named else "in no channel"


def _conditions(request: Request) -> Iterator[Match]:
    """What does not hold of the arguments forbids. Arguments that nobody has read tell nothing, so people are asked."""
    tool, arguments = request.tool, request.call.arguments
    name = f"{request.server.name}.{tool.name}"
    for rule, bounds in ((f"{name}.when", tool.bounds), (f"{name}.narrowed.when", tool.narrowed_bounds)):
        for condition in bounds.when:
            for party in parties(request.caller.principal):
                if not isinstance(arguments, Parsed):
                    sentence = f"{tool.name} hangs on arguments that were not read: {condition}"
                    yield Match(RuleEffect.ASK, Question.USE, party, rule, sentence, Approval.APPROVE)
                elif why := condition.failing(arguments.judged):
                    sentence = f"{tool.name} is used only when {condition}: {why}"
                    yield Match(RuleEffect.FORBID, Question.USE, party, rule, sentence)


def _asks(request: Request) -> Iterator[Match]:
    """What is asked whatever the arguments: the declared class, or what a rule leaves of it, and what rules add."""
    for party in parties(request.caller.principal):
        yield from _declared(request, party)
        for rule in _speaking(request, party):
            if not (rule.lowers or rule.when):
                sentence = f"the fleet says that {request.tool.name} {rule.told()}"
                yield _raised(request, party, rule, sentence, rule.approval)


def _declared(request: Request, party: Party) -> Iterator[Match]:
    tool, rules = request.tool, [rule for rule in _speaking(request, party) if rule.lowers]
    left, by = lowered(tool.approval, rules, is_destructive=tool.effect is Effect.DESTRUCTIVE)
    name = f"{request.server.name}.{tool.name}.approval"
    sentence = f"{tool.name} is {tool.effect} and declared to need {tool.approval}"
    if by is not None:
        name = f"{request.server.name}.{tool.name}.{by.name}"
        sentence = f"{sentence}; the fleet lowers that to {left}"
        yield Match(RuleEffect.LOWER, Question.USE, party, name, sentence, left)
    if left is not Approval.NONE:
        yield Match(RuleEffect.ASK, Question.USE, party, name, sentence, left)


def _speaking(request: Request, party: Party) -> Iterator[ApprovalRule]:
    return (rule for rule in request.tool.rules if rule.speaks_of(request.caller, party))


def _raised(request: Request, party: Party, rule: ApprovalRule, sentence: str, approval: Approval) -> Match:
    name = f"{request.server.name}.{request.tool.name}.{rule.name}"
    return Match(RuleEffect.ASK, Question.USE, party, name, sentence, approval)


def _weighed(request: Request) -> Iterator[Match]:
    """What rules ask of these arguments, and of what the server expects of them.

    What nobody can tell counts as if it held: a server that estimates nothing is asked about as if it were the most.
    """
    tool, arguments = request.tool, request.call.arguments
    known = arguments.weighed if isinstance(arguments, Parsed) else None
    for party in parties(request.caller.principal):
        for rule in _speaking(request, party):
            if not rule.when:
                continue
            if known is None:
                sentence = f"{tool.name} hangs on arguments that were not read: {rule.told()}"
                yield _raised(request, party, rule, sentence, min(rule.approval, Approval.FOUR_EYES, key=_rank))
            elif (unknown := _unknown(rule, known)) is not None:
                told = f" ({unknown}, so it counts as if it held)" if unknown else ""
                sentence = f"the fleet says that {tool.name} {rule.told()}{told}"
                yield _raised(request, party, rule, sentence, rule.approval)


def _unknown(rule: ApprovalRule, known: Mapping[str, Json]) -> str | None:
    """What is missing to judge a rule that counts, empty if nothing is; None where it surely does not hold."""
    missing = ""
    for condition in rule.when:
        held, why = condition.judged(known)
        if held is False:
            return None
        missing = missing or why
    return missing


def _rank(approval: Approval) -> int:
    return approval.rank


_Key = tuple[Principal, str, str, str, str, str | None]


def _place(caller: Caller) -> tuple[Principal, str, str, str]:
    """All of a caller that a rule can read."""
    return caller.principal, caller.surface, caller.environment, caller.channel


@dataclass(slots=True)
class Remembered:
    """Answers of `rules`, kept for one snapshot. The key holds every input but the arguments: what hangs on those
    (`argued`) is judged on every call.

    A request that was resolved under another snapshot is answered afresh: its server or tool is not the one that the
    key names.
    """

    rules: SnapshotRules
    limit: int
    _for: object = None
    _kept: dict[_Key, tuple[Match, ...]] = field(default_factory=dict[_Key, tuple[Match, ...]])

    @property
    def questions(self) -> frozenset[Question]:
        return self.rules.questions

    def matches(self, request: Request) -> tuple[Match, ...]:
        caller = request.caller
        if not self._is_current(request):
            return self.rules.matches(request)
        key = (*_place(caller), request.server.name, request.tool.name)
        kept = self._current().get(key)
        if kept is None:
            kept = self._keep(key, self.rules.settled(request))
        argued = self.rules.argued(request)
        return (*kept, *argued) if argued else kept

    def reach(self, caller: Caller, server: str) -> tuple[Match, ...]:
        key = (*_place(caller), server, None)
        kept = self._current().get(key)
        if kept is None:
            kept = self._keep(key, self.rules.reach(caller, server))
        return kept

    def _is_current(self, request: Request) -> bool:
        server = self.rules.snapshots.current().servers.get(request.server.name)
        return server is not None and server is request.server and server.tools.get(request.tool.name) is request.tool

    def _current(self) -> dict[_Key, tuple[Match, ...]]:
        """Identity of the snapshot, not its number: a value that was swapped is another policy."""
        snapshot = self.rules.snapshots.current()
        if snapshot is not self._for:
            self._for, self._kept = snapshot, {}
        return self._kept

    def _keep(self, key: _Key, found: tuple[Match, ...]) -> tuple[Match, ...]:
        if len(self._kept) >= self.limit:
            self._kept.clear()
        self._kept[key] = found
        return found
