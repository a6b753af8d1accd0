"""PostgreSQL, writing: transactions on a pool of their own, whose sessions are not read only.

The default schema is on these sessions' search path, after the system's: triggers are functions of the database,
and most name their tables bare. Pierhead's own statements name everything in full. Rows that are compared before
they are written are locked (FOR UPDATE stands in the query). The second opinion is the planner's, once a text:
EXPLAIN names every relation that would be read or changed.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import asyncpg
import orjson

from pierhead.sdk import UpstreamUnreachable
from pierhead.sdk.governed.engine import (
    Field,
    Limits,
    Rows,
    SecondOpinionDiffers,
    Values,
    out_of_memory,
    rejected,
    took_too_long,
)
from pierhead.sdk.governed.transactions import (
    OutcomeUnknown,
    Transaction,
    does_not_fit,
    is_locked,
    needs_value,
    not_checked,
    not_on_this_engine,
    not_referenced,
    not_unique,
    was_overtaken,
    whole,
)
from pierhead.sdk.sqlguard import GovernedQuery, GovernedWrite, PermittedTable
from pierhead.servers.sql.engines.deadline import Deadline

WRITING_SESSION: Final = {
    "default_transaction_read_only": "off",
    "search_path": "pg_catalog, public, pg_temp",
    "synchronous_commit": "on",
}
_STATEMENTS_KEPT: Final = 1_000
_DRIVER: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError, TypeError)

Statement = GovernedQuery | GovernedWrite
Reached = Callable[[PermittedTable], frozenset[tuple[str, str]]]
"""The tables that a change of one may lead to: its partitions."""


class AsRead(Protocol):
    def __call__(self, sql: str, attributes: tuple[Any, ...], *, is_change: bool) -> str:
        """The statement with the cells of its answer as reading gives them."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    """A statement that was prepared once: what is run for it, and what it answers."""

    sql: str
    fields: tuple[Field, ...]


class PostgresWriter:
    """`open_pool` makes the pool at the first transaction; closed with its engine."""

    def __init__(self, open_pool: Callable[[], Awaitable[Any]], reached: Reached, as_read: AsRead) -> None:
        self._open_pool = open_pool
        self._reached = reached
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._as_read = as_read
        self._known: dict[str, _Known] = {}

    @asynccontextmanager
    async def transaction(self, limits: Limits) -> AsyncGenerator[Transaction]:
        deadline = Deadline(limits.seconds)
        async with self._connection(deadline) as connection:
            begun = _PostgresTransaction(self, connection, deadline)
            await begun.begin()
            try:
                yield begun
            finally:
                await whole(begun.end())

    def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    async def known(self, connection: Any, statement: Statement, bound: list[object], left: float) -> _Known:  # noqa: ANN401 - asyncpg's connection
        """What is run for a statement, confirmed when it is first seen. Errors: SecondOpinionDiffers."""
        found = self._known.get(statement.sql)
        if found is not None:
            return found
        is_change = isinstance(statement, GovernedWrite)
        if is_change:
            await self._confirm(connection, statement, bound, left)
        attributes = (await connection.prepare(statement.sql, timeout=left)).get_attributes()
        if len(self._known) >= _STATEMENTS_KEPT:
            self._known.pop(next(iter(self._known)))
        found = self._known[statement.sql] = _Known(
            self._as_read(statement.sql, attributes, is_change=is_change),
            tuple(Field(each.name, each.type.name) for each in attributes),
        )
        return found

    async def _confirm(self, connection: Any, statement: GovernedWrite, bound: list[object], left: float) -> None:  # noqa: ANN401 - asyncpg's connection
        """Ask the planner what it would touch. Errors: SecondOpinionDiffers."""
        text = await connection.fetchval("EXPLAIN (VERBOSE, FORMAT JSON) " + statement.sql, *bound, timeout=left)
        permitted = {(statement.target.schema, statement.target.name)} | self._reached(statement.target)
        pending = [orjson.loads(text)[0]["Plan"]]
        while pending:
            node = pending.pop()
            pending.extend(node.get("Plans", ()))
            relation = (node.get("Schema", ""), node.get("Relation Name", ""))
            if relation[1] and relation not in permitted:
                raise SecondOpinionDiffers

    @asynccontextmanager
    async def _connection(self, deadline: Deadline) -> AsyncGenerator[Any]:
        async with self._opening:
            if self._pool is None:
                self._pool = await self._open_pool()
        pool = self._pool
        try:
            connection = await pool.acquire(timeout=deadline.left())
        except TimeoutError:
            raise is_locked() from None
        except _DRIVER as error:
            raise _told(error, deadline, None) from None
        try:
            yield connection
        finally:
            await whole(pool.release(connection))


class _PostgresTransaction:
    def __init__(self, writer: PostgresWriter, connection: Any, deadline: Deadline) -> None:  # noqa: ANN401 - asyncpg's connection
        self._writer = writer
        self._connection = connection
        self._deadline = deadline
        self._transaction = connection.transaction()
        self._is_open = False

    async def begin(self) -> None:
        try:
            async with asyncio.timeout(self._deadline.left()):
                await self._transaction.start()
        except _DRIVER as error:
            raise _told(error, self._deadline, None) from None
        self._is_open = True

    async def execute(self, statement: Statement, values: Values) -> Rows:
        bound = statement.bound(values)
        try:
            known = await self._writer.known(self._connection, statement, bound, self._deadline.left())
            rows = await self._connection.fetch(known.sql, *bound, timeout=self._deadline.left())
        except _DRIVER as error:
            raise _told(error, self._deadline, statement) from None
        return Rows(known.fields, rows)

    async def commit(self) -> None:
        await whole(self._commit())

    async def _commit(self) -> None:
        self._is_open = False
        try:
            await self._transaction.commit()
        except asyncpg.PostgresConnectionError:
            raise OutcomeUnknown from None
        except asyncpg.PostgresError as error:  # the server refused, and said so: nothing lasts
            raise _told(error, self._deadline, None) from None
        except (asyncpg.InterfaceError, OSError):
            raise OutcomeUnknown from None

    async def end(self) -> None:
        """Undo what was not committed. A connection that cannot say so is thrown away: the server then undoes it."""
        if not self._is_open:
            return
        try:
            await self._transaction.rollback()
        except _DRIVER:
            self._connection.terminate()


def _told(error: Exception, deadline: Deadline, statement: Statement | None) -> Exception:
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, asyncpg.DataError):  # of the server, or of the driver, which could not encode a value
        return does_not_fit(statement)
    if state == "23502" and isinstance(statement, GovernedWrite):
        return needs_value(str(getattr(error, "column_name", "") or ""), statement.target)
    if isinstance(error, (TimeoutError, asyncpg.QueryCanceledError)):
        return took_too_long(deadline.seconds)
    made = _TOLD.get(state) or _TOLD.get(state[:2])
    if made is not None:
        return made()
    if isinstance(error, (asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, OSError)):
        return UpstreamUnreachable(
            "the database does not answer", hint="try again later, or tell the owner", code="database-unreachable"
        )
    return rejected()


_TOLD: Final[Mapping[str, Callable[[], Exception]]] = {
    "23505": not_unique,
    "23P01": not_unique,
    "23503": not_referenced,
    "23001": not_referenced,
    "23502": not_checked,
    "23514": not_checked,
    "44000": not_checked,
    "428C9": not_checked,
    "42501": not_on_this_engine,
    "25006": not_on_this_engine,
    "55P03": is_locked,
    "40": was_overtaken,
    "53": out_of_memory,
    "54": out_of_memory,
}
