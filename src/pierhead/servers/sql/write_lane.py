"""Writes of callers: judged against the role, carried out in one transaction, and kept only when all of it holds.

    who acts -> what they may write -> its key is begun -> transaction: rows compared, written, counted, held to the
    role's rows, and looked at for approval -> committed -> the key is finished

A preview goes the same way and is undone. Not here: what happens inside the transaction (write_work.py), SQL
(write_sql.py), drivers (engines/).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from pierhead.sdk import Caller, Conflict, Forbidden, Invalid, note
from pierhead.sdk.governed import approvals
from pierhead.sdk.governed.approvals import WriteOperation
from pierhead.sdk.governed.engine import Limits, Values
from pierhead.sdk.governed.filter_sql import WrittenCondition, condition
from pierhead.sdk.governed.notes import note_acting
from pierhead.sdk.governed.rights import Writable, writable
from pierhead.sdk.governed.source import Source, Turn
from pierhead.sdk.governed.transactions import (
    OutcomeUnknown,
    Transaction,
    WritingEngine,
    not_on_this_engine,
    whole,
)
from pierhead.servers.sql import etags
from pierhead.servers.sql.idempotency import Keys, OwnKey
from pierhead.servers.sql.keyed_work import KeyedWork, check_key
from pierhead.servers.sql.write_sql import OnKey, is_mute
from pierhead.servers.sql.write_work import Work, filled
from pierhead.servers.sql.writes import (
    DeleteRequest,
    InsertRequest,
    KeyedRequest,
    Row,
    UpdateRequest,
    WriteRequest,
    Written,
    checked,
    digest,
)

_SECONDS: Final = 30.0
_LARGEST_KEPT: Final = 1024 * 1024

Doing = Callable[[Work], Awaitable[None]]
Finishing = Callable[[Written], Awaitable[None]]


def ready_to_write(source: Source) -> None:
    """Tell the engines of roles that write; an engine whose roles only read is never opened for more."""
    for acting in source.ground.roles.values():
        if acting.changes and isinstance(acting.engine, WritingEngine):
            acting.engine.will_write()


@dataclass(frozen=True, slots=True)
class _Scene:
    """One write, with everything it is judged by: read once, so that it sees one policy."""

    turn: Turn
    table: Writable
    operation: WriteOperation
    claims: Values
    request: WriteRequest


@dataclass(slots=True)
class _Ending:
    """How far a write came that holds a key."""

    is_made: bool = False
    is_known: bool = True


class WriteLane:
    """Plain functions of a caller; server.py makes tools of them, and REST routes. `name` is the source's."""

    def __init__(self, source: Source, keys: Keys, name: str) -> None:
        self._source = source
        self._keys = keys
        self._name = name

    async def insert(self, caller: Caller, request: InsertRequest) -> Written:
        scene = self._scene(caller, request, "create")
        if request.on_conflict == "merge":
            scene.table.allow("update")
        on_key = _on_key(scene.table, request)
        groups = _groups(request)
        for columns, rows in groups:
            filled(scene.table, rows, columns)

        async def insert(work: Work) -> None:
            for columns, rows in groups:
                await work.insert(columns, rows, on_key)

        return await self._carry_out(caller, scene, insert)

    async def update(self, caller: Caller, request: UpdateRequest) -> Written:
        scene = self._scene(caller, request, "update")
        filled(scene.table, [request.changes], tuple(request.changes))
        where = _where(scene.table, request)
        found = where.filled()
        return await self._carry_out(caller, scene, lambda work: work.update(request.changes, where.expression, found))

    async def update_keyed(self, caller: Caller, request: KeyedRequest) -> Written:
        """Each row by its key; one that is missing is inserted, or undoes all (NotFound, `no-such-row`)."""
        scene = self._scene(caller, request, "update")
        if request.insert_missing:
            scene.table.allow("create")
        if request.options.if_match and len(request.rows) > 1:
            raise Invalid("if_match compares one row", hint="send rows one by one", code="bad-if-match")
        _must_read(scene.table)
        for row in request.rows:
            _check_keyed(scene.table, row, insert_missing=request.insert_missing)
        return await self._carry_out(caller, scene, lambda work: work.update_keyed(request))

    async def delete(self, caller: Caller, request: DeleteRequest) -> Written:
        scene = self._scene(caller, request, "delete")
        where = _where(scene.table, request)
        found = where.filled()
        return await self._carry_out(caller, scene, lambda work: work.delete(where.expression, found))

    def offers(self, caller: Caller, operation: WriteOperation) -> bool:
        """Whether the caller's role writes so anywhere."""
        try:
            acting = self._source.ground.acting(caller)
        except Forbidden:
            return False
        return any(operation in rule.operations for rule in acting.role.tables.values())

    def offers_plans(self, caller: Caller, operation: WriteOperation) -> bool:
        """Whether the caller's role plans such a write first, and has people see the very rows."""
        return self.offers(caller, operation) and operation in self._source.ground.acting(caller).role.plans

    def approval(self, caller: Caller, arguments: Mapping[str, Any], operations: Sequence[WriteOperation]) -> str:
        """The class asked for before anything runs: of several operations the strictest. A preview needs nobody.

        Errors: as the write itself would have, for a table or operation that is not granted.
        """
        ground = self._source.ground
        acting = ground.acting(caller)
        table = writable(ground, acting, str(arguments.get("table", "")))
        for operation in operations:
            table.allow(operation)
        if arguments.get("dry_run") is True:
            return "none"
        return approvals.strictest([approvals.before(table.approval, operation) for operation in operations])

    def planned_approval(self, caller: Caller, plan: Mapping[str, Any], operation: WriteOperation) -> str:
        """The class for as many rows as a plan counts. Errors: as `approval`."""
        ground = self._source.ground
        table = writable(ground, ground.acting(caller), str(plan["arguments"].get("table", "")))
        table.allow(operation)
        return approvals.for_count(table.approval, operation, int(plan["count"]))

    def _scene(self, caller: Caller, request: WriteRequest, operation: WriteOperation) -> _Scene:
        """Everything that can be said before a key is begun. Errors: Invalid, Forbidden."""
        checked(request)
        turn = self._source.turn(caller)
        ground, acting = turn.ground, turn.acting
        note_acting("structured", ground, acting)
        note(tables=[request.table[:128]], operation=operation)
        table = writable(ground, acting, request.table)
        table.allow(operation)
        check_key(table)
        has_compared = bool(request.options.if_match) or request.options.planned is not None
        if operation != "create" and table.rule.require_if_match and not has_compared:
            raise etags.needed()
        return _Scene(turn, table, operation, acting.values(caller, (table.seen,)), request)

    async def _carry_out(self, caller: Caller, scene: _Scene, doing: Doing) -> Written:
        async with scene.turn:
            own = self._own_key(caller, scene)
            if own is None:
                return await self._transact(scene, doing, None)
            return await self._carry_out_once(own, scene, doing)

    async def _carry_out_once(self, own: OwnKey, scene: _Scene, doing: Doing) -> Written:
        first = await self._keys.begin(own)
        if first is not None:
            note(replayed=True)
            return Written.remembered(first)
        ending = _Ending()
        try:
            return await self._transact(scene, doing, lambda written: self._finish(own, written, ending))
        except OutcomeUnknown:
            ending.is_known = False
            await whole(self._keys.lose(own))
            raise
        finally:
            if ending.is_known and not ending.is_made:
                await whole(self._keys.forget(own))

    def _own_key(self, caller: Caller, scene: _Scene) -> OwnKey | None:
        options = scene.request.options
        if not options.idempotency_key or options.dry_run:
            return None
        body = digest(scene.request, scene.turn.acting.name, scene.turn.acting.role.version)
        issuer = caller.person.issuer if caller.person else ""
        return OwnKey(self._name, f"{issuer} {caller.name}", options.idempotency_key, body)

    async def _finish(self, own: OwnKey, written: Written, ending: _Ending) -> None:
        ending.is_made = True
        kept = written.kept()
        await self._keys.finish(own, kept if len(kept) <= _LARGEST_KEPT else replace(written, rows=None).kept())

    async def _transact(self, scene: _Scene, doing: Doing, finish: Finishing | None) -> Written:
        acting = scene.turn.acting
        engine = acting.engine
        if not isinstance(engine, WritingEngine):
            raise not_on_this_engine()
        options, limits = scene.request.options, acting.role.limits
        limit = Limits(options.max_affected, min(_SECONDS, limits.time))
        async with engine.transaction(acting.view, limit) as transaction:
            made = KeyedWork if is_mute(scene.table) else Work
            work = made(scene.table, scene.operation, scene.claims, options, transaction)
            await doing(work)
            written = work.written()
            if options.planned and written.state != options.planned:
                raise _not_as_planned()
            if not options.dry_run:
                if options.planned is None:
                    approvals.ask_by_count(scene.table.approval, scene.operation, written.affected)
                await whole(_last(transaction, written, finish))
        note(affected=written.affected, dry_run=written.dry_run, verdict="permitted")
        return written


async def _last(transaction: Transaction, written: Written, finish: Finishing | None) -> None:
    """Commit, then keep the answer. A crash between the two leaves a key that is lost, and runs nothing again."""
    await transaction.commit()
    if finish is not None:
        await finish(written)


def _not_as_planned() -> Conflict:
    message = "these are not the rows that were planned; nothing was changed"
    return Conflict(message, hint="plan again", code="plan-changed")


def _groups(request: InsertRequest) -> list[tuple[tuple[str, ...], list[Row]]]:
    """Runs of rows of the same columns, in their order: a statement gives values to the same columns in every row."""
    if request.missing == "null":
        return [(tuple(dict.fromkeys(name for row in request.rows for name in row)), list(request.rows))]
    return [(columns, list(rows)) for columns, rows in groupby(request.rows, key=lambda row: tuple(sorted(row)))]


def _on_key(table: Writable, request: InsertRequest) -> OnKey:
    if request.on_conflict == "error":
        return OnKey("error")
    keys = request.conflict_columns or (table.named_key if request.on_conflict == "merge" else ())
    readable = [known for known in (table.key, *table.stored.unique) if table.plain.issuperset(known)]
    if keys and frozenset(keys) not in {frozenset(known) for known in readable}:
        hint = "name the columns of its primary or a unique key"
        raise Invalid("on_conflict names no key of the table", hint=hint, code="bad-conflict")
    if request.on_conflict == "merge" and not keys:
        raise _no_key(table)
    return OnKey(request.on_conflict, tuple(keys))


def _where(table: Writable, request: UpdateRequest | DeleteRequest) -> WrittenCondition:
    _must_read(table)
    if request.where is None:
        raise AssertionError("checked before")
    return condition(request.where, table.seen.columns, table.view.dialect, named="f")


def _must_read(table: Writable) -> None:
    """A filter or a key tells of rows: whoever may not read them may not say which are meant."""
    if not table.may_read:
        raise Forbidden(
            f"your role may not read {table.name}, so it cannot say which rows it means",
            hint="ask the owner of this source for read",
            code="operation-not-granted",
        )


def _check_keyed(table: Writable, row: Row, *, insert_missing: bool) -> None:
    if not table.named_key:
        raise _no_key(table)
    missing = [name for name in table.named_key if row.get(name) is None]
    if missing:
        raise Invalid(
            f"a row lacks its key {missing[0]}", hint=f"the key is {', '.join(table.named_key)}", code="key-needed"
        )
    others = tuple(name for name in row if name not in table.named_key)
    if not others and not insert_missing:
        raise Invalid("a row holds its key and nothing to write", hint="add a column", code="nothing-to-write")
    filled(table, [row], tuple(row) if insert_missing else others)


def _no_key(table: Writable) -> Invalid:
    return Invalid(f"{table.name} has no key that you may use", hint="write its rows by filter", code="no-key")
