"""How a table is partitioned and what was committed to it, as the engine's own tables beside it tell.

Iceberg has `"t$partitions"` with keys and counts (Trino puts the keys into one row, PrestoDB has them as columns before
the counts), and `"t$snapshots"`; Hive has `"t$partitions"` with the keys alone; other connectors have neither, which is
said and not guessed at. Not here: who may see it (backing.py).
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from pierhead.sdk import Invalid
from pierhead.sdk.governed.catalog import StoredTable
from pierhead.sdk.governed.cells import plain
from pierhead.sdk.governed.trino import TrinoEngine

Kind = Literal["iceberg", "hive", ""]

_MOST_LISTED: Final = 1_000
_COLUMNS: Final = "SHOW COLUMNS FROM {place}"
_OF_ICEBERG: Final = "SELECT {keys}, sum({count}) FROM {place} p GROUP BY {numbers} ORDER BY {newest} LIMIT {most}"
_OF_HIVE: Final = "SELECT {keys} FROM {place} p ORDER BY {newest} LIMIT {most}"
_SNAPSHOTS: Final = (
    "SELECT CAST(snapshot_id AS varchar), to_unixtime(committed_at),"
    " coalesce(element_at(summary, 'total-delete-files'), '0') FROM {place}"
    " ORDER BY committed_at DESC LIMIT 5"
)
_COUNTED_BY_PRESTO: Final = "p.row_count"
_COUNTS_OF_PRESTO: Final = ["row_count", "file_count", "total_size"]
_TRANSFORMED: Final = re.compile(r"(.+)_(?:day|hour|month|year|bucket|trunc)")


@dataclass(frozen=True, slots=True)
class Partitioning:
    """The keys of a table's partitions, in order, with their types; none where it has none, or none are told."""

    kind: Kind
    keys: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    prefix: str = "p."
    """What stands before a key in SQL."""
    count: str = ""
    """The column that counts rows; empty where none does."""

    @property
    def narrowing_is_told(self) -> bool:
        """Whether the planner names what narrows such a table; PrestoDB does not of Iceberg."""
        return self.count != _COUNTED_BY_PRESTO

    def column_of(self, key: str, stored: StoredTable) -> str:
        """The stored column behind a key: Iceberg names a day of `at` `at_day`."""
        names = {column.name for column in stored.columns}
        found = _TRANSFORMED.fullmatch(key)
        return found[1] if key not in names and found and found[1] in names else key


NONE: Final = Partitioning("")


@dataclass(frozen=True, slots=True)
class Partition:
    """`values` by key as the engine gave them; `rows` where it counts."""

    values: tuple[object, ...]
    rows: int | None

    def named(self, keys: Sequence[str]) -> str:
        """`ds=2026-11-19/hour=3`."""
        return "/".join(f"{key}={plain(value)}" for key, value in zip(keys, self.values, strict=True))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Units: Unix seconds."""

    id: str
    at: float
    has_deletes: bool
    """Rows were deleted that are still in the files: what counts files counts them."""


def quoted(*parts: str) -> str:
    """A name as SQL has it, part by part."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


async def partitioning_of(engine: TrinoEngine, catalog: str, place: tuple[str, str]) -> Partitioning:
    """Errors: UpstreamUnreachable; ToolTimedOut."""
    try:
        columns = await engine.ask(_COLUMNS.format(place=_beside(catalog, place, "partitions")))
    except Invalid:
        return NONE
    return partitioning_out_of({row[0]: str(row[1]) for row in columns})


def partitioning_out_of(types: Mapping[str, str]) -> Partitioning:
    """Out of the names and types of the columns of `"t$partitions"`, in order."""
    names = tuple(types)
    if "record_count" in types:
        members = _members(types.get("partition", ""))
        keys, kinds = tuple(name for name, _ in members), tuple(kind for _, kind in members)
        return Partitioning("iceberg", keys, kinds, "p.partition.", "p.record_count")
    for end in range(len(names)):
        if list(names[end : end + len(_COUNTS_OF_PRESTO)]) == _COUNTS_OF_PRESTO:
            return Partitioning("iceberg", names[:end], tuple(types.values())[:end], count=_COUNTED_BY_PRESTO)
    return Partitioning("hive", names, tuple(types.values()))


async def partitions_of(
    engine: TrinoEngine, catalog: str, place: tuple[str, str], by: Partitioning, most: int = _MOST_LISTED
) -> list[Partition]:
    """The newest partitions by their keys."""
    numbers = [str(number + 1) for number in range(len(by.keys))]
    template = _OF_ICEBERG if by.count else _OF_HIVE
    sql = template.format(
        keys=", ".join(by.prefix + quoted(key) for key in by.keys),
        count=by.count,
        place=_beside(catalog, place, "partitions"),
        numbers=", ".join(numbers),
        newest=", ".join(f"{number} DESC NULLS LAST" for number in numbers),
        most=most,
    )
    rows = await engine.ask(sql)
    count = len(by.keys)
    return [Partition(tuple(row[:count]), int(row[count]) if len(row) > count else None) for row in rows]


async def snapshots_of(engine: TrinoEngine, catalog: str, place: tuple[str, str]) -> list[Snapshot]:
    """The newest commits; none where the connector keeps none."""
    rows: list[list[Any]] = []
    with suppress(Invalid):
        rows = await engine.ask(_SNAPSHOTS.format(place=_beside(catalog, place, "snapshots")))
    return [Snapshot(str(row[0]), float(row[1]), row[2] != "0") for row in rows]


def _beside(catalog: str, place: tuple[str, str], what: str) -> str:
    schema, name = place
    return quoted(catalog, schema, f"{name}${what}")


def _members(row: str) -> list[tuple[str, str]]:
    """Names and types inside `row(ds date, "a b" varchar(3))`."""
    found: list[tuple[str, str]] = []
    depth, part = 0, ""
    for letter in row.removeprefix("row(").removesuffix(")") + ",":
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            name, _, kind = part.strip().rpartition(" ") if "(" not in part else _named(part.strip())
            found += [(name.strip('"'), kind)] if name else []
            part = ""
        else:
            part += letter
    return found


def _named(part: str) -> tuple[str, str, str]:
    """A member whose type has parameters: the name ends at the first space outside quotation marks."""
    end = part.index('"', 1) + 1 if part.startswith('"') else part.index(" ")
    return part[:end], " ", part[end:].strip()
