"""Two partitions of a table side by side: rows, nulls, distinct values, least and greatest, by one governed statement.

Not here: whether it may run (statements.py asks as for any statement of the caller).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pierhead.sdk import Caller, Invalid, NotFound
from pierhead.sdk.envelope import Envelope, summed_up
from pierhead.sdk.governed.cells import plain
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.statements import literal
from pierhead.servers.presto.answers import Compared, Delta
from pierhead.servers.presto.backing import Backing, Seen
from pierhead.servers.presto.partitions import Partitioning, quoted
from pierhead.servers.presto.statements import StatementDesk

_SIDES: Final = 2
_MOST_COLUMNS: Final = 20
_COMPARED_S: Final = 60.0
_SIDE: Final = "SELECT {which} AS side, count(*){figures} FROM {table} WHERE {filter}"
_FIGURES: Final = ", count({column}), approx_distinct({column}), min({column}), max({column})"
_FIGURES_EACH: Final = 4
_NO_ORDER: Final = ("array", "map", "row", "json", "hyperloglog", "geometry", "color")
_FILTER: Final = "{column} = CAST({value} AS {type})"


class ComparingDesk:
    def __init__(self, backing: Backing, statements: StatementDesk) -> None:
        self._backing = backing
        self._statements = statements

    async def compare(self, caller: Caller, table: str, a: str, b: str, columns: Sequence[str]) -> Envelope[Compared]:
        """Errors: Invalid, for a table without partitions that may be seen, a partition or column of another."""
        seen = await self._backing.seen(caller, table)
        by = await self._backing.partitioning(seen)
        if not by.keys or any(by.column_of(key, seen.stored) != key for key in by.keys):
            raise Invalid(
                f"{seen.name} has no partitions that this connector tells, or not to your role",
                hint="compare with presto_run_query, grouping by a column",
                code="no-partitions",
            )
        names = _compared_columns(seen, by, columns)
        sql = " UNION ALL ".join(self._side(seen, by, which, part, names) for which, part in (("'a'", a), ("'b'", b)))
        async with self._backing.lane.ready(caller, sql=sql, limits=Limits(_SIDES, _COMPARED_S)) as ready:
            await self._statements.within_budget(ready)
            answer = await ready.engine.run(ready.query, ready.view, ready.values, ready.limits)
        sides = {str(row[0]): row[1:] for row in answer.rows}
        data = _told(seen.name, a, b, names, sides)
        summary = f"{seen.name}: {data.rows_a} rows in {a}, {data.rows_b} in {b}"
        return Envelope(summary=summed_up(summary), data=data).observed(
            f"{self._backing.chosen.name} query {answer.query_id}", self._backing.now()
        )

    def _side(self, seen: Seen, by: Partitioning, which: str, part: str, names: Sequence[str]) -> str:
        return _SIDE.format(
            which=which,
            figures="".join(_FIGURES.format(column=quoted(name)) for name in names),
            table=quoted(seen.permitted.schema, seen.permitted.name),
            filter=partition_filter(by, part),
        )


def partition_filter(by: Partitioning, part: str, of: str = "") -> str:
    """What chooses one partition: `2026-11-19` where there is one key, `ds=2026-11-19/hour=3` for several.

    Errors: NotFound (`no-such-partition`). Values become literals of the key's type, whatever they hold. `of` is the
    name of the table, with its dot, where several have such a column.
    """
    named = dict(piece.split("=", 1) for piece in part.split("/") if "=" in piece)
    if not named and len(by.keys) == 1:
        named = {by.keys[0]: part}
    if set(named) != set(by.keys):
        raise NotFound(
            f"there is no partition {part[:100]!r}",
            hint=f"write it as {'/'.join(f'{key}=VALUE' for key in by.keys)}",
            code="no-such-partition",
        )
    types = dict(zip(by.keys, by.types, strict=True))
    return " AND ".join(
        _FILTER.format(column=of + quoted(key), value=literal(named[key]), type=types[key]) for key in by.keys
    )


def _compared_columns(seen: Seen, by: Partitioning, asked: Sequence[str]) -> list[str]:
    """Those asked for, or the first that can be ordered; never the keys, which differ."""
    types: Mapping[str, str] = {column.name: column.type for column in seen.stored.columns}
    visible = [column.name for column in seen.permitted.columns if column.name not in by.keys]
    unknown = [name for name in asked if name not in visible]
    if unknown:
        raise Invalid(
            f"there is no column {unknown[0][:128]} to compare",
            hint=f"its columns: {', '.join(visible)}"[:1_000],
            code="unknown-column",
        )
    fitting = [name for name in asked or visible if not types.get(name, "").startswith(_NO_ORDER)]
    return fitting[:_MOST_COLUMNS]


def _told(table: str, a: str, b: str, names: Sequence[str], sides: Mapping[str, Sequence[Any]]) -> Compared:
    empty = [0, *([0, 0, None, None] * len(names))]
    of_a, of_b = sides.get("a", empty), sides.get("b", empty)
    rows_a, rows_b = int(of_a[0]), int(of_b[0])
    deltas: list[Delta] = []
    for number, name in enumerate(names):
        at = 1 + number * _FIGURES_EACH
        (filled_a, distinct_a, low_a, high_a), (filled_b, distinct_b, low_b, high_b) = (
            of_a[at : at + 4],
            of_b[at : at + 4],
        )
        deltas.append(
            Delta(
                column=name,
                nulls_a=_share(rows_a, filled_a),
                nulls_b=_share(rows_b, filled_b),
                distinct_a=distinct_a,
                distinct_b=distinct_b,
                low_a=plain(low_a),
                low_b=plain(low_b),
                high_a=plain(high_a),
                high_b=plain(high_b),
            )
        )
    change = round((rows_b - rows_a) / rows_a, 4) if rows_a else None
    return Compared(table=table, a=a, b=b, rows_a=rows_a, rows_b=rows_b, rows_change=change, columns=deltas)


def _share(rows: int, filled: Any) -> float | None:  # noqa: ANN401 - a cell
    return round((rows - int(filled)) / rows, 6) if rows else None
