"""Which columns a statement may read, for the record: never fewer than it does read.

Names are compared without regard to case and to scope, and wherever columns can be read without being named
(`*`, NATURAL, renaming by place, whole rows) all of them count. No check: what may be read stands in the view.
"""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from pierhead.sdk.sqlguard.scopes import Sources
from pierhead.sdk.sqlguard.view import PermittedTable, View

_UNNAMED = (exp.Columns, exp.PositionalColumn, exp.Parameter, exp.Pivot)
_ROW_ID_NAMES = frozenset({"rowid", "oid", "_rowid_"})


def columns_read(nodes: Sequence[exp.Expr], sources: Sources, view: View) -> tuple[str, ...]:
    """`orders.total`, or `orders.*` where any may be meant; a table of which none is named is left out."""
    tables = sorted({reference.table for reference in sources.physical}, key=view.display_name)
    names = {node.name.lower() for node in nodes if isinstance(node, exp.Identifier)}
    if any(_reads_unnamed(node) for node in nodes) or not _is_free_of_rows(nodes, sources):
        return tuple(f"{view.display_name(table)}.*" for table in tables)
    return tuple(f"{view.display_name(table)}.{column}" for table in tables for column in _named(table, names))


def _reads_unnamed(node: exp.Expr) -> bool:
    match node:
        case exp.Star():
            return not isinstance(node.parent, exp.Count)
        case exp.Join():
            return (node.method or "").upper() == "NATURAL"
        case exp.TableAlias():
            return bool(node.columns)
        case _:
            return isinstance(node, _UNNAMED)


def _is_free_of_rows(nodes: Sequence[exp.Expr], sources: Sources) -> bool:
    """Whether no table's name stands where a value does: that would be its whole row."""
    named = {reference.node.alias_or_name.lower() for reference in sources.physical}
    named |= {node.alias_or_name.lower() for node in nodes if isinstance(node, (exp.CTE, exp.Subquery))}
    return not any(isinstance(node, exp.Column) and not node.table and node.name.lower() in named for node in nodes)


def _named(table: PermittedTable, names: set[str]) -> Iterator[str]:
    for column in table.columns:
        is_row_id = column.name == table.row_id and not names.isdisjoint(_ROW_ID_NAMES)
        if column.name.lower() in names or is_row_id:
            yield column.name
