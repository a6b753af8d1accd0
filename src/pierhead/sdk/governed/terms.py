"""What a name in a request stands for: a permitted column of a table, or a place inside its JSON.

A hidden column and one that is not there get the same answer, and a masked column gets none but its mask. Not here:
what is done with a term (filter_sql.py, read_sql.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from pierhead.sdk import Invalid
from pierhead.sdk.governed.filters import Operand, bad_filter
from pierhead.sdk.governed.types import JSON, TEXT, ColumnType, column_type
from pierhead.sdk.sqlguard import Column, Dialect


@dataclass(frozen=True, slots=True)
class Term:
    """What an operand stands for: an expression, and the type its values must fit."""

    expression: exp.Expr
    type: ColumnType
    name: str  # as errors call it
    as_text: exp.Expr | None = None  # a place in JSON, read as text


class ColumnTerms:
    """Operands as columns of one table, and which were `used`. Unknown and hidden columns get the same answer."""

    def __init__(self, columns: Sequence[Column], dialect: Dialect, alias: str = "") -> None:
        self._columns = {column.name: column for column in columns}
        self._dialect: Dialect = dialect
        self._alias = alias
        self.used: set[str] = set()

    def __call__(self, operand: Operand) -> Term:
        if operand.aggregate:
            raise bad_filter(
                f"{operand.aggregate} stands in select, order and having", "filter columns; having results"
            )
        return self.of_column(operand)

    def of_column(self, operand: Operand) -> Term:
        """The column, or the place inside its JSON. Errors: Invalid (`unknown-column`, `masked-column`)."""
        column = self.column(operand.column)
        if column.expression is not None:
            raise masked(column.name)
        return self.reached(column, operand)

    def column(self, name: str) -> Column:
        found = self._columns.get(name)
        if found is None:
            raise unknown_column(name, self._columns)
        return found

    def reached(self, column: Column, operand: Operand) -> Term:
        self.used.add(column.name)
        place = exp.column(
            exp.to_identifier(column.name, quoted=True),
            table=exp.to_identifier(self._alias, quoted=True) if self._alias else None,
        )
        type_ = column_type(column.type, self._dialect)
        if not operand.path:
            return Term(place, type_, column.name)
        if type_.family not in ("json", "text", "unknown", "other"):
            raise bad_filter(f"column {column.name} holds no JSON", "only columns of JSON have -> and ->>")
        text = json_place(place, replace(operand, as_text=True), self._dialect)
        if operand.as_text:
            return Term(text, TEXT, path_name(operand))
        return Term(json_place(place.copy(), operand, self._dialect), JSON, path_name(operand), as_text=text)


def path_name(operand: Operand) -> str:
    """As callers write it."""
    if not operand.path:
        return operand.column
    arrows = ["->"] * (len(operand.path) - 1) + ["->>" if operand.as_text else "->"]
    return operand.column + "".join(f"{arrow}{key}" for arrow, key in zip(arrows, operand.path, strict=True))


def unknown_column(name: str, permitted: Iterable[str]) -> Invalid:
    return Invalid(
        f"there is no column {name[:128]}",
        hint=f"you may use {', '.join(permitted)}"[:1_000],
        code="unknown-column",
    )


def masked(name: str) -> Invalid:
    return Invalid(
        f"column {name} is masked: it is shown, and not filtered, ordered, grouped or related",
        hint="use another column",
        code="masked-column",
    )


def json_place(column: exp.Expr, operand: Operand, dialect: Dialect) -> exp.Expr:
    """`column->a->>b`. Keys become literals, so they may hold nothing that a literal would need escaped."""
    for key in operand.path:
        if isinstance(key, str) and (not key.isprintable() or any(sign in key for sign in "'\"\\`$*[]")):
            raise bad_filter(f"a key of {operand.column} holds a sign that keys may not hold here")
    if dialect == "postgres":
        place = column
        for position, key in enumerate(operand.path):
            is_last_text = operand.as_text and position == len(operand.path) - 1
            made = exp.JSONExtractScalar if is_last_text else exp.JSONExtract
            literal = exp.Literal.number(key) if isinstance(key, int) else exp.Literal.string(key)
            place = made(this=place, expression=literal, only_json_types=True)
        return exp.Paren(this=place)
    steps = [
        exp.JSONPathSubscript(this=key) if isinstance(key, int) else exp.JSONPathKey(this=key) for key in operand.path
    ]
    path = exp.JSONPath(expressions=[exp.JSONPathRoot(), *steps])
    if not operand.as_text:
        return exp.Paren(this=exp.JSONExtract(this=column, expression=path))
    if dialect == "mysql":  # MariaDB has no arrows
        extracted = exp.JSONExtract(this=column, expression=path)
        return exp.Anonymous(this="json_unquote", expressions=[extracted])
    text = exp.Paren(this=exp.JSONExtractScalar(this=column, expression=path))
    return exp.cast(text, "text") if dialect == "sqlite" else text
