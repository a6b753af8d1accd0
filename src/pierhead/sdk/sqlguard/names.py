"""Column names and widths: an early, teaching refusal for a column that nothing in the statement offers.

This is not what protects a hidden column (the rewriting does: inside the statement it no longer exists).
It turns an engine's "no such column" into an answer that names the permitted ones, and it refuses alias lists
that are longer than what is permitted. Where names are made at run time (PIVOT), it steps aside.
"""

from collections.abc import Iterable

from sqlglot import exp

from pierhead.sdk.sqlguard.refusal import SqlRefused
from pierhead.sdk.sqlguard.scopes import Sources
from pierhead.sdk.sqlguard.view import View

_COLUMNS_SHOWN = 40

# Names engines give to columns nobody named, and SQLite's names of the row key.
_UNNAMED = {
    "postgres": "column1 column2 column3 column4 column5 column6 column7 column8 case key value ordinality"
    " row unnest bool date int4 int8 numeric text timestamp varchar timestamptz",
    "sqlite": "key value type atom id parent fullkey path column1 column2 column3 column4 column5 rowid oid _rowid_",
    "duckdb": "col0 col1 col2 col3 col4 col5 unnest range key value type id parent fullkey path rowid",
    "oracle": "rownum level column_value sysdate systimestamp",
    "snowflake": "seq key path index value this column1 column2 column3 column4 column5",
    "tsql": "value ordinal",
}


def check_columns(nodes: Iterable[exp.Expr], sources: Sources, view: View) -> None:
    nodes = list(nodes)
    if any(isinstance(node, (exp.Pivot, exp.Lambda, exp.Comprehension)) for node in nodes):
        return
    offered = _offered(nodes, sources, view)
    columns = {column.name.lower() for reference in sources.physical for column in reference.table.columns}
    for node in nodes:
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            continue
        is_field = node.table.lower() in columns  # DuckDB: a field of a permitted column
        if node.name.lower() not in offered and not is_field:
            raise _unknown_column(node.name, sources)


def _offered(nodes: Iterable[exp.Expr], sources: Sources, view: View) -> set[str]:
    """Every name the statement could mean, lower-cased: too many rather than too few."""
    offered = set(_UNNAMED.get(view.dialect, "value").split())
    for reference in sources.physical:
        offered.update(column.name.lower() for column in reference.table.columns)
        offered.update((reference.table.name.lower(), reference.node.alias.lower()))
    for node in nodes:
        if isinstance(node, (exp.Alias, exp.CTE, exp.Table, exp.Subquery, exp.Lateral)):
            offered.add(node.alias_or_name.lower())
        elif isinstance(node, exp.TableAlias):
            offered.update(part.name.lower() for part in (node.this, *node.columns) if part)
        elif isinstance(node, (exp.Aliases, exp.Unnest)):
            offered.update(part.name.lower() for part in node.find_all(exp.Identifier))
        elif isinstance(node, exp.Func):
            offered.add(node.name.lower() if isinstance(node, exp.Anonymous) else node.sql_name().lower())
        elif isinstance(node, exp.PropertyEQ):
            offered.add(node.this.name.lower())
    return offered


def _unknown_column(name: str, sources: Sources) -> SqlRefused:
    columns = [
        f"{reference.table.name}({', '.join(column.name for column in reference.table.columns[:_COLUMNS_SHOWN])})"
        for reference in sources.physical
    ]
    shown = "; ".join(dict.fromkeys(columns)) or "none, as the statement reads no table"
    return SqlRefused(f"there is no column {name[:128]}", code="unknown-column", hint=f"columns you may read: {shown}")


def check_alias_lists(nodes: Iterable[exp.Expr], sources: Sources) -> None:
    """`customers AS c(a, b, c, d, e)` must not name more columns than are permitted."""
    widths = {id(reference.node): len(reference.table.columns) for reference in sources.physical}
    bodies = {id(node): identifier.find_ancestor(exp.CTE) for node, identifier in sources.introduced}
    for node in nodes:
        alias = node.args.get("alias")
        if not isinstance(alias, exp.TableAlias) or not alias.columns:
            continue
        width = _width(node.this if isinstance(node, (exp.CTE, exp.Subquery)) else node, widths, bodies)
        if width is not None and len(alias.columns) > width:
            raise SqlRefused(
                f"{alias.name} is given {len(alias.columns)} column names but has {width} columns",
                code="unknown-column",
                hint="name at most the columns that it has",
            )


def _width(node: exp.Expr | None, widths: dict[int, int], bodies: dict[int, exp.CTE | None]) -> int | None:
    """How many columns a source has; None where that is not plain to see."""
    if isinstance(node, exp.Table):
        body = bodies.get(id(node))
        return widths.get(id(node)) if body is None else _width(body.this, widths, {})
    if isinstance(node, (exp.SetOperation, exp.Subquery)):
        return _width(node.this, widths, bodies)
    if not isinstance(node, exp.Select):
        return None
    if not node.is_star:
        return len(node.expressions)
    from_ = node.args.get("from_")
    has_more = len(node.expressions) > 1 or node.args.get("joins") or node.args.get("laterals")
    return _width(from_.this, widths, bodies) if isinstance(from_, exp.From) and not has_more else None
