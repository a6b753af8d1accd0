"""What Pierhead offers, read from the code itself: the other half of every reference page.

Each function returns names, or an empty set while the code has none yet. Not here: the comparison (`reference`).
"""

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeGuard, get_args

import typer
import typer.main
from pydantic import BaseModel

from tools.findings import Source

# By the endings that Prometheus asks for: cookies and other names that begin alike are no metrics.
_METRIC: Final = re.compile(r"\bpierhead_[a-z0-9_]*(?:_(?:total|seconds|bytes|tokens|info|up|successful|drift|open))\b")
_ROUTE_CALLS: Final = {"Route", "WebSocketRoute"}
_VERBS: Final = {"get", "post", "put", "patch", "delete", "route", "_route"}
_RELAYED: Final = {
    b"/mcp/(": ("/mcp/{server}",),
    b"/mcp": ("/mcp",),
    b"/data/(": ("/data/{server}/api/v1", "/data/{server}/openapi.json", "/data/{server}/docs"),
}


def error_codes(files: Iterable[Source]) -> set[str]:
    """Every code: `default_code`, and `code=` where an error of the tree, or what becomes one, is made."""
    trees = [source.tree() for source in files]
    classes = _error_classes(trees)
    found: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            found.update(_codes_at(node, classes))
    return found


def _error_classes(trees: list[ast.Module]) -> set[str]:
    known = {"PierheadError"}
    definitions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while True:
        more = {node.name for node in definitions if any(_last(base) in known for base in node.bases)} - known
        if not more:
            return known
        known |= more


def _last(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _codes_at(node: ast.AST, classes: set[str]) -> Iterator[str]:
    match node:
        case ast.ClassDef(name=name, body=body) if name in classes:
            for statement in body:
                match statement:
                    case ast.AnnAssign(target=ast.Name(id="default_code"), value=ast.Constant(value=str(code))):
                        yield code
                    case ast.Assign(targets=[ast.Name(id="default_code")], value=ast.Constant(value=str(code))):
                        yield code
                    case _:
                        pass
        case ast.Call(func=function, keywords=keywords) if _last(function) in classes | {"Match", "read_entry"}:
            for keyword in keywords:
                match keyword:
                    case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
                        yield code
                    case _:
                        pass
        case _:
            pass


def fact_kinds() -> set[str]:
    """The `kind` of every fact in the closed set."""
    audit = importlib.import_module("pierhead.core.audit")
    return {kind.__dataclass_fields__["kind"].default for kind in get_args(audit.Fact)}


def exports() -> set[str]:
    """What `pierhead` exports."""
    return set(getattr(importlib.import_module("pierhead"), "__all__", ()))


def settings() -> set[str]:
    """Every setting as `section.key`, from the pydantic model."""
    try:
        module = importlib.import_module("pierhead.bootstrap.settings")
    except ModuleNotFoundError:
        return set()
    return set(_fields(module.Settings, ""))


def _fields(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        sections = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)]
        for section in sections:
            yield from _fields(section, f"{prefix}{name}.")
        if not sections:
            yield prefix + name


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def commands() -> set[str]:
    """Every command of the command line as typed: `pierhead audit verify`."""
    application = getattr(importlib.import_module("pierhead.apps.cli"), "application", None)
    if application is None:
        return set()
    return set(leaves(typer.main.get_command(application()), "pierhead"))


def leaves(command: Any, name: str) -> Iterator[str]:  # noqa: ANN401 - a click group, by its duck type
    """The commands below a group, each with the words before it; hidden ones left out."""
    if not hasattr(command, "list_commands"):
        yield name
        return
    for child in command.list_commands(None):
        found = command.get_command(None, child)
        if not found.hidden:
            yield from leaves(found, f"{name} {child}")


def routes(files: Iterable[Source]) -> set[str]:
    """Every path that `apps` serves, as written there.

    From route tables and decorators, from a `PAGES`, `FORMS` or `ROUTES` table (`GET /path`), from the cases of a
    `match` on a path, and the relay's own patterns, the only paths that plain ASGI reads by hand.
    """
    return {path for source in files for node in ast.walk(source.tree()) for path in _paths_at(node)}


def _paths_at(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=function, args=[ast.Constant(value=str(path)), *_]) if path.startswith("/"):
            if _last(function) in _ROUTE_CALLS | _VERBS:
                yield path
        case ast.AnnAssign(target=ast.Name(id="PAGES" | "ROUTES" | "FORMS"), value=ast.Dict(keys=keys)):
            for key in keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value.rpartition(" ")[2]
        case ast.MatchValue(value=ast.Constant(value=str(path))) if path.startswith("/"):
            yield path
        case ast.Constant(value=bytes(pattern)) if pattern.startswith(tuple(_RELAYED)):
            yield from next(paths for start, paths in _RELAYED.items() if pattern.startswith(start))
        case _:
            pass


def metrics(files: Iterable[Source]) -> set[str]:
    """Every metric that a text of the source names."""
    texts = {
        node.value
        for source in files
        for node in ast.walk(source.tree())
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {name for text in texts for name in _METRIC.findall(text)}
