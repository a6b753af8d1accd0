"""One level of a read: a table under its alias, what is asked of it, and what its names mean.

A column that is masked may be selected and nothing else. Aggregates make groups of everything else that is selected.
Not here: how levels nest (read_sql.py), filters (filter_sql.py). Below: sqlglot.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlglot import exp

from pierhead.sdk.governed.catalog import StoredTable
from pierhead.sdk.governed.filters import Aggregate, Operand, bad_filter
from pierhead.sdk.governed.reads import Embed, Ordered, Selected, Selection
from pierhead.sdk.governed.relations import Relation
from pierhead.sdk.governed.terms import ColumnTerms, Term, masked, path_name
from pierhead.sdk.governed.types import INTEGER, JSON, TEXT, ColumnType, column_type
from pierhead.sdk.sqlguard import Dialect, PermittedTable
from pierhead.sdk.sqlguard.dialects import sqlglot_dialect
from pierhead.servers.sql.hashed_cells import WHOLE, Hashed

LONGEST_NAME: Final = 63
_CASTS: Final[Mapping[str, str]] = {
    "text": "text",
    "varchar": "text",
    "smallint": "smallint",
    "int": "int",
    "integer": "int",
    "bigint": "bigint",
    "numeric": "decimal",
    "decimal": "decimal",
    "real": "double",
    "float": "double",
    "double precision": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "uuid": "uuid",
}
_OF_SQLITE: Final = frozenset({"text", "int", "bigint", "smallint", "decimal", "double"})
_FUNCTIONS: Final[Mapping[Aggregate, type[exp.Func]]] = {
    "count": exp.Count,
    "sum": exp.Sum,
    "avg": exp.Avg,
    "min": exp.Min,
    "max": exp.Max,
}
_REAL: Final = ColumnType("real", "double precision")
_NUMBER: Final = ColumnType("decimal", "numeric")


@dataclass(frozen=True, slots=True)
class Output:
    """One column of the answer; `is_json` says that it is JSON which the statement builds."""

    name: str
    term: Term
    is_aggregate: bool = False
    is_json: bool = False
    is_masked: bool = False
    hashed: Hashed | None = None  # what of it leaves as a digest


@dataclass(frozen=True, slots=True)
class Sorting:
    """One part of an order, as it stands in SQL; `is_nullable` decides how a page goes on after it."""

    term: Term
    is_descending: bool
    nulls_first: bool
    is_nullable: bool


@dataclass(frozen=True, slots=True)
class Followed:
    """Related rows that come by a statement of their own; `alias` is of the rows they belong to."""

    embed: Embed
    relation: Relation
    alias: str


@dataclass(slots=True)
class Level:
    """A table on its way into a statement. Joins and conditions grow as embeds are written."""

    table: PermittedTable
    stored: StoredTable
    selection: Selection
    alias: str
    dialect: Dialect
    outputs: list[Output] = field(default_factory=list[Output])
    where: list[exp.Expr] = field(default_factory=list[exp.Expr])
    joins: list[exp.Join] = field(default_factory=list[exp.Join])
    followed: list["Followed"] = field(default_factory=list["Followed"])

    def __post_init__(self) -> None:
        self.terms = ColumnTerms(self.table.columns, self.dialect, self.alias)
        self.outputs.extend(output for asked in self.selection.columns for output in self._selected(asked))

    terms: ColumnTerms = field(init=False)

    @property
    def is_grouped(self) -> bool:
        return any(output.is_aggregate for output in self.outputs)

    @property
    def groups(self) -> list[exp.Expr]:
        return [output.term.expression.copy() for output in self.outputs if not output.is_aggregate]

    def _selected(self, asked: Selected) -> Iterator[Output]:
        if asked.operand == Operand("*"):
            for column in self.table.columns:
                yield self._column(column.name, Operand(column.name))
            return
        name = checked_name(asked.name) if asked.name else _default_name(asked.operand)
        if asked.operand.aggregate:
            made = Output(name, self.aggregated(asked.operand), is_aggregate=True)
        else:
            made = self._column(name, asked.operand)
        if asked.cast and made.hashed is not None:  # a cast that fails would tell of the value
            raise masked(made.term.name)
        yield replace(made, term=_cast(made.term, asked.cast, self.dialect)) if asked.cast else made

    def _column(self, name: str, operand: Operand) -> Output:
        column = self.terms.column(operand.column)
        if operand.path and column.expression is not None:
            raise masked(column.name)
        term = self.terms.reached(column, operand)
        if column.is_hashed:
            return Output(name, replace(term, type=TEXT), is_masked=True, hashed=WHOLE)
        return Output(name, term, is_masked=column.expression is not None)

    def aggregated(self, operand: Operand) -> Term:
        """`total.sum()`. Errors: Invalid, for a masked column: its stored values would show."""
        if not operand.column:
            return Term(exp.Count(this=exp.Star()), INTEGER, "count()")
        of = self.terms.of_column(operand)
        name = f"{operand.aggregate}({path_name(operand)})"
        made: exp.Expr = _FUNCTIONS[operand.aggregate](this=of.expression)
        match operand.aggregate:
            case "count":
                return Term(made, INTEGER, name)
            case "avg":
                return Term(exp.cast(made, "double"), _REAL, name)
            case "sum":
                return Term(made, _REAL if of.type.family == "real" else _NUMBER, name)
            case _:
                return Term(made, of.type, name)

    def of_result(self, operand: Operand) -> Term:
        """What `having` and the order of groups name: a result, or an aggregate of their own."""
        if operand.aggregate:
            return _comparable(self.aggregated(operand), self.dialect)
        for output in self.outputs:
            if output.name == operand.column and not operand.path:
                return _comparable(output.term, self.dialect)
        raise bad_filter(
            f"there is no result {operand.column[:128]}",
            f"having and order name results here: {', '.join(output.name for output in self.outputs)}"[:1_000],
        )

    def check_outputs(self) -> None:
        """Errors: Invalid, for two results of one name, and for related rows beside aggregates."""
        names = [*(output.name for output in self.outputs), *(each.embed.title for each in self.followed)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise bad_filter(f"two results are called {twice}", "give one another name, as in other:column")
        grouped = next((output for output in self.outputs if output.is_masked), None) if self.is_grouped else None
        if grouped is not None:
            raise masked(grouped.term.name)
        if self.is_grouped and (self.followed or any(output.is_json for output in self.outputs)):
            raise bad_filter("related rows do not go with aggregates", "ask for them in another request")

    def sortings(self, *, is_total: bool) -> list[Sorting]:
        """The order asked for; if `is_total`, made total by the primary key where the role sees it."""
        asked = [self._sorting(each) for each in self.selection.order]
        if self.is_grouped or not is_total:
            return asked
        named = {each.operand.column for each in self.selection.order if not each.operand.path}
        return [*asked, *(self._sorting(Ordered(Operand(name))) for name in self.key if name not in named)]

    @property
    def key(self) -> Sequence[str]:
        """The primary key, or nothing if part of it is hidden or masked."""
        readable = {column.name for column in self.table.columns if column.expression is None}
        return self.stored.primary_key if readable.issuperset(self.stored.primary_key) else ()

    def _sorting(self, asked: Ordered) -> Sorting:
        if self.is_grouped:
            return self._sorted(asked, self.of_result(asked.operand), is_nullable=True)
        if asked.operand.aggregate:
            raise bad_filter("an order by an aggregate goes with an aggregate in select")
        term = self.terms.of_column(asked.operand)
        column = next((each for each in self.stored.columns if each.name == asked.operand.column), None)
        is_nullable = bool(asked.operand.path) or column is None or (column.is_nullable and not column.is_key)
        return self._sorted(asked, term, is_nullable=is_nullable)

    def _sorted(self, asked: Ordered, term: Term, *, is_nullable: bool) -> Sorting:
        if is_nullable:
            nulls_first = asked.nulls == "first" if asked.nulls else asked.is_descending
            return Sorting(term, asked.is_descending, nulls_first, is_nullable)
        ordering = sqlglot_dialect(self.dialect).NULL_ORDERING  # what needs no words: there are no nulls
        first = {"nulls_are_small": not asked.is_descending, "nulls_are_large": asked.is_descending}
        return Sorting(term, asked.is_descending, first.get(ordering, False), is_nullable)


def ordered(sortings: Sequence[Sorting]) -> list[exp.Expr]:
    return [
        exp.Ordered(this=each.term.expression.copy(), desc=each.is_descending, nulls_first=each.nulls_first)
        for each in sortings
    ]


def checked_name(name: str) -> str:
    """A name that a caller gives to a result. It is quoted anyway; this keeps it readable for every engine."""
    if not name.isprintable() or len(name.encode()) > LONGEST_NAME or any(sign in name for sign in "\"'`\\"):
        raise bad_filter("a name of a result is printable, without quotes, and at most 63 bytes long")
    return name


def _default_name(operand: Operand) -> str:
    if operand.aggregate:
        return operand.aggregate
    texts = [key for key in operand.path if isinstance(key, str)]
    return texts[-1] if texts else operand.column


def _cast(term: Term, word: str, dialect: Dialect) -> Term:
    target = _CASTS.get(word)
    if target is None or (dialect == "sqlite" and target not in _OF_SQLITE):
        known = ", ".join(sorted(name for name in _CASTS if dialect != "sqlite" or _CASTS[name] in _OF_SQLITE))
        raise bad_filter(f"nothing is cast to {word[:50]} here", f"cast to one of {known}")
    type_ = column_type("double precision" if target == "double" else target, "postgres")
    return Term(exp.cast(term.expression, target), type_, term.name)


def _comparable(term: Term, dialect: Dialect) -> Term:
    """PostgreSQL types the value it is compared with by the aggregate: a sum of integers would take no decimal."""
    if dialect != "postgres" or term.type is not _NUMBER:
        return term
    return Term(exp.cast(term.expression.copy(), "decimal"), term.type, term.name)


def related(name: str, expression: exp.Expr, inner: Sequence[Output]) -> Output:
    """Related rows as one JSON value, `inner` what each of them holds."""
    hashed = {output.name: output.hashed for output in inner if output.hashed is not None}
    return Output(name, Term(expression, JSON, name), is_json=True, hashed=hashed or None)
