"""Where a page goes on: after the row whose order values a cursor holds, as a condition in SQL.

It goes by values, not by counting rows, so that a page neither repeats nor skips rows when others come and go. Not
here: how a cursor is signed (cursors.py).
"""

from collections.abc import Sequence

from sqlglot import exp

from pierhead.sdk.governed.blanks import Blank
from pierhead.sdk.governed.filter_sql import as_type, joined
from pierhead.sdk.sqlguard import Dialect, slot
from pierhead.servers.sql.levels import Sorting


def after(sortings: Sequence[Sorting], nulls: Sequence[bool], dialect: Dialect) -> tuple[exp.Expr, tuple[Blank, ...]]:
    """The rows after the one whose values fill the blanks; `nulls` says which of its values are null.

    Shapes: one blank for each value that is not null, in order.
    """
    blanks = tuple(
        Blank(f"after{place}", each.term.type, each.term.name)
        for place, (each, is_null) in enumerate(zip(sortings, nulls, strict=True))
        if not is_null
    )
    places = [as_type(slot(f"after{place}"), each.term.type, dialect) for place, each in enumerate(sortings)]
    if _is_plain(sortings):
        return _compared(sortings, places), blanks
    ways: list[exp.Expr] = []
    for last in range(len(sortings)):
        equal = [_equal(sortings[place], places[place], nulls[place]) for place in range(last)]
        ways.append(joined(exp.And, [*equal, _beyond(sortings[last], places[last], is_null=nulls[last])]))
    return joined(exp.Or, ways), blanks


def _is_plain(sortings: Sequence[Sorting]) -> bool:
    """One direction and no nulls: rows compare as wholes, which an index answers."""
    directions = {each.is_descending for each in sortings}
    return len(directions) == 1 and not any(each.is_nullable for each in sortings)


def _compared(sortings: Sequence[Sorting], places: Sequence[exp.Expr]) -> exp.Expr:
    operator = exp.LT if sortings[0].is_descending else exp.GT
    own = [each.term.expression.copy() for each in sortings]
    if len(own) == 1:
        return exp.Paren(this=operator(this=own[0], expression=places[0]))
    rows = (exp.Tuple(expressions=own), exp.Tuple(expressions=list(places)))
    return exp.Paren(this=operator(this=rows[0], expression=rows[1]))


def _equal(sorting: Sorting, place: exp.Expr, is_null: bool) -> exp.Expr:
    own = sorting.term.expression.copy()
    if is_null:
        return exp.Paren(this=exp.Is(this=own, expression=exp.null()))
    return exp.Paren(this=exp.EQ(this=own, expression=place.copy()))


def _beyond(sorting: Sorting, place: exp.Expr, *, is_null: bool) -> exp.Expr:
    own = sorting.term.expression
    empty = exp.Is(this=own.copy(), expression=exp.null())
    if is_null:
        return exp.Paren(this=exp.Not(this=exp.Paren(this=empty))) if sorting.nulls_first else exp.false()
    operator = exp.LT if sorting.is_descending else exp.GT
    further = exp.Paren(this=operator(this=own.copy(), expression=place.copy()))
    if sorting.is_nullable and not sorting.nulls_first:
        return joined(exp.Or, [further, exp.Paren(this=empty)])
    return further
