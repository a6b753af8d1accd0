"""Trino and Presto: the statement protocol of the SDK, one coordinator, one catalog.

The second opinion is the planner's: EXPLAIN (TYPE IO) names every table a statement would read, through views and
functions alike. Time ends in the engine (`query_max_run_time`, queueing included); a call that goes away, or has
read enough, ends its statement there, too. Values are written as literals of known types (sdk/statements): EXPLAIN
takes no parameters, and what is confirmed must be what runs. These engines have no sessions to poison and, as
governed here, no writes: what there is of transactions differs by connector. Not here: who may read what.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, cast

import httpx2
import orjson

from pierhead.sdk import Caller, Forbidden, Invalid, ToolTimedOut, UpstreamUnreachable
from pierhead.sdk.governed.catalog import Catalog, StoredColumn, StoredTable
from pierhead.sdk.governed.engine import (
    LONGEST_VALUE,
    CredentialOf,
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
from pierhead.sdk.governed.trino_place import Place
from pierhead.sdk.governed.trino_plan import (
    Constraint,
    Reading,
    Steps,
    constraints_of,
    expected_of,
    inputs_of,
    scanned,
    steps_of,
    total,
)
from pierhead.sdk.sqlguard import GovernedQuery, View
from pierhead.sdk.statements import Running, Session, StatementClient, StatementFailed, filled
from pierhead.sdk.tool import CALLER

_CONNECTIONS: Final = 16
_CONNECT_S: Final = 5.0
_READ_S: Final = 30.0  # of one page; coordinators answer within a second, with an empty page if need be
_ASKING_S: Final = 20.0
_MOST_CHECKED: Final = 500
_GOOD: Final = 200
_LATER_S: Final = 1.0  # the client ends that much after the engine should have

_TABLES: Final = """
SELECT table_schema, table_name, table_type FROM {catalog}.information_schema.tables
WHERE table_schema <> 'information_schema' ORDER BY 1, 2
"""
_COLUMNS: Final = """
SELECT table_schema, table_name, column_name, data_type, is_nullable, coalesce(comment, ''), column_default
FROM {catalog}.information_schema.columns WHERE table_schema <> 'information_schema'
ORDER BY table_schema, table_name, ordinal_position
"""
_COMMENTS: Final = """
SELECT schema_name, table_name, comment FROM system.metadata.table_comments
WHERE catalog_name = ? AND comment IS NOT NULL
"""
_STORED_VIEWS: Final = """
SELECT schema_name, name FROM system.metadata.materialized_views WHERE catalog_name = ?
"""

# What a caller may be told, by the engine's name of the error. Its text may hold values of hidden rows.
_REASONS: Final[Mapping[str, str]] = {
    "COLUMN_NOT_FOUND": "there is no such column where it is used",
    "FUNCTION_NOT_FOUND": "there is no such function or operator for these types",
    "AMBIGUOUS_NAME": "a column name is ambiguous",
    "EXPRESSION_NOT_AGGREGATE": "a column must appear in GROUP BY or in an aggregate",
    "TYPE_MISMATCH": "types do not match",
    "TYPE_NOT_FOUND": "there is no such type",
    "PERMISSION_DENIED": "the source's own login may not read this",
    "SUBQUERY_MULTIPLE_ROWS": "a subquery gave more than one row",
    "DIVISION_BY_ZERO": "a value does not fit the operation",
    "INVALID_CAST_ARGUMENT": "a value does not fit the operation",
    "INVALID_FUNCTION_ARGUMENT": "a value does not fit the operation",
    "NUMERIC_VALUE_OUT_OF_RANGE": "a value does not fit the operation",
    "TABLE_NOT_FOUND": "a table of the source is no longer there",
}
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{2,63}")
_TIMES: Final = frozenset({"EXCEEDED_TIME_LIMIT", "ABANDONED_QUERY", "EXCEEDED_CPU_LIMIT"})


class TrinoEngine:
    """One catalog of one coordinator, under one login or, where the place says so, as each caller."""

    def __init__(self, place: Place, *, source_name: Callable[[], str] = lambda: "pierhead") -> None:
        """`source_name` is how the engine's own lists name where a statement came from, asked at each statement."""
        self._place = place
        self._source_name = source_name
        limits = httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
        self._http = httpx2.AsyncClient(
            timeout=httpx2.Timeout(_READ_S, connect=_CONNECT_S), limits=limits, trust_env=False, verify=place.trust()
        )
        self._client = StatementClient(self._http, place.coordinator, place.flavour)
        self._views: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
        self._credential_of: CredentialOf = _no_credential

    def use_credentials(self, credential_of: CredentialOf) -> None:
        self._credential_of = credential_of

    async def introspect(self) -> Catalog:
        catalog = _quoted(self._place.catalog)
        tables, columns, comments, stored_views = await asyncio.gather(
            self._asked(_TABLES.format(catalog=catalog)),
            self._asked(_COLUMNS.format(catalog=catalog)),
            self._asked_if_there(_COMMENTS),
            self._asked_if_there(_STORED_VIEWS),
        )
        views = {(row[0], row[1]) for row in stored_views}
        views |= {(row[0], row[1]) for row in tables if row[2] != "BASE TABLE"}
        notes = {(row[0], row[1]): row[2] for row in comments}
        own: dict[tuple[str, str], list[StoredColumn]] = {}
        for schema, table, name, kind, nullable, note, default in columns:
            column = StoredColumn(name, kind, nullable == "YES", is_key=False, comment=note, has_default=bool(default))
            own.setdefault((schema, table), []).append(column)
        stored = tuple(_stored(place, own[place], views, notes.get(place, "")) for place in _places(tables, own))
        self._views = dict.fromkeys(views, frozenset())
        return Catalog("trino", self._place.catalog, self._place.schema, stored)

    async def confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        del view  # what may be read stands in the query; the login is the same for every role
        await self._plan(query, values)

    async def estimate(self, query: GovernedQuery, view: View, values: Values) -> Estimate:
        del view
        plan = await self._plan(query, values)
        rows, cost = expected_of(plan) if "estimate" in plan else ((await self._steps(query, values)).answered, None)
        return Estimate(None if rows is None else round(rows), cost)

    async def run(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> Rows:
        last = Rows((), ())
        rows: list[Sequence[object]] = []
        async for last in self.stream(query, view, values, limits):
            rows += last.rows
        return Rows(last.fields, rows, last.query_id)

    async def stream(
        self, query: GovernedQuery, view: View, values: Values, limits: Limits
    ) -> AsyncGenerator[Rows, None]:
        """The rows of `run`, a page at a time; the first batch tells the columns, and may hold no row."""
        del view
        session = self._session(await self._acting(), limits.seconds)
        most_bytes = max(LONGEST_VALUE, limits.bytes)
        count = 0
        with _translated(limits.seconds):
            async with self._client.running(
                _with_values(query, values), session, seconds=limits.seconds + _LATER_S, is_read=True
            ) as statement:
                async for batch in statement.batches():
                    count += len(batch)
                    yield Rows(_fields(statement), batch, statement.query_id)
                    if count > limits.rows or statement.bytes_read > most_bytes:
                        return

    async def check_login(self) -> LoginReport:
        """What the login may write, asked by having an INSERT validated: the engine checks rights and runs nothing."""
        catalog = await self.introspect()
        tables = [(table.schema, table.name) for table in catalog.tables if table.kind == "table"]
        writable: set[tuple[str, str]] = set()
        for place in tables[:_MOST_CHECKED]:
            name = self._name(*place)
            if await self._is_valid(f"INSERT INTO {name} TABLE {name}"):
                writable.add(place)
        readable = frozenset((table.schema, table.name) for table in catalog.tables)
        return LoginReport(self._place.login, readable, frozenset(writable))

    async def _is_valid(self, sql: str) -> bool:
        try:
            await self._asked("EXPLAIN (TYPE VALIDATE) " + sql)
        except Invalid:
            return False
        return True

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, sql: str) -> list[list[Any]]:
        """The whole answer to a question of the server's own, as the caller where the place says so.

        Errors: Invalid, where the engine has no such thing; Forbidden; UpstreamUnreachable; ToolTimedOut.
        """
        return await self._asked(sql)

    async def ask_as_login(self, sql: str) -> list[list[Any]]:
        """The same as the source's own login, whoever asks: for what is told without names and texts."""
        return await self._asked_as(self._place, sql)

    async def change(self, sql: str, seconds: float) -> None:
        """Run a statement of the server's own that writes; it is posted once. Errors: as `ask`."""
        place = self._place if CALLER.get(None) is None else await self._acting()
        with _translated(seconds):
            session = self._session(place, seconds)
            async with self._client.running(sql, session, seconds=seconds, is_read=False) as statement:
                async for _ in statement.batches():
                    pass

    def written(self, query: GovernedQuery, values: Values) -> str:
        """The text that would run. Errors: Invalid, for a value that does not fit."""
        return _with_values(query, values)

    async def reading(self, query: GovernedQuery, values: Values) -> Reading:
        """What a statement would read, as the planner says; nothing runs."""
        plan = await self._plan(query, values)
        scans = scanned(plan, await self._always(plan))
        if "estimate" in plan:
            return Reading(scans, total([scan.rows for scan in scans]), total([scan.bytes for scan in scans]))
        steps = await self._steps(query, values)
        return Reading(scans, steps.rows, steps.bytes)

    async def _always(self, plan: Mapping[str, Any]) -> set[Constraint]:
        """What it names as constraints of the same tables when nothing is asked of them: of Hive, every partition."""
        names = {self._name(*constraint[:2]) for constraint in constraints_of(plan)}
        try:
            unasked = await asyncio.gather(*(self._explained(f"TABLE {name}") for name in names))
        except Invalid:
            return constraints_of(plan)
        return set[Constraint]().union(*map(constraints_of, unasked))

    async def _steps(self, query: GovernedQuery, values: Values) -> Steps:
        """What PrestoDB expects, which it tells of the steps of a plan alone; nothing, where it does not say."""
        try:
            rows = await self._asked("EXPLAIN (FORMAT JSON) " + _with_values(query, values))
            return steps_of(orjson.loads(rows[0][0]))
        except (Invalid, UpstreamUnreachable, orjson.JSONDecodeError):
            return Steps(None, None, None)

    async def statistics(self, query_id: str) -> Mapping[str, Any] | None:
        """What the coordinator tells its own page of a statement; None where it does not tell the login."""
        session = self._session(self._place, _ASKING_S)
        url = f"{self._place.coordinator}/v1/query/{query_id}"
        try:
            answer = await self._http.get(
                url, params={"pruned": "true"}, headers=session.headers(self._place.flavour), timeout=_CONNECT_S
            )
            told = orjson.loads(answer.content) if answer.status_code == _GOOD else None
        except (httpx2.HTTPError, orjson.JSONDecodeError):
            return None
        return cast("Mapping[str, Any]", told) if isinstance(told, dict) else None

    def _session(self, place: Place, seconds: float) -> Session:
        return replace(place.session(seconds), source=self._source_name())

    async def _plan(self, query: GovernedQuery, values: Values) -> dict[str, Any]:
        """What the engine would do for a statement; every table it would read is one that may be read."""
        plan = await self._explained(_with_values(query, values))
        permitted = {(table.schema, table.name) for table in query.tables}
        for named in tuple(permitted & self._views.keys()):
            permitted |= self._views[named] or await self._read_by(named)
        if plan.get("outputTable") or not inputs_of(plan, self._place.catalog) <= permitted:
            raise SecondOpinionDiffers
        return plan

    async def _read_by(self, view: tuple[str, str]) -> frozenset[tuple[str, str]]:
        """What a view leads the engine to, asked once."""
        plan = await self._explained(f"TABLE {self._name(*view)}")
        self._views[view] = read = frozenset(inputs_of(plan, self._place.catalog))
        return read

    def _name(self, schema: str, table: str) -> str:
        return ".".join(_quoted(part) for part in (self._place.catalog, schema, table))

    async def _explained(self, sql: str) -> dict[str, Any]:
        rows = await self._asked("EXPLAIN (TYPE IO, FORMAT JSON) " + sql)
        return cast("dict[str, Any]", orjson.loads(rows[0][0]))

    async def _asked(self, sql: str) -> list[list[Any]]:
        """The whole answer to a question of our own: as the caller, where there is one and the place says so."""
        place = self._place if CALLER.get(None) is None else await self._acting()
        return await self._asked_as(place, sql)

    async def _asked_as(self, place: Place, sql: str) -> list[list[Any]]:
        session = self._session(place, _ASKING_S)
        rows: list[list[Any]] = []
        with _translated(_ASKING_S):
            async with self._client.running(sql, session, seconds=_ASKING_S, is_read=True) as statement:
                async for batch in statement.batches():
                    rows += batch
        return rows

    async def _acting(self) -> Place:
        """As whom a statement runs: the login; the caller, whom it impersonates; or the caller with their credential.

        Errors: Forbidden, where nobody asks or nothing can be exchanged; UpstreamUnreachable.
        """
        place = self._place
        if place.identity == "login":
            return place.acting_as(place.login)
        caller = _person_who_asks()
        name = caller.person.subject if caller.person is not None else ""
        if place.identity == "caller":
            return place.acting_as(name)
        return place.shown(await self._credential_of(caller), name)

    async def _asked_if_there(self, sql: str) -> list[list[Any]]:
        """The answer of a table of metadata that some engines lack, or show to nobody."""
        try:
            return await self._asked(filled(sql, [self._place.catalog]))
        except Invalid:
            return []


async def _no_credential(caller: Caller) -> str:
    """Errors: Forbidden, always."""
    del caller
    hint = "exchange is for the source's own login: leave the login of the role out"
    raise Forbidden("nobody said how callers' credentials are come by here", hint=hint, code="no-exchange")


def _person_who_asks() -> Caller:
    """Nobody runs as nobody. Errors: Forbidden."""
    caller = CALLER.get(None)
    if caller is None or caller.person is None:
        raise Forbidden(
            "this source runs statements only as the person who asks",
            hint="sign in as a person; a program alone has no name at this engine",
            code="no-engine-user",
        )
    return caller


def _places(tables: list[list[Any]], own: Mapping[tuple[str, str], object]) -> list[tuple[str, str]]:
    """The tables that have columns to show; a table may vanish between two questions."""
    return [place for row in tables if (place := (row[0], row[1])) in own]


def _stored(
    place: tuple[str, str], columns: list[StoredColumn], views: set[tuple[str, str]], comment: str
) -> StoredTable:
    schema, name = place
    return StoredTable(schema, name, "view" if place in views else "table", tuple(columns), comment)


def _with_values(query: GovernedQuery, values: Values) -> str:
    try:
        return filled(query.sql, query.bound(values))
    except ValueError:
        raise rejected("a value does not fit the operation") from None


def _fields(statement: Running) -> tuple[Field, ...]:
    return tuple(Field(column.name, column.type) for column in statement.columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _named(failed: StatementFailed) -> str:
    """The engine's name of what went wrong, by which people look it up."""
    return failed.name if _NAME.fullmatch(failed.name) else "an error without a name"


@contextmanager
def _translated(seconds: float) -> Generator[None]:
    """The engine's errors into ours. Their text may hold values or hidden names, so none of it is passed on."""
    try:
        yield
    except StatementFailed as failed:
        if failed.name in _TIMES:
            raise took_too_long(seconds) from None
        if failed.kind == "INSUFFICIENT_RESOURCES":
            raise out_of_memory() from None
        if failed.retryable:
            raise UpstreamUnreachable(
                f"the engine cannot run statements now ({_named(failed)})", hint="call again in a while"
            ) from None
        reason = _REASONS.get(failed.name, "the engine could not run the statement")
        raise rejected(f"{reason} ({_named(failed)})") from None
    except ToolTimedOut:
        raise took_too_long(seconds) from None
