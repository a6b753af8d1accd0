"""Which tables there are for a caller, the trusted ones first, and what one of them looks like.

Ranked by what people vouch for (tier, owner, description) beside the words found; every answer says why. Not here:
rows beyond a few samples, which come as any statement of the caller does.
"""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import orjson

from pierhead.sdk import Caller, Invalid
from pierhead.sdk.envelope import Envelope, Limits, Page, summed_up
from pierhead.sdk.governed.cells import plain
from pierhead.sdk.governed.engine import Limits as Bounds
from pierhead.servers.presto.answers import ColumnFigures, Described, FoundTable, FoundTables, ShownColumn
from pierhead.servers.presto.backing import Backing, Seen
from pierhead.servers.presto.freshness import written
from pierhead.servers.presto.partitions import partitions_of, quoted, snapshots_of

_MOST_COLUMNS: Final = 100
_MOST_PARTITIONS: Final = 10
_COMMON_OF: Final = 5
_COMMON_S: Final = 20.0
_MOST_DISTINCT: Final = 50
_STATS: Final = "SHOW STATS FOR {table}"
_SAMPLE: Final = "SELECT {columns} FROM {table}"
_COMMON: Final = "SELECT {column}, count(*) AS many FROM {table} GROUP BY 1 ORDER BY 2 DESC LIMIT 5"
_TEXTS: Final = ("varchar", "char", "boolean")


class TableDesk:
    def __init__(self, backing: Backing) -> None:
        self._backing = backing

    async def search(
        self, caller: Caller, query: str, places: tuple[str, str, int | None], limit: int, cursor: str
    ) -> Envelope[FoundTables]:
        """`places` are catalog, schema and tier, each empty where anything will do. Errors: Invalid (`bad-cursor`)."""
        seen = await self._backing.all_seen(caller)
        catalog, schema, tier = places
        bound = _bound(query, places, sorted(seen))
        begin = _offset(cursor, bound)
        words = [word for word in re.split(r"[\s_.]+", query.casefold()) if word]
        fits = [
            each
            for each in seen.values()
            if catalog in ("", self._backing.catalog)
            and schema in ("", each.permitted.schema)
            and (tier is None or each.asset.tier == tier)
        ]
        ranked = sorted(
            (found for each in fits if (found := _found(each, words))), key=lambda it: (-it.score, it.table)
        )
        page = ranked[begin : begin + limit]
        end = begin + len(page)
        landed = [await self._with_landing(seen[each.table], each) for each in page]
        following = _cursor(end, bound) if end < len(ranked) else None
        names = ", ".join(each.table for each in page[:5])
        answer = Envelope(
            summary=summed_up(f"{len(ranked)} tables fit" + (f": {names}" if names else "")),
            data=FoundTables(tables=landed),
            page=Page(returned=len(page), next_cursor=following),
            missing=self._backing.faults(),
        )
        return answer.observed(f"catalog {self._backing.catalog}", self._backing.now())

    async def _with_landing(self, seen: Seen, found: FoundTable) -> FoundTable:
        """When it was last written, where the connector keeps commits and no row rule hides any."""
        if not seen.is_whole or seen.stored.kind != "table":
            return found
        place = (seen.permitted.schema, seen.permitted.name)
        snapshots = await snapshots_of(self._backing.engine, self._backing.catalog, place)
        return found.model_copy(update={"landed_at": written(snapshots[0].at)}) if snapshots else found

    async def describe(
        self, caller: Caller, table: str, columns_like: str, include: Sequence[str], sample_rows: int
    ) -> Envelope[Described]:
        """Errors: Invalid (`unknown-table`); Forbidden, for a sample without the right to read by SQL."""
        seen = await self._backing.seen(caller, table)
        shown = _columns(seen, columns_like)
        by = await self._backing.partitioning(seen)
        missing: list[str] = []
        partitions: list[dict[str, Any]] = []
        if "partitions" in include and by.keys and seen.is_whole:
            place = (seen.permitted.schema, seen.permitted.name)
            newest = await partitions_of(self._backing.engine, self._backing.catalog, place, by, _MOST_PARTITIONS)
            partitions = [{"partition": each.named(by.keys), "rows": each.rows} for each in newest]
        figures = await self._figures(seen, missing) if "stats" in include else []
        few = shown[:_MOST_COLUMNS]
        data = Described(
            table=seen.name,
            kind=seen.stored.kind,
            description=seen.asset.description or seen.stored.comment,
            tier=seen.asset.tier,
            owner=seen.asset.owner,
            columns=few,
            columns_in_all=len(seen.permitted.columns),
            partition_keys=list(by.keys),
            partitions=partitions,
            stats=figures,
            common_values=await self._common(caller, seen, figures) if figures else {},
            sample=await self._sample(caller, seen, few, sample_rows),
        )
        cut = Limits(why="rows", seen=len(shown), next="columns_like=") if len(shown) > len(few) else None
        summary = f"{seen.name}: {len(shown)} columns" + (f", partitioned by {', '.join(by.keys)}" if by.keys else "")
        answer = Envelope(
            status="partial" if missing else "ok",
            summary=summed_up(summary),
            data=data,
            limits=cut,
            missing=[*missing, *self._backing.faults()],
        )
        return answer.observed(f"catalog {self._backing.catalog}", self._backing.now())

    async def _figures(self, seen: Seen, missing: list[str]) -> list[ColumnFigures]:
        """What the engine's statistics say of columns that the role reads as they are, where it sees every row."""
        if not seen.is_whole:
            missing.append("stats: a row rule hides some of what they count")
            return []
        table = quoted(self._backing.catalog, seen.permitted.schema, seen.permitted.name)
        try:
            rows = await self._backing.engine.ask(_STATS.format(table=table))
        except Invalid:
            missing.append("stats: the connector keeps none")
            return []
        return [
            ColumnFigures(column=row[0], distinct=row[2], nulls=row[3], low=_text(row[5]), high=_text(row[6]))
            for row in rows
            if row[0] is not None and seen.shows(row[0])
        ]

    async def _common(self, caller: Caller, seen: Seen, figures: Sequence[ColumnFigures]) -> dict[str, list[Any]]:
        """The commonest values of columns with few: so that a filter is written `'web'` and not `'WEB'`."""
        if not seen.acting.role.sql or (self._backing.chosen.groups.read and not self._may_read(caller)):
            return {}
        few = {each.column for each in figures if each.distinct is not None and each.distinct <= _MOST_DISTINCT}
        types = {column.name: column.type for column in seen.stored.columns}
        chosen = [name for name in sorted(few) if types[name].startswith(_TEXTS)][:_COMMON_OF]
        found: dict[str, list[Any]] = {}
        for name in chosen:
            sql = _COMMON.format(column=quoted(name), table=quoted(seen.permitted.schema, seen.permitted.name))
            with suppress(Invalid):
                found[name] = [row[0] for row in await self._rows(caller, sql, 5, _COMMON_S)]
        return found

    async def _sample(
        self, caller: Caller, seen: Seen, columns: Sequence[ShownColumn], count: int
    ) -> list[list[object]]:
        if count == 0 or not columns:
            return []
        if not self._may_read(caller):
            raise Invalid("sample rows are for those who may read data", hint="leave sample_rows out", code="no-sample")
        names = ", ".join(quoted(column.name) for column in columns)
        sql = _SAMPLE.format(columns=names, table=quoted(seen.permitted.schema, seen.permitted.name))
        return await self._rows(caller, sql, count, _COMMON_S)

    async def _rows(self, caller: Caller, sql: str, count: int, seconds: float) -> list[list[object]]:
        """Through the guard, as any statement of the caller."""
        async with self._backing.lane.ready(caller, sql=sql, limits=Bounds(count, seconds)) as ready:
            answer = await ready.engine.run(ready.query, ready.view, ready.values, ready.limits)
        return [[plain(cell) for cell in row] for row in answer.rows[:count]]

    def _may_read(self, caller: Caller) -> bool:
        return not caller.groups.isdisjoint(self._backing.chosen.groups.read)


def _found(seen: Seen, words: Sequence[str]) -> FoundTable | None:
    """The table with its score and the reasons for it; None where a word is nowhere in it."""
    asset, columns = seen.asset, [column.name for column in seen.permitted.columns]
    reasons, score = list[str](), 0.0
    places = {
        "name": (seen.name, 5.0),
        "description": (f"{asset.description} {seen.stored.comment}", 2.0),
        "owner": (asset.owner, 1.0),
        "columns": (" ".join(columns), 1.0),
    }
    for word in words:
        fits = [(name, weight) for name, (text, weight) in places.items() if word in text.casefold()]
        if not fits:
            return None
        score += fits[0][1]
        reasons.append(f"{word!r} in its {fits[0][0]}")
    documented = _documented(seen)
    if asset.tier is not None:
        score += 6.0 - asset.tier
        reasons.append(f"tier {asset.tier}")
    if asset.owner:
        score += 1.0
        reasons.append("has an owner")
    return FoundTable(
        table=seen.name,
        kind=seen.stored.kind,
        description=(asset.description or seen.stored.comment)[:200],
        tier=asset.tier,
        owner=asset.owner,
        landed_at=None,
        documented=documented,
        score=round(score + documented, 2),
        reasons=reasons,
    )


def _documented(seen: Seen) -> float:
    """From 0 to 1: half for a description, half for the share of columns with a comment."""
    stored = {column.name: column.comment for column in seen.stored.columns}
    noted = sum(bool(stored.get(column.name)) for column in seen.permitted.columns)
    share = noted / len(seen.permitted.columns) if seen.permitted.columns else 0.0
    return round(0.5 * bool(seen.asset.description or seen.stored.comment) + 0.5 * share, 2)


def _columns(seen: Seen, like: str) -> list[ShownColumn]:
    stored = {column.name: column for column in seen.stored.columns}
    return [
        ShownColumn(
            name=column.name,
            type=stored[column.name].type,
            comment=stored[column.name].comment,
            masked=column.expression is not None,
        )
        for column in seen.permitted.columns
        if like.casefold() in column.name.casefold()
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _bound(query: str, places: tuple[str, str, int | None], names: Sequence[str]) -> str:
    """What a cursor is good for: this question, asked by a role that sees these tables."""
    return hashlib.sha256(orjson.dumps([query, places, names])).hexdigest()[:16]


def _cursor(offset: int, bound: str) -> str:
    return urlsafe_b64encode(f"{offset}.{bound}".encode()).decode().rstrip("=")


def _offset(cursor: str, bound: str) -> int:
    """Errors: Invalid (`bad-cursor`), for one of another question."""
    if not cursor:
        return 0
    with suppress(ValueError):
        offset, _, told = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(".")
        if told == bound and offset.isdecimal():
            return int(offset)
    raise Invalid(
        "this cursor does not belong to this question", hint="ask again without the cursor", code="bad-cursor"
    )
