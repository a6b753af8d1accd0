"""Our own rules over the syntax tree: what no linter knows about this code base.

Each rule is a function from a file to findings tagged with the function they stand in. Where a rule may be broken
is listed, with the reason, in rule_exceptions.toml. Not here: what ruff checks already.
"""

import ast
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.findings import Finding, Source

EXCEPTIONS: Final = "tools/rule_exceptions.toml"
_EXECUTING: Final = {
    "execute",
    "executemany",
    "executescript",
    "exec_driver_sql",
    "fetch",
    "fetchrow",
    "fetchval",
    "text",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """One place where a rule is broken, before exceptions are taken into account."""

    rule: str
    path: str
    line: int
    function: str
    message: str


@dataclass(frozen=True, slots=True)
class Excepted:
    rule: str
    path: str
    function: str
    reason: str


def read_exceptions(file: Path) -> list[Excepted]:
    """The listed exceptions; none where there is no file."""
    if not file.exists():
        return []
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("exception", [])
    return [Excepted(entry["rule"], entry["path"], entry["function"], entry["reason"]) for entry in entries]


def check_rules(files: Iterable[Source], exceptions: Iterable[Excepted]) -> list[Finding]:
    """Every breach that is not excepted, and every exception that nothing needs."""
    listed = {(entry.rule, entry.path, entry.function): entry for entry in exceptions}
    used: set[tuple[str, str, str]] = set()
    found: list[Finding] = []
    for breach in (breach for source in files for breach in breaches(source)):
        key = (breach.rule, breach.path, breach.function)
        if key in listed and listed[key].reason.strip():
            used.add(key)
        else:
            found.append(Finding(breach.path, breach.line, f"{breach.message} [{breach.rule}]"))
    found += [
        Finding(EXCEPTIONS, 0, f"no longer needed or without a reason: {' '.join(key)}") for key in listed.keys() - used
    ]
    return found


def breaches(source: Source) -> Iterator[Breach]:
    """Every breach of every rule in one file."""
    for node, function in _nodes(source.tree(), ""):
        for rule, judge in _RULES.items():
            message = judge(node, source.path)
            if message:
                yield Breach(rule, source.path, getattr(node, "lineno", 0), function, message)


def _nodes(node: ast.AST, function: str) -> Iterator[tuple[ast.AST, str]]:
    for child in ast.iter_child_nodes(node):
        inner = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{function}.{child.name}" if function else child.name
        yield child, inner
        yield from _nodes(child, inner)


def _dotted(node: ast.AST) -> str:
    """`a.b.c` for a name or a chain of attributes, with what cannot be named left out."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{_dotted(value)}.{attribute}".lstrip(".")
        case _:
            return ""


def _dynamic_import(node: ast.AST, path: str) -> str:
    if path == "src/pierhead/bootstrap/plugins.py":
        return ""
    match node:
        case ast.Call(func=function) if _dotted(function) in {"importlib.import_module", "import_module", "__import__"}:
            return "dynamic imports live in bootstrap/plugins.py"
        case ast.ImportFrom(module="importlib.metadata", names=names) if any(
            name.name == "entry_points" for name in names
        ):
            return "entry points are read in bootstrap/plugins.py"
        case ast.Call(func=function) if _dotted(function).endswith("metadata.entry_points"):
            return "entry points are read in bootstrap/plugins.py"
        case _:
            return ""


def _formatted_sql(node: ast.AST, _: str) -> str:
    match node:
        case ast.Call(func=function, args=[statement, *_]) if _dotted(function).rpartition(".")[2] in _EXECUTING:
            return "SQL is never put together from text: bind parameters" if _is_formatted(statement) else ""
        case _:
            return ""


def _is_formatted(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr(values=values):
            return any(isinstance(value, ast.FormattedValue) for value in values)
        case ast.BinOp(op=ast.Add() | ast.Mod(), left=left, right=right):
            return any(_is_text(side) or _is_formatted(side) for side in (left, right))
        case ast.Call(func=ast.Attribute(attr="format", value=value)):
            return _is_text(value)
        case _:
            return False


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _made_permit(node: ast.AST, path: str) -> str:
    if path in {"src/pierhead/core/policy.py", "src/pierhead/usecases/call_tool.py"}:
        return ""
    match node:
        case ast.Call(func=function) if _dotted(function).rpartition(".")[2] == "Permit":
            return "only decide() and approve() make a Permit"
        case _:
            return ""


def _broad_except(node: ast.AST, _: str) -> str:
    if not isinstance(node, ast.ExceptHandler):
        return ""
    types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    if any(kind is None or _dotted(kind) in {"Exception", "BaseException"} for kind in types):
        return "catch what you can handle; a broad except is listed with its reason"
    return ""


_RULES: Final[dict[str, Callable[[ast.AST, str], str]]] = {
    "dynamic-import": _dynamic_import,
    "formatted-sql": _formatted_sql,
    "made-permit": _made_permit,
    "broad-except": _broad_except,
}
