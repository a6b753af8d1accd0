"""Snowflake: its connector in threads, values bound on the server, one statement a request, secondary roles off.

The query's id is known before its answer, so that a query whose time is up or whose caller has gone is aborted in
Snowflake. PUT and GET, which the connector itself would carry out on this machine, cannot pass: what does not begin
as a read is not given to it. The second opinion is EXPLAIN USING JSON. Not run against Snowflake in this project's
tests, for want of an account; see docs/reference/data-engines.md.
"""

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import snowflake.connector  # pyright: ignore[reportMissingImports] - an extra that is not in `all`

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
from pierhead.servers.sql.engines.address import ServerAddress
from pierhead.servers.sql.engines.shared_schema import Row, SchemaRows, stored_tables
from pierhead.servers.sql.engines.snowflake_plan import Plan, read_plan
from pierhead.servers.sql.engines.threads import ThreadedEngine
from pierhead.servers.sql.engines.told import told_by_snowflake

_CONNECT_SECONDS: Final = 20
_ASK_SECONDS: Final = 60.0
_BATCH: Final = 200
_READS: Final = ("SELECT", "WITH", "VALUES", "(", "EXPLAIN")
_OPTIONS: Final = ("warehouse", "role", "private_key_file", "authenticator")
_SESSION: Final = {
    "MULTI_STATEMENT_COUNT": 1,
    "STATEMENT_TIMEOUT_IN_SECONDS": 61,  # a call's own time is shorter; this one holds even if this process dies
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": 10,
    "LOCK_TIMEOUT": 2,
    "ABORT_DETACHED_QUERY": True,
    "QUERY_TAG": "pierhead",
}
_TABLES: Final = """
SELECT table_schema, table_name, IFF(table_type LIKE '%VIEW', 1, 0), comment, row_count
FROM information_schema.tables WHERE table_schema <> 'INFORMATION_SCHEMA' ORDER BY 1, 2
"""
_COLUMNS: Final = """
SELECT table_schema, table_name, column_name, data_type || CASE
         WHEN data_type = 'NUMBER' THEN '(' || numeric_precision || ',' || numeric_scale || ')' ELSE '' END,
       IFF(is_nullable = 'YES', 1, 0), comment, IFF(column_default IS NOT NULL OR is_identity = 'YES', 1, 0), 0
FROM information_schema.columns WHERE table_schema <> 'INFORMATION_SCHEMA'
ORDER BY table_schema, table_name, ordinal_position
"""
_VIEWS: Final = """
SELECT table_schema, table_name FROM information_schema.views WHERE table_schema <> 'INFORMATION_SCHEMA'
"""
_BELOW: Final = (
    "SELECT referenced_database_name, referenced_schema_name, referenced_object_name"
    " FROM TABLE(GET_OBJECT_REFERENCES(database_name => ?, schema_name => ?, object_name => ?))"
)
# SHOW answers with named columns: which of them hold schema, table, key and column.
_KEY_COLUMNS: Final = ("schema_name", "table_name", "constraint_name", "column_name")
_REFERENCE_COLUMNS: Final = (
    "fk_schema_name",
    "fk_table_name",
    "fk_name",
    "fk_column_name",
    "pk_schema_name",
    "pk_table_name",
    "pk_column_name",
)
_driver = cast("Any", snowflake.connector)


class SnowflakeEngine(ThreadedEngine["_Session"]):
    """One database, one role. `snowflake://user:password@account/database/schema?warehouse=…&role=…`."""

    def __init__(self, url: str) -> None:
        self._address = ServerAddress.parse(url, port=443, path=2, options=_OPTIONS)
        super().__init__(self._opened, _login, _ASK_SECONDS)
        self._reads: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}

    async def introspect(self) -> Catalog:
        database, schema = self._address.path
        rows = await self._threads.use(lambda session: _schema_rows(session, database), _ASK_SECONDS)
        tables = stored_tables(rows)
        self._reads = {(table.schema, table.name): table.reads for table in tables}
        return Catalog("snowflake", database, schema, tables)

    async def confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        del view
        await self._plan(query, values)

    async def estimate(self, query: GovernedQuery, view: View, values: Values) -> Estimate:
        """As cost the bytes that would be read: Snowflake bills by time, and tells no rows."""
        del view
        plan = await self._plan(query, values)
        return Estimate(None, None if plan.bytes is None else float(plan.bytes))

    def _opened(self) -> "_Session":
        address = self._address
        with _translated(_CONNECT_SECONDS):
            connection = _driver.connect(
                account=address.host,
                user=address.user,
                database=address.path[0],
                schema=address.path[1],
                paramstyle="qmark",
                login_timeout=_CONNECT_SECONDS,
                enable_server_session_keep_alive_auto_detection=False,  # a session that is closed is gone
                session_parameters=dict(_SESSION),
                **({"password": address.password} if address.password else {}),
                **address.options,
            )
            session = _Session(connection)
            session.said("USE SECONDARY ROLES NONE")
            return session

    async def _plan(self, query: GovernedQuery, values: Values) -> Plan:
        limits = Limits(1, _ASK_SECONDS)
        answer = await self._threads.use(
            lambda session: session.answer("EXPLAIN USING JSON " + query.sql, query.bound(values), limits), _ASK_SECONDS
        )
        plan = read_plan(str(answer.rows[0][0]))
        named = {(table.schema, table.name) for table in query.tables}
        permitted = with_those_read(named, self._reads)
        places = {(self._address.path[0], *table) for table in permitted}
        if plan.writes or not plan.tables <= places:
            raise SecondOpinionDiffers
        return plan


class _Session:
    """One connection, in one thread at a time; `end` comes from another."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - the driver's, which is an extra
        self._connection = connection
        self._running = ""

    def said(self, sql: str) -> None:
        self._connection.cursor().execute(sql, num_statements=1)

    def named(self, sql: str, columns: Sequence[str], values: Sequence[object] = ()) -> list[Row]:
        """The rows of a statement of ours, with these columns in this order."""
        cursor = self._connection.cursor().execute(sql, tuple(values) or None, num_statements=1)
        places = {str(each[0]).lower(): place for place, each in enumerate(cursor.description)}
        return [tuple(row[places[column]] for column in columns) for row in cursor.fetchall()]

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        cursor = self._connection.cursor().execute(sql, tuple(values) or None, num_statements=1)
        return [tuple(row) for row in cursor.fetchall()]

    def answer(self, sql: str, bound: Sequence[object], limits: Limits) -> Rows:
        if not sql.upper().startswith(_READS):
            raise SecondOpinionDiffers
        with _translated(limits.seconds):
            cursor = self._connection.cursor()
            parameters = {"STATEMENT_TIMEOUT_IN_SECONDS": max(1, math.ceil(limits.seconds)), "MULTI_STATEMENT_COUNT": 1}
            begun = cursor.execute_async(sql, tuple(bound) or None, num_statements=1, _statement_params=parameters)
            self._running = str(begun["queryId"])
            try:
                cursor.get_results_from_sfqid(self._running)
                fields = [Field(str(each[0]), _type(each[1])) for each in cursor.description or ()]
                return Rows(fields, _fetched(cursor, limits.rows))
            finally:
                self._running = ""

    def end(self) -> None:
        running = self._running
        if running:
            with _translated(_CONNECT_SECONDS):
                self._connection.cursor().abort_query(running)

    def close(self) -> None:
        with _translated(_CONNECT_SECONDS):
            self._connection.close()


def _fetched(cursor: Any, most_rows: int) -> list[Row]:  # noqa: ANN401 - as _Session
    rows: list[Row] = []
    size = 0
    while len(rows) <= most_rows and size < LONGEST_VALUE and (batch := cursor.fetchmany(_BATCH)):
        rows += [tuple(row) for row in batch]
        size += sum(len(cell) for row in batch for cell in row if isinstance(cell, (str, bytes)))
    return rows


_TYPES: Final = (
    *("number", "float", "varchar", "date", "timestamp", "variant", "timestamp_ltz", "timestamp_tz"),
    *("timestamp_ntz", "object", "array", "binary", "time", "boolean", "geography", "geometry", "vector"),
)


def _type(code: object) -> str:
    return _TYPES[code] if isinstance(code, int) and 0 <= code < len(_TYPES) else ""


def _schema_rows(session: _Session, database: str) -> SchemaRows:
    with _translated(_ASK_SECONDS):
        quoted = '"' + database.replace('"', '""') + '"'
        primary = session.named(f"SHOW PRIMARY KEYS IN DATABASE {quoted}", (*_KEY_COLUMNS, "key_sequence"))
        unique = session.named(f"SHOW UNIQUE KEYS IN DATABASE {quoted}", (*_KEY_COLUMNS, "key_sequence"))
        references = session.named(f"SHOW IMPORTED KEYS IN DATABASE {quoted}", (*_REFERENCE_COLUMNS, "key_sequence"))
        keys = [*_keys(primary, is_primary=True), *_keys(unique, is_primary=False)]
        return SchemaRows(
            session.rows(_TABLES),
            session.rows(_COLUMNS),
            keys,
            [row[:-1] for row in sorted(references, key=_in_key_order)],
            _below_views(session, database),
        )


def _in_key_order(row: Row) -> tuple[Any, ...]:
    return (*row[:3], int(row[-1]))


def _keys(rows: list[Row], *, is_primary: bool) -> list[Row]:
    return [(row[0], row[1], row[2], is_primary, row[3]) for row in sorted(rows, key=_in_key_order)]


def _below_views(session: _Session, database: str) -> list[Row]:
    """What each view reads. Of one whose owner hides it nothing is known, and then no query over it is confirmed."""
    found: list[Row] = []
    for schema, view in session.rows(_VIEWS):
        try:
            below = session.rows(_BELOW, (database, schema, view))
        except _driver.Error:
            continue
        found += [(schema, view, row[1], row[2]) for row in below if row[0] == database]
    return found


def _login(session: _Session) -> LoginReport:
    with _translated(_ASK_SECONDS):
        user, role = session.rows("SELECT current_user(), current_role()")[0]
        quoted = '"' + str(role).replace('"', '""') + '"'
        grants = session.named(f"SHOW GRANTS TO ROLE {quoted}", ("privilege", "granted_on", "name"))
        tables = {(str(row[0]), str(row[1])) for row in session.rows(_TABLES)}
    holding: Callable[[set[str]], frozenset[tuple[str, str]]] = lambda rights: frozenset(  # noqa: E731
        place
        for right, kind, name in grants
        if right in rights and kind in ("TABLE", "VIEW")
        for place in [_place(str(name))]
        if place in tables
    )
    return LoginReport(
        f"{user} as {role}",
        holding({"SELECT", "OWNERSHIP"}),
        holding({"INSERT", "UPDATE", "DELETE", "TRUNCATE", "OWNERSHIP"}),
        holding({"OWNERSHIP"}),
        is_superuser=role in ("ACCOUNTADMIN", "SECURITYADMIN", "SYSADMIN"),
    )


def _place(name: str) -> tuple[str, str]:
    parts = [part.strip('"') for part in name.split(".")]
    return (parts[-2], parts[-1]) if len(parts) > 1 else ("", name)


@contextmanager
def _translated(seconds: float) -> Generator[None]:
    """Driver errors into ours. Their text may hold values or hidden names, so none of it is passed on."""
    try:
        yield
    except _driver.Error as error:
        raise told_by_snowflake(int(getattr(error, "errno", 0) or 0), type(error).__name__, seconds) from None
