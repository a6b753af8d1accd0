"""Reviewers' conditions as policy: those in a known form narrow who may reach and use a server, and never widen.

Forms: `access: WHO`, `surfaces: NAME, NAME`, `environments: NAME, NAME`, `tool NAME: WHO`, where WHO is as in a
fleet file. Any other condition is a sentence for people. Pure. Above: `compose_policy`, `sign_off`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from pierhead.core.errors import Invalid
from pierhead.core.reach import Every, Only, Row
from pierhead.core.rule import Who, parse_who

_ACCESS: Final = re.compile(r"access:\s*(.+)")
_PLACES: Final = re.compile(r"(surfaces|environments):\s*(.+)")
_TOOL: Final = re.compile(r"tool ([A-Za-z0-9_./-]+):\s*(.+)")


def check_condition(text: str) -> str:
    """Why a condition cannot be taken; empty if it can. One that begins like a form must be one."""
    found = _ACCESS.fullmatch(text) or _TOOL.fullmatch(text)
    try:
        if found is not None:
            parse_who(found[found.re.groups])
    except Invalid as invalid:
        return f"{text!r}: {invalid.message}"
    return ""


def restricted_rows(rows: Sequence[Row], conditions: Iterable[str]) -> tuple[Row, ...]:
    """The rows within every condition that speaks of access, surfaces or environments."""
    kept: tuple[Row, ...] = tuple(rows)
    for condition in conditions:
        if found := _ACCESS.fullmatch(condition):
            who = parse_who(found[1])
            kept = tuple(replace(row, who=row.who.within(who)) for row in kept)
        elif found := _PLACES.fullmatch(condition):
            names = frozenset(name.strip() for name in found[2].split(","))
            kept = tuple(_placed(row, found[1], names) for row in kept)
    return kept


def restricted_narrowing(
    narrowed: Mapping[str, Who], tools: Iterable[str], conditions: Iterable[str]
) -> Mapping[str, Who]:
    """The narrowing of tools, and that of every condition that names one of `tools`."""
    kept, names = dict(narrowed), set(tools)
    for condition in conditions:
        found = _TOOL.fullmatch(condition)
        if found and found[1] in names:
            who = parse_who(found[2])
            kept[found[1]] = kept[found[1]].within(who) if found[1] in kept else who
    return kept


def _placed(row: Row, member: str, names: frozenset[str]) -> Row:
    if member == "surfaces":
        return replace(row, surfaces=_both(row.surfaces, names))
    return replace(row, environments=_both(row.environments, names))


def _both(one: Only | Every, names: frozenset[str]) -> frozenset[str]:
    return names if isinstance(one, Every) else one & names
