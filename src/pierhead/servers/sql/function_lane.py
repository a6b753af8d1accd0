"""Calls of granted functions by name: what reads runs like a read, what may change something in a transaction.

Deny by default: a function that the acting role may not call reads as one that is not there. Not here: which functions
a role has (granted_functions.py), the statement (function_sql.py), functions inside statements of callers (the guard).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pierhead.sdk import Caller, Forbidden, NotFound, note
from pierhead.sdk.governed.answers import AnsweredColumn, QueryAnswer
from pierhead.sdk.governed.budget import keep_to_budget
from pierhead.sdk.governed.cells import fitted
from pierhead.sdk.governed.engine import Limits, Rows, Values
from pierhead.sdk.governed.granted_functions import GrantedFunction
from pierhead.sdk.governed.notes import digest, note_acting, note_answer, noting_disagreement
from pierhead.sdk.governed.source import Acting, Source
from pierhead.sdk.governed.transactions import WritingEngine, not_on_this_engine, whole
from pierhead.sdk.sqlguard import GovernedQuery
from pierhead.servers.sql.function_sql import written_call

_FIND_LESS: Final = "choose arguments that find less"


@dataclass(frozen=True, slots=True)
class Called:
    """What a function gave, and the limits it gave it in."""

    rows: Rows
    limits: Limits


class FunctionLane:
    """Plain functions of a caller; function_tools.py makes a tool of them, and REST routes."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def call(self, caller: Caller, name: str, arguments: Mapping[str, object], limits: Limits) -> Called:
        """Call it once. Errors: NotFound (`unknown-function`); Invalid, naming what it takes; as a statement's run."""
        async with self._source.turn(caller) as turn:
            acting = turn.acting
            note_acting("function", turn.ground, acting)
            function = _callable(acting, name)
            within = _within(limits, acting)
            query, values = written_call(function, arguments, acting.view, within.rows)
            note(functions=[function.name], operation="call", executed=digest(query.sql), verdict="permitted")
            if function.stored.is_volatile:
                return Called(await _changed(acting, query, values, within), within)
            with noting_disagreement(query):
                await acting.engine.confirm(query, acting.view, values)
            await keep_to_budget(acting.role.limits.budget, acting.engine, query, acting.view, values)
            return Called(await acting.engine.run(query, acting.view, values, within), within)

    async def answer(self, caller: Caller, name: str, arguments: Mapping[str, object], limits: Limits) -> QueryAnswer:
        """As `call`, told as agents read it."""
        called = await self.call(caller, name, arguments, limits)
        rows, cut = fitted(called.rows.rows, called.limits)
        note_answer(called.rows, len(rows), cut)
        columns = [AnsweredColumn(field.name, field.type) for field in called.rows.fields]
        notice = f"cut after {len(rows)} rows; {_FIND_LESS}" if cut else ""
        return QueryAnswer(columns=columns, rows=rows, truncated=bool(cut), notice=notice, tables=[])

    def offers(self, caller: Caller) -> bool:
        """Whether the caller's role calls anything."""
        try:
            return any(each.calls for each in self._source.ground.acting(caller).functions.values())
        except Forbidden:
            return False

    def approval(self, caller: Caller, arguments: Mapping[str, Any]) -> str:
        """The class asked for before the call that these arguments of the tool mean. Errors: as `call`."""
        return _callable(self._source.ground.acting(caller), str(arguments.get("function", ""))).approval

    def callable(self, caller: Caller, name: str) -> bool:
        """Whether the caller's role calls that function."""
        found = self._source.ground.acting(caller).functions.get(name)
        return found is not None and found.calls


def _callable(acting: Acting, name: str) -> GrantedFunction:
    found = acting.functions.get(name)
    if found is None or not found.calls:
        known = ", ".join(each.name for each in acting.functions.values() if each.calls)
        hint = f"your role may call: {known or 'none'}"[:1_000]
        raise NotFound(f"there is no function {name[:64]} for your role", hint=hint, code="no-such-function")
    return found


async def _changed(acting: Acting, query: GovernedQuery, values: Values, limits: Limits) -> Rows:
    """In a transaction that is undone unless all went well."""
    engine = acting.engine
    if not isinstance(engine, WritingEngine):
        raise not_on_this_engine()
    async with engine.transaction(acting.view, limits) as transaction:
        rows = await transaction.execute(query, values)
        await whole(transaction.commit())
    return rows


def _within(limits: Limits, acting: Acting) -> Limits:
    role = acting.role.limits
    return Limits(
        min(limits.rows, role.rows), min(limits.seconds, role.time), min(limits.bytes, role.bytes), limits.cell
    )
