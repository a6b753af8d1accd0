"""Keeps a caller's expressions away from the rows that a row rule hides.

An engine may test a caller's condition before the rule's: measured, a failing cast ran on hidden rows and its error
told of them. A statement made of plain comparisons cannot fail for a value, so there the engine may choose its order
(and use its indexes); before any other, a fence stands in the table's subquery. Above: rewriting.py.
"""

import datetime as dt

from sqlglot import exp

from pierhead.sdk.sqlguard.functions import words
from pierhead.sdk.sqlguard.view import View

# What cannot fail for a value, of any row. In DuckDB a comparison may: it casts text to what it is compared with.
_CALM = words("""
Alias And Between Boolean CTE Column Count Distinct EQ Except Exists Fetch From GT GTE Group Having Identifier In
Intersect Is Join LT LTE Limit LimitOptions Literal Max Min NEQ Not Null NullSafeEQ NullSafeNEQ Offset Or Order Ordered
Paren Select Star Subquery Table TableAlias Tuple Union Using Var Where With
""")
_CASTS_TO_COMPARE = frozenset({"duckdb", "tsql", "oracle", "snowflake"})
_AFTER_THE_ROWS = frozenset({"expressions", "order", "group", "having"})
_SOURCES = (exp.From, exp.Join, exp.Exists, exp.In, exp.SetOperation, exp.CTE, exp.Subquery)
_EVERY = {
    "mysql": "18446744073709551615",
    "sqlite": "-1",
    "duckdb": "9223372036854775807",
    "trino": "9223372036854775807",
}
# Trino drops an OFFSET 0 from its plan and tests both conditions at once; PrestoDB takes no OFFSET.
_TAKES_NO_OFFSET = frozenset({"trino"})
# Trino and Presto widen numbers to compare them, which may fail: there a column meets only a text or a day calmly.
_COMPARES = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_MEETS_OTHERS = (exp.Join, exp.SetOperation, exp.Exists)


def needs_fence(root: exp.Expr, view: View) -> bool:
    """Whether some expression of the statement could fail, or cost, differently for a row that is hidden."""
    if view.dialect in _CASTS_TO_COMPARE:
        return True
    is_calm = _is_calm_in_trino if view.dialect == "trino" else _is_calm
    return any(not is_calm(node) and not _is_computed_last(node, root) for node in root.walk())


def _is_calm(node: exp.Expr) -> bool:
    if isinstance(node, exp.Subquery) and not isinstance(node.parent, _SOURCES):
        return False  # as a value it fails where it gives two rows
    return type(node).__name__ in _CALM


def _is_calm_in_trino(node: exp.Expr) -> bool:
    match node:
        case exp.Between():
            return isinstance(node.this, exp.Column) and _is_constant(node.args["low"], node.args["high"])
        case exp.In():
            return isinstance(node.this, exp.Column) and not node.args.get("query") and _is_constant(*node.expressions)
        case exp.Cast():
            return _is_constant(node)
        case exp.DataType():
            return isinstance(node.parent, exp.Cast)  # which is asked itself
        case _ if isinstance(node, _COMPARES):
            sides = (node.this, node.expression)
            columns = [side for side in sides if isinstance(side, exp.Column)]
            return len(columns) == 1 and _is_constant(*(side for side in sides if side is not columns[0]))
        case _:
            return _is_calm(node) and not isinstance(node, _MEETS_OTHERS)


def _is_constant(*nodes: exp.Expr) -> bool:
    """Whether each is a text, or a day that there is."""
    return all((isinstance(node, exp.Literal) and node.is_string) or _is_day(node) for node in nodes)


def _is_day(node: exp.Expr) -> bool:
    if not (isinstance(node, exp.Cast) and node.to.is_type(exp.DType.DATE) and node.this.is_string):
        return False
    try:
        return dt.date.fromisoformat(node.this.name).isoformat() == node.this.name
    except ValueError:
        return False


def _is_computed_last(node: exp.Expr, root: exp.Expr) -> bool:
    """In what the statement itself selects, groups or orders: computed for rows that passed every condition."""
    below: exp.Expr = node
    while below.parent is not None and below.parent is not root:
        below = below.parent
        if isinstance(below, exp.Query):
            return False
    return isinstance(root, exp.Select) and below.arg_key in _AFTER_THE_ROWS and not isinstance(node, exp.Query)


def fence(select: exp.Select, view: View) -> None:
    """Make the engine finish `select` before it looks at anything around it."""
    if view.dialect == "tsql":
        select.set("order", exp.Order(expressions=[exp.Subquery(this=exp.select(exp.Null()))]))
    elif view.dialect in _EVERY:
        select.set("limit", exp.Limit(expression=exp.Literal.number(_EVERY[view.dialect])))
    if view.dialect not in _TAKES_NO_OFFSET:
        select.set("offset", exp.Offset(expression=exp.Literal.number(0)))
