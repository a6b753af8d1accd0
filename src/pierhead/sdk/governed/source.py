"""One governed source: engines, its schema, a policy, and who acts in a call.

What every lane stands on: sql_lane.py (statements of callers), schema_lane.py (what there is), read_lane.py and
write_lane.py (parameters). A change of policy or schema is a new Ground, swapped whole, with nothing remembered; a
call that began on the old one ends there.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

from sqlglot import exp

from pierhead.sdk import Caller, Invalid, Misconfigured, UpstreamUnreachable
from pierhead.sdk.governed.catalog import Catalog, StoredTable
from pierhead.sdk.governed.contract import Contract, Held, held
from pierhead.sdk.governed.engine import Engine, Limits, Values
from pierhead.sdk.governed.granted_functions import GrantedFunction
from pierhead.sdk.governed.login import Accounts, Login
from pierhead.sdk.governed.pacing import Pace
from pierhead.sdk.governed.policy import Account, Policy, Role, misconfigured
from pierhead.sdk.governed.queries import unfit
from pierhead.sdk.governed.row_rules import RowRule
from pierhead.sdk.governed.transactions import WritingEngine
from pierhead.sdk.governed.views import compile_role, rule_for
from pierhead.sdk.sqlguard import GovernedQuery, PermittedTable, View, drifted, unknown_table

ROLE_ASKED: Final[ContextVar[str]] = ContextVar("pierhead_role_asked", default="")
"""The role that the request being answered asks to act in, if any: only one that its caller holds can come of it."""

MISSES_APART_S: Final = 5.0
# Of the guard, of a read by parameters, and of the engine, which does not say what it misses.
_MISSES: Final = frozenset({"unknown-table", "unknown-column", "statement-failed"})
_CALLERS_KEPT: Final = 2_000
_NO_VALUES: Final[Values] = {}
_ONE_ACCOUNT: Final = Accounts()
_NOTHING: Final = Catalog("sqlite", "", "", ())


@dataclass(frozen=True, slots=True)
class Acting:
    """The one role that acts in a call: what it sees, under which login, how fast."""

    name: str
    role: Role
    view: View
    selects: View  # the view, and columns that leave as digests: for reads by parameters
    login: Login
    rules: Mapping[tuple[str, str], RowRule]
    pace: Pace
    functions: Mapping[str, GrantedFunction]  # of the database, by the names that callers use
    drift: str = ""  # `additive` or `breaking`, of what this role may see

    @property
    def engine(self) -> Engine:
        return self.login.engine

    def table(self, name: str) -> PermittedTable:
        """The table a caller names.

        Errors: Invalid, the same for a hidden one as for one that is not there; UpstreamUnreachable (`schema-drift`).
        """
        for table in self.view.tables:
            if self.view.display_name(table) == name:
                return table
        schema, _, bare = name.rpartition(".")
        if (schema or self.view.schema, bare) in self.view.withheld:
            raise drifted(name)
        raise unknown_table(name, self.view)

    @property
    def selecting(self) -> "Acting":
        """The same, for a read by parameters."""
        return self if self.selects is self.view else replace(self, view=self.selects)

    @property
    def shown(self) -> View:
        """The view as explained to callers: a row rule stands there by its name."""
        tables = (replace(table, condition=self._named_rule(table)) for table in self.view.tables)
        return replace(self.view, tables=tuple(tables))

    def _named_rule(self, table: PermittedTable) -> exp.Expr | None:
        rule = self.rules.get((table.schema, table.name))
        return rule and exp.Anonymous(this="row_rule", expressions=[exp.Literal.string(rule.name)])

    @property
    def changes(self) -> bool:
        """Whether it may change anything: rows, or whatever a function of it does."""
        return bool(self.role.writes) or any(each.stored.is_volatile for each in self.functions.values())

    def values(self, caller: Caller, tables: Iterable[PermittedTable]) -> Values:
        """What fills the slots of these tables' row rules for this caller. Errors: Forbidden (`missing-claim`)."""
        if not self.rules:
            return _NO_VALUES
        found = (self.rules.get((table.schema, table.name)) for table in tables)
        return {slot: value for rule in found if rule for slot, value in rule.values(caller).items()}

    def rules_of(self, tables: Iterable[PermittedTable]) -> tuple[str, ...]:
        """The names of the row rules that choose what is seen of these tables."""
        found = (self.rules.get((table.schema, table.name)) for table in tables)
        return tuple(rule.name for rule in found if rule)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A statement that may run, and what the audit keeps of it at each of its runs."""

    query: GovernedQuery
    noted: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything one run needs: what a lane makes of a request, and either host gives to the engine."""

    engine: Engine
    query: GovernedQuery
    view: View
    values: Values
    limits: Limits


class InUse:
    """How many calls stand on a ground, for whoever waits until there is none."""

    __slots__ = ("_count", "_idle")

    def __init__(self) -> None:
        self._count = 0
        self._idle: asyncio.Event | None = None

    def enter(self) -> None:
        self._count += 1

    def leave(self) -> None:
        self._count -= 1
        if self._idle is not None and self._count == 0:
            self._idle.set()

    async def ended(self) -> None:
        if self._count:
            self._idle = asyncio.Event()
            await self._idle.wait()


@dataclass(frozen=True, slots=True)
class Ground:
    """Policy and schema of one moment, every role compiled, and the verdicts that hold while they do."""

    policy: Policy
    catalog: Catalog
    roles: Mapping[str, Acting]
    verdicts: dict[tuple[object, ...], Verdict] = field(default_factory=dict[tuple[object, ...], Verdict])
    in_use: InUse = field(default_factory=InUse)
    _acting: dict[tuple[Hashable, str], Acting] = field(default_factory=dict[tuple[Hashable, str], Acting])

    def acting(self, caller: Caller, asked: str = "") -> Acting:
        """Found by who asks and for which role alone, so remembered by them. Errors: Forbidden (`no-role`)."""
        key = (caller.principal, asked or ROLE_ASKED.get())
        acting = self._acting.get(key)
        if acting is None:
            acting = self.roles[self.policy.acting(caller, key[1])]
            if len(self._acting) >= _CALLERS_KEPT:
                self._acting.clear()
            self._acting[key] = acting
        return acting

    def stored(self, table: PermittedTable) -> StoredTable:
        return self.catalog.by_name[table.schema, table.name]


class Turn:
    """One call on a source: the ground it stands on, and who acts in it, while it runs.

    async with source.turn(caller) as turn:
        rows = await turn.acting.engine.run(...)
    """

    __slots__ = ("_caller", "_missed", "acting", "ground")

    def __init__(self, ground: Ground, caller: Caller, asked: str, missed: Callable[[], None]) -> None:
        """`missed` hears of a call that named what is not there. Errors: Forbidden (`no-role`)."""
        self._missed = missed
        self.ground = ground
        self.acting = ground.acting(caller, asked)
        self._caller = caller

    async def __aenter__(self) -> Self:
        """Errors: LimitExceeded (`too-many-calls`, `too-many-at-once`); UpstreamUnreachable."""
        with ExitStack() as undone:
            self.ground.in_use.enter()
            undone.callback(self.ground.in_use.leave)
            await self.acting.pace.begin(self._caller.principal)
            undone.callback(self.acting.pace.end, self._caller.principal)
            if not self.acting.login.is_ready:
                await self.acting.login.make_ready()
            undone.pop_all()
        return self

    async def __aexit__(self, _kind: object, failed: BaseException | None, _where: object) -> None:
        self.ground.in_use.leave()
        self.acting.pace.end(self._caller.principal)
        if isinstance(failed, Invalid) and failed.code in _MISSES:
            self._missed()


class Source:
    """Ask after `open`; `close` when done. `ground` is read once a call, so that a call sees one policy."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        *,
        accounts: Accounts = _ONE_ACCOUNT,
        contract: Path | None = None,
        paced: bool = True,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self.engine = engine
        self.ground = Ground(policy, _NOTHING, {})
        self._accepted = _NOTHING
        self._contract = contract
        self._held = Held(_NOTHING)
        self._accounts = accounts
        self._paced = paced
        self._now = now
        self._own = Login(engine, accounts.url, is_ready=True)
        self._logins: dict[str, Login] = {}  # of roles that have their own
        self._closing: set[asyncio.Task[None]] = set()
        self._looked_at = now()
        self._is_open = False

    async def open(self) -> None:
        """Read the schema and compile every role, once. Errors: Misconfigured, UpstreamUnreachable."""
        if not self._is_open:
            found = await self._look()
            self._accepted = found.catalog
            self._stand_on(self.ground.policy, found, is_strict=True)
            for login in self._logins.values():
                await login.make_ready()
            self._is_open = True

    @property
    def withheld(self) -> frozenset[tuple[str, str]]:
        """Tables that broke their contract, by schema and name: nobody is served them."""
        return self._held.withheld

    def turn(self, caller: Caller, asked: str = "") -> Turn:
        """Around one call of `caller`, in the first role they hold or in the one asked for.

        Errors: Forbidden (`no-role`).
        """
        return Turn(self.ground, caller, asked, self._missed)

    def replace(self, policy: Policy) -> None:
        """Follow another policy: new calls see it, those that run end on the old one.

        Errors: Misconfigured; then the old one stays in force, whole.
        """
        if self._is_open:
            self._stand_on(policy, self._held, is_strict=True)
        else:
            self.ground = Ground(policy, _NOTHING, {})

    async def refresh(self) -> bool:
        """Look at the schema again; whether it changed.

        A column that appeared stays hidden where a role excludes or masks columns; what a policy names and is gone
        is not there. A contract decides what is offered of the schema. Errors: UpstreamUnreachable, Misconfigured.
        """
        if not self._is_open:
            return False
        self._looked_at = self._now()
        found = await self._look()
        if found.catalog.version == self.ground.catalog.version and found.changes == self._held.changes:
            self.ground = replace(self.ground, catalog=found.catalog)
            return False
        if self._contract is not None and not found.changes:
            self._accepted = found.catalog
        self._stand_on(self.ground.policy, found, is_strict=False)
        return True

    async def _look(self) -> Held:
        """The schema there is, under the contract there is: both may have changed."""
        catalog = await self.engine.introspect()
        return held(Contract.read(self._contract) if self._contract else None, catalog)

    def _missed(self) -> None:
        """Some call named what is not there: it may be there since. Looks again, but not more often than every 5 s."""
        if self._now() - self._looked_at >= MISSES_APART_S:
            self._looked_at = self._now()
            self._beside(self._look_after_a_miss())

    async def _look_after_a_miss(self) -> None:
        with suppress(
            UpstreamUnreachable, Misconfigured
        ):  # the caller was told of the miss; the next look at the interval says why
            await self.refresh()

    def _beside(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await _close(self._logins.values())
        await self.engine.close()

    def _stand_on(self, policy: Policy, found: Held, *, is_strict: bool) -> None:
        """Compile every role and swap the ground, or leave everything as it was."""
        catalog = found.catalog
        logins = {name: self._login(name, role.login) for name, role in policy.roles.items() if role.login is not None}
        roles: dict[str, Acting] = {}
        for name, role in policy.roles.items():
            is_whole = is_strict and not found.withheld
            compiled = compile_role(name, role, catalog, accepted=self._accepted, is_strict=is_whole)
            view, drift = _drifted(role, compiled.view, found)
            selects = view if compiled.selects is compiled.view else _drifted(role, compiled.selects, found)[0]
            login = logins.get(name, self._own)
            if role.writes and not isinstance(login.engine, WritingEngine):
                raise _writes_nothing(name, role)
            pace = self._pace(name, role)
            roles[name] = Acting(name, role, view, selects, login, compiled.rules, pace, compiled.functions, drift)
        faults = list(_unfit(policy, roles)) if is_strict else []
        if faults:
            raise misconfigured(faults)
        kept = set(logins.values())
        dropped = [login for login in self._logins.values() if login not in kept]
        before, self.ground, self._logins = self.ground, Ground(policy, catalog, roles), logins
        self._held = found
        if dropped:
            self._beside(_close_after(before.in_use, dropped))

    def _login(self, name: str, account: Account) -> Login:
        """A role's own engine with its own pool, connected when first used; one whose address stayed is kept."""
        address, kept = account.address(self._accounts.url), self._logins.get(name)
        if kept is not None and kept.address == address:
            return kept
        return Login(self._accounts.connect(address), address, is_ready=False)

    def _pace(self, name: str, role: Role) -> Pace:
        """The pace of a role outlives a change of everything but its limits."""
        rate = role.limits.rate if self._paced else None
        before = self.ground.roles.get(name)
        if before is not None and (before.pace.in_flight, before.pace.rate) == (role.limits.in_flight, rate):
            return before.pace
        return Pace(role.limits.in_flight, rate, self._now)


def _unfit(policy: Policy, roles: Mapping[str, Acting]) -> Iterator[str]:
    """What does not go together: queries that a role could not run, functions of the same name."""
    yield from unfit(policy.queries, {name: each.view for name, each in roles.items()})
    for name, acting in roles.items():
        for function in acting.functions.keys() & policy.queries.keys():
            yield f"roles.{name}.functions.{function}: a curated query has this name"


def _writes_nothing(name: str, role: Role) -> Misconfigured:
    return Misconfigured(
        f"role {name} may {', '.join(sorted(role.writes))}, and this source's engine writes nothing",
        hint="grant read alone, or say read_only: true for the source",
        code="bad-sql-policy",
    )


def _drifted(role: Role, view: View, found: Held) -> tuple[View, str]:
    """The view with the tables that it withholds, and what has become of the rest: of tables of this role alone."""

    def concerns(table: StoredTable) -> bool:
        rule = rule_for(role, table, found.catalog)
        return rule is not None and bool(rule.operations)

    if not found.changes:
        return view, ""
    withheld = frozenset((table.schema, table.name) for table, _ in found.changes if concerns(table)) & found.withheld
    return replace(view, withheld=withheld), found.drift(concerns)


async def _close(logins: Iterable[Login]) -> None:
    for login in logins:
        await login.engine.close()


async def _close_after(calls: InUse, logins: Iterable[Login]) -> None:
    """Once the last call that may use them has ended."""
    await calls.ended()
    await _close(logins)
