"""Does a test fail if this line goes? One small change at a time to what decides, and the tests that should mind.

`python -m tools.mutation [MODULE ...]` changes operators, constants, conditions and statements of the modules below,
each in a process of its own that is forked with the tests' libraries loaded, and prints what no test noticed. Exits 1
below 90 %. Not part of `make test`: it takes minutes. Figures: docs/reference/mutation.md.
"""

import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
LIMIT_S: Final = 60
ENOUGH: Final = 0.90
TOKENS: Final = ("tests/attacks/test_tokens.py",)
#: What decides, and the tests that are to notice a change of it.
MODULES: Final[dict[str, tuple[str, ...]]] = {
    "pierhead.core.policy": ("tests/unit/core/test_policy.py", "tests/unit/usecases/test_match_rules.py"),
    "pierhead.core.rule": ("tests/unit/core/test_rule.py",),
    "pierhead.core.reach": ("tests/unit/core/test_reach.py", "tests/policy"),
    "pierhead.core.bounds": ("tests/unit/core/test_condition.py",),
    "pierhead.core.condition": ("tests/unit/core/test_condition.py",),
    "pierhead.core.snapshot": (
        "tests/unit/core/test_snapshot.py",
        "tests/unit/usecases/test_company_policies.py",
        "tests/unit/usecases/test_told_changes.py",
    ),
    "pierhead.usecases.match_rules": (
        "tests/unit/usecases/test_match_rules.py",
        "tests/unit/usecases/test_company_policies.py",
    ),
    "pierhead.adapters.assertion": TOKENS,
    "pierhead.adapters.oidc": TOKENS,
}

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


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed module."""

    line: int
    what: str
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    """Every single change to a module's functions: operators, constants, conditions, statements."""
    tree = ast.parse(source)
    shapes = {id(part) for node in ast.walk(tree) if isinstance(node, ast.keyword) for part in ast.walk(node.value)}
    for place, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.Constant) and id(node) in shapes:
            continue  # `frozen=True` and its like: the shape of a value, and no decision
        for number, what in enumerate(_changes(node)):
            changed = copy.deepcopy(tree)
            target = next(each for at, each in enumerate(ast.walk(changed)) if at == place)
            _apply(target, number)
            yield Mutant(getattr(node, "lineno", 0), what, ast.fix_missing_locations(changed))


def _changes(node: ast.AST) -> list[str]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _SWAPPED:
            return [f"{ast.unparse(node)}: other comparison"]
        case ast.BoolOp():
            return [f"{ast.unparse(node)}: and for or"]
        case ast.UnaryOp(op=ast.Not()):
            return [f"{ast.unparse(node)}: without not"]
        case ast.Constant(value=bool() as value):
            return [f"{value}: the other"]
        case ast.If() | ast.IfExp():
            return [f"if {ast.unparse(node.test)}: always", f"if {ast.unparse(node.test)}: never"]
        case ast.FunctionDef():
            return [f"{ast.unparse(each)}: left out" for each in node.body if _is_effect(each)]
        case _:
            return []


def _is_effect(statement: ast.stmt) -> bool:
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Expr | ast.Raise | ast.AugAssign | ast.For | ast.If) and not is_text


def _apply(node: ast.AST, number: int) -> None:
    match node:
        case ast.Compare():
            node.ops = [_SWAPPED[type(node.ops[0])]()]
        case ast.BoolOp():
            node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        case ast.UnaryOp():
            node.op, node.operand = ast.Not(), ast.UnaryOp(op=ast.Not(), operand=node.operand)
        case ast.Constant():
            node.value = not node.value
        case ast.If() | ast.IfExp():
            node.test = ast.Constant(value=number == 0)
        case ast.FunctionDef():
            effects = [place for place, each in enumerate(node.body) if _is_effect(each)]
            node.body[effects[number]] = ast.Pass()
        case _:
            raise TypeError(node)


@dataclass(slots=True)
class _Loader(importlib.abc.Loader):
    tree: ast.Module
    path: str

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile(self.tree, self.path, "exec"), module.__dict__)  # noqa: S102 - our own module, changed


@dataclass(slots=True)
class _Finder(importlib.abc.MetaPathFinder):
    name: str
    loader: _Loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.loader.path, loader=self.loader)


def is_noticed(name: str, path: Path, tree: ast.Module, tests: Sequence[str]) -> bool:
    """Whether the tests fail with that module in place of the real one; a child that hangs has failed."""
    child = os.fork()
    if child == 0:
        os._exit(_tried(name, path, tree, tests))
    _, status = os.waitpid(child, 0)
    return status != 0


def _tried(name: str, path: Path, tree: ast.Module, tests: Sequence[str]) -> int:
    import pytest  # noqa: PLC0415 - loaded by the parent already

    signal.alarm(LIMIT_S)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    sys.meta_path.insert(0, _Finder(name, _Loader(tree, str(path))))
    options = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:cov",
        "--hypothesis-seed=1",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    return int(pytest.main([*options, *tests]) != 0)


def run(name: str) -> tuple[int, list[Mutant]]:
    """How many changes were tried, and those that no test noticed."""
    path = ROOT / "src" / (name.replace(".", "/") + ".py")
    source = path.read_text(encoding="utf-8")
    tests = MODULES[name]
    if is_noticed(name, path, ast.parse(source), tests):
        raise SystemExit(f"the tests of {name} fail without any change")
    tried = list(mutants(source))
    return len(tried), [each for each in tried if not is_noticed(name, path, each.tree, tests)]


def main(names: Sequence[str]) -> int:
    """Print a line a module and one for each survivor; 1 if fewer than 90 % were noticed."""
    for library in ("hypothesis", "pydantic", "pytest", "yaml"):
        importlib.import_module(library)  # before the forks, so that each child has it
    os.chdir(ROOT)
    tried = survived = 0
    for name in names or MODULES:
        count, left = run(name)
        tried, survived = tried + count, survived + len(left)
        print(f"{name}: {count - len(left)} of {count} noticed", flush=True)
        for each in left:
            print(f"  line {each.line}: {each.what.splitlines()[0]}", flush=True)
    print(f"all: {tried - survived} of {tried} noticed, {(tried - survived) / tried:.1%}")
    return int(survived > tried * (1 - ENOUGH))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
