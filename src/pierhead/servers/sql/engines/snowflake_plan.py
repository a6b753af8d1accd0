"""What Snowflake says it would do: EXPLAIN USING JSON, read for tables and bytes. Nothing runs here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

_PARTS: Final = re.compile(r'"(?:[^"]|"")*"|[^.]+')
_PARTS_OF_A_TABLE: Final = 3
_READS_A_TABLE: Final = "TableScan"
_WRITES: Final = frozenset({"InsertSelect", "Insert", "Delete", "Update", "Merge", "CreateTableAsSelect", "Unload"})


@dataclass(frozen=True, slots=True)
class Plan:
    """`tables` as database, schema, table. Units: `bytes` are those that would be read."""

    tables: frozenset[tuple[str, ...]]
    writes: bool
    bytes: int | None


def read_plan(document: str) -> Plan:
    plan = cast("dict[str, Any]", orjson.loads(document))
    steps = list(_steps(plan.get("Operations", [])))
    tables = frozenset(
        _parts(name) for step in steps if step.get("operation") == _READS_A_TABLE for name in step.get("objects", ())
    )
    found = plan.get("GlobalStats", {}).get("bytesAssigned")
    writes = any(step.get("operation") in _WRITES for step in steps)
    return Plan(tables, writes, None if found is None else int(found))


def _steps(operations: list[Any]) -> Iterator[dict[str, Any]]:
    for operation in operations:
        if isinstance(operation, list):
            yield from _steps(cast("list[Any]", operation))
        else:
            yield cast("dict[str, Any]", operation)


def _parts(name: str) -> tuple[str, ...]:
    parts = [part[1:-1].replace('""', '"') if part[0] == '"' else part for part in _PARTS.findall(name)]
    return tuple(parts[-_PARTS_OF_A_TABLE:])
