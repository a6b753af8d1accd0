"""One governed source: an engine, a policy, and the four things a caller may ask of it.

Plain functions of a caller; server.py makes tools of them. The verdict on a statement, with the SQL that may run,
is kept by role, text and row limit; policy and schema are fixed for the life of a Source, so a change of either
is a new Source with nothing remembered.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.sdk import Caller, Forbidden, Invalid
from pierhead.sdk.sqlguard import GovernedQuery, PermittedTable, SqlRefused, View, govern
from pierhead.servers.sql.answers import (
    DescribedColumn,
    EstimateOfEngine,
    Explanation,
    ListedTable,
    QueryResult,
    ResultColumn,
    TableDescription,
    TableList,
)
from pierhead.servers.sql.catalog import Catalog
from pierhead.servers.sql.cells import fitted
from pierhead.servers.sql.engines.engine import Engine, Limits
from pierhead.servers.sql.policy import Policy, Role, compile_view

_VERDICTS_KEPT: Final = 2_000
_MOST_SAMPLED: Final = 5
_SAMPLE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Acting:
    """The one role that acts in a call, and what it sees."""

    name: str
    role: Role
    view: View


class Source:
    """Ask after `open`; `close` when done."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self._engine = engine
        self._policy = policy
        self._catalog = Catalog("sqlite", "", "", ())
        self._acting: Mapping[str, Acting] = {}
        self._verdicts: dict[tuple[str, str, int], GovernedQuery] = {}

    async def open(self) -> None:
        """Read the schema and compile every role. Errors: Misconfigured, UpstreamUnreachable."""
        self._catalog = await self._engine.introspect()
        self._acting = {
            name: Acting(name, role, compile_view(name, role, self._catalog))
            for name, role in self._policy.roles.items()
        }

    async def close(self) -> None:
        await self._engine.close()

    async def list_tables(self, caller: Caller, *, query: str, limit: int, cursor: str) -> TableList:
        view = self._acts(caller).view
        named = sorted((view.display_name(table), table) for table in view.tables)
        found = [(name, table) for name, table in named if name > cursor and self._mentions(table, query)]
        page = [self._listed(name, table) for name, table in found[:limit]]
        return TableList(tables=page, next_cursor=page[-1].name if len(found) > limit else None)

    async def describe_table(
        self, caller: Caller, *, table: str, columns_like: str, sample_rows: int
    ) -> TableDescription:
        acting = self._acts(caller)
        permitted = _named(acting.view, table)
        stored = self._catalog.by_name[permitted.schema, permitted.name]
        names = {column.name for column in permitted.columns if columns_like.lower() in column.name.lower()}
        shown = [column for column in stored.columns if column.name in names]
        sample = await self._sample(acting, permitted, [column.name for column in shown], sample_rows)
        columns = [
            DescribedColumn(
                name=column.name,
                type=column.type,
                nullable=column.is_nullable,
                key=column.is_key,
                comment=column.comment,
            )
            for column in shown
        ]
        return TableDescription(
            name=acting.view.display_name(permitted),
            kind=stored.kind,
            comment=stored.comment,
            columns=columns,
            sample=sample,
        )

    async def run_query(self, caller: Caller, *, sql: str, max_rows: int, timeout_s: float) -> QueryResult:
        acting = self._acts(caller)
        limits = Limits(min(max_rows, acting.role.limits.rows), min(timeout_s, acting.role.limits.time))
        query = await self._governed(acting, sql, limits.rows)
        answer = await self._engine.run(query, acting.view, limits)
        rows, cut = fitted(answer.rows, limits)
        return QueryResult.model_construct(
            columns=[ResultColumn.model_construct(name=field.name, type=field.type) for field in answer.fields],
            rows=rows,
            truncated=bool(cut),
            notice=_notice(cut, len(rows)),
            tables=[acting.view.display_name(table) for table in query.tables],
        )

    async def explain_query(self, caller: Caller, *, sql: str) -> Explanation:
        acting = self._acts(caller)
        try:
            query = await asyncio.to_thread(govern, sql, acting.view, max_rows=acting.role.limits.rows)
        except SqlRefused as refusal:
            reasons = [f"{refusal.code}: {refusal.message}", refusal.hint]
            return Explanation(verdict="refused", reasons=reasons, sql="", tables=[], estimate=None)
        estimate = await self._engine.estimate(query, acting.view)
        return Explanation(
            verdict="permitted",
            reasons=[f"role {acting.name} may read every table of the statement"],
            sql=query.sql,
            tables=[acting.view.display_name(table) for table in query.tables],
            estimate=EstimateOfEngine(rows=estimate.rows, cost=estimate.cost),
        )

    def _acts(self, caller: Caller) -> Acting:
        return self._acting[self._policy.acting(caller)]

    async def _governed(self, acting: Acting, sql: str, rows: int) -> GovernedQuery:
        """What may run for `sql`: remembered, or judged by the guard and then by the engine."""
        if not acting.role.sql:
            raise Forbidden("your role may not run SQL", hint="use list_tables and describe_table", code="sql-is-off")
        key = (acting.name, sql, rows)
        known = self._verdicts.get(key)
        if known is not None:
            return known
        query = await asyncio.to_thread(govern, sql, acting.view, max_rows=rows)
        if query.explain:
            raise SqlRefused(
                "EXPLAIN gives no rows", code="not-a-read", hint="send the statement without EXPLAIN to explain_query"
            )
        await self._engine.confirm(query, acting.view)
        if len(self._verdicts) >= _VERDICTS_KEPT:
            self._verdicts.pop(next(iter(self._verdicts)))
        self._verdicts[key] = query
        return query

    async def _sample(
        self, acting: Acting, table: PermittedTable, columns: list[str], count: int
    ) -> list[list[object]]:
        """A few rows through the same guard as any statement; none for a role without SQL."""
        if count == 0 or not columns or not acting.role.sql:
            return []
        names = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
        place = ".".join('"' + part.replace('"', '""') + '"' for part in (table.schema, table.name))
        text = f"SELECT {names} FROM {place}"  # noqa: S608 - goes through the guard like a caller's
        limits = Limits(min(count, _MOST_SAMPLED), _SAMPLE_SECONDS)
        query = await self._governed(acting, text, limits.rows)
        return fitted((await self._engine.run(query, acting.view, limits)).rows, limits)[0]

    def _mentions(self, table: PermittedTable, query: str) -> bool:
        stored = self._catalog.by_name[table.schema, table.name]
        words = (table.name, stored.comment, *(column.name for column in table.columns))
        return any(query.lower() in word.lower() for word in words)

    def _listed(self, name: str, table: PermittedTable) -> ListedTable:
        stored = self._catalog.by_name[table.schema, table.name]
        return ListedTable(
            name=name,
            kind=stored.kind,
            comment=stored.comment,
            rows_estimate=stored.rows_estimate,
            operations=["read"],
        )


def _named(view: View, name: str) -> PermittedTable:
    for table in view.tables:
        if view.display_name(table) == name:
            return table
    raise Invalid(
        f"there is no table {name[:128]}", hint="list_tables names the tables you may read", code="unknown-table"
    )


def _notice(cut: str, count: int) -> str:
    if cut == "rows":
        return f"cut after {count} rows; filter, aggregate, or raise max_rows"
    if cut == "bytes":
        return f"cut after {count} rows at 64 KB; select fewer columns, filter or aggregate"
    return ""
