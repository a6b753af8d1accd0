"""MariaDB and MySQL, writing: transactions on sessions of their own, which are not read only.

Isolation is READ COMMITTED, so that what is read after a row was locked is what was locked. A change gives back how
many rows the server counted, and the number that AUTO_INCREMENT gave: MySQL has no RETURNING, MariaDB half of it
(keyed_work.py finds the rows). Only InnoDB undoes what it has done: a table of another storage engine is refused.
The second opinion is EXPLAIN's, once a text, which names the tables. Not here: reading (mysql.py).
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

import asyncmy

from pierhead.sdk.governed.engine import Field, Limits, Rows, SecondOpinionDiffers, Values, took_too_long
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
from pierhead.servers.sql.engines.mysql_session import Address, Result, Session, Sessions

_STATEMENTS_KEPT: Final = 1_000
_COUNTED: Final = (Field("affected", "bigint"), Field("number", "bigint"))
_DRIVER: Final = (asyncmy.errors.Error, OSError, ValueError, TypeError)
_STORED_IN: Final = "SELECT engine FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
_TABLE_IN_A_PLAN: Final = 2
_COLUMN: Final = re.compile(r"(?:Column|Field) '([^']+)'")
_NO_VALUE: Final = frozenset({1048, 1364})

Statement = GovernedQuery | GovernedWrite
Fields = Callable[[Sequence[Result]], tuple[Field, ...]]
Translated = Callable[[Exception, float], Exception]

_Answer = TypeVar("_Answer")


class MysqlWriter:
    """`fields` and `translated` are the engine's own, so that a written row is told as one that is read."""

    def __init__(self, address: Address, fields: Fields, translated: Translated) -> None:
        self.sessions = Sessions(address, writing=True)
        self.translated = translated
        self._fields = fields
        self._known: dict[str, tuple[Field, ...]] = {}

    @asynccontextmanager
    async def transaction(self, limits: Limits) -> AsyncGenerator[Transaction]:
        deadline = Deadline(limits.seconds)
        async with self._session(deadline) as session:
            begun = _MysqlTransaction(self, session, deadline)
            try:
                await begun.begin()
                yield begun
            finally:
                await whole(begun.end())

    async def close(self) -> None:
        await self.sessions.close()

    async def fields(self, session: Session, statement: Statement, bound: Sequence[object]) -> tuple[Field, ...]:
        """Of its answer; a change is confirmed when it is first seen. Errors: SecondOpinionDiffers."""
        found = self._known.get(statement.sql)
        if found is None:
            if isinstance(statement, GovernedWrite):
                await _confirm(session, statement, bound)
                found = _COUNTED
            else:
                found = self._fields(await session.described(statement.sql))
            if len(self._known) >= _STATEMENTS_KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[statement.sql] = found
        return found

    @asynccontextmanager
    async def _session(self, deadline: Deadline) -> AsyncGenerator[Session]:
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(deadline.left()):
                    session = await held.enter_async_context(self.sessions.session())
            except TimeoutError:
                raise is_locked() from None
            except _DRIVER as error:
                raise self.translated(error, deadline.seconds) from None
            yield session


async def _confirm(session: Session, statement: GovernedWrite, bound: Sequence[object]) -> None:
    """Errors: SecondOpinionDiffers."""
    for step in await session.rows("EXPLAIN " + statement.sql, bound):
        table = str(step[_TABLE_IN_A_PLAN] or "").lower()
        if table and table != statement.target.name.lower():
            raise SecondOpinionDiffers


class _MysqlTransaction:
    def __init__(self, writer: MysqlWriter, session: Session, deadline: Deadline) -> None:
        self._writer = writer
        self._session = session
        self._deadline = deadline
        self._undoes: set[tuple[str, str]] = set()
        self._is_open = False

    async def begin(self) -> None:
        self._is_open = True
        await self._within(self._session.say("START TRANSACTION READ WRITE"), None)

    async def execute(self, statement: Statement, values: Values) -> Rows:
        return await self._within(self._execute(statement, statement.bound(values)), statement)

    async def commit(self) -> None:
        await whole(self._commit())

    async def end(self) -> None:
        """Undo what was not committed. A session that cannot say so is closed: the server then undoes it."""
        if not self._is_open:
            return
        try:
            await self._session.say("ROLLBACK")
        except (*_DRIVER, AttributeError):  # a closed one has lost its socket
            self._session.close()

    async def _execute(self, statement: Statement, bound: Sequence[object]) -> Rows:
        if isinstance(statement, GovernedWrite):
            await self._check_storage(statement.target)
        fields = await self._writer.fields(self._session, statement, bound)
        answer = await self._session.run(statement.sql, bound)
        if isinstance(statement, GovernedWrite):
            return Rows(fields, [(answer.affected_rows, answer.insert_id)])
        return Rows(fields, answer.rows or ())

    async def _check_storage(self, target: PermittedTable) -> None:
        """Errors: Invalid (`not-on-this-engine`), for a table that a rollback would leave changed."""
        place = (target.schema, target.name)
        if place in self._undoes:
            return
        found = await self._session.rows(_STORED_IN, place)
        if [str(name).lower() for (name,) in found] != ["innodb"]:
            raise not_on_this_engine()
        self._undoes.add(place)

    async def _commit(self) -> None:
        self._is_open = False
        try:
            await self._session.say("COMMIT")
        except (*_DRIVER, AttributeError) as error:
            self._session.close()
            if _number(error) in _UNDONE:
                raise was_overtaken() from None
            raise OutcomeUnknown from None

    async def _within(self, work: Awaitable[_Answer], statement: Statement | None) -> _Answer:
        """Do the work, ended in the server when its time is up or its caller has gone."""
        try:
            async with asyncio.timeout(self._deadline.left()):
                return await work
        except TimeoutError:
            await self._writer.sessions.end(self._session)
            raise took_too_long(self._deadline.seconds) from None
        except asyncio.CancelledError:
            await self._writer.sessions.end(self._session)
            raise
        except _DRIVER as error:
            raise self._told(error, statement) from None

    def _told(self, error: Exception, statement: Statement | None) -> Exception:
        number = _number(error)
        if number in _NO_VALUE and isinstance(statement, GovernedWrite):
            named = _COLUMN.search(str(error))
            return needs_value(named[1] if named else "", statement.target)
        if number in _DOES_NOT_FIT:
            return does_not_fit(statement)
        made = _TOLD.get(number)
        return made() if made is not None else self._writer.translated(error, self._deadline.seconds)


def _number(error: Exception) -> int:
    arguments: tuple[Any, ...] = error.args
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


_UNDONE: Final = frozenset({1020, 1213, 3101})
_DOES_NOT_FIT: Final = frozenset({1264, 1265, 1292, 1366, 1367, 1406, 1411, 3140, 3156})
_TOLD: Final[Mapping[int, Callable[[], Exception]]] = {
    1062: not_unique,
    1586: not_unique,
    1216: not_referenced,
    1217: not_referenced,
    1451: not_referenced,
    1452: not_referenced,
    1644: not_checked,
    3819: not_checked,
    4025: not_checked,
    1142: not_on_this_engine,
    1143: not_on_this_engine,
    1227: not_on_this_engine,
    1290: not_on_this_engine,
    1792: not_on_this_engine,
    1836: not_on_this_engine,
    1205: is_locked,
    1020: was_overtaken,
    1213: was_overtaken,
}
