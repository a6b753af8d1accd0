"""SQLite's schema in four statements, whatever the number of tables: columns, unique keys, foreign keys.

Not here: connections and statements of callers (sqlite.py).
"""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pierhead.sdk.governed.catalog import ForeignKey, StoredColumn, StoredTable

_TABLES: Final = "SELECT name, type FROM main.sqlite_schema WHERE type IN ('table', 'view') ORDER BY name"
# SQLite's own tables, and the ones virtual tables keep their content in, are nobody's to read.
_SHADOWS: Final = "SELECT name FROM pragma_table_list WHERE type IN ('shadow', 'virtual')"
_COLUMNS: Final = """
SELECT m.name, c.name, c.type, c."notnull", c.pk, c.dflt_value IS NOT NULL, c.hidden
FROM main.sqlite_schema m, pragma_table_xinfo(m.name, 'main') c
WHERE m.type IN ('table', 'view') AND c.hidden <> 1 ORDER BY m.name, c.cid
"""
_UNIQUE: Final = """
SELECT m.name, l.name, i.name FROM main.sqlite_schema m, pragma_index_list(m.name, 'main') l,
       pragma_index_info(l.name, 'main') i
WHERE m.type = 'table' AND l."unique" AND NOT l.partial AND l.origin <> 'pk' ORDER BY m.name, l.seq, i.seqno
"""
_REFERENCES: Final = """
SELECT m.name, f.id, f."from", f."table", f."to" FROM main.sqlite_schema m, pragma_foreign_key_list(m.name, 'main') f
WHERE m.type = 'table' ORDER BY m.name, f.id DESC, f.seq
"""

Listed: TypeAlias = Mapping[str, list[tuple[Any, ...]]]


def stored_tables(connection: sqlite3.Connection) -> tuple[StoredTable, ...]:
    """Every table and view of the main schema."""
    shadows = {row[0] for row in connection.execute(_SHADOWS)}
    columns, unique, references = (_by_table(connection, text) for text in (_COLUMNS, _UNIQUE, _REFERENCES))
    keys = {table.lower(): _key(rows) for table, rows in columns.items()}
    return tuple(
        _table(name, kind, columns.get(name, []), _unique(unique.get(name, [])), _foreign(name, references, keys))
        for name, kind in connection.execute(_TABLES).fetchall()
        if not name.startswith("sqlite_") and name not in shadows
    )


def _by_table(connection: sqlite3.Connection, text: str) -> Listed:
    listed: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in connection.execute(text):
        listed[row[0]].append(row[1:])
    return listed


def _key(rows: list[tuple[Any, ...]]) -> tuple[str, ...]:
    return tuple(row[0] for row in sorted((row for row in rows if row[3]), key=lambda row: int(row[3])))


def _table(
    name: str,
    kind: str,
    rows: list[tuple[Any, ...]],
    unique: tuple[tuple[str, ...], ...],
    foreign_keys: tuple[ForeignKey, ...],
) -> StoredTable:
    key = _key(rows)
    declared = {row[0]: row[1] for row in rows}
    row_id = key[0] if len(key) == 1 and declared[key[0]].upper() == "INTEGER" and kind == "table" else ""
    columns = tuple(
        StoredColumn(
            column,
            type_,
            is_nullable=not notnull and column != row_id,
            is_key=pk > 0,
            has_default=bool(has_default) or column == row_id,
            is_generated=hidden > 1,
        )
        for column, type_, notnull, pk, has_default, hidden in rows
    )
    return StoredTable(
        "main",
        name,
        "view" if kind == "view" else "table",
        columns,
        row_id=row_id,
        primary_key=key,
        unique=unique,
        foreign_keys=foreign_keys,
    )


def _unique(rows: list[tuple[Any, ...]]) -> tuple[tuple[str, ...], ...]:
    """Keys of columns; an index over an expression is none."""
    indexes: dict[str, list[str | None]] = defaultdict(list)
    for index, column in rows:
        indexes[index].append(column)
    return tuple(tuple(str(column) for column in columns) for columns in indexes.values() if None not in columns)


def _foreign(table: str, references: Listed, keys: Mapping[str, tuple[str, ...]]) -> tuple[ForeignKey, ...]:
    """SQLite does not name foreign keys; they get the names PostgreSQL would give them."""
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in references.get(table, []):
        found[row[0]].append(row[1:])
    made: list[ForeignKey] = []
    for rows in found.values():
        columns = tuple(str(row[0]) for row in rows)
        target = str(rows[0][1])
        named = tuple(str(row[2]) for row in rows) if rows[0][2] is not None else keys.get(target.lower(), ())
        made.append(ForeignKey(f"{table}_{'_'.join(columns)}_fkey", columns, "main", target, named))
    return tuple(made)
