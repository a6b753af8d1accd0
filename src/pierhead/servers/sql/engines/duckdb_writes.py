"""DuckDB, writing: one transaction at a time, on a cursor of its own, in a thread of its own.

DuckDB lets writers collide and fails the second; taking turns makes what is read inside hold until the commit.
A file that may be written is opened once for both, since a process cannot open it twice; reading statements then
run in READ ONLY transactions (duckdb.py). The second opinion is DuckDB's parser: one statement, of the kind meant.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeVar

import duckdb

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
    Transaction,
    does_not_fit,
    needs_value,
    not_checked,
    not_referenced,
    not_unique,
    turn,
    was_overtaken,
    whole,
)
from pierhead.sdk.sqlguard import GovernedQuery, GovernedWrite
from pierhead.servers.sql.engines.deadline import Deadline

_KINDS: Final[Mapping[str, duckdb.StatementType]] = {
    "insert": duckdb.StatementType.INSERT,
    "update": duckdb.StatementType.UPDATE,
    "delete": duckdb.StatementType.DELETE,
}
_MISSING: Final = re.compile(r'NOT NULL constraint failed: .*\.(?:"((?:[^"]|"")+)"|([^."\n]+))')

Result = TypeVar("Result")


class DuckdbWriter:
    """Closed with its engine."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="duckdb-writer")
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, limits: Limits) -> AsyncGenerator[Transaction]:
        async with turn(self._turn, limits.seconds):
            begun = _DuckdbTransaction(self._thread, self._database.cursor(), Deadline(limits.seconds))
            try:
                await begun.begin()
                yield begun
            finally:
                await begun.end()

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)


class _DuckdbTransaction:
    def __init__(self, thread: ThreadPoolExecutor, cursor: duckdb.DuckDBPyConnection, deadline: Deadline) -> None:
        self._thread = thread
        self._cursor = cursor
        self._deadline = deadline
        self._is_open = False

    async def begin(self) -> None:
        await self._step(lambda: self._cursor.execute("BEGIN TRANSACTION"), None)
        self._is_open = True

    async def execute(self, statement: GovernedQuery | GovernedWrite, values: Values) -> Rows:
        return await self._step(lambda: _executed(self._cursor, statement, values), statement)

    async def commit(self) -> None:
        def last() -> None:
            with _translated(self._deadline, None):
                self._cursor.execute("COMMIT")
            self._is_open = False

        await whole(self._in_thread(last))

    async def end(self) -> None:
        """Undo what was not committed, and let go of the cursor."""

        def undo() -> None:
            if self._is_open:
                self._cursor.execute("ROLLBACK")
            self._cursor.close()

        await whole(self._in_thread(undo))

    async def _step(self, work: Callable[[], Result], statement: GovernedQuery | GovernedWrite | None) -> Result:
        """DuckDB looks at no clock: its time is ended from here."""

        def translated() -> Result:
            with _translated(self._deadline, statement):
                return work()

        def end() -> None:
            self._deadline.end()
            self._cursor.interrupt()

        alarm = asyncio.get_running_loop().call_later(self._deadline.left(), end)
        try:
            return await whole(self._in_thread(translated), end)
        finally:
            alarm.cancel()

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _executed(cursor: duckdb.DuckDBPyConnection, statement: GovernedQuery | GovernedWrite, values: Values) -> Rows:
    statements = cursor.extract_statements(statement.sql)
    kind = _KINDS[statement.kind] if isinstance(statement, GovernedWrite) else duckdb.StatementType.SELECT
    if [each.type for each in statements] != [kind]:
        raise SecondOpinionDiffers
    cursor.execute(statement.sql, statement.bound(values))
    fields = [Field(column[0], str(column[1])) for column in cursor.description or ()]
    return Rows(fields, cursor.fetchall())


@contextmanager
def _translated(deadline: Deadline, statement: GovernedQuery | GovernedWrite | None) -> Generator[None]:
    """Driver errors into ours; of their text, only the column of a missing value is shown, if permitted."""
    try:
        yield
    except duckdb.InterruptException:
        raise took_too_long(deadline.seconds) from None
    except duckdb.OutOfMemoryException:
        raise out_of_memory() from None
    except duckdb.ConstraintException as broken:
        raise _broken(str(broken), statement) from None
    except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException):
        raise does_not_fit(statement) from None
    except duckdb.TransactionException:
        raise was_overtaken() from None
    except duckdb.Error:
        raise rejected() from None


def _broken(text: str, statement: GovernedQuery | GovernedWrite | None) -> Exception:
    """Which constraint. DuckDB says it only in words; every part of them that could be a value stays here."""
    missing = _MISSING.search(text)
    if missing and isinstance(statement, GovernedWrite):
        return needs_value((missing[1] or missing[2]).replace('""', '"'), statement.target)
    if "foreign key" in text:
        return not_referenced()
    return not_checked() if "CHECK" in text else not_unique()
