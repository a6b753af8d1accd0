"""SQLite: the standard library's driver in threads, one read-only connection per running statement and view.

The file is opened `mode=ro` with `query_only`, no ATTACH, small limits, and an authorizer made from the view: it
sees every table, column and function the statement really uses, which is the second opinion. Names are written
in backticks because Python 3.11 cannot switch off double-quoted strings. Time is ended by the progress handler.
"""

import asyncio
import functools
import os
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from pierhead.sdk import Misconfigured
from pierhead.sdk.governed.catalog import Catalog
from pierhead.sdk.governed.engine import (
    LONGEST_VALUE,
    Estimate,
    Field,
    Limits,
    LoginReport,
    Rows,
    SecondOpinionDiffers,
    Values,
    out_of_memory,
    rejected,
    took_too_long,
)
from pierhead.sdk.governed.transactions import Transaction, not_on_this_engine
from pierhead.sdk.sqlguard import GovernedQuery, View, functions
from pierhead.servers.sql.engines.batches import Batches
from pierhead.servers.sql.engines.deadline import Deadline
from pierhead.servers.sql.engines.sqlite_schema import stored_tables
from pierhead.servers.sql.engines.sqlite_writes import SqliteWriter

_THREADS: Final = 4
_STEPS_BETWEEN_LOOKS: Final = 20_000
_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: LONGEST_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 200_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_OPENING: Final = (
    "PRAGMA query_only = 1",
    "PRAGMA trusted_schema = 0",
    "PRAGMA cell_size_check = 1",
    "PRAGMA temp_store = 2",
    # Declared now: on first use SQLite would ask the authorizer for writing its schema.
    "SELECT 1 FROM json_each('[]'), json_tree('[]')",
)
_TABLE_FUNCTIONS: Final = functions.NAMED_TABLE["sqlite"]
# What statements of the guard are compiled into by SQLite itself.
_OWN_FUNCTIONS: Final = frozenset(
    {"json", "like", "glob", "->", "->>", "current_timestamp", "count", "format", "printf"}
)
_FUNCTIONS: Final = functions.NAMED["sqlite"] | _OWN_FUNCTIONS

_TYPES: Final[dict[type, str]] = {int: "INTEGER", float: "REAL", str: "TEXT", bytes: "BLOB"}

Result = TypeVar("Result")


class SqliteEngine:
    """One database file. Connections are kept per view: the authorizer belongs to the role."""

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise Misconfigured(f"there is no SQLite file {file.name}", hint="check the url of this source")
        self._file = file
        place = quote(str(file.resolve()))
        self._uri = f"file:{place}?mode=ro"
        self._writer: SqliteWriter | None = None
        self._idle: dict[View | None, list[sqlite3.Connection]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sqlite")

    async def introspect(self) -> Catalog:
        try:
            return await self._in_thread(self._introspect)
        except sqlite3.DatabaseError as failed:
            message = f"{self._file.name} cannot be read as a SQLite database: {failed}"
            raise Misconfigured(message, hint="check the url of this source, and who may read the file") from None

    async def confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        await self._in_thread(functools.partial(self._confirm, query, view, values))

    async def estimate(self, query: GovernedQuery, view: View, values: Values) -> Estimate:
        """SQLite knows row counts of tables only after ANALYZE, and no costs: it confirms, and estimates nothing."""
        await self.confirm(query, view, values)
        return Estimate(None, None)

    async def run(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> Rows:
        deadline = Deadline(limits.seconds)
        try:
            return await self._in_thread(
                functools.partial(self._run, query, view, query.bound(values), deadline, limits)
            )
        except asyncio.CancelledError:
            deadline.end()
            raise

    async def stream(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> AsyncGenerator[Rows]:
        deadline, batches = Deadline(limits.seconds), Batches(limits.seconds)
        opened = self._batches(query, view, query.bound(values), deadline, batches)
        try:
            while (rows := await self._step(opened, deadline)) is not None:
                yield rows
        finally:
            deadline.end()
            await asyncio.shield(self._in_thread(opened.close))

    async def _step(self, opened: Generator[Rows], deadline: Deadline) -> Rows | None:
        """The next batch. Cancelled, it ends the statement, and waits until the thread has seen it."""
        step = asyncio.ensure_future(self._in_thread(functools.partial(next, opened, None)))
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            deadline.end()
            await asyncio.wait({step})
            step.exception()
            raise

    async def check_login(self) -> LoginReport:
        """SQLite knows no users: what counts is whether this account may write the file."""
        tables = frozenset((table.schema, table.name) for table in (await self.introspect()).tables)
        return LoginReport("", tables, tables if os.access(self._file, os.W_OK) else frozenset())

    def will_write(self) -> None:
        self._writer = self._writer or SqliteWriter(self._uri.replace("?mode=ro", "?mode=rw"))

    def transaction(self, view: View, limits: Limits) -> AbstractAsyncContextManager[Transaction]:
        if self._writer is None:
            raise not_on_this_engine()
        return self._writer.transaction(_authorizer(view), Deadline(limits.seconds), limits)

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @contextmanager
    def _connection(self, view: View | None) -> Generator[sqlite3.Connection]:
        kept = self._idle.setdefault(view, [])
        connection = kept.pop() if kept else self._open(view)
        try:
            yield connection
        finally:
            connection.set_progress_handler(None, 0)
            kept.append(connection)

    def _open(self, view: View | None) -> sqlite3.Connection:
        connection = sqlite3.connect(self._uri, uri=True, check_same_thread=False, isolation_level=None)
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        for statement in _OPENING:
            connection.execute(statement)
        if view is not None:
            connection.set_authorizer(_authorizer(view))
        return connection

    def _introspect(self) -> Catalog:
        with self._connection(None) as connection:
            return Catalog("sqlite", "", "main", stored_tables(connection))

    def _confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        with self._connection(view) as connection, _translated():
            connection.execute(
                "EXPLAIN " + query.sql, query.bound(values)
            ).close()  # compiles it: the authorizer is asked, nothing runs

    def _run(self, query: GovernedQuery, view: View, bound: list[object], deadline: Deadline, limits: Limits) -> Rows:
        with self._connection(view) as connection, _translated(deadline):
            connection.set_progress_handler(deadline.is_over, _STEPS_BETWEEN_LOOKS)
            cursor = connection.execute(query.sql, bound)
            rows: list[tuple[object, ...]] = []
            size = 0
            for row in cursor:
                rows.append(row)
                size += sum(len(cell) if isinstance(cell, (str, bytes)) else 8 for cell in row)
                if len(rows) > limits.rows or size > max(LONGEST_VALUE, limits.bytes):
                    break
            cursor.close()
            is_cut = len(rows) <= limits.rows and size > max(LONGEST_VALUE, limits.bytes)
            return Rows(_fields(cursor.description or (), rows), rows, is_cut=is_cut)

    def _batches(
        self, query: GovernedQuery, view: View, bound: list[object], deadline: Deadline, batches: Batches
    ) -> Generator[Rows]:
        """The answer in batches; its connection is given back at the end, or when this is closed."""
        with self._connection(view) as connection, _translated(deadline):
            connection.set_progress_handler(deadline.is_over, _STEPS_BETWEEN_LOOKS)
            cursor = connection.execute(query.sql, bound)
            with closing(cursor):
                rows = cursor.fetchmany(batches.size)
                fields = _fields(cursor.description or (), rows)
                yield Rows(fields, rows)
                while rows:
                    batches.learn(rows)
                    rows = cursor.fetchmany(batches.size)
                    if deadline.is_over():
                        raise took_too_long(deadline.seconds)
                    if rows:
                        yield Rows(fields, rows)


def _fields(description: Sequence[tuple[object, ...]], rows: Sequence[Sequence[object]]) -> list[Field]:
    """SQLite types values, not columns: a column's type is that of its first value."""
    values = (next((row[place] for row in rows if row[place] is not None), None) for place in range(len(description)))
    return [
        Field(str(column[0]), _TYPES.get(type(value), "")) for column, value in zip(description, values, strict=True)
    ]


@contextmanager
def _translated(deadline: Deadline | None = None) -> Generator[None]:
    """Driver errors into ours. Their text may hold values or hidden names, so none of it is passed on."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        code = getattr(error, "sqlite_errorname", "")
        if deadline is not None and code == "SQLITE_INTERRUPT":
            raise took_too_long(deadline.seconds) from None
        if code == "SQLITE_AUTH":
            raise SecondOpinionDiffers from None
        if code in ("SQLITE_TOOBIG", "SQLITE_NOMEM"):
            raise out_of_memory() from None
        raise rejected() from None


def _authorizer(view: View) -> Callable[..., int]:
    """What SQLite asks while compiling: it names the table and column each access really reaches."""
    readable = {(table.name.lower(), column.lower()) for table in view.tables for column in table.columns_read} | {
        (table.name.lower(), "") for table in view.tables
    }
    granted = {table.name.lower() for table in view.tables}

    def authorize(action: int, first: str | None, second: str | None, database: str | None, inside: str | None) -> int:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            return _verdict((second or "").lower() in _FUNCTIONS)
        if action == sqlite3.SQLITE_READ:
            table = (first or "").lower()
            if not second and database is None:
                return sqlite3.SQLITE_OK  # rows of a WITH name: real tables always come with their schema
            through_view = (inside or "").lower() in granted
            return _verdict((table, (second or "").lower()) in readable or table in _TABLE_FUNCTIONS or through_view)
        return sqlite3.SQLITE_DENY

    return authorize


def _verdict(is_permitted: bool) -> int:
    return sqlite3.SQLITE_OK if is_permitted else sqlite3.SQLITE_DENY
