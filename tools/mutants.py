"""Single changes to a module's code: what `tools.mutation` tries. Pure.

Another comparison, `and` for `or`, a condition that always or never holds, `not` left out, a statement left out (a
call, a raise, a loop, a change of state), a number one larger, the other truth value. Not here: whether a test minds.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

_SWAPPED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_BODIES: Final = ("body", "orelse", "finalbody")
_EFFECTS: Final = (ast.Expr, ast.Raise, ast.AugAssign, ast.For, ast.AsyncFor, ast.Continue, ast.Break)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed module. `place` is the function, `what` the change in words: together they name it."""

    place: str
    line: int
    what: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return f"{self.place}: {self.what}"


def mutants(source: str) -> Iterator[Mutant]:
    """Every single change to the functions of a module, and to the defaults of its classes."""
    tree = ast.parse(source)
    shapes = {id(part) for node in ast.walk(tree) if isinstance(node, ast.keyword) for part in ast.walk(node.value)}
    places = dict(_places(tree, ""))
    for number, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.Constant) and id(node) in shapes:
            continue  # `frozen=True` and its like: the shape of a value, and no decision
        for change, what in enumerate(_changes(node)):
            changed = copy.deepcopy(tree)
            _apply(next(each for at, each in enumerate(ast.walk(changed)) if at == number), change)
            place = places.get(id(node), "")
            yield Mutant(place, getattr(node, "lineno", 0), what, ast.fix_missing_locations(changed))


def _places(node: ast.AST, within: str) -> Iterator[tuple[int, str]]:
    """The function or class that each node lies in."""
    for child in ast.iter_child_nodes(node):
        place = within
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            place = f"{within}.{child.name}".lstrip(".")
        yield id(child), place
        yield from _places(child, place)


def _changes(node: ast.AST) -> list[str]:
    own = _own_changes(node)
    return own + [f"{_first_line(each)}: left out" for _, _, each in _removable(node)]


def _own_changes(node: ast.AST) -> list[str]:
    match node:
        case ast.Compare():
            swapped = [op for op in node.ops if type(op) in _SWAPPED]
            return [f"{ast.unparse(node)}: other comparison {place + 1}" for place, _ in enumerate(swapped)]
        case ast.BoolOp():
            return [f"{ast.unparse(node)}: and for or"]
        case ast.UnaryOp(op=ast.Not()):
            return [f"{ast.unparse(node)}: without not"]
        case ast.Constant(value=bool() as value):
            return [f"{value}: the other"]
        case ast.Constant(value=int() as value):
            return [f"{value}: one more"]
        case ast.If() | ast.IfExp() | ast.While():
            return [f"if {ast.unparse(node.test)}: always", f"if {ast.unparse(node.test)}: never"]
        case ast.comprehension(ifs=[_, *_]):
            return [f"if {ast.unparse(node.ifs[0])}: always"]
        case _:
            return []


def _removable(node: ast.AST) -> list[tuple[str, int, ast.stmt]]:
    """The statements right under a node that could be left out, with where they stand."""
    if isinstance(node, ast.Module | ast.ClassDef):
        return []
    listed = [(name, getattr(node, name, None)) for name in _BODIES]
    bodies = [(name, cast("list[ast.stmt]", body)) for name, body in listed if isinstance(body, list)]
    return [(name, place, each) for name, body in bodies for place, each in enumerate(body) if _is_effect(each)]


def _is_effect(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):  # what types rule out is never reached, so nothing can notice it
        return not isinstance(statement.value, ast.Constant) and "assert_never(" not in ast.unparse(statement)
    if isinstance(statement, ast.Delete):  # of a bare name it only says that nothing reads it
        return not all(isinstance(part, ast.Name) for part in statement.targets)
    if isinstance(statement, ast.Assign):
        return any(isinstance(part, ast.Attribute | ast.Subscript) for part in statement.targets)
    return isinstance(statement, _EFFECTS)


def _first_line(statement: ast.stmt) -> str:
    return ast.unparse(statement).splitlines()[0]


def _apply(node: ast.AST, change: int) -> None:
    own = len(_own_changes(node))
    if change >= own:
        name, place, _ = _removable(node)[change - own]
        getattr(node, name)[place] = ast.Pass()
        return
    match node:
        case ast.Compare():
            at = [place for place, op in enumerate(node.ops) if type(op) in _SWAPPED][change]
            node.ops[at] = _SWAPPED[type(node.ops[at])]()
        case ast.BoolOp():
            node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        case ast.UnaryOp():
            node.op, node.operand = ast.Not(), ast.UnaryOp(op=ast.Not(), operand=node.operand)
        case ast.Constant():
            node.value = not node.value if isinstance(node.value, bool) else node.value + 1  # type: ignore[operator]
        case ast.If() | ast.IfExp() | ast.While():
            node.test = ast.Constant(value=change == 0)
        case ast.comprehension():
            node.ifs[0] = ast.Constant(value=True)
        case _:
            raise TypeError(node)
