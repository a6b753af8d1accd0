"""Who may reach what, with which tools: every grant of a policy, for access reviews and for "who can?".

Complete also where nobody lists people: it goes by the names in the rules. A grant is a smallest set of names that
together get through (a member of one group, or of two at once where reach names one and the tool the other), and each
is decided by the very `decide` of a call. Pure. Not here: who may ask, how it is exported.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Server, Tool
from pierhead.core.identity import Caller, Principal, User, Workload
from pierhead.core.reach import Every, Only, Row
from pierhead.core.rule import NOBODY, Who
from pierhead.usecases.explain_decision import Explanation, explain_decision
from pierhead.usecases.find_table import TableRole
from pierhead.usecases.ports import Snapshots
from pierhead.usecases.ports_records import CallerUse

MOST_GRANTS: Final = 50_000
_ANYWHERE: Final = "any"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who gets through: `kind` is everyone, group, user or workload; of several groups one must be in all.

    `name` is the user or workload; a user with `groups` is that user, and only as a member of them.
    """

    kind: str
    name: str
    groups: frozenset[str] = frozenset()

    def __str__(self) -> str:
        terms = [f"{self.kind}:{self.name}"] if self.name else []
        terms += [f"group:{name}" for name in sorted(self.groups)]
        return " and ".join(terms) or "everyone"

    @property
    def principal(self) -> Principal:
        return Workload(self.name) if self.kind == "workload" else User("", self.name, self.groups)


@dataclass(frozen=True, slots=True)
class Grant:
    """One holder and one tool that they may use, from where, and when it was last used by them.

    `decision` is permit or approval; `bounds` are what channel and arguments must be. `last_used` is in seconds since
    1970-01-01 UTC, 0.0 where the record of the period holds no permitted call of theirs. `role` and `operations` say
    what of a table they have, where one was asked for.
    """

    holder: Holder
    server: str
    owner: str
    tool: str
    effect: Effect
    decision: str
    approval: Approval
    surfaces: str
    environments: str
    bounds: tuple[str, ...]
    role: str = ""
    operations: tuple[str, ...] = ()
    last_used: float = 0.0


def grants(snapshots: Snapshots, servers: Iterable[str], tool: str = "") -> Iterator[Grant]:
    """Every grant on those servers that are live, by server, tool and holder; `tool` restricts it to one name."""
    for name in sorted(servers):
        for each in _live_tools(snapshots, name):
            if tool in {"", each.name}:
                yield from _of_tool(name, each, None, snapshots)


def grants_on_table(snapshots: Snapshots, roles: Iterable[TableRole]) -> Iterator[Grant]:
    """Every grant through which a table can be read or written, by the roles that name it."""
    for role in roles:
        for tool in _live_tools(snapshots, role.server):
            if tool.effect is Effect.READ or role.writes:
                for grant in _of_tool(role.server, tool, role.who, snapshots):
                    bounds = (*grant.bounds, *role.limits)
                    yield replace(grant, bounds=bounds, role=role.role, operations=role.operations)


def _live_tools(snapshots: Snapshots, name: str) -> list[Tool]:
    server = snapshots.current().servers.get(name)
    if server is None or not server.is_callable:
        return []
    return sorted((tool for tool in server.tools.values() if not tool.withheld), key=lambda tool: tool.name)


def _of_tool(name: str, tool: Tool, also: Who | None, snapshots: Snapshots) -> Iterator[Grant]:
    """Who gets through; `also` is whom the server itself demands."""
    server = snapshots.current().servers[name]
    also = also or _demanded(server)
    for row in snapshots.current().rows.get(name, ()):
        whos = (row.who, tool.policy, tool.narrowed, also)
        for holder, found in _granted(whos, row, server, tool, snapshots):
            yield Grant(
                holder=holder,
                server=server.name,
                owner=server.owner,
                tool=tool.name,
                effect=tool.effect,
                decision=found.decision,
                approval=found.approval,
                surfaces=_places(row.surfaces),
                environments=_places(row.environments),
                bounds=(*_channels(row), *tool.bounds.told(), *tool.narrowed_bounds.told(), *_rules(tool)),
            )


def _granted(
    whos: Iterable[Who | None], row: Row, server: Server, tool: Tool, snapshots: Snapshots
) -> list[tuple[Holder, Explanation]]:
    """The smallest holders that get through, by name; whom company policies name are asked about one by one."""
    granted: dict[Holder, Explanation] = {}
    named = snapshots.current().policies.named
    for holder in sorted(holders(*whos, named=named), key=lambda each: (len(each.groups) + bool(each.name), str(each))):
        if not any(_is_wider(other, holder) for other in granted):
            found = _decided(holder, row, server, tool, snapshots)
            if found is not None and found.decision != "refuse":
                granted[holder] = found
    return sorted(granted.items(), key=lambda each: str(each[0]))


def _demanded(server: Server) -> Who | None:
    """Whoever holds some role of a data server; None where the server asks for none."""
    named = [role.who for role in server.roles or ()]
    if server.roles is None or None in named:
        return None
    every = [who for who in named if who is not None]
    return Who(
        frozenset[str]().union(*(who.groups for who in every)),
        frozenset[str]().union(*(who.users for who in every)),
        frozenset[str]().union(*(who.workloads for who in every)),
    )


def _rules(tool: Tool) -> Iterator[str]:
    return (rule.told() for rule in tool.rules)


def _decided(holder: Holder, row: Row, server: Server, tool: Tool, snapshots: Snapshots) -> Explanation | None:
    """What that holder would be told in the first place where the row and the tool stand open."""
    channels = (row.channels, tool.bounds.channels, tool.narrowed_bounds.channels)
    named = [each for each in channels if isinstance(each, frozenset)]
    shared = frozenset[str].intersection(*named) if named else frozenset({""})
    surface, environment, channel = _first(row.surfaces), _first(row.environments), min(shared, default=None)
    if surface is None or environment is None or channel is None:
        return None
    caller = Caller(holder.principal, surface, environment, "", channel)
    return explain_decision(caller, server.name, tool.name, snapshots)


def holders(*whos: Who | None, named: Who = NOBODY) -> tuple[Holder, ...]:
    """The smallest sets of names that stand in every one of these, by name.

    Where one leaves it to company policies, whoever is `named` there may get through: each is a holder to be asked.
    """
    given = [who for who in whos if who is not None]
    people = {_joined(terms) for terms in product(*(_terms(who) for who in given))}
    kept = {each for each in people if each is not None and not any(_is_wider(other, each) for other in people)}
    if any(who.by_policies for who in given):
        for term in _terms(named):
            terms = product(*((*_terms(who), *((term,) if who.by_policies else ())) for who in given))
            kept |= {each for each in map(_joined, terms) if each is not None}
    programs = [who.workloads | named.workloads if who.by_policies else who.workloads for who in given]
    shared = frozenset[str].intersection(*programs) if programs else frozenset[str]()
    return tuple(sorted([*kept, *(Holder("workload", name) for name in shared)], key=str))


def _terms(who: Who) -> tuple[tuple[str, str], ...]:
    everyone = (("everyone", ""),) if who.any_person else ()
    groups = tuple(("group", name) for name in who.groups)
    return (*everyone, *groups, *(("user", name) for name in who.users))


def _joined(terms: tuple[tuple[str, str], ...]) -> Holder | None:
    """One person who is all of these; None where two different users are meant."""
    users = {name for kind, name in terms if kind == "user"}
    groups = frozenset(name for kind, name in terms if kind == "group")
    if len(users) > 1:
        return None
    if users:
        return Holder("user", users.pop(), groups)
    return Holder("group" if groups else "everyone", "", groups)


def _is_wider(other: Holder | None, one: Holder) -> bool:
    """Whether `other` asks for less than `one`, so that whoever is `one` is `other` too."""
    if other is None or other == one or "workload" in {one.kind, other.kind}:
        return False
    return other.groups <= one.groups and other.name in {"", one.name}


def _places(places: Only | Every) -> str:
    return " ".join(sorted(places)) or "none" if isinstance(places, frozenset) else _ANYWHERE


def _first(places: Only | Every) -> str | None:
    """One place of those; None where there is none at all."""
    return min(places, default=None) if isinstance(places, frozenset) else ""


def _channels(row: Row) -> tuple[str, ...]:
    return (f"reached only in the channels {_places(row.channels)}",) if isinstance(row.channels, frozenset) else ()


def with_last_use(
    found: Iterable[Grant], uses: Iterable[CallerUse], groups: Mapping[str, frozenset[str]]
) -> Iterator[Grant]:
    """The same, each with when its holder last used it: of a group, any person known to be in it."""
    by_tool: dict[tuple[str, str], list[CallerUse]] = {}
    for use in uses:
        if use.permitted:
            by_tool.setdefault((use.server, use.tool), []).append(use)
    for grant in found:
        times = [
            use.last_at for use in by_tool.get((grant.server, grant.tool), ()) if _is_theirs(use, grant.holder, groups)
        ]
        yield replace(grant, last_used=max(times, default=0.0))


def _is_theirs(use: CallerUse, holder: Holder, groups: Mapping[str, frozenset[str]]) -> bool:
    if holder.kind == "workload":
        return use.principal.endswith(holder.name)
    is_named = holder.name in {"", use.person}
    return bool(use.person) and is_named and holder.groups <= groups.get(use.person, frozenset())
