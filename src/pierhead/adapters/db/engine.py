"""Opening the database, and its two kinds of transactions.

`writing` is serialised from its first statement, so that a read inside it cannot be overtaken; `reading` never
waits for a writer. SQLite runs in WAL with synchronous=FULL: a commit that returned is on disk.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Insert, Table, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from pierhead.core.errors import Misconfigured

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_READING: Final = "pierhead_reading"
_PRAGMAS: Final = ("PRAGMA busy_timeout=5000", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")
_WAL_TRIES: Final = 250
_WAL_PAUSE_S: Final = 0.02
_MIGRATION_LOCK: Final = 0x70696572
_REVISIONS: Final = Path(__file__).parent / "migrations" / "versions"


@dataclass(frozen=True, slots=True)
class Database:
    """An open database at today's schema."""

    engine: AsyncEngine

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that commits at its end."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that changes nothing."""
        async with self.engine.connect() as connection:
            reader = await connection.execution_options(**{_READING: True})
            yield reader

    async def is_reachable(self) -> bool:
        try:
            async with self.reading() as connection:
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError):
            return False
        return True

    async def close(self) -> None:
        await self.engine.dispose()

    def upsert(self, table: Table, values: list[dict[str, Any]]) -> Insert:
        """Insert rows, each in place of one with the same primary key."""
        insert = sqlite.insert if self.engine.dialect.name == "sqlite" else postgresql.insert
        statement = insert(table).values(values)
        keys = [column.name for column in table.primary_key]
        changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)

    def insert_new(self, table: Table, values: dict[str, Any]) -> Insert:
        """Insert a row unless its primary key is there."""
        insert = sqlite.insert if self.engine.dialect.name == "sqlite" else postgresql.insert
        return insert(table).values(values).on_conflict_do_nothing()


async def open_database(url: str) -> Database:
    """Open `sqlite:///FILE` or `postgresql://...`, and migrate it.

    Errors: Misconfigured: `database-url`, `database-unreachable`, `database-newer`.
    """
    database = await reach_database(url)
    try:
        await upgrade(database)
    except Misconfigured:
        await database.close()
        raise
    return database


async def reach_database(url: str) -> Database:
    """Open it as it is, whatever its schema. Errors: Misconfigured: `database-url`, `database-unreachable`."""
    engine = _engine(url)
    await _probe_file(engine)
    return Database(engine)


async def pending_of(database: Database) -> Sequence[str]:
    """The revisions that are still to come. Errors: Misconfigured (`database-newer`, `database-unreachable`)."""
    from pierhead.adapters.db.migrations import pending  # noqa: PLC0415 - see `upgrade`

    try:
        async with database.reading() as connection:
            return await connection.run_sync(pending)
    except (SQLAlchemyError, OSError) as failed:
        raise _unreachable(database.engine, failed) from None


async def upgrade(database: Database) -> None:
    """Migrate to today's schema. Errors: Misconfigured (`database-newer`, `database-unreachable`).

    What migrates weighs 8 MB, and a registry whose database is of today never needs it.
    """
    engine = database.engine
    try:
        async with database.reading() as connection:
            if await connection.run_sync(_is_of_today):
                return
        from pierhead.adapters.db.migrations import migrate  # noqa: PLC0415 - heavy, and seldom needed

        async with database.writing() as connection:
            if engine.dialect.name == "postgresql":
                # Two registries that start at once take turns; SQLite's immediate transaction does the same.
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            await connection.run_sync(migrate)
    except (SQLAlchemyError, OSError) as failed:
        raise _unreachable(engine, failed) from None


def _is_of_today(connection: Connection) -> bool:
    """Whether the newest revision here is the one written down there, as Alembic writes it."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    reached = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return reached == max(path.name[1:5] for path in _REVISIONS.glob("v*.py"))


def _engine(url: str) -> AsyncEngine:
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, KeyError):
        hint = "give sqlite:///FILE or postgresql://USER@HOST/NAME"
        raise Misconfigured("the platform's database is neither", hint=hint, code="database-url") from None
    engine = create_async_engine(parsed.set(drivername=driver), pool_pre_ping=driver.startswith("postgresql"))
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


async def _probe_file(engine: AsyncEngine) -> None:
    """Open a SQLite file once without the driver, whose thread would outlive a failure to connect, and enter WAL.

    SQLite does not wait for the lock that entering WAL takes: two that start at once take turns here.
    """
    if engine.dialect.name != "sqlite":
        return
    for _ in range(_WAL_TRIES):
        try:
            with closing(sqlite3.connect(engine.url.database or ":memory:", timeout=0)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as failed:
            if failed.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise _unreachable(engine, failed) from None
        except sqlite3.Error as failed:
            raise _unreachable(engine, failed) from None
        else:
            return
        await asyncio.sleep(_WAL_PAUSE_S)
    raise _unreachable(engine, TimeoutError("another process holds its lock"))


def _unreachable(engine: AsyncEngine, failed: Exception) -> Misconfigured:
    reason = str(failed.__cause__ or failed).splitlines()[0]
    message = f"cannot open the database {engine.url.render_as_string()}: {reason}"
    return Misconfigured(message, hint="check the address and its permissions", code="database-unreachable")


def _prepare_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own type
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock at once: a later upgrade could only fail."""
    is_reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")
