"""JSON Schemas of what REST takes and gives, and what of a table is shown in them.

A cell's schema says how it is written (encoding.py): what JSON cannot carry exactly is a string. Not here: paths and
operations (openapi.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pierhead.sdk.governed.catalog import StoredFunction, StoredTable
from pierhead.sdk.governed.policy import Operation
from pierhead.sdk.governed.queries import OfferedQuery
from pierhead.sdk.governed.rights import writable
from pierhead.sdk.governed.source import Acting, Ground
from pierhead.sdk.governed.types import Family, column_type
from pierhead.sdk.governed.views import rule_for
from pierhead.sdk.sqlguard import Dialect, PermittedTable

Schema = dict[str, Any]

_WRITES: Final = frozenset({"create", "update", "delete"})
_SEGMENTS: Final = ("_sql", "_schema", "_rpc", "_table", "_query")


@dataclass(frozen=True, slots=True)
class ShownColumn:
    name: str
    type: str
    is_nullable: bool
    is_masked: bool
    is_writable: bool
    is_readable: bool
    comment: str


@dataclass(frozen=True, slots=True)
class ShownTable:
    """One table as a role sees it. `key` is empty unless the role reads every column of the primary key, unmasked."""

    name: str
    kind: str
    comment: str
    dialect: Dialect
    columns: tuple[ShownColumn, ...]
    key: tuple[str, ...]
    operations: tuple[Operation, ...]


def shown_tables(ground: Ground, acting: Acting) -> tuple[ShownTable, ...]:
    """Every table of a role, by name: those it reads, and those it only writes."""
    seen = {(table.schema, table.name): table for table in acting.selects.tables}
    found = (_shown(ground, acting, stored, seen.get((stored.schema, stored.name))) for stored in ground.catalog.tables)
    return tuple(sorted((table for table in found if table is not None), key=lambda table: table.name))


def _shown(ground: Ground, acting: Acting, stored: StoredTable, seen: PermittedTable | None) -> ShownTable | None:
    rule = rule_for(acting.role, stored, ground.catalog)
    if rule is None or not rule.operations:
        return None
    name = ground.catalog.display_name(stored)
    operations = tuple(rule.operations)
    writes = stored.kind == "table" and not _WRITES.isdisjoint(operations)
    writable_columns = frozenset(writable(ground, acting, name).columns) if writes else frozenset[str]()
    read = {column.name: column.expression is not None for column in seen.columns} if seen else {}
    columns = tuple(
        ShownColumn(
            column.name,
            column.type,
            column.is_nullable,
            is_masked=read.get(column.name, False),
            is_writable=column.name in writable_columns,
            is_readable=column.name in read,
            comment=column.comment,
        )
        for column in stored.columns
        if column.name in read or column.name in writable_columns
    )
    plain = {column.name for column in columns if column.is_readable and not column.is_masked}
    key = stored.primary_key if plain.issuperset(stored.primary_key) else ()
    return ShownTable(name, stored.kind, stored.comment, ground.catalog.dialect, columns, key, operations)


def offered_functions(ground: Ground, acting: Acting) -> tuple[OfferedQuery, ...]:
    """The functions that a role calls, with their arguments as a closed schema."""
    dialect = ground.catalog.dialect
    return tuple(
        OfferedQuery(name, each.stored.comment or f"Call {name}.", _arguments(each.stored, dialect))
        for name, each in sorted(acting.functions.items())
        if each.calls
    )


def _arguments(function: StoredFunction, dialect: Dialect) -> Schema:
    required = [each.name for each in function.parameters if not each.has_default]
    members = {
        each.name: {
            **_CELLS[column_type(each.type, dialect).family],
            **({"description": each.type} if each.type else {}),
        }
        for each in function.parameters
    }
    return {"type": "object", "properties": members, "required": required, "additionalProperties": False}


def path_name(table: str) -> str:
    """A table's name as a segment of a path: in quotes, where it would read as a route of its own."""
    return f'"{table}"' if table in _SEGMENTS or table.startswith('"') else table


def described(table: ShownTable) -> Schema:
    """A table as `/_schema` shows it."""
    return {
        "name": table.name,
        "kind": table.kind,
        "comment": table.comment,
        "operations": list(table.operations),
        "key": list(table.key),
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "nullable": column.is_nullable,
                "masked": column.is_masked,
                "writable": column.is_writable,
                "comment": column.comment,
            }
            for column in table.columns
        ],
    }


def row(table: ShownTable) -> Schema:
    """A row as it is answered."""
    schema: Schema = {"type": "object", "properties": {each.name: _cell(each, table.dialect) for each in table.columns}}
    if table.comment:
        schema["description"] = table.comment
    return schema


_CELLS: Final[Mapping[Family, Schema]] = {
    "integer": {"type": ["integer", "string"]},
    "decimal": {"type": "string", "format": "decimal"},
    "real": {"type": ["number", "string"]},
    "boolean": {"type": "boolean"},
    "text": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "timestamp": {"type": "string"},
    "timestamptz": {"type": "string", "format": "date-time"},
    "uuid": {"type": "string", "format": "uuid"},
    "bytes": {"type": "string"},
    "json": {},
    "array": {"type": ["array", "string"]},
    "other": {},
    "unknown": {},
}


def _cell(column: ShownColumn, dialect: Dialect) -> Schema:
    family = column_type(column.type, dialect).family
    # SQLite types values, not columns: whatever is declared, a cell may hold another type.
    schema = {} if dialect == "sqlite" or column.is_masked else dict(_CELLS[family])
    if column.is_nullable and "type" in schema:
        known = schema["type"]
        schema["type"] = [*(known if isinstance(known, list) else [known]), "null"]
    said = [column.comment, "Masked." if column.is_masked else ""]
    if text := " ".join(each for each in said if each):
        schema["description"] = text
    if not column.is_writable:
        schema["readOnly"] = True
    if not column.is_readable:
        schema["writeOnly"] = True
    return schema


def _object(required: Sequence[str] = (), **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "integer", "minimum": 0}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_ANY_ROWS: Final[Schema] = {"type": "array", "items": {"type": "object"}}

SHARED: Final[Mapping[str, Schema]] = {
    "Problem": _object(
        ("type", "title", "status", "detail", "code", "hint", "retryable"),
        type=_TEXT,
        title=_TEXT,
        status={"type": "integer"},
        detail=_TEXT,
        code=_TEXT,
        hint=_TEXT,
        retryable={"type": "boolean"},
    ),
    "Tables": {
        "type": "array",
        "items": _object(
            ("name", "kind", "comment", "operations"), name=_TEXT, kind=_TEXT, comment=_TEXT, operations=_TEXTS
        ),
    },
    "Statement": _object(
        ("sql",),
        sql={"type": "string", "maxLength": 20_000},
        params={"description": "Values for the statement's parameters."},
        max_rows=_NUMBER,
        timeout_s={"type": "number", "exclusiveMinimum": 0, "maximum": 60},
    ),
    "Explanation": _object(
        ("verdict", "role", "reasons", "sql"), verdict=_TEXT, role=_TEXT, reasons=_TEXTS, sql=_TEXT, tables=_TEXTS
    ),
    "Query": _object(
        (),
        select=_TEXT,
        filter={"type": "string", "description": "`price >= 10 AND status IN ('open', 'paid')`"},
        having=_TEXT,
        order=_TEXT,
        limit=_NUMBER,
        offset=_NUMBER,
        cursor=_TEXT,
        count={"type": "string", "enum": ["", "exact", "estimated"]},
    ),
    "Page": _object(
        ("data", "page", "limits"),
        data=_ANY_ROWS,
        page=_object((), limit=_NUMBER, next_cursor={"type": ["string", "null"]}, total={"type": ["integer", "null"]}),
        limits=_object((), rows=_NUMBER, bytes=_NUMBER, truncated=_TEXT),
    ),
    "Envelope": _object(("resource", "meta"), resource=_ANY_ROWS, meta={"type": "object"}),
    "Written": _object(
        ("affected",), affected=_NUMBER, keys={"type": "array", "items": {"type": "array"}}, rows=_ANY_ROWS
    ),
    "Waiting": _object(("status", "summary"), status={"const": "approval_required"}, summary=_TEXT, reasons=_TEXTS),
}
