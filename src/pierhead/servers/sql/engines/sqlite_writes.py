"""SQLite, writing: one connection of its own in a thread of its own, one transaction at a time.

`BEGIN IMMEDIATE` takes the file's only write lock, so what is read inside is what is written over. Foreign keys are
on, which SQLite leaves off. The authorizer is made from the statement: its table and columns, what the schema itself
does in answer (triggers, foreign keys), and nothing besides. Reading connections stay read only (sqlite.py).
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

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
    LOCK_SECONDS,
    Transaction,
    does_not_fit,
    is_locked,
    needs_value,
    not_checked,
    not_on_this_engine,
    not_referenced,
    not_unique,
    turn,
    whole,
)
from pierhead.sdk.sqlguard import GovernedQuery, GovernedWrite, functions
from pierhead.servers.sql.engines.deadline import Deadline

Authorizer = Callable[[int, str | None, str | None, str | None, str | None], int]
_STEPS_BETWEEN_LOOKS: Final = 20_000
_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_JUDGED_ALIKE: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION})

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _ForeignKey:
    child: str
    column: str
    parent: str
    parent_column: str
    acts: bool  # on the child, when the parent changes


@dataclass(frozen=True, slots=True)
class _Own:
    """What the schema does by itself when a row changes: its triggers, and its foreign keys. Names in lower case."""

    triggers: frozenset[str] = frozenset()
    foreign_keys: tuple[_ForeignKey, ...] = ()
    keys: frozenset[tuple[str, str]] = frozenset()  # tables and columns of primary keys

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> "_Own":
        triggers = connection.execute("SELECT lower(name) FROM main.sqlite_schema WHERE type = 'trigger'")
        links = connection.execute(
            'SELECT lower(t.name), lower(k."from"), lower(k."table"), lower(coalesce(k."to", \'\')),'
            " k.on_update NOT IN ('NO ACTION', 'RESTRICT') OR k.on_delete NOT IN ('NO ACTION', 'RESTRICT')"
            " FROM main.sqlite_schema t, pragma_foreign_key_list(t.name, 'main') k WHERE t.type = 'table'"
        )
        keys = connection.execute(
            "SELECT lower(t.name), lower(c.name) FROM main.sqlite_schema t, pragma_table_info(t.name, 'main') c"
            " WHERE t.type = 'table' AND c.pk > 0"
        )
        return cls(
            frozenset(row[0] for row in triggers),
            tuple(_ForeignKey(*row[:4], acts=bool(row[4])) for row in links),
            frozenset((row[0], row[1]) for row in keys),
        )

    def reached(self, target: str) -> frozenset[str]:
        """The table, and those that its foreign keys change in answer to a change of it."""
        found = {target}
        while more := {key.child for key in self.foreign_keys if key.acts and key.parent in found} - found:
            found |= more
        return frozenset(found)

    def compared(self, tables: frozenset[str]) -> Iterator[tuple[str, str]]:
        """What foreign keys to or from these tables look at."""
        for key in self.foreign_keys:
            if key.child in tables or key.parent in tables:
                yield key.child, key.column
                yield key.parent, key.parent_column
                yield from ((table, column) for table, column in self.keys if table in (key.child, key.parent))


class SqliteWriter:
    """Opened at the first transaction; closed with its engine."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._connection: sqlite3.Connection | None = None
        self._own = _Own()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, reading: Authorizer, deadline: Deadline, limits: Limits) -> AsyncGenerator[Transaction]:
        """`reading` judges what the role may read; `deadline` is asked by SQLite while it runs."""
        async with turn(self._turn, limits.seconds):
            begun = _SqliteTransaction(self, reading, deadline)
            try:
                await begun.begin()
                yield begun
            finally:
                await whole(self.in_thread(begun.end))

    async def in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            opened = sqlite3.connect(
                self._uri, uri=True, check_same_thread=False, isolation_level=None, timeout=LOCK_SECONDS
            )
            for limit, value in _LIMITS.items():
                opened.setlimit(limit, value)
            for statement in ("PRAGMA foreign_keys = 1", "PRAGMA trusted_schema = 0", "PRAGMA cell_size_check = 1"):
                opened.execute(statement)
            self._connection = opened
        return self._connection

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def permit(self, statement: GovernedQuery | GovernedWrite, reading: Authorizer) -> None:
        self.connection().set_authorizer(_authorizer(statement, reading, self._own))

    def look(self) -> None:
        """The schema as it stands in this transaction: triggers come and go under a running server."""
        self._own = _Own.read(self.connection())


class _SqliteTransaction:
    """One transaction; every step runs in the writer's thread."""

    def __init__(self, writer: SqliteWriter, reading: Authorizer, deadline: Deadline) -> None:
        self._writer = writer
        self._reading = reading
        self._deadline = deadline

    async def begin(self) -> None:
        await self._step(self._begin)

    async def execute(self, statement: GovernedQuery | GovernedWrite, values: Values) -> Rows:
        return await self._step(lambda: self._execute(statement, values))

    async def commit(self) -> None:
        await whole(self._writer.in_thread(self._commit))

    def end(self) -> None:
        """Undo what was not committed."""
        connection = self._writer.connection()
        connection.set_progress_handler(None, 0)
        connection.set_authorizer(None)
        if connection.in_transaction:
            connection.execute("ROLLBACK")

    async def _step(self, work: Callable[[], Result]) -> Result:
        return await whole(self._writer.in_thread(work), self._deadline.end)

    def _begin(self) -> None:
        with _translated(self._deadline, None):
            connection = self._writer.connection()
            connection.execute("BEGIN IMMEDIATE")
            connection.set_progress_handler(self._deadline.is_over, _STEPS_BETWEEN_LOOKS)
            self._writer.look()

    def _execute(self, statement: GovernedQuery | GovernedWrite, values: Values) -> Rows:
        with _translated(self._deadline, statement):
            self._writer.permit(statement, self._reading)
            cursor = self._writer.connection().execute(statement.sql, statement.bound(values))
            rows = cursor.fetchall()
            return Rows([Field(str(column[0]), "") for column in cursor.description or ()], rows)

    def _commit(self) -> None:
        connection = self._writer.connection()
        connection.set_authorizer(None)
        connection.set_progress_handler(None, 0)
        with _translated(self._deadline, None):
            connection.execute("COMMIT")


def _authorizer(statement: GovernedQuery | GovernedWrite, reading: Authorizer, own: _Own) -> Authorizer:
    """What SQLite asks while compiling `statement`, held against what the statement is for."""
    if isinstance(statement, GovernedQuery):
        return reading
    meant = _meant(statement, own)

    def authorize(action: int, first: str | None, second: str | None, database: str | None, inside: str | None) -> int:
        table, column = (first or "").lower(), (second or "").lower()
        if (inside or "").lower() in own.triggers:
            return sqlite3.SQLITE_OK
        if action in _JUDGED_ALIKE or (action == sqlite3.SQLITE_READ and table in functions.NAMED_TABLE["sqlite"]):
            return reading(action, first, second, database, inside)
        is_meant = not meant.isdisjoint({(action, table, ""), (action, table, column)})
        return sqlite3.SQLITE_OK if is_meant else sqlite3.SQLITE_DENY

    return authorize


def _meant(statement: GovernedWrite, own: _Own) -> set[tuple[int, str, str]]:
    """Every access the statement is for: action, table, and column; no column stands for each."""
    target = statement.target.name.lower()
    reads = statement.reads | statement.inserts | statement.updates
    meant = {(sqlite3.SQLITE_READ, target, column.lower()) for column in reads}
    reached = own.reached(target)
    meant |= {(sqlite3.SQLITE_READ, table, column) for table, column in own.compared(reached) if column}
    meant |= {(sqlite3.SQLITE_UPDATE, target, column.lower()) for column in statement.updates}
    if statement.kind == "insert":
        meant.add((sqlite3.SQLITE_INSERT, target, ""))
    elif statement.kind == "delete":
        meant.add((sqlite3.SQLITE_DELETE, target, ""))
    for table in reached - {target}:
        meant |= {(sqlite3.SQLITE_UPDATE, table, ""), (sqlite3.SQLITE_DELETE, table, "")}
    return meant


@contextmanager
def _translated(deadline: Deadline, statement: GovernedQuery | GovernedWrite | None) -> Generator[None]:
    """Driver errors into ours; of their text, only the column of a missing value is read, and shown if permitted."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        raise _told(error, deadline, statement) from None


def _told(error: Exception, deadline: Deadline, statement: GovernedQuery | GovernedWrite | None) -> Exception:
    code = getattr(error, "sqlite_errorname", "")
    if code == "SQLITE_INTERRUPT":
        return took_too_long(deadline.seconds)
    if code == "SQLITE_CONSTRAINT_NOTNULL" and isinstance(statement, GovernedWrite):
        return needs_value(str(error).rpartition(".")[2], statement.target)
    if code in ("SQLITE_MISMATCH", "SQLITE_CONSTRAINT_DATATYPE"):
        return does_not_fit(statement)
    made = _TOLD.get(code) or _TOLD.get("_".join(code.split("_")[:2]))
    return made() if made else rejected()


_TOLD: Final[dict[str, Callable[[], Exception]]] = {
    "SQLITE_AUTH": SecondOpinionDiffers,
    "SQLITE_BUSY": is_locked,
    "SQLITE_LOCKED": is_locked,
    "SQLITE_TOOBIG": out_of_memory,
    "SQLITE_NOMEM": out_of_memory,
    "SQLITE_READONLY": not_on_this_engine,
    "SQLITE_CONSTRAINT_UNIQUE": not_unique,
    "SQLITE_CONSTRAINT_PRIMARYKEY": not_unique,
    "SQLITE_CONSTRAINT_ROWID": not_unique,
    "SQLITE_CONSTRAINT_FOREIGNKEY": not_referenced,
    "SQLITE_CONSTRAINT": not_checked,
}
