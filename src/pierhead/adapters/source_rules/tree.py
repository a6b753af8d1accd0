"""A module of Python as the rules read it: its calls by dotted name, its tools, the names that come from arguments."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Found:
    """One place that breaks a rule."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that is offered as a tool; `declared` are the keywords of its decorator, None: it has none."""

    function: Function
    declared: "dict[str, ast.expr] | None"

    @property
    def parameters(self) -> list[ast.arg]:
        given = self.function.args
        return [*given.posonlyargs, *given.args, *given.kwonlyargs]

    @property
    def names(self) -> frozenset[str]:
        """What a model chooses."""
        return frozenset(each.arg for each in self.parameters if "Caller" not in ast.dump(each)) - {
            "self",
            "ctx",
            "caller",
        }

    def says(self, member: str) -> str:
        """A declared member, where it is a text."""
        return text_of((self.declared or {}).get(member))


class Module:
    """One file."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.aliases = dict(_aliases(tree))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def calls(self) -> list[tuple[ast.Call, str]]:
        """Every call, with the full dotted name of what is called as far as its imports tell it."""
        return [(node, self.name_of(node.func)) for node in self.nodes if isinstance(node, ast.Call)]

    @cached_property
    def tools(self) -> list[Tool]:
        functions = [node for node in self.nodes if isinstance(node, Function)]
        return [tool for function in functions if (tool := _tool(function)) is not None]

    def name_of(self, node: ast.AST) -> str:
        """`sp.run` after `import subprocess as sp` is `subprocess.run`."""
        dotted = dotted_name(node)
        head, point, rest = dotted.partition(".")
        return f"{self.aliases.get(head, head)}{point}{rest}"

    def calls_in(self, node: ast.AST) -> Iterator[tuple[ast.Call, str]]:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call):
                yield inner, self.name_of(inner.func)


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield (each.asname, each.name) if each.asname else (each.name.split(".")[0], each.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}"


def _tool(function: Function) -> Tool | None:
    """Offered by a decorator `@anything.tool` or `@anything.plan`; declared by that or by `@authorize_tool`."""
    is_offered, declared = False, None
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        keywords = (
            {each.arg: each.value for each in decorator.keywords if each.arg} if isinstance(decorator, ast.Call) else {}
        )
        name = dotted_name(called)
        if name.endswith((".tool", ".plan")):
            is_offered = True
            declared = keywords if "policy" in keywords else declared
        if name.rpartition(".")[2] == "authorize_tool":
            declared = keywords
    return Tool(function, declared) if is_offered or declared is not None else None


def dotted_name(node: ast.AST) -> str:
    """`a.b.c` of a chain of names; what is called or indexed between is left out."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{dotted_name(value)}.{attribute}"
        case ast.Call(func=inner):
            return f"{dotted_name(inner)}()"
        case _:
            return ""


def text_of(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def is_constant(node: ast.AST) -> bool:
    """A text, or texts put together, with nothing from elsewhere."""
    if isinstance(node, ast.BinOp):
        return is_constant(node.left) and is_constant(node.right)
    if isinstance(node, ast.JoinedStr):
        return all(isinstance(each, ast.Constant) for each in node.values)
    return isinstance(node, ast.Constant)


def is_made_up(node: ast.AST) -> bool:
    """A text with something put into it: an f-string, `%`, `+`, `.format`."""
    if isinstance(node, ast.JoinedStr):
        return not is_constant(node)
    if isinstance(node, ast.BinOp):
        has_text = any(text_of(each) or isinstance(each, ast.JoinedStr) for each in (node.left, node.right))
        return isinstance(node.op, ast.Add | ast.Mod) and has_text and not is_constant(node)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def is_value(node: ast.AST | None, *, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def names_in(node: ast.AST) -> frozenset[str]:
    return frozenset(each.id for each in ast.walk(node) if isinstance(each, ast.Name))


def tainted(function: Function, names: frozenset[str]) -> frozenset[str]:
    """The names that hold something of `names`, by assignments in the order of the text."""
    known = set(names)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and names_in(node.value) & known:
            known |= {each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return frozenset(known)
