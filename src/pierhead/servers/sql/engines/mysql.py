"""MariaDB and MySQL: asyncmy, prepared statements only, on a pool of sessions that may not write.

Each statement is a READ ONLY transaction of its own under a pinned `sql_mode`; when its time is up, or its caller
has gone, KILL QUERY ends it in the server. Wide values are cut in the engine. The second opinion is the server's:
EXPLAIN names every table it would read, and what it has made of the statement names them with their database.
Not here: opening sessions (mysql_session.py), the schema (mysql_catalog.py), writing (mysql_writes.py).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import asyncmy

from pierhead.sdk import UpstreamUnreachable
from pierhead.sdk.governed.catalog import Catalog
from pierhead.sdk.governed.engine import (
    LONGEST_CELL,
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
from pierhead.sdk.sqlguard import GovernedQuery, View
from pierhead.servers.sql.engines.batches import Batches
from pierhead.servers.sql.engines.mysql_catalog import described, names_in
from pierhead.servers.sql.engines.mysql_login import login_report
from pierhead.servers.sql.engines.mysql_session import Address, Result, Session, Sessions
from pierhead.servers.sql.engines.mysql_writes import MysqlWriter

_STATEMENTS_KEPT: Final = 1_000
_CONFIRM_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 10.0
_NARROW_BYTES: Final = 8_000
_BYTES_OF_A_CHARACTER: Final = 4
_JSON: Final = 245
_LACKS_RIGHTS_BELOW_A_VIEW: Final = 1345
_OUTERMOST: Final = 1

_TYPES: Final[Mapping[int, str]] = {
    0: "decimal",
    1: "tinyint",
    2: "smallint",
    3: "int",
    4: "float",
    5: "double",
    7: "timestamp",
    8: "bigint",
    9: "mediumint",
    10: "date",
    11: "time",
    12: "datetime",
    13: "year",
    16: "bit",
    245: "json",
    246: "decimal",
    255: "geometry",
}
_TEXTS: Final[Mapping[int, tuple[str, str]]] = {
    249: ("text", "blob"),
    250: ("text", "blob"),
    251: ("text", "blob"),
    252: ("text", "blob"),
    253: ("varchar", "varbinary"),
    254: ("char", "binary"),
}
_CUT: Final = frozenset({15, 245, 249, 250, 251, 252, 253, 254})

# What a caller may be told, by error number. The server's text may hold values of hidden rows.
_REASONS: Final[Mapping[int, str]] = {
    1052: "a column name is ambiguous",
    1054: "there is no such column where it is used",
    1055: "a column must appear in GROUP BY or in an aggregate",
    1140: "a column must appear in GROUP BY or in an aggregate",
    1142: "the source's own login may not read this",
    1143: "the source's own login may not read this",
    1222: "the parts of a UNION have different numbers of columns",
    1241: "a subquery gives more than one column",
    1242: "a subquery gave more than one row",
    1305: "there is no such function",
    1690: "a value does not fit the operation",
}
_TIME_IS_UP: Final = frozenset({1205, 1317, 1969, 3024})
_NO_MEMORY: Final = frozenset({5, 1037, 1038, 1041, 1153, 1301})
_NOT_LET_IN: Final = frozenset({1044, 1045, 1049, 1698, 3118})
_AWAY: Final = frozenset({1040, 1053, 1129, 1130, 1203, 1226, 1927, 2002, 2003, 2006, 2013})
# max_session_mem_used is reported as an option that prevents the statement.
_OPTION_PREVENTS: Final = 1290

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Prepared:
    sql: str
    fields: tuple[Field, ...]


class MysqlEngine:
    """One database of a server, one login."""

    def __init__(self, url: str) -> None:
        self._address = Address.parse(url)
        self._sessions = Sessions(self._address)
        self._writer: MysqlWriter | None = None
        self._prepared: dict[tuple[str, int], _Prepared] = {}
        self._known: frozenset[tuple[str, str]] = frozenset()
        self._reads: Mapping[tuple[str, str], frozenset[tuple[str, str]]] = {}
        self._inside: Mapping[tuple[str, str], frozenset[str]] = {}

    async def introspect(self) -> Catalog:
        found = await self._in_session(described, _CONFIRM_SECONDS)
        catalog = found.catalog
        schema = catalog.schema.lower()
        self._known = found.everything
        self._reads = {(schema, table.name.lower()): table.reads for table in catalog.tables}
        self._inside = {
            (schema, view.lower()): frozenset(part for name in names_in(text) for part in name.parts)
            for view, text in found.views.items()
        }
        return catalog

    async def confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        del view  # what may be read stands in the query; the login is the same for every role
        await self._plan(query, values)
        await self._prepare(query)

    async def estimate(self, query: GovernedQuery, view: View, values: Values) -> Estimate:
        """Rows of the answer, and as cost the rows looked at: MariaDB before 11 tells no other."""
        del view
        plan = await self._plan(query, values)
        looked_at: dict[object, int] = {}
        for step in plan:
            looked_at[step.number] = looked_at.get(step.number, 1) * max(step.rows, 1)
        rows = looked_at.get(_OUTERMOST)
        return Estimate(None if rows is None else min(rows, query.limit), float(sum(looked_at.values())))

    async def run(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> Rows:
        del view
        prepared = await self._prepared_for(query, limits.cell)
        bound = query.bound(values)
        rows = await self._in_session(lambda session: session.rows(prepared.sql, bound), limits.seconds)
        return Rows(prepared.fields, rows)

    async def stream(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> AsyncGenerator[Rows]:
        """By a cursor of the server: its rows stay there until they are fetched."""
        del view
        prepared = await self._prepared_for(query, limits.cell)
        batches, bound = Batches(limits.seconds), query.bound(values)
        async with self._session() as session:
            cursor = await self._within(session, session.cursor(prepared.sql, bound), batches.seconds_left(), limits)
            try:
                rows = await self._within(session, cursor.fetch(batches.size), batches.seconds_left(), limits)
                yield Rows(prepared.fields, rows)
                while rows:
                    batches.learn(rows)
                    rows = await self._within(session, cursor.fetch(batches.size), batches.seconds_left(), limits)
                    if rows:
                        yield Rows(prepared.fields, rows)
            finally:
                await cursor.close()

    async def check_login(self) -> LoginReport:
        return await self._in_session(login_report, _CONFIRM_SECONDS)

    def will_write(self) -> None:
        if self._writer is None:
            self._writer = MysqlWriter(self._address, _fields, _translated)

    def transaction(self, view: View, limits: Limits) -> AbstractAsyncContextManager[Transaction]:
        del view
        if self._writer is None:
            raise not_on_this_engine()
        return self._writer.transaction(limits)

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
        await self._sessions.close()

    async def _in_session(self, work: Callable[[Session], Awaitable[_Answer]], seconds: float) -> _Answer:
        async with self._session() as session:
            return await self._within(session, work(session), seconds)

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[Session]:
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    session = await held.enter_async_context(self._sessions.session())
            except (asyncmy.errors.Error, OSError) as error:
                raise _translated(error, _CONNECT_SECONDS) from None
            yield session

    async def _within(
        self, session: Session, work: Awaitable[_Answer], seconds: float, limits: Limits | None = None
    ) -> _Answer:
        """Do the work, ended in the server when its time is up or its caller has gone.

        `seconds` are left of the time that a caller knows, which stands in `limits`.
        """
        known = limits.seconds if limits else seconds
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            await self._sessions.end(session)
            raise took_too_long(known) from None
        except asyncio.CancelledError:
            await self._sessions.end(session)
            raise
        except (asyncmy.errors.Error, OSError, ValueError, TypeError) as error:
            raise _translated(error, known) from None

    async def _prepared_for(self, query: GovernedQuery, cell: int) -> _Prepared:
        return self._prepared.get((query.sql, cell)) or await self._prepare(query, cell)

    async def _prepare(self, query: GovernedQuery, cell: int = LONGEST_CELL) -> _Prepared:
        results = await self._in_session(lambda session: session.described(query.sql), _CONFIRM_SECONDS)
        if len(self._prepared) >= _STATEMENTS_KEPT:
            self._prepared.pop(next(iter(self._prepared)))
        prepared = self._prepared[query.sql, cell] = _Prepared(_cut(query.sql, results, cell), _fields(results))
        return prepared

    async def _plan(self, query: GovernedQuery, values: Values) -> list["_Step"]:
        bound = query.bound(values)

        async def explained(session: Session) -> tuple[Sequence[Sequence[Any]], Sequence[Sequence[Any]]]:
            word = "EXPLAIN EXTENDED " if session.is_mariadb else "EXPLAIN "
            return await session.rows(word + query.sql, bound), await session.warnings()

        try:
            plan, notes = await self._in_session(explained, _CONFIRM_SECONDS)
        except _NotExplained:
            return []  # the login may read the view and nothing below it: the engine holds the limit itself
        steps = [_Step(row[0], str(row[2] or "").lower(), int(row[-3] or 0)) for row in plan]
        self._compare(query, steps, " ".join(str(note[2]) for note in notes))
        return steps

    def _compare(self, query: GovernedQuery, steps: list["_Step"], rewritten: str) -> None:
        named = {(table.schema.lower(), table.name.lower()) for table in query.tables}
        permitted = with_those_read(named, self._reads)
        names = {name for _, name in permitted}.union(*(self._inside.get(table, frozenset()) for table in permitted))
        if any(step.table and not step.table.startswith("<") and step.table not in names for step in steps):
            raise SecondOpinionDiffers
        called = {(function.schema.lower(), function.name.lower()) for function in query.functions}
        for found in names_in(rewritten):
            if found.is_called and found.parts in called:
                continue
            if found.is_called or (found.parts[:2] in self._known and found.parts[:2] not in permitted):
                raise SecondOpinionDiffers


@dataclass(frozen=True, slots=True)
class _Step:
    """A line of a plan."""

    number: object
    table: str
    rows: int


class _NotExplained(Exception):
    pass


def _fields(results: Sequence[Result]) -> tuple[Field, ...]:
    return tuple(Field(result.name, _type(result), result.type_code == _JSON) for result in results)


def _type(result: Result) -> str:
    if result.type_code in _TEXTS:
        return _TEXTS[result.type_code][result.is_binary]
    return _TYPES.get(result.type_code, "")


def _cut(sql: str, results: Sequence[Result], cell: int) -> str:
    """The statement with its wide columns cut to one character more than a cell may have."""
    widest = max(_NARROW_BYTES, cell * _BYTES_OF_A_CHARACTER)
    if all(result.length <= widest for result in results):
        return sql
    names = [f"c{position}" for position in range(len(results))]
    columns = ", ".join(
        (f"left({name}, {cell + 1})" if result.type_code in _CUT and result.length > widest else name)
        + " AS "
        + _quoted(result.name)
        for name, result in zip(names, results, strict=True)
    )
    # The names of WITH, because MariaDB takes none for a derived table.
    return f"WITH answer ({', '.join(names)}) AS ({sql}) SELECT {columns} FROM answer"  # noqa: S608 - made of the guard's text


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _translated(error: Exception, seconds: float) -> Exception:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if number == _LACKS_RIGHTS_BELOW_A_VIEW:
        return _NotExplained()
    if number in _TIME_IS_UP:
        return took_too_long(seconds)
    if number in _NO_MEMORY or number == _OPTION_PREVENTS:
        return out_of_memory()
    if number in _NOT_LET_IN:
        return UpstreamUnreachable("the database refuses this source's login", hint="tell the owner of this source")
    if number in _AWAY or isinstance(error, OSError | asyncmy.errors.InterfaceError):
        return UpstreamUnreachable(
            "the database does not answer", hint="try again later, or tell the owner", code="database-unreachable"
        )
    reason = _REASONS.get(number)
    return rejected(reason) if reason else rejected()
