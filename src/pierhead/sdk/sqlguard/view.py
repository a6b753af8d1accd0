"""What one role may see of one source: the only schema the guard believes in.

A value, frozen, compiled by whoever owns the policy. Not here: how it was decided (sdk/governed/policy.py),
how an engine was asked for its tables (servers/sql/engines).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sqlglot import exp

Dialect = Literal["sqlite", "postgres", "duckdb", "mysql", "trino", "tsql", "oracle", "snowflake"]

_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_UPPER = {lower: upper for upper, lower in _LOWER.items()}

# How an engine reads an unquoted name. Engines missing here compare names without regard to case.
FOLDS_TO_LOWER = frozenset({"postgres"})
FOLDS_TO_UPPER = frozenset({"oracle", "snowflake"})


def folded(name: str, dialect: Dialect, *, quoted: bool) -> str:
    """`name` as the engine will look it up: ASCII letters only, as engines fold.

    Python's lower() would also fold the Kelvin sign to k, which no engine does.
    """
    if dialect in FOLDS_TO_LOWER:
        return name if quoted else name.translate(_LOWER)
    if dialect in FOLDS_TO_UPPER:
        return name if quoted else name.translate(_UPPER)
    return name.translate(_LOWER)


@dataclass(frozen=True, slots=True)
class Column:
    """A permitted column. `expression` is what is read in its place, over columns of its table: a mask.

    `is_hashed`: what is read leaves as a keyed digest. Whoever runs the statement makes it, so no view for statements
    of callers holds such a column.
    """

    name: str
    type: str = ""
    expression: exp.Expr | None = None
    is_hashed: bool = False


@dataclass(frozen=True, slots=True)
class PermittedTable:
    """A table or view as stored in the engine, with its permitted columns in table order.

    `condition` keeps the rows a role may see: it stands inside the subquery, over stored columns, and its values
    are slots.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    row_id: str = ""  # SQLite: the permitted INTEGER PRIMARY KEY, which `rowid` stands for
    condition: exp.Expr | None = None

    @property
    def columns_read(self) -> frozenset[str]:
        """The stored columns that reading this table touches: none for a mask that looks at nothing."""
        plain = {column.name for column in self.columns if column.expression is None}
        trees = [column.expression for column in self.columns if column.expression is not None]
        if self.condition is not None:
            trees.append(self.condition)
        return frozenset(plain.union(*({each.name for each in tree.find_all(exp.Column)} for tree in trees)))


@dataclass(frozen=True, slots=True)
class PermittedFunction:
    """A function of the database, as stored, that a statement may call with `least` to `most` arguments."""

    schema: str
    name: str
    least: int
    most: int
    types: tuple[str, ...] = ()  # of its parameters, as the engine names them
    gives_rows: bool = False


@dataclass(frozen=True, eq=False)
class View:
    """A role's view of a source. An empty `tables` permits nothing.

    Equal to itself alone: it is a key in every call, and to hash each table of a schema would cost more than the call.
    """

    dialect: Dialect
    catalog: str
    schema: str
    tables: tuple[PermittedTable, ...]
    #: Schema and name of tables that would be permitted, and broke the contract with clients: they say so.
    withheld: frozenset[tuple[str, str]] = frozenset()
    #: Called by their bare names, which differ.
    functions: tuple[PermittedFunction, ...] = ()

    def fold(self, name: str, *, quoted: bool) -> str:
        return folded(name, self.dialect, quoted=quoted)

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], PermittedTable]:
        return {(self._stored(table.schema), self._stored(table.name)): table for table in self.tables}

    def _stored(self, name: str) -> str:
        return folded(name, self.dialect, quoted=True)

    def find(self, schema: str, name: str) -> PermittedTable | None:
        """The table of that folded name; an empty schema means the default one."""
        return self._by_name.get((schema or self._stored(self.schema), name))

    @cached_property
    def _by_function(self) -> Mapping[str, PermittedFunction]:
        return {self._stored(function.name): function for function in self.functions}

    def find_function(self, name: str, *, quoted: bool) -> PermittedFunction | None:
        """The granted function that a caller's bare name means."""
        return self._by_function.get(self.fold(name, quoted=quoted)) if self.functions else None

    def is_withheld(self, schema: str, name: str) -> bool:
        """Whether that folded name is one that broke its contract; an empty schema means the default one."""
        return (schema or self._stored(self.schema), name) in self._withheld

    @cached_property
    def _withheld(self) -> frozenset[tuple[str, str]]:
        return frozenset((self._stored(schema), self._stored(name)) for schema, name in self.withheld)

    def is_catalog(self, name: str) -> bool:
        return name == self._stored(self.catalog)

    def display_name(self, table: PermittedTable) -> str:
        """The name a caller writes: bare in the default schema, else `schema.table`."""
        return table.name if table.schema == self.schema else f"{table.schema}.{table.name}"

    @property
    def table_names(self) -> tuple[str, ...]:
        return tuple(self.display_name(table) for table in self.tables)
