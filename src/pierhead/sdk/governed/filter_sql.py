"""A filter as a condition in SQL, over the columns of one table: names checked, values as slots, parts in parentheses.

    written = condition(filter_, columns, dialect, named="f")
    written.expression     # goes into a tree
    written.filled()       # {"f0": 10, ...}: what fills its slots

The same text serves every filter of one `shape`: `fill(written.blanks, values(filter_), dialect)` gives the values of
another. A masked column may not be filtered: its stored value could be guessed. Not here: grammars, what a table's
subquery looks like (sdk/sqlguard).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from sqlglot import exp

from pierhead.sdk import Invalid
from pierhead.sdk.governed.blanks import Blank, Pattern, fill
from pierhead.sdk.governed.filters import (
    ClaimRef,
    Condition,
    Either,
    Every,
    Filter,
    Negation,
    Operand,
    Operator,
    Scalar,
    bad_filter,
    json_kind,
    values,
)
from pierhead.sdk.governed.terms import ColumnTerms, Term
from pierhead.sdk.governed.types import NUMBER, TEXT, ColumnType
from pierhead.sdk.sqlguard import Column, Dialect, slot

_COMPARED: Final[Mapping[Operator, type[exp.Binary]]] = {
    "eq": exp.EQ,
    "neq": exp.NEQ,
    "gt": exp.GT,
    "gte": exp.GTE,
    "lt": exp.LT,
    "lte": exp.LTE,
    "isdistinct": exp.NullSafeNEQ,
}
_CONTAINED: Final[Mapping[Operator, type[exp.Binary]]] = {
    "cs": exp.ArrayContainsAll,
    "cd": exp.ArrayContainedBy,
    "ov": exp.ArrayOverlaps,
}
_SEARCHED: Final[Mapping[Operator, str]] = {
    "fts": "to_tsquery",
    "plfts": "plainto_tsquery",
    "phfts": "phraseto_tsquery",
    "wfts": "websearch_to_tsquery",
}
_FOLDING_LIKE: Final = frozenset({"postgres", "duckdb", "snowflake"})


@dataclass(frozen=True, slots=True)
class WrittenCondition:
    """`blanks` and `raw` are in the same order; a ClaimRef in `raw` waits for its caller."""

    expression: exp.Expr
    blanks: tuple[Blank, ...]
    raw: tuple[Scalar, ...]
    dialect: Dialect

    def filled(self, claims: Mapping[str, object] | None = None) -> dict[str, object]:
        """Slot -> driver value. Errors: Invalid (`bad-value`); KeyError, for a claim that is not in `claims`."""
        held = claims or {}
        raw = [held[value.name] if isinstance(value, ClaimRef) else value for value in self.raw]
        return fill(self.blanks, raw, self.dialect)


def condition(
    filter_: Filter, columns: Sequence[Column], dialect: Dialect, *, named: str, alias: str = ""
) -> WrittenCondition:
    """`filter_` over `columns`: those a caller is permitted, or, for a row rule, those that are stored.

    Shapes: slots are called `named` and a number; `alias` stands before every column. Errors: Invalid
    (`unknown-column`, `masked-column`, `bad-filter`, `bad-value`).
    """
    terms = ColumnTerms(columns, dialect, alias)
    return write_condition(filter_, terms, dialect, named=named)


def write_condition(
    filter_: Filter, terms: Callable[[Operand], Term], dialect: Dialect, *, named: str
) -> WrittenCondition:
    """As `condition`, with the meaning of operands given: `having` names results, not columns."""
    writer = _Writer(terms, dialect, named)
    expression = writer.part(filter_)
    return WrittenCondition(expression, tuple(writer.blanks), tuple(values(filter_)), dialect)


class _Writer:
    """Writes one filter. Slots are numbered from left to right, as `filters.values` yields values."""

    def __init__(self, terms: Callable[[Operand], Term], dialect: Dialect, named: str) -> None:
        self._terms = terms
        self._dialect: Dialect = dialect
        self._named = named
        self.blanks: list[Blank] = []

    def part(self, filter_: Filter) -> exp.Expr:
        match filter_:
            case Condition():
                return exp.Paren(this=self._condition(filter_))
            case Every(parts):
                return self._joined(exp.And, parts)
            case Either(parts):
                return self._joined(exp.Or, parts)
            case Negation(part):
                return exp.Paren(this=exp.Not(this=self.part(part)))
            case _:
                assert_never(filter_)

    def _joined(self, connector: type[exp.Connector], parts: Sequence[Filter]) -> exp.Expr:
        return joined(connector, [self.part(part) for part in parts])

    def _condition(self, asked: Condition) -> exp.Expr:
        term = self._terms(asked.operand)
        if asked.quantifier and isinstance(asked.value, tuple):
            connector = exp.Or if asked.quantifier == "any" else exp.And
            return joined(connector, [exp.Paren(this=self._one(asked, term, each)) for each in asked.value])
        if asked.operator == "is":
            return _is(term, str(asked.value))
        if asked.operator == "in":
            return self._membership(asked, term)
        if isinstance(asked.value, tuple):
            raise bad_filter(f"{asked.operator} takes one value", "in takes a list")
        return self._one(asked, term, asked.value)

    def _one(self, asked: Condition, term: Term, value: Scalar) -> exp.Expr:
        if asked.operator in _COMPARED:
            return self._compared(_COMPARED[asked.operator], term, value)
        if asked.operator in _CONTAINED:
            return self._contained(asked.operator, term)
        if asked.operator in _SEARCHED:
            return self._searched(asked, term)
        return self._alike(asked.operator, term)

    def _slot(self, blank_type: ColumnType, term: Term, *, pattern: Pattern = "", is_glob: bool = False) -> exp.Expr:
        name = f"{self._named}{len(self.blanks)}"
        self.blanks.append(Blank(name, blank_type, term.name, pattern, is_glob))
        return as_type(slot(name), blank_type, self._dialect)

    def _compared(self, operator: type[exp.Binary], term: Term, value: Scalar) -> exp.Expr:
        if term.as_text is None:
            return operator(this=term.expression.copy(), expression=self._slot(term.type, term))
        place, type_ = _typed_place(term.expression.copy(), term.as_text.copy(), value, self._dialect)
        return operator(this=place, expression=self._slot(type_, term))

    def _membership(self, asked: Condition, term: Term) -> exp.Expr:
        if isinstance(asked.value, ClaimRef):
            return self._in_claim(term)
        members = asked.value if isinstance(asked.value, tuple) else (asked.value,)
        if not members:
            return exp.false()
        if term.as_text is not None:
            return joined(exp.Or, [exp.Paren(this=self._compared(exp.EQ, term, member)) for member in members])
        return exp.In(this=term.expression, expressions=[self._slot(term.type, term) for _ in members])

    def _in_claim(self, term: Term) -> exp.Expr:
        """A list whose length no statement may depend on: it is one value."""
        name = f"{self._named}{len(self.blanks)}"
        self.blanks.append(Blank(name, term.type, term.name, is_list=True))
        held = slot(name)
        if self._dialect == "postgres":
            return exp.EQ(this=term.expression, expression=exp.Any(this=exp.Paren(this=held)))
        if self._dialect in ("duckdb", "trino"):
            function = "list_contains" if self._dialect == "duckdb" else "contains"
            return exp.Anonymous(this=function, expressions=[held, term.expression])
        if self._dialect == "sqlite":
            each = exp.Anonymous(this="json_each", expressions=[held])
            members = exp.select(exp.column(exp.to_identifier("value", quoted=True))).from_(exp.Table(this=each))
            return exp.In(this=term.expression, query=exp.Subquery(this=members))
        raise not_here("in with a claim that is a list")

    def _alike(self, operator: Operator, term: Term) -> exp.Expr:
        pattern: Pattern = "like"
        if operator in ("contains", "starts", "ends"):
            pattern = operator
        text = term.expression if term.type.family == "text" else exp.cast(term.expression, "text")
        folds = operator == "ilike"
        if self._dialect == "sqlite" and not folds:  # its LIKE knows no case
            return exp.Glob(this=text, expression=self._slot(TEXT, term, pattern=pattern, is_glob=True))
        if folds and self._dialect not in _FOLDING_LIKE | {"sqlite"}:
            lowered = exp.Lower(this=self._slot(TEXT, term, pattern=pattern))
            return _escaping(exp.Like(this=exp.Lower(this=text), expression=lowered))
        if self._dialect == "mysql":  # collations there seldom mind case
            text = exp.Cast(this=text, to=exp.DataType.build("binary"))
        like = exp.ILike if folds and self._dialect in _FOLDING_LIKE else exp.Like
        return _escaping(like(this=text, expression=self._slot(TEXT, term, pattern=pattern)))

    def _contained(self, operator: Operator, term: Term) -> exp.Expr:
        is_array = term.type.family == "array"
        if not (self._dialect == "postgres" or (self._dialect == "duckdb" and is_array)):
            raise not_here(operator)
        if term.type.family == "json":
            held: exp.Expr = exp.cast(self._slot(term.type, term), "jsonb")
            return _CONTAINED[operator](this=exp.cast(term.expression, "jsonb"), expression=held)
        return _CONTAINED[operator](this=term.expression, expression=self._slot(term.type, term))

    def _searched(self, asked: Condition, term: Term) -> exp.Expr:
        if self._dialect != "postgres":
            raise not_here(asked.operator)
        if not asked.setting.replace("_", "").isalnum() and asked.setting:
            raise bad_filter("a text search takes the name of a language", "as in body=fts(english).word")
        language = [exp.Literal.string(asked.setting)] if asked.setting else []
        query = exp.Anonymous(this=_SEARCHED[asked.operator], expressions=[*language, self._slot(TEXT, term)])
        text = term.expression
        if term.type.family != "other":
            text = exp.Anonymous(this="to_tsvector", expressions=[*language, term.expression])
        return exp.MatchAgainst(this=query, expressions=[text])


def can_fail(expression: exp.Expr) -> bool:
    """Whether some value of a column can make it fail, as a place in a text that is no JSON does.

    Where a row rule hides rows, such a condition must not meet them: that it failed would tell of them.
    """
    found = (node for node in expression.find_all(exp.Func) if not isinstance(node, exp.Connector))
    return any(node.find(exp.Column) is not None for node in found)


def joined(connector: type[exp.Connector], parts: Sequence[exp.Expr]) -> exp.Expr:
    """The parts, each in its parentheses, as a balanced tree. Of none: what holds for all, or for any, of nothing."""
    if not parts:
        return exp.true() if connector is exp.And else exp.false()
    whole = parts[0]
    for part in parts[1:]:
        whole = connector(this=whole, expression=part)
    return exp.Paren(this=whole)


def not_here(operator: str) -> Invalid:
    return bad_filter(f"{operator} is not available on this engine or for this column", "use another operator")


def as_type(place: exp.Expr, type_: ColumnType, dialect: Dialect) -> exp.Expr:
    """A slot, cast where the driver cannot make the value itself: PostgreSQL's own and user-defined types."""
    if type_.family != "other" or dialect != "postgres":
        return place
    target = exp.DataType.build(type_.name, dialect="postgres", udt=True)
    return exp.Cast(this=exp.cast(place, "text"), to=target)


def _typed_place(place: exp.Expr, as_text: exp.Expr, value: Scalar, dialect: Dialect) -> tuple[exp.Expr, ColumnType]:
    """A place in JSON that keeps its type, read as what `value` is: `data->age > 5` compares numbers."""
    kind = json_kind(value)
    if kind == "boolean":
        return exp.cast(place, "text"), TEXT
    if kind != "number":
        return as_text, TEXT
    if dialect == "sqlite":
        number = as_text.this if isinstance(as_text, exp.Cast) else as_text  # uncast: SQLite gives JSON's own type
        is_number = exp.In(
            this=exp.Anonymous(this="typeof", expressions=[number]),
            expressions=[exp.Literal.string("integer"), exp.Literal.string("real")],
        )
        return _when(is_number, number.copy()), NUMBER
    if dialect == "mysql":
        kind_of = exp.Anonymous(this="json_type", expressions=[place])
        kinds = [exp.Literal.string(name) for name in ("INTEGER", "DOUBLE", "DECIMAL")]
        return _when(exp.In(this=kind_of, expressions=kinds), exp.cast(as_text, "double")), NUMBER
    if dialect != "postgres":
        return exp.TryCast(this=as_text, to=exp.DataType.build("double")), NUMBER
    kind_of = exp.Anonymous(this="jsonb_typeof", expressions=[exp.cast(place, "jsonb")])
    is_number = exp.EQ(this=kind_of, expression=exp.Literal.string("number"))
    return _when(is_number, exp.cast(as_text, "decimal")), NUMBER


def _when(test: exp.Expr, then: exp.Expr) -> exp.Expr:
    return exp.Paren(this=exp.Case(ifs=[exp.If(this=test, true=then)]))


def _is(term: Term, word: str) -> exp.Expr:
    known: Mapping[str, exp.Expr] = {"true": exp.true(), "false": exp.false()}
    if word in known:
        return exp.Is(this=term.expression, expression=known[word])
    is_null = exp.Is(this=term.expression, expression=exp.null())
    return exp.Not(this=exp.Paren(this=is_null)) if word == "not_null" else is_null


def _escaping(like: exp.Expr) -> exp.Expr:
    return exp.Escape(this=like, expression=exp.Literal.string("\\"))
