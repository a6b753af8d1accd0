"""SQL Server: mssql-python in threads. A transaction that is always rolled back, short lock waits, cut values.

T-SQL needs no semicolon between statements and the driver cannot forbid a second one, so the second opinion is the
server's own plan: one statement, a SELECT, over permitted tables and no code of the database. A login without the
right SHOWPLAN runs nothing. Not run against a server in this project's tests, for want of one; see
docs/reference/data-engines.md.
"""

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast

import mssql_python  # pyright: ignore[reportMissingImports] - an extra that is not in `all`

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
    with_those_read,
)
from pierhead.sdk.sqlguard import GovernedQuery, View
from pierhead.servers.sql.engines import mssql_schema
from pierhead.servers.sql.engines.address import ServerAddress
from pierhead.servers.sql.engines.mssql_plan import Plan, read_plan, without_marks
from pierhead.servers.sql.engines.shared_schema import SchemaRows, stored_tables
from pierhead.servers.sql.engines.threads import ThreadedEngine
from pierhead.servers.sql.engines.told import told_by_mssql

_PORT: Final = 1433
_CONNECT_SECONDS: Final = 10
_ASK_SECONDS: Final = 30.0
_BATCH: Final = 64
_OPENING: Final = (
    "SET LOCK_TIMEOUT 2000",
    "SET TEXTSIZE 65536",  # the most bytes of one value that ever leaves the server
    "SET QUOTED_IDENTIFIER ON",
    "SET ANSI_NULLS ON",
    "SET NOCOUNT ON",
    "SET XACT_ABORT ON",
    "SET DEADLOCK_PRIORITY LOW",
)
Answer = TypeVar("Answer")
_driver = cast("Any", mssql_python)


class MssqlEngine(ThreadedEngine["_Session"]):
    """One database, one login."""

    def __init__(self, url: str) -> None:
        self._words = _connection_words(url)
        super().__init__(self._opened, _login, _ASK_SECONDS)
        self._reads: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
        self._database = ""

    async def introspect(self) -> Catalog:
        catalog = await self._threads.use(_catalog, _ASK_SECONDS)
        self._database = catalog.catalog.lower()
        self._reads = {(table.schema.lower(), table.name.lower()): table.reads for table in catalog.tables}
        return catalog

    async def confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        del view, values  # what may be read stands in the query; a plan is the same for all values
        await self._plan(query)

    async def estimate(self, query: GovernedQuery, view: View, values: Values) -> Estimate:
        del view, values
        plan = await self._plan(query)
        return Estimate(None if plan.rows is None else math.ceil(plan.rows), plan.cost)

    def _opened(self) -> "_Session":
        with _translated(_CONNECT_SECONDS):
            connection = _driver.connect(autocommit=False, timeout=_CONNECT_SECONDS, **self._words)
            session = _Session(connection)
            for statement in _OPENING:
                session.said(statement)
            return session

    async def _plan(self, query: GovernedQuery) -> Plan:
        document = await self._threads.use(lambda session: session.planned(without_marks(query.sql)), _ASK_SECONDS)
        plan = read_plan(document)
        named = {(table.schema.lower(), table.name.lower()) for table in query.tables}
        permitted = with_those_read(named, self._reads)
        places = {(self._database, *table) for table in permitted}
        if not plan.is_one_read or plan.calls_code or not plan.tables <= places:
            raise SecondOpinionDiffers
        return plan


class _Session:
    """One connection, in one thread at a time; `end` comes from another."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - the driver's, which is an extra
        self._connection = connection
        self._running: Any = None

    def said(self, sql: str) -> None:
        self._connection.cursor().execute(sql)

    def rows(self, sql: str) -> list[Sequence[Any]]:
        try:
            return [tuple(row) for row in self._connection.cursor().execute(sql).fetchall()]
        finally:
            self._connection.rollback()

    def answer(self, sql: str, bound: Sequence[object], limits: Limits) -> Rows:
        with _translated(limits.seconds):
            # ODBC counts whole seconds; it then tells the server to stop.
            self._connection.timeout = max(1, math.ceil(limits.seconds))
            cursor = self._running = self._connection.cursor()
            try:
                cursor.execute(sql, *([tuple(bound)] if bound else []))
                fields = [Field(str(each[0]), getattr(each[1], "__name__", "")) for each in cursor.description or ()]
                return Rows(fields, _fetched(cursor, limits.rows))
            finally:
                self._running = None
                self._connection.rollback()

    def planned(self, sql: str) -> str:
        with _translated(_ASK_SECONDS):
            self.said("SET SHOWPLAN_XML ON")
            try:
                documents = self._connection.cursor().execute(sql, use_prepare=False).fetchall()
                return "".join(str(row[0]) for row in documents)
            finally:
                self.said("SET SHOWPLAN_XML OFF")
                self._connection.rollback()

    def end(self) -> None:
        running = self._running
        if running is not None and running.hstmt:
            running.hstmt._cancel()  # noqa: SLF001 - SQLCancel; the driver has no public name for it

    def close(self) -> None:
        with _translated(_CONNECT_SECONDS):
            self._connection.close()


def _fetched(cursor: Any, most_rows: int) -> list[Sequence[Any]]:  # noqa: ANN401 - as _Session
    rows: list[Sequence[Any]] = []
    size = 0
    while len(rows) <= most_rows and size < LONGEST_VALUE and (batch := cursor.fetchmany(_BATCH)):
        rows += [tuple(row) for row in batch]
        size += sum(len(cell) for row in batch for cell in row if isinstance(cell, (str, bytes)))
    return rows


def _connection_words(url: str) -> dict[str, str]:
    known = ("encrypt", "trust", "authentication")
    address = ServerAddress.parse(url, port=_PORT, path=1, options=known)
    words = {
        "Server": f"{address.host},{address.port}",
        "Database": address.path[0],
        "Encrypt": address.options.get("encrypt", "yes"),
        "TrustServerCertificate": address.options.get("trust", "no"),
        "ApplicationIntent": "ReadOnly",
        "UID": address.user,
        "PWD": address.password,
        "Authentication": address.options.get("authentication", ""),
    }
    if words["Encrypt"] not in ("yes", "strict", "no") or words["TrustServerCertificate"] not in ("yes", "no"):
        raise Misconfigured(
            "the url of this source cannot be used: encrypt or trust has an unknown value",
            hint="encrypt is yes, strict or no; trust is yes or no",
            code="bad-sql-settings",
        )
    return {word: value for word, value in words.items() if value}


def _catalog(session: _Session) -> Catalog:
    with _translated(_ASK_SECONDS):
        database, schema = session.rows(mssql_schema.PLACE)[0]
        rows = SchemaRows(
            session.rows(mssql_schema.TABLES),
            session.rows(mssql_schema.COLUMNS),
            session.rows(mssql_schema.KEYS),
            session.rows(mssql_schema.REFERENCES),
            session.rows(mssql_schema.READS),
        )
    return Catalog("tsql", database, schema, stored_tables(rows))


def _login(session: _Session) -> LoginReport:
    with _translated(_ASK_SECONDS):
        name, is_superuser, reaches_files = session.rows(mssql_schema.LOGIN)[0]
        rights = session.rows(mssql_schema.RIGHTS)
    held: Callable[[int], frozenset[tuple[str, str]]] = lambda place: frozenset(  # noqa: E731
        (row[0], row[1]) for row in rights if row[place]
    )
    return LoginReport(str(name), held(2), held(3), held(4), bool(is_superuser), bool(reaches_files))


@contextmanager
def _translated(seconds: float) -> Generator[None]:
    """Driver errors into ours. Their text may hold values or hidden names, so none of it is passed on."""
    try:
        yield
    except _driver.Error as error:
        raise told_by_mssql(
            type(error).__name__, str(getattr(error, "driver_error", "")), str(error), seconds
        ) from None
