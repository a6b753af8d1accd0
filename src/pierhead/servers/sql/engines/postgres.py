"""PostgreSQL: asyncpg, prepared statements only, on a pool of read-only sessions.

A session starts read only, with timeouts, and with `pg_catalog` as its whole search path: operators, types and
functions of the database's own schemas cannot be named, so a function of the allow-list is always the system's.
Statements go by the extended protocol, one round trip and no transaction around them; the permitted functions
change no session, so nothing is reset on release. Wide values are cut in the engine, so that a gigabyte of text
never crosses the wire. The second opinion is the planner's: EXPLAIN names every relation it would read.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import asyncpg
import orjson

from pierhead.sdk import UpstreamUnreachable
from pierhead.sdk.governed.catalog import Catalog
from pierhead.sdk.governed.engine import (
    LONGEST_CELL,
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
    with_those_read,
)
from pierhead.sdk.governed.transactions import Transaction, not_on_this_engine
from pierhead.sdk.sqlguard import GovernedQuery, PermittedFunction, PermittedTable, View
from pierhead.servers.sql.engines.batches import Batches
from pierhead.servers.sql.engines.postgres_connections import Connections
from pierhead.servers.sql.engines.postgres_functions import probe, stored_functions
from pierhead.servers.sql.engines.postgres_schema import stored_tables
from pierhead.servers.sql.engines.postgres_writes import WRITING_SESSION, PostgresWriter

_CONNECTIONS: Final = 16
_STATEMENTS_KEPT: Final = 1_000
_CONNECT_SECONDS: Final = 10.0
_SESSION: Final = {
    "application_name": "pierhead",
    "default_transaction_read_only": "on",
    "statement_timeout": "61s",  # a call's own time is shorter; this one holds even if this process dies
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "search_path": "pg_catalog, pg_temp",
    "standard_conforming_strings": "on",
    "jit": "off",
}
_NO_CONNECTION: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    OSError,
)
_create_pool = cast("Callable[..., Awaitable[Any]]", asyncpg.create_pool)
_TEXTS: Final = frozenset({"text", "varchar", "bpchar", "name", "unknown"})
_NARROW: Final = frozenset(
    [
        "bool",
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "numeric",
        "date",
        "time",
        "timetz",
        "timestamp",
        "timestamptz",
        "interval",
        "uuid",
        "money",
        "oid",
        "inet",
        "cidr",
        "macaddr",
        "macaddr8",
        "char",
    ]
)

_LOGIN: Final = """
SELECT rolname, rolsuper, rolsuper OR EXISTS (
    SELECT FROM pg_roles given WHERE pg_has_role(given.oid, 'USAGE')
      AND given.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'))
FROM pg_roles WHERE rolname = current_user
"""
_RIGHTS: Final = """
SELECT n.nspname, c.relname,
       has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT') AS is_readable,
       has_any_column_privilege(c.oid, 'INSERT, UPDATE') OR has_table_privilege(c.oid, 'DELETE, TRUNCATE')
           AS is_writable,
       pg_has_role(c.relowner, 'USAGE') AS is_owned
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
"""

# What a caller may be told, by SQLSTATE or its class. The driver's text may hold values of hidden rows.
_REASONS: Final[Mapping[str, str]] = {
    "42703": "there is no such column where it is used",
    "42883": "there is no such function or operator for these types",
    "42702": "a column name is ambiguous",
    "42803": "a column must appear in GROUP BY or in an aggregate",
    "42804": "types do not match",
    "42501": "the source's own login may not read this",
    "22": "a value does not fit the operation",
    "21": "a subquery gave more than one row",
}


@dataclass(frozen=True, slots=True)
class _Prepared:
    sql: str
    fields: tuple[Field, ...]


class PostgresEngine:
    """One database, one login."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._session = dict(_SESSION)
        self._connections: Connections | None = None
        self._opening = asyncio.Lock()
        self._reads: Mapping[tuple[str, str], frozenset[tuple[str, str]]] = {}
        self._inside: dict[PermittedFunction, frozenset[tuple[str, str]]] = {}
        self._prepared: dict[tuple[str, int], _Prepared] = {}
        self._writer: PostgresWriter | None = None

    async def introspect(self) -> Catalog:
        async with self._connection() as connection:
            database, schema = await connection.fetchrow("SELECT current_database(), 'public'") or ("", "")
            stored = await stored_tables(connection)
            functions = await stored_functions(connection)
        self._reads = {(table.schema, table.name): table.reads for table in stored}
        self._inside = {}
        return Catalog("postgres", database, schema, stored, functions)

    async def confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        del view  # what may be read stands in the query; the login is the same for every role
        await self._plan(query, values)
        await self._prepare(query)

    async def estimate(self, query: GovernedQuery, view: View, values: Values) -> Estimate:
        del view
        plan = await self._plan(query, values)
        return Estimate(plan.get("Plan Rows"), plan.get("Total Cost"))

    async def run(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> Rows:
        del view
        prepared = self._prepared.get((query.sql, limits.cell)) or await self._prepare(query, limits.cell)
        connections = self._connections or await self._open()
        try:
            return Rows(prepared.fields, await connections.fetch(prepared.sql, query.bound(values), limits.seconds))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
            raise _translated(error, limits.seconds) from None

    async def stream(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> AsyncGenerator[Rows]:
        """By a server-side cursor, which needs a transaction; the session makes it read only."""
        del view
        prepared = self._prepared.get((query.sql, limits.cell)) or await self._prepare(query, limits.cell)
        batches = Batches(limits.seconds)
        async with self._connection(limits.seconds) as connection, connection.transaction():
            cursor = await connection.cursor(prepared.sql, *query.bound(values), timeout=batches.seconds_left())
            rows = await cursor.fetch(batches.size, timeout=batches.seconds_left())
            yield Rows(prepared.fields, rows)
            while rows:
                batches.learn(rows)
                rows = await cursor.fetch(batches.size, timeout=batches.seconds_left())
                if rows:
                    yield Rows(prepared.fields, rows)

    def will_write(self) -> None:
        session = {**self._session, **WRITING_SESSION}
        self._writer = self._writer or PostgresWriter(lambda: self._connect(session), self._reached, _as_read)

    def transaction(self, view: View, limits: Limits) -> AbstractAsyncContextManager[Transaction]:
        del view  # as in `confirm`
        if self._writer is None:
            raise not_on_this_engine()
        return self._writer.transaction(limits)

    def _reached(self, table: PermittedTable) -> frozenset[tuple[str, str]]:
        return self._reads.get((table.schema, table.name), frozenset())

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._connections is not None:
            self._connections.terminate()
            self._connections = None

    async def _open(self) -> Connections:
        async with self._opening:
            if self._connections is None:
                self._connections = Connections(await self._connect(self._session))
            return self._connections

    async def _connect(self, session: Mapping[str, str]) -> Any:  # noqa: ANN401 - an asyncpg.Pool, partly untyped
        try:
            return await _create_pool(
                self._dsn,
                min_size=1,
                max_size=_CONNECTIONS,
                timeout=_CONNECT_SECONDS,
                server_settings=dict(session),
                reset=_nothing_to_reset,
            )
        except (asyncpg.PostgresError, OSError, ValueError) as error:
            raise _unreachable() from error

    async def check_login(self) -> LoginReport:
        async with self._connection() as connection:
            name, is_superuser, reaches_files = await connection.fetchrow(_LOGIN)
            rights = await connection.fetch(_RIGHTS)
        readable, writable, owned = (frozenset((row[0], row[1]) for row in rights if row[place]) for place in (2, 3, 4))
        return LoginReport(name, readable, writable, owned, is_superuser, reaches_files)

    @asynccontextmanager
    async def _connection(self, seconds: float = _CONNECT_SECONDS) -> AsyncGenerator[Any]:
        connections = self._connections or await self._open()
        try:
            async with connections.one() as connection:
                yield connection
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
            raise _translated(error, seconds) from None

    async def _prepare(self, query: GovernedQuery, cell: int = LONGEST_CELL) -> _Prepared:
        async with self._connection() as connection:
            attributes = (await connection.prepare(query.sql, timeout=_CONNECT_SECONDS)).get_attributes()
        if len(self._prepared) >= _STATEMENTS_KEPT:
            self._prepared.pop(next(iter(self._prepared)))
        fields = tuple(Field(each.name, each.type.name, _is_json(each.type.name)) for each in attributes)
        prepared = _Prepared(_cut(query.sql, attributes, cell), fields)
        self._prepared[query.sql, cell] = prepared
        return prepared

    async def _explained(self, sql: str, bound: Sequence[object]) -> dict[str, Any]:
        async with self._connection() as connection:
            text = await connection.fetchval("EXPLAIN (VERBOSE, FORMAT JSON) " + sql, *bound, timeout=_CONNECT_SECONDS)
        return cast("dict[str, Any]", orjson.loads(text)[0]["Plan"])

    async def _plan(self, query: GovernedQuery, values: Values) -> dict[str, Any]:
        plan = await self._explained(query.sql, query.bound(values))
        permitted = with_those_read({(table.schema, table.name) for table in query.tables}, self._reads)
        for function in query.functions:
            permitted |= await self._planned_inside(function)
        if not _named_in(plan) <= permitted:
            raise SecondOpinionDiffers
        return plan

    async def _planned_inside(self, function: PermittedFunction) -> frozenset[tuple[str, str]]:
        """The function itself, and what the planner takes out of it into the statement that calls it."""
        known = self._inside.get(function)
        if known is None:
            plan = await self._explained(probe(function), ())
            known = self._inside[function] = _named_in(plan) | {(function.schema, function.name)}
        return known


def _named_in(plan: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """Schema and name of every relation, and of every function that is none of the system's."""
    found: set[tuple[str, str]] = set()
    for node in _nodes(plan):
        schema, relation, function = (node.get(key, "") for key in ("Schema", "Relation Name", "Function Name"))
        if relation:
            found.add((schema, relation))
        if function and schema != "pg_catalog":
            found.add((schema, function))
    return frozenset(found)


async def _nothing_to_reset(_connection: object) -> None:
    """No permitted statement changes a session; a reset would cost a round trip each call."""


def _cut(sql: str, attributes: tuple[Any, ...], cell: int) -> str:
    """The statement with its wide columns cut to one character more than a cell may have."""
    if all(attribute.type.name in _NARROW for attribute in attributes):
        return sql
    names, columns = _cut_columns(attributes, cell)
    return f"SELECT {columns} FROM ({sql}) AS answer({names})"  # noqa: S608 - made of the guard's text


def _as_read(sql: str, attributes: tuple[Any, ...], *, is_change: bool) -> str:
    """A statement of a transaction with its cells as `run` gives them, uncut: a row has one ETag, however it comes."""
    if not is_change or all(attribute.type.name in _NARROW for attribute in attributes):
        return _cut(sql, attributes, LONGEST_VALUE)
    names, columns = _cut_columns(attributes, LONGEST_VALUE)
    return f"WITH answer({names}) AS ({sql}) SELECT {columns} FROM answer"  # noqa: S608 - made of the guard's text


def _cut_columns(attributes: tuple[Any, ...], cell: int) -> tuple[str, str]:
    """Names for the columns of an answer, whatever they were called, and what is selected of them."""
    names = [f"c{position}" for position in range(len(attributes))]
    columns = (
        _cut_column(name, attribute.type.name, cell) + " AS " + _quoted(attribute.name)
        for name, attribute in zip(names, attributes, strict=True)
    )
    return ", ".join(names), ", ".join(columns)


def _is_json(type_: str) -> bool:
    """Whether `_cut` gives a value of this type as JSON text."""
    return type_ not in _NARROW and type_ not in _TEXTS and type_ != "bytea"


def _cut_column(name: str, type_: str, cell: int) -> str:
    if type_ in _NARROW:
        return name
    text = f"{name}::text" if type_ in _TEXTS | {"json", "jsonb", "bytea"} else f"to_jsonb({name})::text"
    return f"left({text}, {cell + 1})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pending = [plan]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.get("Plans", ()))


def _translated(error: Exception, seconds: float) -> Exception:
    rule: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Callable[[], Exception]], ...] = (
        ((TimeoutError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError), lambda: took_too_long(seconds)),
        ((asyncpg.OutOfMemoryError, asyncpg.ProgramLimitExceededError), out_of_memory),
        (_NO_CONNECTION, _unreachable),
    )
    for classes, made in rule:
        if isinstance(error, classes):
            return made()
    state = getattr(error, "sqlstate", None) or ""
    reason = _REASONS.get(state) or _REASONS.get(state[:2])
    return rejected(reason) if reason else rejected()


def _unreachable() -> UpstreamUnreachable:
    return UpstreamUnreachable(
        "the database does not answer", hint="try again later, or tell the owner", code="database-unreachable"
    )
