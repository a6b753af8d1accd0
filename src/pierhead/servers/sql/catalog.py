"""A source's schema as its engine reports it: everything there is, before any role. Never shown to a caller.

Not here: asking the engine (engines/). Above: policy.py compiles it into a role's view.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pierhead.sdk.sqlguard import Dialect


@dataclass(frozen=True, slots=True)
class StoredColumn:
    name: str
    type: str
    is_nullable: bool
    is_key: bool
    comment: str = ""


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table or view. `reads` are the tables a view or a partitioned table may lead the engine to."""

    schema: str
    name: str
    kind: Literal["table", "view"]
    columns: tuple[StoredColumn, ...]
    comment: str = ""
    rows_estimate: int | None = None
    row_id: str = ""
    reads: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Catalog:
    dialect: Dialect
    catalog: str
    schema: str
    tables: tuple[StoredTable, ...]

    def display_name(self, table: StoredTable) -> str:
        return table.name if table.schema == self.schema else f"{table.schema}.{table.name}"

    @cached_property
    def by_name(self) -> dict[tuple[str, str], StoredTable]:
        return {(table.schema, table.name): table for table in self.tables}
