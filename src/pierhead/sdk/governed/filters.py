"""What rows are asked for, as a tree of values: made by both grammars, read by every structured lane.

    Filter = Condition | Every | Either | Negation

A filter knows nothing of tables: names are as the caller wrote them, values are raw (mostly text, as it came). Not
here: grammars (grammar_native.py, grammar_faucet.py), SQL (filter_sql.py), what a value must be (types.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias, cast, get_args

from pierhead.sdk import Invalid

MOST_CONDITIONS: Final = 100
MOST_NESTED: Final = 8
MOST_MEMBERS: Final = 1_000

Comparison = Literal["eq", "neq", "gt", "gte", "lt", "lte", "isdistinct"]
Likeness = Literal["like", "ilike", "contains", "starts", "ends"]
Containment = Literal["cs", "cd", "ov"]
TextSearch = Literal["fts", "plfts", "phfts", "wfts"]
Operator = Literal[Comparison, Likeness, Containment, TextSearch, "in", "is"]
"""`in` takes a tuple, `is` one of IS; `contains`, `starts` and `ends` take text in which nothing is a wildcard."""

Is = Literal["null", "not_null", "true", "false", "unknown"]
IS: Final[frozenset[str]] = frozenset(get_args(Is))
Aggregate = Literal["", "count", "sum", "avg", "min", "max"]
AGGREGATES: Final[frozenset[str]] = frozenset(get_args(Aggregate)) - {""}


@dataclass(frozen=True, slots=True)
class ClaimRef:
    """Stands for a claim of the caller, in row rules alone: `${claims.region}` is ClaimRef("region")."""

    name: str


Scalar: TypeAlias = str | int | float | Decimal | bool | ClaimRef | None
Raw: TypeAlias = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Operand:
    """What is compared, selected or ordered: a column, a place inside its JSON, or an aggregate of it.

    `path` is the keys (text) and positions (int) below the column; `as_text` is the last arrow being `->>`.
    `Operand("", aggregate="count")` counts rows.
    """

    column: str
    path: tuple[str | int, ...] = ()
    as_text: bool = True
    aggregate: Aggregate = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """`operand operator value`. With `quantifier`, `value` is a tuple and any or all of them must hold.

    `setting` is the language of a text search. The value of `in` may also be one ClaimRef, to a list.
    """

    operand: Operand
    operator: Operator
    value: Raw
    quantifier: Literal["", "any", "all"] = ""
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Every:
    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Negation:
    part: "Filter"


Filter: TypeAlias = Condition | Every | Either | Negation


def bad_filter(problem: str, hint: str = "") -> Invalid:
    """A filter that cannot be read. Says where, never what rows hold."""
    return Invalid(
        problem, hint=hint or "write column.operator.value, as in price.gte.10; quote odd names", code="bad-filter"
    )


def every(*parts: Filter | None) -> Filter | None:
    """All that are there; None if none is."""
    there = tuple(part for part in parts if part is not None)
    return there[0] if len(there) == 1 else Every(there) if there else None


def conditions(filter_: Filter | None) -> Iterator[Condition]:
    """Every condition, left to right: the order in which values fill slots."""
    match filter_:
        case Condition():
            yield filter_
        case Every(parts) | Either(parts):
            for part in parts:
                yield from conditions(part)
        case Negation(part):
            yield from conditions(part)
        case None:
            return


def values(filter_: Filter | None) -> Iterator[Scalar]:
    """Every value that is bound, in the order of its slot. `is` binds none."""
    for condition in conditions(filter_):
        if condition.operator == "is":
            continue
        if isinstance(condition.value, tuple):
            yield from condition.value
        else:
            yield condition.value


def shape(filter_: Filter | None) -> object:
    """The filter without its values, hashable: filters of one shape are one SQL text."""
    match filter_:
        case Condition(operand, operator, value, quantifier, setting):
            return operand, operator, _form(operand, operator, value), quantifier, setting
        case Every(parts) | Either(parts):
            return type(filter_), *(shape(part) for part in parts)
        case Negation(part):
            return Negation, shape(part)
        case None:
            return None


def _form(operand: Operand, operator: Operator, value: Raw) -> object:
    """What of a value shows in the SQL: how many there are, and what kind, where JSON keeps its types."""
    if operator == "is":
        return value
    kind = json_kind if operand.path and not operand.as_text else _is_claim
    return tuple(kind(each) for each in value) if isinstance(value, tuple) else kind(value)


def _is_claim(value: Scalar) -> bool:
    return isinstance(value, ClaimRef)


def json_kind(value: Scalar) -> Literal["claim", "number", "boolean", "text"]:
    """How a value compares with a place in JSON that keeps its type (`->`)."""
    if isinstance(value, ClaimRef):
        return "claim"
    if isinstance(value, bool) or value in ("true", "false"):
        return "boolean"
    return "number" if isinstance(value, int | float | Decimal) or _is_number(value) else "text"


def _is_number(value: str | None) -> bool:
    body = (value or "").removeprefix("-")
    return body.isascii() and body.replace(".", "", 1).isdigit() and body[:1].isdigit()


def within_limits(filter_: Filter) -> Filter:
    """The same filter. Errors: Invalid (`bad-filter`) for more than its limits allow."""
    count = 0
    for condition in conditions(filter_):
        count += 1
        if isinstance(condition.value, tuple) and len(condition.value) > MOST_MEMBERS:
            raise bad_filter(f"a list has more than {MOST_MEMBERS} members", "ask in several requests")
    if count > MOST_CONDITIONS:
        raise bad_filter(f"the filter has more than {MOST_CONDITIONS} conditions", "use in, or a simpler filter")
    if _depth(filter_) > MOST_NESTED:
        raise too_deep()
    return filter_


def too_deep() -> Invalid:
    return bad_filter(f"the filter is nested more than {MOST_NESTED} deep", "flatten and, or and not")


def _depth(filter_: Filter) -> int:
    match filter_:
        case Every(parts) | Either(parts):
            return 1 + max((_depth(part) for part in parts), default=0)
        case Negation(part):
            return 1 + _depth(part) if not isinstance(part, Condition) else 0
        case Condition():
            return 0


def checked_is(word: str) -> Is:
    """The word after `is`. Errors: Invalid (`bad-filter`)."""
    folded = word.lower()
    if folded not in IS:
        raise bad_filter("is takes null, not_null, true, false or unknown")
    return cast("Is", folded)
