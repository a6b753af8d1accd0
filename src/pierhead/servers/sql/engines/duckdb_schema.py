"""DuckDB's schema in four statements, whatever the number of tables: tables, columns, constraints, macros.

Not here: connections and statements of callers (duckdb.py).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import duckdb

from pierhead.sdk.governed.catalog import (
    ForeignKey,
    StoredColumn,
    StoredFunction,
    StoredParameter,
    StoredTable,
    one_of_a_name,
)

_TABLES: Final = """
SELECT schema_name, table_name, 'table', coalesce(comment, ''), estimated_size FROM duckdb_tables()
WHERE database_name = ? AND NOT internal UNION ALL
SELECT schema_name, view_name, 'view', coalesce(comment, ''), NULL FROM duckdb_views()
WHERE database_name = ? AND NOT internal ORDER BY ALL
"""
_COLUMNS: Final = """
SELECT c.schema_name, c.table_name, c.column_name, c.data_type, c.is_nullable, coalesce(c.comment, ''),
       c.column_default IS NOT NULL, coalesce(i.is_generated, 'NEVER') = 'ALWAYS'
FROM duckdb_columns() c LEFT JOIN information_schema.columns i
  ON (i.table_catalog, i.table_schema, i.table_name, i.column_name)
   = (c.database_name, c.schema_name, c.table_name, c.column_name)
WHERE c.database_name = ? AND NOT c.internal ORDER BY c.schema_name, c.table_name, c.column_index
"""
_CONSTRAINTS: Final = """
SELECT schema_name, table_name, constraint_type, constraint_column_names, constraint_name, referenced_table,
       referenced_column_names
FROM duckdb_constraints() WHERE database_name = ? AND constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY')
ORDER BY schema_name, table_name, constraint_index
"""

_MACROS: Final = """
SELECT schema_name, function_name, parameters, parameter_types, function_type = 'table_macro', coalesce(comment, '')
FROM duckdb_functions() WHERE database_name = ? AND NOT internal AND function_type IN ('macro', 'table_macro')
ORDER BY schema_name, function_name
"""

Place: TypeAlias = tuple[str, str]
Listed: TypeAlias = Mapping[Place, list[tuple[Any, ...]]]


def stored_tables(cursor: duckdb.DuckDBPyConnection, catalog: str) -> tuple[StoredTable, ...]:
    """Every table and view of the database."""
    columns, constraints = _by_table(cursor, _COLUMNS, catalog), _by_table(cursor, _CONSTRAINTS, catalog)
    listed = cursor.execute(_TABLES, [catalog, catalog]).fetchall()
    return tuple(_table(row, columns[row[0], row[1]], constraints[row[0], row[1]]) for row in listed)


def stored_macros(cursor: duckdb.DuckDBPyConnection, catalog: str) -> tuple[StoredFunction, ...]:
    """Every macro of the database. Which parameters have a default DuckDB does not tell: it refuses what is missing."""
    return one_of_a_name(
        StoredFunction(schema, name, _parameters(names, types), "", gives_rows, comment=comment)
        for schema, name, names, types, gives_rows, comment in cursor.execute(_MACROS, [catalog]).fetchall()
    )


def _parameters(names: list[str], types: list[str | None]) -> tuple[StoredParameter, ...]:
    return tuple(
        StoredParameter(place, name, type_ or "", has_default=True)
        for place, (name, type_) in enumerate(zip(names, types, strict=True), 1)
    )


def _by_table(cursor: duckdb.DuckDBPyConnection, text: str, catalog: str) -> Listed:
    listed: dict[Place, list[tuple[Any, ...]]] = defaultdict(list)
    for row in cursor.execute(text, [catalog]).fetchall():
        listed[row[0], row[1]].append(row[2:])
    return listed


def _table(row: tuple[Any, ...], columns: list[tuple[Any, ...]], constraints: list[tuple[Any, ...]]) -> StoredTable:
    schema, name, kind, comment, size = row
    keys = [tuple(names) for type_, names, *_ in constraints if type_ == "PRIMARY KEY"]
    key = keys[0] if keys else ()
    return StoredTable(
        schema,
        name,
        kind,
        tuple(
            StoredColumn(
                column, type_, bool(nullable), column in key, note, has_default=has_default, is_generated=is_generated
            )
            for column, type_, nullable, note, has_default, is_generated in columns
        ),
        comment,
        size,
        primary_key=key,
        unique=tuple(tuple(names) for type_, names, *_ in constraints if type_ == "UNIQUE"),
        foreign_keys=tuple(
            ForeignKey(own_name, tuple(names), schema, target, tuple(target_names))
            for type_, names, own_name, target, target_names in constraints
            if type_ == "FOREIGN KEY"
        ),
    )
