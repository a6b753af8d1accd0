"""DuckDB: one locked, read-only database in this process, a fresh cursor per statement, in threads.

DuckDB has no users, so the guard is what protects; the engine is told to open nothing outside its file and then
locked. It runs in the server's own process and not in a further one: every SQL server is already a process of its
own that the platform restarts, an inner process would copy each answer once more, and memory and threads are
bounded by DuckDB's settings. The second opinion is DuckDB's own parser: one SELECT, and the tables it names.
"""

import asyncio
import functools
import os
import re
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import duckdb

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
    TableNames,
    Values,
    out_of_memory,
    rejected,
    took_too_long,
    with_those_read,
)
from pierhead.sdk.governed.transactions import Transaction, not_on_this_engine
from pierhead.sdk.sqlguard import GovernedQuery, PermittedFunction, View
from pierhead.servers.sql.engines.batches import Batches
from pierhead.servers.sql.engines.duckdb_schema import stored_macros, stored_tables
from pierhead.servers.sql.engines.duckdb_writes import DuckdbWriter

_BETWEEN_INTERRUPTS_S: Final = 0.05
_THREADS: Final = 4
_BATCH: Final = 64
_SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    "memory_limit": "512MB",
    "threads": 2,
    "temp_directory": "",
    "lock_configuration": True,
}
_ESTIMATED: Final = re.compile(r'"Estimated Cardinality":\s*"?~?(\d+)')

_PLANNED: Final = re.compile(r'"Table":\s*"([^"]+)"')
# A mark of a value, or a quoted text or name that may hold one: a statement can be asked about without its values.
_MARK: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\?""")
_NAME_PARTS: Final = re.compile(r'"(?:[^"]|"")*"|[^.]+')

Result = TypeVar("Result")


class DuckdbEngine:
    """One database file, opened for reading alone unless some role may write."""

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise Misconfigured(f"there is no DuckDB file {file.name}", hint="check the url of this source")
        self._file = file
        try:
            self._database = duckdb.connect(str(file), read_only=True, config=_SETTINGS)
        except duckdb.Error as failed:
            message = f"{file.name} cannot be opened as a DuckDB database: {failed}"
            raise Misconfigured(message, hint="check the url of this source, and who else has it open") from None
        self._writer: DuckdbWriter | None = None
        self._reads: dict[tuple[str, str], TableNames] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="duckdb")

    async def introspect(self) -> Catalog:
        return await self._in_thread(self._introspect)

    async def confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        del view, values  # DuckDB has no users: what may be read stands in the query alone
        await self._in_thread(functools.partial(self._confirm, query))

    async def estimate(self, query: GovernedQuery, view: View, values: Values) -> Estimate:
        await self.confirm(query, view, values)
        return await self._in_thread(functools.partial(self._estimate, query, query.bound(values)))

    async def run(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> Rows:
        del view
        cursor = self._database.cursor()
        task = asyncio.ensure_future(
            self._in_thread(functools.partial(_run, cursor, query, query.bound(values), limits))
        )
        try:
            return await asyncio.wait_for(asyncio.shield(task), limits.seconds)
        except (TimeoutError, asyncio.CancelledError) as ended:
            await _interrupted(cursor, task)
            if isinstance(ended, asyncio.CancelledError):
                raise
            raise took_too_long(limits.seconds) from None

    async def stream(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> AsyncGenerator[Rows]:
        del view
        batches, cursor = Batches(limits.seconds), self._database.cursor()
        opened = _batches(cursor, query, query.bound(values), batches)
        try:
            while (rows := await self._step(opened, cursor, batches, limits.seconds)) is not None:
                yield rows
        finally:
            await asyncio.shield(self._in_thread(opened.close))

    async def _step(
        self, opened: Generator[Rows], cursor: duckdb.DuckDBPyConnection, batches: Batches, seconds: float
    ) -> Rows | None:
        """The next batch; at the end of its time, or cancelled, the statement is interrupted and waited for."""
        left = batches.seconds_left()  # before the step begins: one that has begun is waited for
        step = asyncio.ensure_future(self._in_thread(functools.partial(next, opened, None)))
        try:
            return await asyncio.wait_for(asyncio.shield(step), left)
        except (TimeoutError, asyncio.CancelledError) as ended:
            await _interrupted(cursor, step)
            if isinstance(ended, asyncio.CancelledError):
                raise
            raise took_too_long(seconds) from None

    async def check_login(self) -> LoginReport:
        """DuckDB knows no users: what counts is whether this account may write the file."""
        tables = frozenset((table.schema, table.name) for table in (await self.introspect()).tables)
        return LoginReport("", tables, tables if os.access(self._file, os.W_OK) else frozenset())

    def will_write(self) -> None:
        """Open the file anew: a process cannot hold it both ways, and from here on no other process can hold it."""
        if self._writer is not None:
            return
        self._database.close()
        try:
            self._database = duckdb.connect(str(self._file), read_only=False, config=_SETTINGS)
        except duckdb.Error:
            self._database = duckdb.connect(str(self._file), read_only=True, config=_SETTINGS)
            raise Misconfigured(
                f"{self._file.name} is in use, so it cannot be opened for writing",
                hint="start again once nobody else holds the file",
            ) from None
        self._writer = DuckdbWriter(self._database)

    def transaction(self, view: View, limits: Limits) -> AbstractAsyncContextManager[Transaction]:
        del view  # as in `confirm`
        if self._writer is None:
            raise not_on_this_engine()
        return self._writer.transaction(limits)

    async def close(self) -> None:
        self._database.interrupt()
        if self._writer is not None:
            self._writer.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._database.close()

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _introspect(self) -> Catalog:
        with self._database.cursor() as cursor:
            catalog, schema = cursor.execute("SELECT current_database(), current_schema()").fetchone() or ("", "")
            stored = stored_tables(cursor, catalog)
            functions = stored_macros(cursor, catalog)
            self._reads = {
                (table.schema, table.name): _read_by_view(cursor, table.schema, table.name)
                for table in stored
                if table.kind == "view"
            }
        return Catalog("duckdb", catalog, schema, stored, functions)

    def _confirm(self, query: GovernedQuery) -> None:
        with self._database.cursor() as cursor, _translated():
            statements = cursor.extract_statements(query.sql)
            if len(statements) != 1 or statements[0].type is not duckdb.StatementType.SELECT:
                raise SecondOpinionDiffers
            permitted = with_those_read({(table.schema, table.name) for table in query.tables}, self._reads)
            for function in query.functions:
                permitted |= _read_by_macro(cursor, function)
            if not {_schema_and_table(name) for name in _tables_named(cursor, query.unbound)} <= permitted:
                raise SecondOpinionDiffers

    def _estimate(self, query: GovernedQuery, bound: list[object]) -> Estimate:
        with self._database.cursor() as cursor, _translated():
            plan = cursor.execute("EXPLAIN (FORMAT json) " + query.sql, bound).fetchall()
        found = _ESTIMATED.search(str(plan[0][-1])) if plan else None
        return Estimate(int(found[1]) if found else None, None)


async def _interrupted(cursor: duckdb.DuckDBPyConnection, running: "asyncio.Future[Result]") -> None:
    """Interrupt until it has ended: DuckDB forgets an interrupt that comes before the statement has started."""
    while not running.done():
        cursor.interrupt()
        await asyncio.wait([running], timeout=_BETWEEN_INTERRUPTS_S)
    running.exception()


def _tables_named(cursor: duckdb.DuckDBPyConnection, governed: str) -> set[str]:
    """The tables DuckDB's parser finds; where it cannot say without binding (ASOF), those of the plan."""
    sql = _MARK.sub(lambda found: found[0] if len(found[0]) > 1 else "NULL", governed)
    try:
        return cursor.get_table_names(sql, qualified=True)
    except duckdb.BinderException:
        plan = cursor.execute("EXPLAIN (FORMAT json) " + sql).fetchall()
        return set(_PLANNED.findall(str(plan[0][-1])))


def _read_by_view(cursor: duckdb.DuckDBPyConnection, schema: str, view: str) -> TableNames:
    """The tables that DuckDB reports for a view: it names what the view reads, not the view."""
    place = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, view))
    try:
        return frozenset(_schema_and_table(name) for name in _tables_named(cursor, "FROM " + place))
    except duckdb.Error:  # a view of something gone: nobody can read it
        return frozenset()


def _read_by_macro(cursor: duckdb.DuckDBPyConnection, macro: PermittedFunction) -> TableNames:
    """The tables that DuckDB reports for a macro: it names what stands in it, wherever it is called."""
    place = ".".join('"' + part.replace('"', '""') + '"' for part in (macro.schema, macro.name))
    given = ", ".join("NULL" for _ in macro.types)
    word = "FROM" if macro.gives_rows else "SELECT"
    return frozenset(_schema_and_table(name) for name in _tables_named(cursor, f"{word} {place}({given})"))


def _schema_and_table(name: str) -> tuple[str, str]:
    parts = [part.replace('""', '"').strip('"') for part in _NAME_PARTS.findall(name)]
    return parts[-2] if len(parts) > 1 else "", parts[-1]


def _run(cursor: duckdb.DuckDBPyConnection, query: GovernedQuery, bound: list[object], limits: Limits) -> Rows:
    with cursor, _translated():
        cursor.execute("BEGIN TRANSACTION READ ONLY")  # the file may be open for writing; ends with the cursor
        cursor.execute(query.sql, bound)
        fields = [Field(column[0], str(column[1]), str(column[1]) == "JSON") for column in cursor.description or ()]
        rows: list[tuple[object, ...]] = []
        size = 0
        most_bytes = max(LONGEST_VALUE, limits.bytes)
        while len(rows) <= limits.rows and size < most_bytes and (batch := cursor.fetchmany(_BATCH)):
            rows += batch
            size += sum(len(cell) for row in batch for cell in row if isinstance(cell, (str, bytes)))
        return Rows(fields, rows, is_cut=len(rows) <= limits.rows and size >= most_bytes)


def _batches(
    cursor: duckdb.DuckDBPyConnection, query: GovernedQuery, bound: list[object], batches: Batches
) -> Generator[Rows]:
    with cursor, _translated():
        cursor.execute(query.sql, bound)
        fields = [Field(column[0], str(column[1]), str(column[1]) == "JSON") for column in cursor.description or ()]
        rows = cursor.fetchmany(batches.size)
        yield Rows(fields, rows)
        while rows:
            batches.learn(rows)
            rows = cursor.fetchmany(batches.size)
            if rows:
                yield Rows(fields, rows)


@contextmanager
def _translated() -> Generator[None]:
    """Driver errors into ours. Their text may hold values or hidden names, so none of it is passed on."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise out_of_memory() from None
    except duckdb.Error:
        raise rejected() from None
