"""Writes as trees: one table by its full name, columns by name, every value a slot, the role's rows and no others.

Each statement gives back what it wrote: the columns the role sees, as it sees them; then the key; then whether the
row lies within the role's rows. Not here: whether it may be (rights.py), running it (write_lane.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlglot import exp

from pierhead.sdk.governed.engine import Values
from pierhead.sdk.governed.filter_sql import as_type, can_fail
from pierhead.sdk.governed.rights import Writable
from pierhead.sdk.governed.types import ColumnType, column_type, stored
from pierhead.sdk.sqlguard import (
    GovernedQuery,
    GovernedWrite,
    Writing,
    finished,
    finished_write,
    permitted_column,
    permitted_subquery,
    physical,
    slot,
)
from pierhead.servers.sql.writes import OnConflict

_EXCLUDED: Final = "excluded"
_LOCKING: Final = frozenset({"postgres", "mysql", "oracle"})
_MUTE: Final = frozenset({"mysql"})


@dataclass(frozen=True, slots=True)
class OnKey:
    """What happens to a row whose key is there already. `keys` empty means any key."""

    action: OnConflict
    keys: tuple[str, ...] = ()


def insert_statement(table: Writable, columns: Sequence[str], count: int, conflict: OnKey) -> GovernedWrite:
    """`count` rows of the same columns. Slots are those of `cells`."""
    merged = tuple(column for column in columns if column not in conflict.keys) if conflict.action == "merge" else ()
    tuples = [exp.Tuple(expressions=[_place(table, row, name) for name in columns]) for row in range(count)]
    tree = exp.Insert(
        this=exp.Schema(this=physical(table.seen, table.view), expressions=[_name(column) for column in columns]),
        expression=exp.Values(expressions=tuples),
        returning=_returning(table),
    )
    if conflict.action != "error":
        tree.set("conflict", _conflict(table, conflict, merged))
    return finished_write(
        Writing(tree, "insert", table.seen, frozenset(columns), frozenset(merged), _reads(table, conflict.keys)),
        table.view,
    )


def update_statement(table: Writable, columns: Sequence[str], where: exp.Expr) -> GovernedWrite:
    """The same values for every row of the role's that `where` finds. Slots: of `cells`, row 0, and of `where`."""
    tree = exp.Update(
        this=physical(table.seen, table.view),
        expressions=[exp.EQ(this=_column(name), expression=_place(table, 0, name)) for name in columns],
        where=exp.Where(this=_within(table, where)),
        returning=_returning(table),
    )
    reads = _reads(table, _names(where))
    return finished_write(Writing(tree, "update", table.seen, updates=frozenset(columns), reads=reads), table.view)


def delete_statement(table: Writable, where: exp.Expr) -> GovernedWrite:
    """Every row of the role's that `where` finds."""
    tree = exp.Delete(
        this=physical(table.seen, table.view), where=exp.Where(this=_within(table, where)), returning=_returning(table)
    )
    return finished_write(Writing(tree, "delete", table.seen, reads=_reads(table, _names(where))), table.view)


def targets_query(table: Writable, where: exp.Expr, most: int, *, is_compared: bool) -> GovernedQuery:
    """The rows that `where` finds, at most `most`; to compare them: as the role sees them, locked where engines can."""
    alias = exp.TableAlias(this=_name("target"))
    seen = table.seen.columns if is_compared else table.seen.columns[:1]
    tree = exp.Select(
        expressions=[_column(column.name) for column in seen],
        from_=exp.From(this=permitted_subquery(table.seen, table.view, alias, is_fenced=can_fail(where))),
        where=exp.Where(this=where.copy()),
        limit=exp.Limit(expression=exp.Literal.number(most)),
    )
    if is_compared and table.view.dialect in _LOCKING:
        tree.set("locks", [exp.Lock(update=True)])
    return finished(tree, (table.seen,), table.view, rows=most)


def is_held_apart(table: Writable) -> bool:
    """Whether the role's rule is asked in a query of its own: DuckDB takes no values in RETURNING."""
    return table.seen.condition is not None and table.view.dialect == "duckdb"


def is_mute(table: Writable) -> bool:
    """Whether its engine's changes give back no rows: then they are found, locked, before, and read after."""
    return table.view.dialect in _MUTE


def locked_query(table: Writable, where: exp.Expr, most: int, *, is_within: bool = True) -> GovernedQuery:
    """What RETURNING would give of the rows that `where` finds, locked; unless `is_within`, of anybody's rows."""
    tree = _given_back_of(table, _within(table, where) if is_within else where.copy(), most)
    tree.set("locks", [exp.Lock(update=True)])
    return finished(tree, (table.seen,), table.view, rows=most)


def written_query(table: Writable, where: exp.Expr, most: int) -> GovernedQuery:
    """What RETURNING would give of rows that were just written: their writer holds their locks."""
    return finished(_given_back_of(table, where.copy(), most), (table.seen,), table.view, rows=most)


def keys_condition(columns: Sequence[str], count: int) -> exp.Expr:
    """The rows of `count` keys, of these columns; its slots are those of `keys_values`."""
    places = [[slot(f"k{row}p{place}") for place in range(len(columns))] for row in range(count)]
    if len(columns) == 1:
        return exp.In(this=_column(columns[0]), expressions=[place for (place,) in places])
    tuples = [exp.Tuple(expressions=each) for each in places]
    return exp.In(this=exp.Tuple(expressions=[_column(name) for name in columns]), expressions=tuples)


def keys_values(keys: Sequence[Sequence[object]]) -> dict[str, object]:
    """Of driver values, as the engine gave them or as `stored_cell` made them."""
    return {f"k{row}p{place}": cell for row, key in enumerate(keys) for place, cell in enumerate(key)}


def stored_cell(table: Writable, name: str, value: object) -> object:
    """What is bound for a value of a column. Errors: Invalid, naming it."""
    return stored(value, _type(table, name), name, table.view.dialect)


def key_condition(table: Writable) -> exp.Expr:
    """The row of one key; its slots are those of `key_values`."""
    parts = [
        exp.EQ(this=_column(name), expression=as_type(slot(f"k{place}"), _type(table, name), table.view.dialect))
        for place, name in enumerate(table.key)
    ]
    return exp.and_(*parts)


def key_values(table: Writable, row: Mapping[str, Any]) -> dict[str, object]:
    """Errors: Invalid, naming the column."""
    return {f"k{place}": stored_cell(table, name, row[name]) for place, name in enumerate(table.key)}


def cells(table: Writable, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Values:
    """What fills the places of `rows`; a row without a column gives it null. Errors: Invalid, naming the column."""
    dialect = table.view.dialect
    placed = [(name, _number(table, name), _type(table, name)) for name in columns]
    return {
        f"r{row}c{number}": stored(written.get(name), type_, name, dialect)
        for row, written in enumerate(rows)
        for name, number, type_ in placed
    }


def _type(table: Writable, name: str) -> ColumnType:
    declared = next(column.type for column in table.stored.columns if column.name == name)
    return column_type(declared, table.view.dialect)


def _place(table: Writable, row: int, name: str) -> exp.Expr:
    return as_type(slot(f"r{row}c{_number(table, name)}"), _type(table, name), table.view.dialect)


def _number(table: Writable, name: str) -> int:
    return next(place for place, column in enumerate(table.stored.columns) if column.name == name)


def _conflict(table: Writable, conflict: OnKey, merged: Sequence[str]) -> exp.OnConflict:
    keys = [_name(key) for key in conflict.keys]
    if not merged:
        return exp.OnConflict(conflict_keys=keys or None, action=exp.var("DO NOTHING"))
    return exp.OnConflict(
        conflict_keys=keys,
        action=exp.var("DO UPDATE"),
        expressions=[exp.EQ(this=_column(name), expression=_column(name, _EXCLUDED)) for name in merged],
        where=exp.Where(this=_qualified(table)) if table.seen.condition is not None else None,
    )


def _qualified(table: Writable) -> exp.Expr:
    """The row rule over the stored row: beside it stands the row that was to be inserted."""
    condition = _condition(table)
    for column in condition.find_all(exp.Column):
        if not column.table:
            column.set("table", _name(table.seen.name))
    return condition


def _within(table: Writable, where: exp.Expr) -> exp.Expr:
    found = exp.Paren(this=where.copy())
    if table.seen.condition is None:
        return found
    if can_fail(where):  # no engine looks into a CASE before it has to
        found = exp.Paren(this=exp.Case(ifs=[exp.If(this=_condition(table), true=found)], default=exp.false()))
    return exp.And(this=exp.Paren(this=_condition(table)), expression=found)


def _condition(table: Writable) -> exp.Expr:
    return table.seen.condition.copy() if table.seen.condition is not None else exp.true()


def _returning(table: Writable) -> exp.Returning | None:
    return None if is_mute(table) else exp.Returning(expressions=_given_back(table))


def _given_back_of(table: Writable, where: exp.Expr, most: int) -> exp.Select:
    return exp.Select(
        expressions=_given_back(table),
        from_=exp.From(this=physical(table.seen, table.view)),
        where=exp.Where(this=where),
        limit=exp.Limit(expression=exp.Literal.number(most)),
    )


def _given_back(table: Writable) -> list[exp.Expr]:
    seen = [permitted_column(column) for column in table.seen.columns]
    keys = [_column(name) for name in table.key]
    one, nothing = exp.Literal.number(1), exp.Literal.number(0)
    holds: exp.Expr = one
    if table.seen.condition is not None and not is_held_apart(table):
        holds = exp.Case(ifs=[exp.If(this=_condition(table), true=one)], default=nothing)
    aliased = [exp.Alias(this=part, alias=_name(f"pierhead_{place}")) for place, part in enumerate((*keys, holds))]
    return [*seen, *aliased]


def _reads(table: Writable, more: Sequence[str]) -> frozenset[str]:
    return table.seen.columns_read.union(table.key, more)


def _names(tree: exp.Expr) -> tuple[str, ...]:
    return tuple(column.name for column in tree.find_all(exp.Column))


def _name(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _column(name: str, table: str = "") -> exp.Column:
    return exp.column(_name(name), table=_name(table) if table else None)
