"""How large functions and modules may grow. Exceptions are listed with a reason, and may only shrink.

An entry of shape_exceptions.toml must name the exact size: when the code shrinks, the entry must follow, and an
entry that is no longer needed is itself a finding.
"""

import ast
import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.findings import Finding, Source

FUNCTION_MAXIMUM: Final = 50
FUNCTION_PERCENTILE: Final = 30
MODULE_MAXIMUM: Final = 400
EXCEPTIONS: Final = "tools/shape_exceptions.toml"


@dataclass(frozen=True, slots=True)
class Measured:
    """One function (`name` dotted) or module (`name` empty), and its lines with blanks and comments."""

    path: str
    name: str
    line: int
    lines: int

    @property
    def limit(self) -> int:
        return FUNCTION_MAXIMUM if self.name else MODULE_MAXIMUM


@dataclass(frozen=True, slots=True)
class Allowed:
    """An exception: the exact size that is put up with, and why."""

    path: str
    name: str
    lines: int
    reason: str


def read_exceptions(file: Path) -> list[Allowed]:
    """The listed exceptions; none where there is no file."""
    if not file.exists():
        return []
    entries = tomllib.loads(file.read_text(encoding="utf-8")).get("exception", [])
    return [Allowed(entry["path"], entry.get("name", ""), entry["lines"], entry["reason"]) for entry in entries]


def measure(source: Source) -> list[Measured]:
    """The module and every function in it, nested ones too."""
    found = [Measured(source.path, "", 0, len(source.text.splitlines()))]
    _measure_body(source.tree(), source.path, "", found)
    return found


def _measure_body(node: ast.AST, path: str, prefix: str, found: list[Measured]) -> None:
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}.{child.name}" if prefix else child.name
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (child.end_lineno or child.lineno) - child.lineno + 1
            found.append(Measured(path, name, child.lineno, lines))
        _measure_body(child, path, name, found)


def percentile_90(lengths: Iterable[int]) -> int:
    """The smallest length that 90 % of all do not exceed; 0 for none."""
    ordered = sorted(lengths)
    return ordered[math.ceil(len(ordered) * 0.9) - 1] if ordered else 0


def check_shape(files: Iterable[Source], allowed: Iterable[Allowed]) -> list[Finding]:
    """Everything too large and not allowed, and every exception that has outlived its need."""
    measured = [item for source in files for item in measure(source)]
    permitted = {(entry.path, entry.name): entry for entry in allowed}
    found = [finding for item in measured if (finding := _judge(item, permitted.get((item.path, item.name))))]
    known = {(item.path, item.name) for item in measured}
    found += [
        Finding(EXCEPTIONS, 0, f"{entry.path} {entry.name}: is not there; remove the entry")
        for key, entry in permitted.items()
        if key not in known
    ]
    common = percentile_90(item.lines for item in measured if item.name)
    if common > FUNCTION_PERCENTILE:
        found.append(
            Finding("src", 0, f"9 of 10 functions have up to {common} lines; {FUNCTION_PERCENTILE} is the limit")
        )
    return found


def _judge(item: Measured, allowed: Allowed | None) -> Finding | None:
    what = f"{item.name}()" if item.name else "module"
    if allowed is None:
        if item.lines <= item.limit:
            return None
        return Finding(item.path, item.line, f"{what} has {item.lines} lines; {item.limit} is the limit: split it")
    place = f"{item.path} {item.name}".rstrip()
    if not allowed.reason.strip():
        return Finding(EXCEPTIONS, 0, f"{place}: an exception needs a reason")
    if item.lines <= item.limit:
        return Finding(EXCEPTIONS, 0, f"{place}: is within the limit now; remove the entry")
    if item.lines > allowed.lines:
        return Finding(
            item.path, item.line, f"{what} grew from {allowed.lines} to {item.lines} lines: it may only shrink"
        )
    if item.lines < allowed.lines:
        return Finding(EXCEPTIONS, 0, f"{place}: shrank; write lines = {item.lines}")
    return None
