"""Rows of a catalog, put together into tables: for engines whose system views answer in the same shapes.

Every engine asks in its own SQL and names its columns in the order given here. Not here: asking.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pierhead.sdk.governed.catalog import ForeignKey, StoredColumn, StoredTable

Row = Sequence[Any]  # what drivers give: its columns differ by query


@dataclass(frozen=True, slots=True)
class SchemaRows:
    """`tables`: schema, table, is a view, comment, rows. `columns`: schema, table, column, type, nullable, comment,
    has a default, is generated; in order. `keys`: schema, table, key, is primary, column; in order.
    `references`: schema, table, name, column, target schema, target, target column; in order.
    `reads`: schema, view, schema, table below it.
    """

    tables: Sequence[Row]
    columns: Sequence[Row]
    keys: Sequence[Row] = ()
    references: Sequence[Row] = ()
    reads: Sequence[Row] = field(default=())


def stored_tables(rows: SchemaRows) -> tuple[StoredTable, ...]:
    columns, keys = _grouped(rows.columns), _grouped(rows.keys)
    references, reads = _grouped(rows.references), _reached(rows.reads)
    return tuple(
        _table(row, columns[place], keys[place], references[place], reads.get(place, frozenset()))
        for row in rows.tables
        for place in [(str(row[0]), str(row[1]))]
    )


def _grouped(rows: Iterable[Row]) -> Mapping[tuple[str, str], list[Row]]:
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[str(row[0]), str(row[1])].append(tuple(row[2:]))
    return grouped


def _table(
    row: Row, columns: list[Row], keys: list[Row], references: list[Row], reads: frozenset[tuple[str, str]]
) -> StoredTable:
    schema, name, is_view, comment, count = row[:5]
    primary = tuple(str(column) for _, is_primary, column in keys if is_primary)
    return StoredTable(
        schema,
        name,
        "view" if is_view else "table",
        tuple(_column(column, primary) for column in columns),
        comment or "",
        None if count is None else int(count),
        reads=reads,
        primary_key=primary,
        unique=_unique(keys),
        foreign_keys=_foreign_keys(references),
    )


def _column(row: Row, primary: tuple[str, ...]) -> StoredColumn:
    name, type_, is_nullable, comment, has_default, is_generated = row
    return StoredColumn(
        name,
        str(type_),
        bool(is_nullable),
        name in primary,
        comment or "",
        has_default=bool(has_default),
        is_generated=bool(is_generated),
    )


def _unique(keys: list[Row]) -> tuple[tuple[str, ...], ...]:
    columns: dict[str, list[str]] = defaultdict(list)
    for name, is_primary, column in keys:
        if not is_primary:
            columns[name].append(column)
    return tuple(tuple(each) for each in columns.values())


def _foreign_keys(rows: list[Row]) -> tuple[ForeignKey, ...]:
    named: dict[str, list[Row]] = defaultdict(list)
    for name, *rest in rows:
        named[name].append(rest)
    return tuple(
        ForeignKey(name, tuple(p[0] for p in parts), parts[0][1], parts[0][2], tuple(p[3] for p in parts))
        for name, parts in named.items()
    )


def _reached(rows: Sequence[Row]) -> Mapping[tuple[str, str], frozenset[tuple[str, str]]]:
    """The tables each view leads to, through other views too."""
    direct: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for schema, view, below_schema, below in rows:
        direct[schema, view].add((below_schema, below))
    return {view: frozenset(_closure(view, direct)) for view in list(direct)}


def _closure(start: tuple[str, str], direct: Mapping[tuple[str, str], set[tuple[str, str]]]) -> set[tuple[str, str]]:
    reached: set[tuple[str, str]] = set()
    pending = [start]
    while pending:
        for table in direct.get(pending.pop(), set()) - reached:
            reached.add(table)
            pending.append(table)
    return reached
