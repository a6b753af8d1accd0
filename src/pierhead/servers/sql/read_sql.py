"""A read as one statement: levels nested by relations, filters, order, groups and pages, over permitted subqueries.

    written = written_read(request, ground, acting, page)     # Written: query, blanks, fields, order

Every table stands as its permitted subquery, every value as a slot, and the tree leaves through the guard's one exit.
Related rows come back as JSON, built by the engine; where it builds none, they are left to statements of their own
(embedding.py). Not here: running it (read_lane.py), JSON (json_sql.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlglot import exp

from pierhead.sdk.governed.blanks import Blank
from pierhead.sdk.governed.engine import Field
from pierhead.sdk.governed.filter_sql import can_fail, joined, write_condition
from pierhead.sdk.governed.filters import bad_filter
from pierhead.sdk.governed.reads import Embed, ReadRequest, Selection
from pierhead.sdk.governed.relations import Junction, Pairs, Relation, Relations
from pierhead.sdk.governed.source import Acting, Ground
from pierhead.sdk.sqlguard import Dialect, GovernedQuery, PermittedTable, finished, permitted_subquery
from pierhead.servers.sql.hashed_cells import Hashed
from pierhead.servers.sql.json_sql import BUILDS_JSON, json_cell, objects_listed, row_object
from pierhead.servers.sql.keysets import after
from pierhead.servers.sql.levels import Followed, Level, Output, Sorting, ordered, related

MOST_RELATED: Final = 1_000


@dataclass(frozen=True, slots=True)
class PageOf:
    """Which rows: at most `rows`, after `offset` of them, or after a row of whose order values `nulls` are null."""

    rows: int
    offset: int = 0
    nulls: tuple[bool, ...] | None = None
    goes_on: bool = True  # whether a cursor will be wanted


@dataclass(frozen=True, slots=True)
class Written:
    """A statement for one shape of requests.

    `blanks` are filled by `read_values(request)`, `after` by the values of a cursor. The first `len(fields)` columns
    are the answer's; `order` says which columns hold the order values, empty if no page can go on by values.
    """

    query: GovernedQuery
    blanks: tuple[Blank, ...]
    after: tuple[Blank, ...]
    fields: tuple[Field, ...]
    order: tuple[int, ...]
    table: PermittedTable
    followed: tuple["Follow", ...] = ()
    hashed: Mapping[int, Hashed] = field(default_factory=dict[int, Hashed])  # by the place among its columns
    links: int = 0  # of related rows: how many columns after the answer's say which row each belongs to


@dataclass(frozen=True, slots=True)
class Follow:
    """Related rows still to be asked for (embedding.py); `places` are the columns of the statement they hang on."""

    embed: Embed
    relation: Relation
    places: tuple[int, ...]


def written_read(request: ReadRequest, ground: Ground, acting: Acting, page: PageOf) -> Written:
    """Errors: Invalid, naming what is unknown, masked, or not to be combined; SqlRefused."""
    writer = Writer(ground, acting)
    root = writer.level(acting.table(request.table), request.selection)
    root.check_outputs()
    having = writer.having(request, root)
    sortings = root.sortings(is_total=True)
    goes_on = page.goes_on and bool(root.key) and not root.is_grouped
    beyond: tuple[Blank, ...] = ()
    if page.nulls is not None:
        condition, beyond = after(sortings, page.nulls, root.dialect)
        root.where.append(condition)
        writer.keep_from_hidden_rows(condition)
    places = [_kept_value(each, root.dialect) for each in sortings] if goes_on else []
    results = results_of(root, places)
    tree = writer.select(root, results)
    group(tree, root, having)
    bound(tree, ordered(sortings), page.rows + 1, page.offset)
    query = writer.finished(tree, page.rows + 1)
    fields = fields_of(root)
    order = tuple(range(len(fields), len(fields) + len(places)))
    follows, hashed = follows_of(root, len(places)), hashed_of(root)
    return Written(query, tuple(writer.blanks), beyond, fields, order, root.table, follows, hashed)


def _kept_value(sorting: Sorting, dialect: Dialect) -> exp.Expr:
    """What a cursor keeps of an order: a type that only PostgreSQL knows goes out as the text that it takes back."""
    value = sorting.term.expression.copy()
    return exp.cast(value, "text") if dialect == "postgres" and sorting.term.type.family == "other" else value


def results_of(level: Level, hidden: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The columns of a level's statement: the answer's, hidden ones, and what followed rows hang on."""
    links = [
        exp.column(_name(here), table=_name(each.alias)) for each in level.followed for here, _ in each.relation.pairs
    ]
    return [
        *(exp.alias_(each.term.expression, each.name, quoted=True) for each in level.outputs),
        *(exp.alias_(each, f"__hidden{n}", quoted=True) for n, each in enumerate([*hidden, *links])),
    ]


def hashed_of(level: Level) -> dict[int, Hashed]:
    """What of the answer leaves as digests."""
    return {place: each.hashed for place, each in enumerate(level.outputs) if each.hashed is not None}


def follows_of(level: Level, hidden: int) -> tuple[Follow, ...]:
    made: list[Follow] = []
    place = len(level.outputs) + hidden
    for each in level.followed:
        width = len(each.relation.pairs)
        made.append(Follow(each.embed, each.relation, tuple(range(place, place + width))))
        place += width
    return tuple(made)


def written_count(request: ReadRequest, ground: Ground, acting: Acting, *, is_estimated: bool = False) -> Written:
    """How many rows, or groups, the request has on all its pages; if `is_estimated`, what an engine can estimate.

    Errors: as `written_read`.
    """
    writer = Writer(ground, acting)
    root = writer.level(acting.table(request.table), request.selection)
    having = writer.having(request, root)
    tree = writer.select(root, [exp.alias_(exp.Literal.number(1), "one", quoted=True)])
    group(tree, root, having)
    if not is_estimated:
        counted = exp.Subquery(this=tree, alias=exp.TableAlias(this=_name("counted")))
        tree = exp.Select(expressions=[exp.alias_(exp.Count(this=exp.Star()), "total", quoted=True)])
        tree.set("from_", exp.From(this=counted))
    query = writer.finished(tree, 1)
    return Written(query, tuple(writer.blanks), (), (Field("total", "bigint"),), (), root.table)


def group(tree: exp.Select, level: Level, having: exp.Expr | None = None) -> None:
    if level.is_grouped and level.groups:
        tree.set("group", exp.Group(expressions=level.groups))
    if having is not None:
        tree.set("having", exp.Having(this=having))


class Writer:
    """Writes one statement. Blanks are gathered in the order of `read_values`."""

    def __init__(self, ground: Ground, acting: Acting) -> None:
        self._ground = ground
        self._acting = acting
        self._relations = Relations(ground, acting)
        self._count = 0
        self._is_fenced = False
        self.blanks: list[Blank] = []
        self._tables: list[PermittedTable] = []
        self._levels: list[Level] = []

    def level(self, table: PermittedTable, selection: Selection) -> Level:
        """A table with everything below it."""
        view = self._acting.view
        level = Level(table, self._ground.stored(table), selection, self._alias(), view.dialect)
        self._levels.append(level)
        if selection.filter is not None:
            written = write_condition(selection.filter, level.terms, view.dialect, named=f"{level.alias}_")
            self.blanks += written.blanks
            level.where.append(written.expression)
            self.keep_from_hidden_rows(written.expression)
        for embed in selection.embeds:
            self._embed(level, embed)
        return level

    def keep_from_hidden_rows(self, condition: exp.Expr) -> None:
        """To be said of every condition on rows before the statement is put together."""
        self._is_fenced |= can_fail(condition)

    def having(self, request: ReadRequest, root: Level) -> exp.Expr | None:
        if request.having is None:
            return None
        if not root.is_grouped:
            raise bad_filter("having goes with aggregates in select", "filter columns with a filter")
        written = write_condition(request.having, root.of_result, root.dialect, named="having_")
        self.blanks += written.blanks
        return written.expression

    def select(self, level: Level, results: Sequence[exp.Expr]) -> exp.Select:
        """`results` of the level's rows: its table, joins and conditions."""
        tree = exp.Select(expressions=list(results), from_=exp.From(this=self._subquery(level.table, level.alias)))
        if level.joins:
            tree.set("joins", [join.copy() for join in level.joins])
        if level.where:
            tree.set("where", exp.Where(this=joined(exp.And, [part.copy() for part in level.where])))
        return tree

    def finished(self, tree: exp.Expr, rows: int) -> GovernedQuery:
        """Through the guard's one exit, with the columns that the record names."""
        view = self._acting.view
        query = finished(tree, tuple(dict.fromkeys(self._tables)), view, rows=rows)
        columns = {f"{view.display_name(each.table)}.{name}" for each in self._levels for name in each.terms.used}
        return replace(query, columns=tuple(sorted(columns)))

    def _alias(self) -> str:
        self._count += 1
        return f"t{self._count}"

    def _subquery(self, table: PermittedTable, alias: str) -> exp.Subquery:
        self._tables.append(table)
        return permitted_subquery(
            table, self._acting.view, exp.TableAlias(this=_name(alias)), is_fenced=self._is_fenced
        )

    def _embed(self, level: Level, embed: Embed) -> None:
        relation = self._relations.named(level.table, embed)
        inner = self.level(relation.target, embed.selection)
        if embed.is_spread:
            self._spread(level, inner, relation, embed)
            return
        inner.check_outputs()
        if inner.outputs and inner.dialect in BUILDS_JSON:
            level.outputs.append(related(embed.title, self._collected(level, inner, relation), inner.outputs))
        elif inner.outputs or inner.followed:
            level.followed.append(Followed(embed, relation, level.alias))
        if embed.is_inner:
            some = self._linked(level, inner, relation, [exp.Literal.number(1)])
            level.where.append(exp.Paren(this=exp.Exists(this=some)))

    def _spread(self, level: Level, inner: Level, relation: Relation, embed: Embed) -> None:
        """The one related row beside the level's own columns."""
        if relation.is_many:
            raise bad_filter(f"{embed.relation[:128]} has many rows, so it cannot be spread", "leave out the dots")
        if inner.is_grouped or inner.selection.order or inner.selection.limit is not None:
            raise bad_filter(f"{embed.relation[:128]} is one row: it has no order, limit or aggregates")
        on = joined(exp.And, [*links_between(level.alias, inner.alias, relation.pairs), *inner.where])
        kind = {"kind": "INNER"} if embed.is_inner else {"side": "LEFT"}
        level.joins.append(exp.Join(this=self._subquery(inner.table, inner.alias), on=on, **kind))
        level.joins.extend(inner.joins)
        level.outputs.extend(inner.outputs)
        level.followed.extend(inner.followed)

    def _linked(self, level: Level, inner: Level, relation: Relation, results: Sequence[exp.Expr]) -> exp.Select:
        """The related rows of one row of `level`."""
        tree = self.select(inner, results)
        links = links_between(level.alias, inner.alias, relation.pairs)
        if relation.junction is not None:
            between = f"{inner.alias}_between"
            tree.append("joins", self.junction(relation.junction, between, inner.alias))
            links = links_between(level.alias, between, relation.pairs)
        where = tree.args.get("where")
        conditions = [*links, *([where.this] if where else [])]
        tree.set("where", exp.Where(this=joined(exp.And, conditions)))
        return tree

    def junction(self, junction: Junction, alias: str, to: str) -> exp.Join:
        """The table between two that are many to many, joined to the related rows `to`."""
        on = joined(exp.And, links_between(alias, to, junction.pairs))
        return exp.Join(this=self._subquery(junction.table, alias), on=on, kind="INNER")

    def _collected(self, level: Level, inner: Level, relation: Relation) -> exp.Expr:
        """The related rows as one JSON value: a list, or for a relation to one, its object or null."""
        dialect = inner.dialect
        cells = [
            each.term.expression if each.is_json else json_cell(each.term.expression, each.term.type, dialect)
            for each in inner.outputs
        ]
        results = [exp.alias_(cell, each.name, quoted=True) for cell, each in zip(cells, inner.outputs, strict=True)]
        sortings = inner.sortings(is_total=relation.is_many)
        repeats = sortings if dialect == "duckdb" and relation.is_many else []
        hidden = [exp.alias_(each.term.expression.copy(), f"__order{n}", quoted=True) for n, each in enumerate(repeats)]
        rows = self._linked(level, inner, relation, [*results, *hidden])
        group(rows, inner)
        most = min(inner.selection.limit if inner.selection.limit is not None else MOST_RELATED, self._most_rows())
        bound(rows, ordered(sortings), most if relation.is_many else 1, inner.selection.offset)
        row = f"{inner.alias}_row"
        one = row_object(row, [(each.name, _is_json(each)) for each in inner.outputs], dialect)
        if relation.is_many:
            one = objects_listed(one, _again(repeats, row), dialect)
        whole = exp.Select(expressions=[one])
        whole.set("from_", exp.From(this=exp.Subquery(this=rows, alias=exp.TableAlias(this=_name(row)))))
        return exp.Subquery(this=whole)

    def _most_rows(self) -> int:
        return min(MOST_RELATED, self._acting.role.limits.rows)


def links_between(own: str, other: str, pairs: Pairs) -> list[exp.Expr]:
    return [
        exp.Paren(
            this=exp.EQ(
                this=exp.column(_name(there), table=_name(other)), expression=exp.column(_name(here), table=_name(own))
            )
        )
        for here, there in pairs
    ]


def _again(sortings: Sequence[Sorting], row: str) -> list[exp.Ordered]:
    """An order, said of the hidden columns that hold its values."""
    return [
        exp.Ordered(
            this=exp.column(_name(f"__order{place}"), table=_name(row)),
            desc=each.is_descending,
            nulls_first=each.nulls_first,
        )
        for place, each in enumerate(sortings)
    ]


def _is_json(output: Output) -> bool:
    return output.is_json or output.term.type.family == "json"


def fields_of(level: Level) -> tuple[Field, ...]:
    own = (Field(each.name, "json" if each.is_json else each.term.type.name, _is_json(each)) for each in level.outputs)
    return (*own, *(Field(each.embed.title, "json", is_json=True) for each in level.followed))


def bound(tree: exp.Select, order: list[exp.Expr], rows: int, offset: int) -> None:
    if order:
        tree.set("order", exp.Order(expressions=order))
    tree.set("limit", exp.Limit(expression=exp.Literal.number(rows)))
    if offset:
        tree.set("offset", exp.Offset(expression=exp.Literal.number(offset)))


def _name(text: str) -> exp.Identifier:
    return exp.to_identifier(text, quoted=True)
