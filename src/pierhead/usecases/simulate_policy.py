"""What would change under a proposed policy: for the recorded calls of the last days, and for everyone who is known.

The same `decide` judges both sides. Honest about its limits: the record keeps no arguments, so what is decided on them
cannot be replayed; people have today's groups, or those of their last call where nobody lists them. Pure but for the
record. Above: the API. Not here: composing what is proposed (`propose_policy`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, cast

from pierhead.core.catalog import Server, Tool
from pierhead.core.errors import NotFound
from pierhead.core.identity import ANONYMOUS, Anonymous, Both, Caller, Principal, User, Workload, label
from pierhead.core.snapshot import Age, Snapshot
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
    """What a change means for whom it touches."""

    GAINS = "gains"
    LOSES = "loses"
    ASKS = "must ask"
    ASKS_NO_MORE = "need not ask"


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

    `is_cut`: there was more than is judged at once.
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
    """

    before: Groups
    after: Groups
    workloads: frozenset[str]


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


def simulate(replay: Replay, known: Known, now: Snapshots, proposal: Proposal, at: Caller) -> Simulation:
    """Both sides of every recorded use and of everyone who is known.

    `at` says where callers stand: its environment and, for those who never called, its surface.
    """
    judging = _Judging(_Unconditional(now), _Unconditional(proposal), proposal, at)
    changes: list[Change] = []
    unjudged: dict[tuple[str, str], int] = {}
    judged = 0
    for use in replay.uses:
        sides = _principals(use, replay, known)
        if sides is None:
            key = (use.person, "nobody here knows the groups that they have")
            unjudged[key] = unjudged.get(key, 0) + use.calls
            continue
        judged += use.calls
        for key in judging.unknown(use):
            unjudged[key] = unjudged.get(key, 0) + use.calls
        change = judging.change(sides, use.surface, use.server, use.tool)
        changes += [replace(change, calls=use.calls, last_at=use.last_at)] if change else []
    reach, is_cut = _reach(judging, known)
    told = tuple(Unjudged(what, calls, why) for (what, why), calls in unjudged.items())
    untold = tuple(Unjudged(name, 0, "its tools are known once it runs") for name in proposal.untold)
    return Simulation(judged, tuple(changes), reach, told + untold, is_cut or replay.is_cut)


_Sides = tuple[Principal, Principal]


def _principals(use: CallerUse, replay: Replay, known: Known) -> _Sides | None:
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
    return replace(tool, bounds=bounds, narrowed_bounds=narrowed)


def _conditions(tool: Tool | None) -> tuple[str, ...]:
    return () if tool is None else (*map(str, tool.bounds.when), *map(str, tool.narrowed_bounds.when))


@dataclass(frozen=True, slots=True)
class _Judging:
    now: _Unconditional
    proposed: _Unconditional
    proposal: Proposal
    at: Caller

    def unknown(self, use: CallerUse) -> Iterator[tuple[str, str]]:
        """What the record cannot tell of a use: whatever is decided on arguments, where that differs."""
        settings = self.proposal.settings.get(use.server)
        if settings:
            yield use.server, f"its {', '.join(settings)} differ; what they decide on arguments is not in the record"
        before, after = (self._conditions_of(use, each) for each in (self.now.policy, self.proposal))
        if before != after:
            named = "; ".join(after) or "none any more"
            yield f"{use.server}.{use.tool}", f"its conditions on arguments, which are not in the record: {named}"

    def _conditions_of(self, use: CallerUse, under: Snapshots) -> tuple[str, ...]:
        server = under.current().servers.get(use.server)
        return _conditions(server.tools.get(use.tool) if server else None)

    def change(self, sides: _Sides, surface: str, server: str, tool: str) -> Change | None:
        """How the two decisions differ; None where they do not."""
        before, _ = self._decided(sides[0], surface, (server, tool), self.now)
        after, why = self._decided(sides[1], surface, (server, tool), self.proposed)
        moved = _moved(before, after)
        return None if moved is None else Change(label(sides[0]), surface, server, tool, moved, before, after, why)

    def _decided(self, who: Principal, surface: str, what: tuple[str, str], under: Snapshots) -> tuple[str, str]:
        caller = replace(self.at, principal=who, surface=surface)
        try:
            found = explain_decision(caller, *what, under)
        except NotFound as absent:
            return _ABSENT, absent.message
        return found.decision, found.sentence


def _moved(before: str, after: str) -> Moved | None:
    if before == after or {before, after} <= _REFUSED:
        return None
    if before in _REFUSED:
        return Moved.GAINS
    if after in _REFUSED:
        return Moved.LOSES
    return Moved.ASKS if after == "approval" else Moved.ASKS_NO_MORE


def _reach(judging: _Judging, known: Known) -> tuple[tuple[Change, ...], bool]:
    """Everyone who is known, on every tool of what changes."""
    found: list[Change] = []
    for count, (sides, server, tool) in enumerate(_questions(judging, known)):
        if count == MOST_DECISIONS:
            return tuple(found), True
        change = judging.change(sides, judging.at.surface, server, tool)
        found += [change] if change else []
    return tuple(found), False


def _questions(judging: _Judging, known: Known) -> Iterator[tuple[_Sides, str, str]]:
    """Each principal with the servers that change; people whose groups change, with every server."""
    now, proposed = judging.now.current(), judging.proposal.current()
    people = sorted(known.before.keys() | known.after.keys())
    for name in people:
        sides = _people(name, known.before.get(name, frozenset()), known)
        is_same = known.before.get(name) == known.after.get(name)
        servers = judging.proposal.servers if is_same else sorted(proposed.servers)
        yield from ((sides, server, tool) for server in servers for tool in _tools(server, now, proposed))
    for spiffe_id in sorted(known.workloads):
        program = Workload(spiffe_id)
        for server in judging.proposal.servers:
            yield from (((program, program), server, tool) for tool in _tools(server, now, proposed))


def _tools(name: str, now: Snapshot, proposed: Snapshot) -> list[str]:
    """The tools of either side; with none known, reach alone is asked."""
    names = {tool for each in (now, proposed) if name in each.servers for tool in each.servers[name].tools}
    return sorted(names) or [""]
