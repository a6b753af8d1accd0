"""PostgreSQL's schema in four statements, whatever the number of tables, read from its catalog.

Not here: connections and statements of callers (postgres.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from pierhead.sdk.governed.catalog import ForeignKey, StoredColumn, StoredTable

_TABLES: Final = """
SELECT c.oid, n.nspname, c.relname, c.relkind IN ('v', 'm') AS is_view, c.reltuples::bigint AS rows,
       coalesce(obj_description(c.oid, 'pg_class'), '') AS comment
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname
"""
_COLUMNS: Final = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS is_nullable,
       coalesce(col_description(a.attrelid, a.attnum), '') AS comment,
       (a.atthasdef AND a.attgenerated = '') OR a.attidentity <> '' AS has_default,
       a.attgenerated <> '' OR a.attidentity = 'a' AS is_generated
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY a.attrelid, a.attnum
"""
_KEYS: Final = """
SELECT k.conrelid, k.contype::text, k.conname, tn.nspname, t.relname,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum ORDER BY u.place) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum ORDER BY u.place) AS target_columns
FROM pg_constraint k LEFT JOIN pg_class t ON t.oid = k.confrelid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE k.contype IN ('p', 'u', 'f') AND k.conrelid <> 0
UNION ALL -- unique indexes that no constraint made: as good as one, if they hold plain columns of every row
SELECT i.indrelid, 'u', '', NULL, NULL,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
             WHERE u.place <= i.indnkeyatts ORDER BY u.place) AS columns, NULL
FROM pg_index i WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
ORDER BY 1, 3
"""
_READS: Final = """
WITH RECURSIVE edge AS (
  SELECT r.ev_class AS parent, d.refobjid AS child FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid
  WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
  UNION SELECT inhparent, inhrelid FROM pg_inherits
), reach AS (
  SELECT parent, child FROM edge UNION SELECT r.parent, e.child FROM reach r JOIN edge e ON e.parent = r.child
)
SELECT r.parent, n.nspname, c.relname FROM reach r JOIN pg_class c ON c.oid = r.child
JOIN pg_namespace n ON n.oid = c.relnamespace
"""

Grouped: TypeAlias = Mapping[int, list[Any]]


async def stored_tables(connection: Any) -> tuple[StoredTable, ...]:  # noqa: ANN401 - asyncpg leaves it partly untyped
    """Every table and view outside the system's schemas."""
    tables = await connection.fetch(_TABLES)
    columns = _by_table(await connection.fetch(_COLUMNS))
    keys = _by_table(await connection.fetch(_KEYS))
    reads = _by_table(await connection.fetch(_READS))
    return tuple(_stored(tables, columns, keys, reads))


def _by_table(rows: Iterable[Any]) -> Grouped:
    grouped: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row[0]].append(tuple(row)[1:])
    return grouped


def _stored(tables: list[Any], columns: Grouped, keys: Grouped, reads: Grouped) -> Iterator[StoredTable]:
    for oid, schema, name, is_view, rows, comment in tables:
        own = keys.get(oid, [])
        primary = next((tuple(key[4]) for key in own if key[0] == "p"), ())
        yield StoredTable(
            schema,
            name,
            "view" if is_view else "table",
            tuple(_column(column, primary) for column in columns.get(oid, [])),
            comment,
            rows if rows >= 0 else None,
            reads=frozenset((row[0], row[1]) for row in reads.get(oid, [])),
            primary_key=primary,
            unique=tuple(tuple(key[4]) for key in own if key[0] == "u"),
            foreign_keys=tuple(
                ForeignKey(key[1], tuple(key[4]), key[2], key[3], tuple(key[5])) for key in own if key[0] == "f"
            ),
        )


def _column(row: tuple[Any, ...], primary: tuple[str, ...]) -> StoredColumn:
    name, type_, is_nullable, comment, has_default, is_generated = row
    return StoredColumn(
        name, type_, is_nullable, name in primary, comment, has_default=has_default, is_generated=is_generated
    )
