"""Statements of callers: judged by the guard, confirmed by the engine, run as Pierhead wrote them.

The verdict on a statement, with the SQL that may run, is kept by role, text and row limit while policy and schema
stay. Not here: the guard itself (sdk/sqlguard), drivers (engines/).
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from pierhead.sdk import Caller, Forbidden, NotFound, note
from pierhead.sdk import Estimate as Expected
from pierhead.sdk.governed.answers import AnsweredColumn, Explanation, QueryAnswer
from pierhead.sdk.governed.budget import keep_to_budget
from pierhead.sdk.governed.cells import fitted
from pierhead.sdk.governed.engine import Estimate, Limits, Rows, Values, took_too_long
from pierhead.sdk.governed.explaining import permitted_explanation, refused_explanation
from pierhead.sdk.governed.notes import (
    note_acting,
    note_answer,
    note_refusal,
    note_statement,
    noting_disagreement,
    permitted,
)
from pierhead.sdk.governed.parameters import Params, bound, filled
from pierhead.sdk.governed.policy import MOST_ROWS, MOST_SECONDS
from pierhead.sdk.governed.source import Acting, Ready, Source, Turn, Verdict
from pierhead.sdk.sqlguard import GovernedQuery, PermittedTable, SqlRefused, govern, selection

_VERDICTS_KEPT: Final = 2_000
_MOST_SAMPLED: Final = 5
_SAMPLE_SECONDS: Final = 10.0
_FIND_LESS: Final = "choose parameters that find less"
_MORE_OF_A_STATEMENT: Final[Mapping[str, str]] = {
    "rows": "filter, aggregate, or raise max_rows",
    "bytes": "select fewer columns, filter or aggregate",
}
_MORE_OF_A_QUERY: Final[Mapping[str, str]] = {"rows": _FIND_LESS, "bytes": _FIND_LESS}


@dataclass(frozen=True, slots=True)
class Statement:
    """A text to be governed: a caller's own, or that of the curated query `query`, whose parameters have types."""

    sql: str
    query: str = ""
    casts: Mapping[str, str] = field(default_factory=dict[str, str])


class SqlLane:
    """Plain functions of a caller; server.py makes tools of them."""

    def __init__(self, source: Source, *, records_text: bool = False) -> None:
        self._source = source
        self._records_text = records_text

    async def run_query(
        self, caller: Caller, *, sql: str, max_rows: int, timeout_s: float, params: Params = None
    ) -> QueryAnswer:
        async with self.ready(caller, sql=sql, limits=Limits(max_rows, timeout_s), params=params) as ready:
            answer = await ready.engine.run(ready.query, ready.view, ready.values, ready.limits)
        return _told(answer, ready, _MORE_OF_A_STATEMENT)

    async def run_curated(self, caller: Caller, *, name: str, values: Mapping[str, object]) -> QueryAnswer:
        """The answer of a curated query, for values of its parameters that the tool has checked."""
        async with self.curated(caller, name=name, limits=Limits(MOST_ROWS, MOST_SECONDS), values=values) as ready:
            answer = await ready.engine.run(ready.query, ready.view, ready.values, ready.limits)
        return _told(answer, ready, _MORE_OF_A_QUERY)

    @asynccontextmanager
    async def ready(self, caller: Caller, *, sql: str, limits: Limits, params: Params = None) -> AsyncGenerator[Ready]:
        """The caller's statement, permitted and within the limits of the role; it runs inside the context."""
        async with self._source.turn(caller) as turn:
            acting = turn.acting
            note_acting("sql", turn.ground, acting)
            if not acting.role.sql:
                raise _sql_is_off()
            yield await self._ready(turn, caller, Statement(sql), limits, bound(params))

    @asynccontextmanager
    async def curated(
        self, caller: Caller, *, name: str, limits: Limits, values: Mapping[str, object]
    ) -> AsyncGenerator[Ready]:
        """A curated query, as `ready`: also for a role that sends no SQL of its own.

        Errors: NotFound (`unknown-query`), alike for one that the acting role may not call and one that there is not.
        """
        async with self._source.turn(caller) as turn:
            acting = turn.acting
            note_acting("sql", turn.ground, acting)
            query = turn.ground.policy.queries.get(name)
            if query is None or acting.name not in query.roles:
                raise _no_query(name)
            dialect = acting.view.dialect
            statement = Statement(query.sql, name, query.casts(dialect))
            yield await self._ready(turn, caller, statement, limits, query.bound(values, dialect))

    async def _ready(self, turn: Turn, caller: Caller, statement: Statement, limits: Limits, given: Values) -> Ready:
        acting = turn.acting
        within = _within(limits, acting)
        query, values = await self._governed(turn, caller, statement, within, given)
        await keep_to_budget(acting.role.limits.budget, acting.engine, query, acting.view, values)
        return Ready(acting.engine, query, acting.view, values, within)

    async def expects(self, caller: Caller, *, sql: str, limits: Limits, params: Params = None) -> Expected:
        """What the engine expects of the caller's statement; it runs nothing. Errors: as `run_query`."""
        async with self._source.turn(caller) as turn:
            if not turn.acting.role.sql:
                return Expected()
            return await self._expected(turn, caller, Statement(sql), limits, bound(params))

    async def expects_of(self, caller: Caller, *, name: str, values: Mapping[str, object]) -> Expected:
        """The same of a curated query."""
        async with self._source.turn(caller) as turn:
            query, dialect = turn.ground.policy.queries.get(name), turn.acting.view.dialect
            if query is None or turn.acting.name not in query.roles:
                return Expected()
            statement = Statement(query.sql, name, query.casts(dialect))
            limits = Limits(MOST_ROWS, MOST_SECONDS)
            return await self._expected(turn, caller, statement, limits, query.bound(values, dialect))

    async def _expected(
        self, turn: Turn, caller: Caller, statement: Statement, limits: Limits, given: Values
    ) -> Expected:
        """Rules may always read it. People may not where a row rule hides rows: the engine counts those as well."""
        acting = turn.acting
        query, values = await self._governed(turn, caller, statement, _within(limits, acting), given)
        found = await acting.engine.estimate(query, acting.view, values)
        return Expected(rows=found.rows, cost=found.cost, is_told=not acting.rules_of(query.tables))

    def offers(self, caller: Caller) -> bool:
        """Whether the caller's role may send SQL."""
        try:
            return self._source.ground.acting(caller).role.sql
        except Forbidden:
            return True  # who holds no role is told so, by the call

    def offers_query(self, caller: Caller, name: str) -> bool:
        """Whether the caller's role may call that curated query."""
        ground = self._source.ground
        query = ground.policy.queries.get(name)
        try:
            return query is not None and ground.acting(caller).name in query.roles
        except Forbidden:
            return False  # its name is for its roles alone

    async def explain_query(self, caller: Caller, *, sql: str) -> Explanation:
        async with self._source.turn(caller) as turn:
            acting = turn.acting
            note_acting("sql", turn.ground, acting)
            if not acting.role.sql:
                raise _sql_is_off()
            try:
                query = await self._judged(Statement(sql), acting, acting.role.limits.rows, runs=False)
            except SqlRefused as refusal:
                return refused_explanation(refusal, acting)
            values, estimate = acting.values(caller, query.tables), Estimate(None, None)
            if values.keys() >= set(query.slots):  # what a caller would bind is not known here
                with noting_disagreement(query):
                    estimate = await acting.engine.estimate(query, acting.view, values)
            note(**permitted(query, sql, acting.view, with_text=self._records_text))
            if not acting.rules_of(query.tables):
                return permitted_explanation(query, query.sql, acting, estimate)
            shown = await asyncio.to_thread(govern, sql, acting.shown, max_rows=query.limit - 1)
            return permitted_explanation(query, shown.sql, acting, estimate)

    async def sample(
        self, turn: Turn, caller: Caller, table: PermittedTable, columns: list[str], count: int
    ) -> Sequence[Sequence[object]]:
        """A few rows through the same guard as any statement; none for a role without SQL."""
        acting = turn.acting
        if count == 0 or not columns or not acting.role.sql:
            return []
        text = selection(table, columns, acting.view.dialect)
        limits = Limits(min(count, _MOST_SAMPLED), _SAMPLE_SECONDS)
        query, values = await self._governed(turn, caller, Statement(text), limits, {})
        return fitted((await acting.engine.run(query, acting.view, values, limits)).rows, limits)[0]

    async def _governed(
        self, turn: Turn, caller: Caller, statement: Statement, limits: Limits, given: Values
    ) -> tuple[GovernedQuery, Values]:
        """What may run for `statement`: remembered, or judged by the guard and by the engine; and what fills it."""
        ground, acting = turn.ground, turn.acting
        key = (acting.name, statement.sql, limits.rows, statement.query)
        known = ground.verdicts.get(key)
        if known is not None:
            note(**known.noted)
            return known.query, filled(known.query, acting.values(caller, known.query.tables), given)
        query = await self._judged(statement, acting, limits.rows, runs=True)
        values = filled(query, acting.values(caller, query.tables), given)
        with noting_disagreement(query):
            async with _in_time(limits.seconds):
                await acting.engine.confirm(query, acting.view, values)
        noted = permitted(query, statement.sql, acting.view, with_text=self._records_text)
        note(**noted)
        if len(ground.verdicts) >= _VERDICTS_KEPT:
            ground.verdicts.pop(next(iter(ground.verdicts)))
        ground.verdicts[key] = Verdict(query, noted)
        return query, values

    async def _judged(self, statement: Statement, acting: Acting, rows: int, *, runs: bool) -> GovernedQuery:
        """The guard's verdict. A refusal is noted before it is told."""
        note_statement(statement.sql, acting.view, with_text=self._records_text)
        try:
            query = await asyncio.to_thread(govern, statement.sql, acting.view, max_rows=rows, casts=statement.casts)
            if runs and query.explain:
                raise _explains()
        except SqlRefused as refusal:
            note_refusal(refusal)
            raise
        return query


def _told(answer: Rows, ready: Ready, more: Mapping[str, str]) -> QueryAnswer:
    """The rows that fit, and what was cut."""
    rows, cut = fitted(answer.rows, ready.limits)
    note_answer(answer, len(rows), cut)
    return QueryAnswer(
        columns=[AnsweredColumn(field.name, field.type) for field in answer.fields],
        rows=rows,
        truncated=bool(cut),
        notice=_notice(cut, len(rows), more),
        tables=[ready.view.display_name(table) for table in ready.query.tables],
    )


def _within(limits: Limits, acting: Acting) -> Limits:
    """The least of what is asked for and what the role may have."""
    role = acting.role.limits
    most = role.rows if limits.rows <= MOST_ROWS else role.most_streamed
    return Limits(min(limits.rows, most), min(limits.seconds, role.time), min(limits.bytes, role.bytes), limits.cell)


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncGenerator[None]:
    """Judging is part of the caller's time: an engine may compute constants while it only plans."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise took_too_long(seconds) from None


def _sql_is_off() -> Forbidden:
    return Forbidden("your role may not run SQL", hint="its tables can be listed and described", code="sql-is-off")


def _explains() -> SqlRefused:
    hint = "send the statement without EXPLAIN to the tool that explains or validates it"
    return SqlRefused("EXPLAIN gives no rows", code="not-a-read", hint=hint)


def _no_query(name: str) -> NotFound:
    return NotFound(f"there is no query {name[:64]} for your role", hint="see the list of tools", code="unknown-query")


def _notice(cut: str, count: int, more: Mapping[str, str]) -> str:
    where = {"rows": f"cut after {count} rows", "bytes": f"cut after {count} rows at 64 KB"}
    return f"{where[cut]}; {more[cut]}" if cut else ""
