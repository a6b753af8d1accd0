"""What Python code of a server breaks of the standard, read from its syntax: nothing of it runs.

Each rule errs on the side of the ordinary: it tells the known ways to write a hole, not every one. Inside:
tree.py (what the rules read), calls.py (what is called), tools.py (what tools are and take). Not here: other sources.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping

from pierhead.adapters.source_rules.calls import CALL_RULES
from pierhead.adapters.source_rules.tools import TOOL_RULES
from pierhead.adapters.source_rules.tree import Found, Module
from pierhead.core.standard import Breach, Evidence, Look
from pierhead.core.standard_rules import breach

__all__ = ["check_source"]


def check_source(files: Mapping[str, str]) -> Evidence:
    """The evidence of the source C. A file that is no Python of this version is told, and nothing of it is judged."""
    found: list[Breach] = []
    for name, text in files.items():
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            found.append(breach("S24", f"{name}:1", "it cannot be read as Python", "write it so that it can"))
            continue
        found += _breaches(name, Module(tree))
    return Evidence(tuple(dict.fromkeys(found)), frozenset({Look.CODE}), {})


def _breaches(name: str, module: Module) -> Iterator[Breach]:
    for rules in (CALL_RULES, TOOL_RULES):
        for rule, judge in rules:
            yield from (_breach(rule, name, found) for found in _in_order(judge(module)))


def _in_order(found: Iterable[Found]) -> list[Found]:
    return sorted(found, key=lambda each: each.line)


def _breach(rule: str, name: str, found: Found) -> Breach:
    return breach(rule, f"{name}:{found.line}", found.what)
