"""What people asked before: queries that somebody vouches for, and those that the engine ran lately.

A query is told only to whom its tables are open: it must pass the guard under the caller's own role. Literals are
masked in both. What ran through Pierhead is left out: it holds the row rules of whoever asked. Not here: running one
(statements.py).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import anyio.to_thread
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from pierhead.sdk import Caller, Invalid
from pierhead.sdk.envelope import Envelope, Limits, Page, summed_up
from pierhead.sdk.sqlguard import SqlRefused, View, govern, without_literals
from pierhead.servers.presto.answers import PastQueries, PastQuery
from pierhead.servers.presto.backing import Backing

_RAN: Final = """
SELECT query, max(query_id) FROM system.runtime.queries
WHERE state = 'FINISHED' AND length(query) < 10000 {more}
GROUP BY query ORDER BY 2 DESC LIMIT 300
"""
_READS: Final = (
    "AND regexp_like(query, '(?i)^\\s*(select|with)\\s') AND NOT regexp_like(query, '(?i)\\bsystem\\.')"
    " AND NOT coalesce(source, '') LIKE 'pierhead%'"
)
_WRITES: Final = "AND regexp_like(query, '(?i)^\\s*(insert|create\\s+table|merge)\\s')"
_OF_THE_ENGINE: Final = "the engine's own list of queries cannot be read"
_LONGEST: Final = 2_000


@dataclass(frozen=True, slots=True)
class Made:
    """One statement that wrote a table, and what it read: names as the engine has them, catalog first."""

    target: tuple[str, ...]
    sources: frozenset[tuple[str, ...]]


class HistoryDesk:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def find(self, caller: Caller, question: str, table: str, limit: int) -> Envelope[PastQueries]:
        """Those that somebody vouches for come first. Errors: Invalid (`unknown-table`); Forbidden."""
        wanted = (await self._backing.seen(caller, table)).name if table else ""
        async with self._backing.source.turn(caller) as turn:
            view = turn.acting.view
        missing = self._backing.faults()
        ran = await self._ran(missing)
        found = await anyio.to_thread.run_sync(lambda: list(self._fitting(view, ran, question, wanted)))
        best = sorted(found, key=lambda each: -each[0])
        told = [query for _, query in best[:limit]]
        summary = f"{len(told)} of {len(found)} past queries" + (f" over {wanted}" if wanted else "")
        answer = Envelope(
            status="partial" if missing else "ok",
            summary=summed_up(summary),
            data=PastQueries(queries=told),
            page=Page(returned=len(told)),
            limits=Limits(why="rows", seen=len(found), next="name a table, or more words") if found[limit:] else None,
            missing=missing,
        )
        return answer.observed(f"past queries of {self._backing.chosen.name}", self._backing.now())

    def _fitting(self, view: View, ran: Sequence[str], question: str, wanted: str) -> Iterator[tuple[float, PastQuery]]:
        words = [word for word in re.split(r"\W+", question.casefold()) if word]
        vouched = [
            (each.sql, each.description, each.team, "assets", 10.0) for each in self._backing.assets.now().queries
        ]
        for sql, description, team, told_by, weight in [*vouched, *((sql, "", "", "engine", 0.0) for sql in ran)]:
            tables = _permitted(sql, view)
            if tables is None or (wanted and wanted not in tables):
                continue
            text = f"{sql} {description} {team}".casefold()
            hits = sum(word in text for word in words)
            if words and not hits:
                continue
            masked = without_literals(sql, view.dialect)[:_LONGEST]
            yield (
                weight + hits,
                PastQuery(sql=masked, description=description, team=team, told_by=told_by, tables=tables),
            )

    async def _ran(self, missing: list[str]) -> list[str]:
        """As the source's login: what each may be told of it is decided afterwards, by the tables."""
        if not self._backing.chosen.history:
            return []
        try:
            rows = await self._backing.engine.ask_as_login(_RAN.format(more=_READS))
        except Invalid:
            missing.append(_OF_THE_ENGINE)
            return []
        return list(dict.fromkeys(str(row[0]) for row in rows))

    async def made(self, missing: list[str]) -> list[Made]:
        """What was written lately, and from what. Names are shown to nobody before their role was asked."""
        if not self._backing.chosen.history:
            return []
        try:
            rows = await self._backing.engine.ask_as_login(_RAN.format(more=_WRITES))
        except Invalid:
            missing.append(_OF_THE_ENGINE)
            return []
        texts = list(dict.fromkeys(str(row[0]) for row in rows))
        return await anyio.to_thread.run_sync(lambda: [made for text in texts if (made := _made(text))])


def _permitted(sql: str, view: View) -> list[str] | None:
    """The tables of a query that the role could ask itself; None for any other."""
    try:
        query = govern(sql, view, max_rows=1)
    except SqlRefused:
        return None
    return [view.display_name(table) for table in query.tables] or None


def _made(text: str) -> Made | None:
    try:
        tree = sqlglot.parse_one(text, read="trino")
    except (SqlglotError, RecursionError):
        return None
    target = tree.find(exp.Table) if isinstance(tree, exp.Insert | exp.Create | exp.Merge) else None
    if target is None:
        return None
    named = {cte.alias for cte in tree.find_all(exp.CTE)}
    sources = {_place(each) for each in tree.find_all(exp.Table) if each is not target}
    return Made(_place(target), frozenset(each for each in sources if each[-1] not in named and each != _place(target)))


def _place(table: exp.Table) -> tuple[str, ...]:
    return tuple(part for part in (table.catalog, table.db, table.name) if part)
