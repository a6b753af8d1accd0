"""A source's schema as its engine reports it: everything there is, before any role. Never shown to a caller.

Not here: asking the engine (engines/). Above: policy.py compiles it into a role's view.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

from pierhead.sdk.sqlguard import Dialect


@dataclass(frozen=True, slots=True)
class StoredColumn:
    name: str
    type: str
    is_nullable: bool
    is_key: bool
    comment: str = ""
    has_default: bool = False  # may be left out of an insert
    is_generated: bool = False  # may never be written
    is_numbered: bool = False  # AUTO_INCREMENT: the engine says which number it gave


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of the table that has it point at `target_columns` of another, in the same order."""

    name: str
    columns: tuple[str, ...]
    target_schema: str
    target: str
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table or view.

    `primary_key` is in key order, `unique` holds further keys, `reads` the tables a view or a partitioned table may
    lead the engine to.
    """

    schema: str
    name: str
    kind: Literal["table", "view"]
    columns: tuple[StoredColumn, ...]
    comment: str = ""
    rows_estimate: int | None = None
    row_id: str = ""
    reads: frozenset[tuple[str, str]] = frozenset()
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredParameter:
    """One parameter of a function. `type` is empty where the engine declares none; `place` counts from 1."""

    place: int
    name: str
    type: str
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class StoredFunction:
    """A function of the database's own.

    `is_volatile`: it may change something, or may not be repeated. `is_definer`: it runs with its owner's rights.
    `unfit` says why it can be granted to nobody.
    """

    schema: str
    name: str
    parameters: tuple[StoredParameter, ...]
    returns: str
    gives_rows: bool = False
    is_volatile: bool = False
    is_definer: bool = False
    comment: str = ""
    unfit: str = ""


@dataclass(frozen=True)
class Catalog:
    dialect: Dialect
    catalog: str
    schema: str
    tables: tuple[StoredTable, ...]
    functions: tuple[StoredFunction, ...] = ()

    def display_name(self, stored: StoredTable | StoredFunction) -> str:
        return stored.name if stored.schema == self.schema else f"{stored.schema}.{stored.name}"

    @cached_property
    def version(self) -> str:
        """A digest of the shape: what tables, columns, keys and functions there are, not how many rows they hold."""
        shape = sorted(repr(replace(table, rows_estimate=None, comment="", reads=frozenset())) for table in self.tables)
        shape += sorted(repr(replace(function, comment="")) for function in self.functions)
        return hashlib.sha256("\n".join(shape).encode()).hexdigest()[:16]

    @cached_property
    def by_name(self) -> dict[tuple[str, str], StoredTable]:
        return {(table.schema, table.name): table for table in self.tables}


OVERLOADED: Final = "there are several functions of this name in its schema"


def one_of_a_name(functions: Iterable[StoredFunction]) -> tuple[StoredFunction, ...]:
    """One entry for each name; what has overloads is unfit, since arguments of a caller would choose among them."""
    found: dict[tuple[str, str], StoredFunction] = {}
    for function in functions:
        place = (function.schema, function.name)
        found[place] = replace(function, unfit=OVERLOADED) if place in found else function
    return tuple(found.values())
