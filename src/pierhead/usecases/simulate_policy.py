"""What would change under a proposed policy: for the recorded calls of the last days, and for everyone who is known.

The same `decide` judges both sides. Honest about its limits: the record keeps no arguments, so what is decided on them
cannot be replayed; people have today's groups, or those of their last call where nobody lists them. Pure but for the
record. Above: the API. Not here: composing what is proposed (`propose_policy`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Final, cast

from pierhead.core.approval import Approval
from pierhead.core.catalog import Server, Tool
from pierhead.core.errors import NotFound
from pierhead.core.identity import ANONYMOUS, Anonymous, Both, Caller, Principal, User, Workload, workload
from pierhead.core.policy import Match
from pierhead.core.snapshot import Age, Snapshot
from pierhead.core.workload import Registered, Registration, standing
from pierhead.usecases.explain_decision import explain_decision
from pierhead.usecases.ports import Snapshots
from pierhead.usecases.ports_records import CallerUse, Records
from pierhead.usecases.propose_policy import Proposal

MOST_USES: Final = 5_000
"""Callers and tools that are replayed; the busiest first."""
MOST_DECISIONS: Final = 100_000
_MOST_STRANGERS: Final = 500
_ABSENT: Final = "absent"
_REFUSED: Final = frozenset({"refuse", _ABSENT})

Groups = Mapping[str, frozenset[str]]


class Moved(StrEnum):
    """What a change means for whom it touches: what widens stands first, here and wherever changes are told."""

    GAINS = "gains"
    ASKS_NO_MORE = "need not ask"
    ASKS_LESS = "must ask less"
    LOSES = "loses"
    ASKS = "must ask"
    ASKS_MORE = "must ask more"


_ORDER: Final = {moved: place for place, moved in enumerate(Moved)}
_UNREGISTERED: Final = "a workload that is not registered here (mesh.workloads), so nobody knows where it stands"


@dataclass(frozen=True, slots=True)
class Change:
    """One caller and tool, decided otherwise. `calls` is 0 for what nobody called in the period."""

    who: str
    surface: str
    server: str
    tool: str
    moved: Moved
    before: str
    after: str
    why: str
    calls: int = 0
    last_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Calls whose outcome the record cannot tell, and why."""

    what: str
    calls: int
    why: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """What came of it. `changes` are of recorded calls, `reach` of everyone known, whether they called or not.

    Both begin with what widens. `is_cut`: there was more than is judged at once.
    """

    judged: int
    changes: tuple[Change, ...]
    reach: tuple[Change, ...]
    unjudged: tuple[Unjudged, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Known:
    """Who is known by name: people with their groups, now and as proposed, and workloads.

    `before` and `after` need not hold whoever signs in elsewhere: they have the groups of their last recorded call.
    `registered` is where each workload stands.
    """

    before: Groups
    after: Groups
    workloads: frozenset[str]
    registered: Registered = field(default_factory=dict[str, Registration])


@dataclass(slots=True)
class Progress:
    """How many of its decisions a simulation has made; others read it while it runs."""

    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """The recorded uses, and the groups of those whom nobody lists: by person."""

    uses: tuple[CallerUse, ...]
    strangers: Groups
    is_cut: bool


async def recorded(records: Records, since: float, servers: Iterable[str], known: Known) -> Replay:
    """What was called since then, of these servers and, where people change, of all."""
    found = await records.callers(since, MOST_USES + 1)
    everywhere = known.before != known.after
    names = frozenset(servers)
    uses = tuple(use for use in found[:MOST_USES] if everywhere or use.server in names)
    unknown = {use.person: use.call_id for use in uses if use.person and use.person not in known.before}
    strangers: dict[str, frozenset[str]] = {}
    for person, call_id in list(unknown.items())[:_MOST_STRANGERS]:
        groups = await _groups_then(records, call_id, person)
        strangers |= {} if groups is None else {person: groups}
    return Replay(uses, strangers, len(found) > MOST_USES)


async def _groups_then(records: Records, call_id: str, person: str) -> frozenset[str] | None:
    """The groups that this person came with in that call, as its facts have them."""
    for kept in await records.facts_of(call_id):
        actor = kept.fact.get("actor")
        if isinstance(actor, Mapping) and actor.get("person") == person:
            return frozenset(map(str, cast("Sequence[object]", actor.get("groups") or ())))
    return None


@dataclass(frozen=True, slots=True)
class Sides:
    """The policy in force, the one that is proposed, and where people stand under both.

    `at` says so by its environment and, for those who never called, its surface; workloads stand where they are
    registered.
    """

    now: Snapshots
    proposal: Proposal
    at: Caller


def simulate(replay: Replay, known: Known, sides: Sides, progress: Progress | None = None) -> Simulation:
    """Both sides of every recorded use and of everyone who is known. `progress` is written while it goes on."""
    judging = _Judging(_Unconditional(sides.now), _Unconditional(sides.proposal), sides, known.registered)
    questions = tuple(islice(_questions(judging, known), MOST_DECISIONS + 1))
    progress = progress or Progress()
    progress.total = len(replay.uses) + len(questions[:MOST_DECISIONS])
    replayed = _Replayed()
    for use in replay.uses:
        _replay(use, _principals(use, replay, known), judging, replayed)
        progress.done += 1
    reach: list[Change] = []
    for who, server, tool in questions[:MOST_DECISIONS]:
        change = judging.change(who, sides.at.surface, server, tool)
        reach += [change] if change else []
        progress.done += 1
    told = (*replayed.told(), *_unknown_beforehand(sides.proposal, known))
    is_cut = replay.is_cut or len(questions) > MOST_DECISIONS
    return Simulation(replayed.judged, _in_order(replayed.changes), _in_order(reach), told, is_cut)


@dataclass(slots=True)
class _Replayed:
    changes: list[Change] = field(default_factory=list[Change])
    unjudged: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    judged: int = 0

    def leave(self, use: CallerUse, what: str, why: str) -> None:
        self.unjudged[what, why] = self.unjudged.get((what, why), 0) + use.calls

    def told(self) -> Iterator[Unjudged]:
        return (Unjudged(what, calls, why) for (what, why), calls in self.unjudged.items())


def _replay(use: CallerUse, who: "_Who | None", judging: "_Judging", into: _Replayed) -> None:
    if who is None:
        into.leave(use, use.person, "nobody here knows the groups that they have")
        return
    program = workload(who[0])
    if program is not None and program.spiffe_id not in judging.registered:
        into.leave(use, program.spiffe_id, _UNREGISTERED)
        return
    into.judged += use.calls
    for what, why in judging.unknown(use):
        into.leave(use, what, why)
    change = judging.change(who, use.surface, use.server, use.tool)
    into.changes += [replace(change, calls=use.calls, last_at=use.last_at)] if change else []


def _unknown_beforehand(proposal: Proposal, known: Known) -> Iterator[Unjudged]:
    """What nobody can tell of this proposal, whoever called."""
    yield from (Unjudged(name, 0, "its tools are known once it runs") for name in proposal.untold)
    yield from (Unjudged(name, 0, _UNREGISTERED) for name in sorted(known.workloads - known.registered.keys()))


def _in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """What widens first; then by the number of calls."""
    return tuple(sorted(changes, key=lambda each: (_ORDER[each.moved], -each.calls, each.who, each.server, each.tool)))


_Who = tuple[Principal, Principal]


def _principals(use: CallerUse, replay: Replay, known: Known) -> _Who | None:
    """The caller, as they are now and as they would be; None for a person whose groups nobody knows."""
    program = Workload(use.principal.removeprefix(f"{use.person} via "))
    if not use.person:
        return program, program
    groups = known.before.get(use.person, replay.strangers.get(use.person))
    if groups is None:
        return None
    before, after = _people(use.person, groups, known)
    if use.principal == use.person:
        return before, after
    return Both(before, program), Both(after, program) if isinstance(after, User) else after


def _people(name: str, groups: frozenset[str], known: Known) -> tuple[User, User | Anonymous]:
    """A person on both sides; one whom the proposal no longer lists signs in no more."""
    if name in known.before and name not in known.after:
        return User("", name, groups), ANONYMOUS
    return User("", name, groups), User("", name, known.after.get(name, groups))


@dataclass(slots=True)
class _Unconditional:
    """A policy without its conditions on arguments, which nobody can judge afterwards."""

    policy: Snapshots
    _made: Snapshot | None = None

    def current(self) -> Snapshot:
        if self._made is None:
            now = self.policy.current()
            self._made = replace(now, servers={name: _unconditional(each) for name, each in now.servers.items()})
        return self._made

    def age(self) -> Age:
        return self.policy.age()


def _unconditional(server: Server) -> Server:
    if not any(_conditions(tool) for tool in server.tools.values()):
        return server
    return replace(server, tools={name: _without(tool) for name, tool in server.tools.items()})


def _without(tool: Tool) -> Tool:
    bounds, narrowed = replace(tool.bounds, when=()), replace(tool.narrowed_bounds, when=())
    return replace(tool, bounds=bounds, narrowed_bounds=narrowed, rules=tuple(r for r in tool.rules if not r.when))


def _conditions(tool: Tool | None) -> tuple[str, ...]:
    if tool is None:
        return ()
    asked = (rule.told() for rule in tool.rules if rule.when)
    return (*map(str, tool.bounds.when), *map(str, tool.narrowed_bounds.when), *asked)


@dataclass(frozen=True, slots=True)
class _Judging:
    now: _Unconditional
    proposed: _Unconditional
    sides: Sides
    registered: Registered

    def unknown(self, use: CallerUse) -> Iterator[tuple[str, str]]:
        """What the record cannot tell of a use: whatever is decided on arguments, where that differs."""
        settings = self.sides.proposal.settings.get(use.server)
        if settings:
            yield use.server, f"its {', '.join(settings)} differ; what they decide on arguments is not in the record"
        before, after = (self._conditions_of(use, each) for each in (self.now.policy, self.proposed.policy))
        if before != after:
            named = "; ".join(after) or "none any more"
            yield f"{use.server}.{use.tool}", f"its conditions on arguments, which are not in the record: {named}"

    def _conditions_of(self, use: CallerUse, under: Snapshots) -> tuple[str, ...]:
        server = under.current().servers.get(use.server)
        return _conditions(server.tools.get(use.tool) if server else None)

    def change(self, who: _Who, surface: str, server: str, tool: str) -> Change | None:
        """How the two decisions differ; None where they do not."""
        first, then = (standing(replace(self.sides.at, principal=one, surface=surface), self.registered) for one in who)
        before = self._decided(first, (server, tool), self.now)
        after = self._decided(then, (server, tool), self.proposed)
        moved = _moved(before, after)
        if moved is None:
            return None
        is_of_class = moved in {Moved.ASKS_MORE, Moved.ASKS_LESS}
        old, new = ((each.told if is_of_class else each.decision) for each in (before, after))
        return Change(first.name, first.surface, server, tool, moved, old, new, after.why)

    def _decided(self, caller: Caller, what: tuple[str, str], under: Snapshots) -> "_Decided":
        try:
            found = explain_decision(caller, *what, under)
        except NotFound as absent:
            return _Decided(_ABSENT, Approval.NONE, absent.message)
        return _Decided(found.decision, found.approval, f"{found.sentence}{_by_rules(found.reasons)}")


@dataclass(frozen=True, slots=True)
class _Decided:
    decision: str
    approval: Approval
    why: str

    @property
    def told(self) -> str:
        return f"{self.decision} ({self.approval})"


def _by_rules(reasons: Iterable[Match]) -> str:
    """The rules of approval that took part, by name: they are what an entry says beyond its tools."""
    named = dict.fromkeys(match.rule for match in reasons if ".approvals[" in match.rule)
    return f" ({', '.join(named)})" if named else ""


def _moved(before: _Decided, after: _Decided) -> Moved | None:
    if before.decision == after.decision:
        return _of_class(before.approval, after.approval)
    if {before.decision, after.decision} <= _REFUSED:
        return None
    if before.decision in _REFUSED:
        return Moved.GAINS
    if after.decision in _REFUSED:
        return Moved.LOSES
    return Moved.ASKS if after.decision == "approval" else Moved.ASKS_NO_MORE


def _of_class(before: Approval, after: Approval) -> Moved | None:
    """Asked before and after: of whom, is another matter."""
    if before is after:
        return None
    return Moved.ASKS_MORE if after.rank > before.rank else Moved.ASKS_LESS


def _questions(judging: _Judging, known: Known) -> Iterator[tuple[_Who, str, str]]:
    """Everyone who is known, on every tool of the servers that change; whose groups change, on every server."""
    now, proposed, proposal = judging.now.current(), judging.proposed.current(), judging.sides.proposal
    people = sorted(known.before.keys() | known.after.keys())
    for name in people:
        sides = _people(name, known.before.get(name, frozenset()), known)
        is_same = known.before.get(name) == known.after.get(name)
        servers = proposal.servers if is_same else sorted(proposed.servers)
        yield from ((sides, server, tool) for server in servers for tool in _tools(server, now, proposed))
    for spiffe_id in sorted(known.workloads & known.registered.keys()):
        program = Workload(spiffe_id)
        for server in proposal.servers:
            yield from (((program, program), server, tool) for tool in _tools(server, now, proposed))


def _tools(name: str, now: Snapshot, proposed: Snapshot) -> list[str]:
    """The tools of either side; with none known, reach alone is asked."""
    names = {tool for each in (now, proposed) if name in each.servers for tool in each.servers[name].tools}
    return sorted(names) or [""]
