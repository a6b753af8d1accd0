"""Rules about tools in code: what they declare, what they take, what they do with it."""

import ast
from collections.abc import Callable, Iterator
from typing import Final

from pierhead.adapters.source_rules.tree import Found, Module, names_in, tainted, text_of
from pierhead.usecases.check_arguments import is_secret, states_authority

_CHANGES: Final = frozenset(
    {"unlink", "rmtree", "rmdir", "write_text", "write_bytes", "delete", "put", "patch", "post"}
)
_OPENS: Final = frozenset(
    {"open", "io.open", "pathlib.Path", "Path", "os.path.join", "os.open", "os.listdir", "os.remove"}
)
_CONTAINS: Final = frozenset({"is_relative_to", "relative_to", "commonpath", "secure_filename", "safe_join"})
_GETS: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "request", "stream", "urlopen", "send"})
_QUOTES: Final = frozenset({"quote", "quote_plus", "urlencode", "segment", "encoded"})
_MUTATES: Final = frozenset({"append", "add", "update", "extend", "insert", "setdefault", "pop", "clear"})


def _reads_only(module: Module) -> Iterator[Found]:
    for tool in module.tools:
        if tool.says("effect") != "read":
            continue
        for call, name in module.calls_in(tool.function):
            method = name.rpartition(".")[2]
            statement = text_of(call.args[0]).strip().lower() if call.args else ""
            if "." in name and method in _CHANGES:
                yield Found(call.lineno, f"{tool.function.name} only reads, as it says, and calls {method}")
            elif method == "execute" and statement.startswith(
                ("delete", "insert", "update", "drop", "truncate", "alter")
            ):
                yield Found(call.lineno, f"{tool.function.name} only reads, as it says, and changes rows")


def _undeclared(module: Module) -> Iterator[Found]:
    for tool in module.tools:
        if tool.declared is None:
            yield Found(tool.function.lineno, f"{tool.function.name} is a tool, and nothing says who may use it")


def _unasked(module: Module) -> Iterator[Found]:
    for tool in module.tools:
        if tool.says("effect") == "destructive" and tool.says("approval") == "none":
            yield Found(tool.function.lineno, f"{tool.function.name} destroys, and asks nobody")


def _authority(module: Module) -> Iterator[Found]:
    for tool in module.tools:
        for name in sorted(tool.names):
            if states_authority(name):
                yield Found(tool.function.lineno, f"{tool.function.name} is told by its caller: {name}")


def _secrets(module: Module) -> Iterator[Found]:
    for tool in module.tools:
        for name in sorted(tool.names):
            if is_secret(name):
                yield Found(tool.function.lineno, f"{tool.function.name} asks for {name}")
    for call, name in module.calls:
        if name.rpartition(".")[2] in {"elicit", "Elicit"}:
            asked = [each for each in ast.walk(call) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if any(is_secret(word) for each in asked for word in str(each.value).split()):
                yield Found(call.lineno, "a form asks for a secret")


def _paths(module: Module) -> Iterator[Found]:
    for tool in module.tools:
        used = {name.rpartition(".")[2] for _, name in module.calls_in(tool.function)}
        if used & _CONTAINS:
            continue
        given = tainted(tool.function, tool.names)
        for call, name in module.calls_in(tool.function):
            if name in _OPENS and any(names_in(each) & given for each in call.args):
                yield Found(call.lineno, f"{name.rpartition('.')[2]} of a path that was given")
        for node in ast.walk(tool.function):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _is_place(node, given):
                yield Found(node.lineno, "a path that was given is joined to a folder")


def _is_place(node: ast.BinOp, given: frozenset[str]) -> bool:
    """`folder / name`: the right side alone is a text that was given, the left looks like a path."""
    left = ast.unparse(node.left).lower()
    words = ("path", "folder", "dir", "root", "base", "home")
    return bool(names_in(node.right) & given) and any(word in left for word in words)


def _addresses(module: Module) -> Iterator[Found]:
    for tool in module.tools:
        given = tainted(tool.function, tool.names)
        for call, name in module.calls_in(tool.function):
            if "." not in name or name.rpartition(".")[2] not in _GETS or not call.args:
                continue
            for each in call.args[:2]:
                if (
                    isinstance(each, ast.Name)
                    and each.id in given
                    and each.id in {"url", "address", "link", "uri", "href"}
                ):
                    yield Found(call.lineno, "it goes to an address that was given")
                elif isinstance(each, ast.JoinedStr) and _unquoted(each, given):
                    yield Found(call.lineno, "what was given is put into an address as it stands")


def _unquoted(text: ast.JoinedStr, given: frozenset[str]) -> bool:
    """Whether a piece of an address holds something that was given, and nothing encodes it."""
    if "/" not in "".join(text_of(each) for each in text.values):
        return False
    for each in text.values:
        if isinstance(each, ast.FormattedValue) and names_in(each) & given and not names_in(each) & _QUOTES:
            quoted = any(isinstance(inner, ast.Attribute) and inner.attr in _QUOTES for inner in ast.walk(each))
            if not quoted:
                return True
    return False


def _shared(module: Module) -> Iterator[Found]:
    """A variable of the module that a tool changes, without the caller in its key."""
    kept = {name for node in module.tree.body for name in _mutable(node)}
    for tool in module.tools:
        for node in ast.walk(tool.function):
            if isinstance(node, ast.Global):
                yield Found(
                    node.lineno, f"{tool.function.name} changes what every caller shares: {', '.join(node.names)}"
                )
            elif isinstance(node, ast.expr) and _keeps(node, kept):
                yield Found(node.lineno, f"{tool.function.name} keeps what every caller shares")


def _keeps(node: ast.expr, kept: set[str]) -> bool:
    """`kept[key] = ...` or `kept.append(...)`, and the caller is no part of it."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        return _is_kept(node.value, kept) and "caller" not in ast.unparse(node.slice)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATES:
        return _is_kept(node.func.value, kept) and "caller" not in ast.unparse(node)
    return False


def _is_kept(node: ast.expr, kept: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in kept


def _mutable(node: ast.stmt) -> Iterator[str]:
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    makes = (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in {"dict", "list", "set"}
    )
    if not makes and not isinstance(value, ast.Dict | ast.List | ast.Set):
        return
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    yield from (each.id for each in targets if isinstance(each, ast.Name))


TOOL_RULES: Final[tuple[tuple[str, Callable[[Module], Iterator[Found]]], ...]] = (
    ("S13", _reads_only),
    ("S16", _undeclared),
    ("S17", _unasked),
    ("S18", _authority),
    ("S19", _secrets),
    ("S25", _paths),
    ("S28", _addresses),
    ("S30", _shared),
)
