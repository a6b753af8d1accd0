"""Rows as JSON, built by the engine: how related rows come back in the statement of the rows they belong to.

Cells read as they do outside of JSON (cells.py): decimals and integers beyond 2^53 as text, times as ISO 8601, bytes
in hexadecimal. Not here: which rows (embed_sql.py).
"""

from collections.abc import Sequence
from typing import Final

from sqlglot import exp

from pierhead.sdk.governed.types import ColumnType
from pierhead.sdk.sqlguard import Dialect

BUILDS_JSON: Final = frozenset({"postgres", "sqlite", "duckdb"})
"""Engines on which related rows come in one statement. On others they come by a statement of their own."""

_EXACT: Final = 2**53
_MOST_PAIRS: Final = 60  # SQLite gives a function 127 arguments


def json_cell(value: exp.Expr, type_: ColumnType, dialect: Dialect) -> exp.Expr:
    """`value` as it shall stand in JSON."""
    if dialect == "postgres":
        return _postgres(value, type_)
    if dialect == "duckdb":
        return _duckdb(value, type_)
    return _sqlite(value, type_)


def _postgres(value: exp.Expr, type_: ColumnType) -> exp.Expr:
    match type_.family:
        case "decimal" | "other":
            return exp.cast(value, "text")
        case "integer" if type_.name.lower() in ("bigint", "int8"):
            as_text = _call("to_json", exp.cast(value.copy(), "text"))
            return _if(_is_exact(value), _call("to_json", value.copy()), as_text)
        case "timestamptz":
            in_utc = exp.AtTimeZone(this=value, zone=exp.Literal.string("UTC"))
            text = exp.JSONBExtractScalar(this=_call("to_json", in_utc), expression=exp.Literal.string("{}"))
            return exp.DPipe(this=exp.Paren(this=text), expression=exp.Literal.string("+00:00"))
        case _:
            return value


def _duckdb(value: exp.Expr, type_: ColumnType) -> exp.Expr:
    text = exp.cast(value.copy(), "text")
    match type_.family:
        case "decimal" | "uuid" | "date" | "time":
            return text
        case "timestamp" | "timestamptz":
            return _call("replace", text, exp.Literal.string(" "), exp.Literal.string("T"))
        case "integer":
            return _if(_is_exact(value), _call("to_json", value.copy()), _call("to_json", text))
        case "bytes":
            hexadecimal = _call("lower", _call("hex", value))
            return exp.DPipe(this=exp.Literal.string("\\x"), expression=hexadecimal)
        case _:
            return value


def _sqlite(value: exp.Expr, type_: ColumnType) -> exp.Expr:
    """SQLite's columns hold any type, so it is the value that is asked for its own."""
    if type_.family == "json":
        return value
    hexadecimal = exp.DPipe(this=exp.Literal.string("\\x"), expression=_call("lower", _call("hex", value.copy())))
    large = exp.And(this=_is_kind(value, "integer"), expression=exp.Not(this=exp.Paren(this=_is_exact(value))))
    cases = [
        exp.If(this=_is_kind(value, "blob"), true=hexadecimal),
        exp.If(this=exp.Paren(this=large), true=exp.cast(value.copy(), "text")),
    ]
    if type_.family == "boolean":
        truth = _call("json", _if(value.copy(), exp.Literal.string("true"), exp.Literal.string("false")))
        cases.append(exp.If(this=_is_kind(value, "integer"), true=truth))
    return exp.Case(ifs=cases, default=value.copy())


def row_object(row: str, columns: Sequence[tuple[str, bool]], dialect: Dialect) -> exp.Expr:
    """One row of the subquery `row` as a JSON object. Shapes: a column's name, and whether it is JSON already."""
    if dialect == "postgres":
        return _call("to_json", exp.Column(this=exp.Star(), table=_name(row)))
    pairs: list[exp.Expr] = []
    for name, is_json in columns:
        place: exp.Expr = exp.column(_name(name), table=_name(row))
        pairs += [exp.Literal.string(name), _json_again(place) if is_json and dialect == "sqlite" else place]
    if dialect == "duckdb" or len(columns) <= _MOST_PAIRS:
        return _call("json_object", *pairs)
    return _joined([pairs[at : at + 2 * _MOST_PAIRS] for at in range(0, len(pairs), 2 * _MOST_PAIRS)])


def _json_again(place: exp.Expr) -> exp.Expr:
    """SQLite forgets at the edge of a subquery that a text is JSON; what never was any stays text."""
    return _if(_call("json_valid", place), _call("json", place.copy()), place.copy())


def _joined(groups: Sequence[Sequence[exp.Expr]]) -> exp.Expr:
    """Objects of some pairs each as the text of one object."""
    whole: exp.Expr = exp.Literal.string("{")
    for place, group in enumerate(groups):
        made = _call("json_object", *group)
        inside = _call("substr", made, exp.Literal.number(2), _less_two(made))
        comma = exp.Literal.string("," if place else "")
        whole = exp.DPipe(this=whole, expression=exp.DPipe(this=comma, expression=inside))
    return _call("json", exp.DPipe(this=whole, expression=exp.Literal.string("}")))


def _less_two(text: exp.Expr) -> exp.Expr:
    return exp.Sub(this=_call("length", text.copy()), expression=exp.Literal.number(2))


def objects_listed(one: exp.Expr, order: Sequence[exp.Ordered], dialect: Dialect) -> exp.Expr:
    """JSON objects of rows as one JSON list; rows come in order, but DuckDB keeps it only where it is said again."""
    if dialect == "postgres":
        empty = exp.cast(exp.Literal.string("[]"), "json")
        return exp.Coalesce(this=_call("json_agg", one), expressions=[empty])
    if dialect == "sqlite":
        return _call("json_group_array", _call("json", one))
    within = exp.Order(this=one, expressions=list(order)) if order else one
    return exp.Coalesce(
        this=_call("to_json", _call("list", within)), expressions=[exp.cast(exp.Literal.string("[]"), "json")]
    )


def _is_exact(value: exp.Expr) -> exp.Expr:
    low, high = exp.Neg(this=exp.Literal.number(_EXACT)), exp.Literal.number(_EXACT)
    return exp.Between(this=value.copy(), low=low, high=high)


def _is_kind(value: exp.Expr, kind: str) -> exp.Expr:
    return exp.EQ(this=_call("typeof", value.copy()), expression=exp.Literal.string(kind))


def _if(test: exp.Expr, then: exp.Expr, otherwise: exp.Expr) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=test, true=then)], default=otherwise)


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _name(text: str) -> exp.Identifier:
    return exp.to_identifier(text, quoted=True)
