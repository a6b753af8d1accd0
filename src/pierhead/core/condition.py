"""Conditions on arguments: `limit <= 1000 and table in ["flights", "airlines"]`. They only ever take away.

A small closed language over what a tool was given: names (dotted for what lies inside), texts, numbers, `true`,
`false`, `null`, lists; `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `not in`, `and`, `or`, `not`; `len`, `starts_with`,
`ends_with`, `within`. It is read by Python's own parser and judged here, node by node; nothing is ever evaluated by
Python. What cannot be judged, such as a name that the call does not give, does not hold. Above: `bounds`. Not here:
what follows from a condition that does not hold (`usecases/match_rules`).
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pierhead.core.errors import Invalid
from pierhead.core.json import Json

LONGEST: Final = 2000
DEEPEST: Final = 32
_KEPT: Final = 4096
_WORDS: Final[Mapping[str, Json]] = {"true": True, "false": False, "null": None}
_HINT: Final = "see docs/reference/policy-language.md, conditions"


class _UndecidableError(Exception):
    """Why a condition cannot be judged; becomes part of a sentence, and never holds a value of the call."""


_Values = Mapping[str, Json]
_Judge = Callable[[_Values], Json]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, as it was written. Two of one text are equal."""

    text: str

    def failing(self, values: _Values) -> str:
        """Why it does not hold of these arguments, in words that tell none of their values; empty if it holds."""
        held, why = self.judged(values)
        return "" if held else why or "it does not hold"

    def judged(self, values: _Values) -> tuple[bool | None, str]:
        """Whether it holds of these arguments; None where nobody can tell, and then why not, without their values."""
        try:
            held = _read(self.text)(values)
        except _UndecidableError as undecided:
            return None, str(undecided)
        return (held, "") if isinstance(held, bool) else (None, "it is neither true nor false")

    @property
    def names(self) -> frozenset[str]:
        """The arguments that it reads."""
        tree = ast.parse(self.text, mode="eval")
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        named = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called)
        return frozenset(node.id for node in named) - _WORDS.keys()

    def members(self, name: str) -> frozenset[str]:
        """What it reads of the argument `name`, by the names directly inside; empty text for the whole of it."""
        whole, found = 0, set[str]()
        for node in ast.walk(ast.parse(self.text, mode="eval")):
            if isinstance(node, ast.Name) and node.id == name:
                whole += 1
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name:
                whole -= 1
                found.add(node.attr)
        return frozenset(found | ({""} if whole else set()))

    def __str__(self) -> str:
        return self.text


def parse_condition(text: str) -> Condition:
    """Read a condition. Errors: Invalid (`policy-syntax`), with line and column."""
    condition = Condition(" ".join(text.split("\n")).strip())
    _read(condition.text)
    return condition


@lru_cache(maxsize=_KEPT)
def _read(text: str) -> _Judge:
    """The text as a function, made once."""
    if len(text) > LONGEST:
        raise Invalid(f"a condition has at most {LONGEST} characters", hint=_HINT, code="policy-syntax")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as failed:  # the last two where it nests too deeply
        offset = failed.offset if isinstance(failed, SyntaxError) else None
        raise _wrong(text, offset or len(text) + 1, "it cannot be read") from None
    if _depth(tree) > DEEPEST:
        raise _wrong(text, 1, "it is nested too deeply")
    return _judge(tree, text)


def _depth(tree: ast.AST) -> int:
    """How many levels it has: each costs stack when it is judged, in a place whose stack is not ours."""
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _judge(node: ast.expr, text: str) -> _Judge:
    match node:
        case ast.BoolOp():
            return _joined(node, text)
        case ast.UnaryOp(op=ast.Not()):
            return _negated(_judge(node.operand, text))
        case ast.Compare():
            return _compared(node, text)
        case ast.Call():
            return _called(node, text)
        case _:
            return _value(node, text)


def _value(node: ast.expr, text: str) -> _Judge:
    """What stands for a value: a name, what lies in it, a literal, a list of them."""
    match node:
        case ast.Name(id=name):
            return _constant(_WORDS[name]) if name in _WORDS else _named(name)
        case ast.Attribute():
            return _member(_value(node.value, text), node.attr)
        case ast.List():
            return _listed([_value(each, text) for each in node.elts])
        case ast.Constant(value=str() | int() | float() as value) if not isinstance(value, bool):
            return _constant(value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return _constant(-value)
        case _:
            raise _wrong(text, node.col_offset + 1, f"{ast.unparse(node)!r} is not part of the language")


def _constant(value: Json) -> _Judge:
    return lambda _: value


def _named(name: str) -> _Judge:
    def find(values: _Values) -> Json:
        if name not in values:
            raise _UndecidableError(f"the call gives no {name}")
        return values[name]

    return find


def _member(of: _Judge, name: str) -> _Judge:
    def find(values: _Values) -> Json:
        whole = of(values)
        if not isinstance(whole, Mapping) or name not in whole:
            raise _UndecidableError(f"there is no {name} in what it names")
        return whole[name]

    return find


def _listed(items: list[_Judge]) -> _Judge:
    return lambda values: [item(values) for item in items]


def _joined(node: ast.BoolOp, text: str) -> _Judge:
    """`and` and `or`, from left to right, no further than needed: `limit == null or limit <= 10`."""
    parts = [_judge(each, text) for each in node.values]
    decisive = isinstance(node.op, ast.Or)

    def judge(values: _Values) -> Json:
        for part in parts:
            if _truth(part(values)) is decisive:
                return decisive
        return not decisive

    return judge


def _negated(part: _Judge) -> _Judge:
    return lambda values: not _truth(part(values))


def _truth(value: Json) -> bool:
    """Only true is true: an empty text, a zero and a missing value are no answers."""
    if not isinstance(value, bool):
        raise _UndecidableError("a part of it is neither true nor false")
    return value


_ORDERS: Final[Mapping[type[ast.cmpop], Callable[[float | str, float | str], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _compared(node: ast.Compare, text: str) -> _Judge:
    """One comparison or a chain of them: `1 <= limit <= 100`."""
    sides = [_value_or_call(each, text) for each in (node.left, *node.comparators)]
    tests = [_comparison(op, text, node) for op in node.ops]

    def judge(values: _Values) -> Json:
        found = [side(values) for side in sides]
        return all(test(found[place], found[place + 1]) for place, test in enumerate(tests))

    return judge


def _value_or_call(node: ast.expr, text: str) -> _Judge:
    return _called(node, text) if isinstance(node, ast.Call) else _value(node, text)


def _comparison(op: ast.cmpop, text: str, node: ast.expr) -> Callable[[Json, Json], bool]:
    match op:
        case ast.Eq():
            return _same
        case ast.NotEq():
            return lambda one, other: not _same(one, other)
        case ast.In():
            return _stands_in
        case ast.NotIn():
            return lambda one, other: not _stands_in(one, other)
        case ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE():
            return _ordered(_ORDERS[type(op)])
        case _:
            raise _wrong(text, node.col_offset + 1, "'is' is not part of the language: write ==")


def _ordered(test: Callable[[float | str, float | str], bool]) -> Callable[[Json, Json], bool]:
    """Numbers among themselves, and texts among themselves."""

    def compare(one: Json, other: Json) -> bool:
        if isinstance(one, str) and isinstance(other, str):
            return test(one, other)
        if _is_number(one) and _is_number(other):
            return test(one, other)  # pyright: ignore[reportArgumentType] - both are numbers
        raise _UndecidableError("it compares what has no order")

    return compare


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Json, other: Json) -> bool:
    """As JSON has it: `true` is not 1, though Python says so. Lists by their members, in order."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _stands_in(one: Json, other: Json) -> bool:
    if not isinstance(other, list):
        raise _UndecidableError("it looks for a member of what is no list")
    return any(_same(one, each) for each in other)


def _called(node: ast.Call, text: str) -> _Judge:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in _FUNCTIONS or node.keywords or len(node.args) != _FUNCTIONS[name][0]:
        known = ", ".join(sorted(_FUNCTIONS))
        raise _wrong(text, node.col_offset + 1, f"{ast.unparse(node)!r} is none of the functions {known}")
    function = _FUNCTIONS[name][1]
    arguments = [_value(each, text) for each in node.args]
    return lambda values: function(*(argument(values) for argument in arguments))


def _length(value: Json) -> Json:
    if not isinstance(value, str | list):
        raise _UndecidableError("it takes the length of what has none")
    return len(value)


def _starts(value: Json, beginning: Json) -> Json:
    return _text(value).startswith(_text(beginning))


def _ends(value: Json, ending: Json) -> Json:
    return _text(value).endswith(_text(ending))


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise _UndecidableError("it reads as a text what is none")
    return value


def _within(some: Json, allowed: Json) -> Json:
    """Whether every member of a list stands in another; an empty list does."""
    if not isinstance(some, list):
        raise _UndecidableError("it looks for members of what is no list")
    return all(_stands_in(each, allowed) for each in some)


_FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., Json]]]] = {
    "len": (1, _length),
    "starts_with": (2, _starts),
    "ends_with": (2, _ends),
    "within": (2, _within),
}


def _wrong(text: str, column: int, why: str) -> Invalid:
    return Invalid(f"cannot read condition {text!r}, line 1, column {column}: {why}", hint=_HINT, code="policy-syntax")


def unread(conditions: tuple[Condition, ...], known: Mapping[str, object]) -> Iterator[str]:
    """The names in these conditions that are no member of `known`: such a condition never holds."""
    for condition in conditions:
        yield from sorted(condition.names - known.keys())
