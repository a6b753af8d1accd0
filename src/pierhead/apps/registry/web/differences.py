"""What differs between two versions, piece by piece: words of texts, lines of schemas, members of an entry.

Pure. A text too long to be compared in pieces is shown whole, as taken out and put in. Not here: how much a
difference weighs (`core/definitions`), how it looks (`page_review`).
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pierhead.core.catalog import Tool
from pierhead.core.definitions import ChangeClass, tool_change

Kind = Literal["same", "out", "in"]
_WORD: Final = re.compile(r"\s+|[^\s]+")
_MOST: Final = 2000
_SCHEMAS: Final = frozenset({"input_schema", "output_schema"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that stayed, went out or came in."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class MemberDifference:
    """One member that differs. `is_lines`: its pieces are lines, else words."""

    member: str
    pieces: tuple[Piece, ...]
    is_lines: bool


@dataclass(frozen=True, slots=True)
class ToolDifference:
    """One tool: added, removed or changed in these members."""

    tool: str
    what: Literal["added", "removed", "changed"]
    change: ChangeClass | None
    members: tuple[MemberDifference, ...]


def tool_differences(before: Iterable[Tool], after: Iterable[Tool]) -> tuple[ToolDifference, ...]:
    """Every tool that is not the same, by name."""
    old, new = {tool.name: tool for tool in before}, {tool.name: tool for tool in after}
    return tuple(
        found
        for name in sorted(old.keys() | new.keys())
        for found in (_tool_difference(name, old.get(name), new.get(name)),)
        if found is not None
    )


def _tool_difference(name: str, before: Tool | None, after: Tool | None) -> ToolDifference | None:
    if before is None or after is None:
        return ToolDifference(name, "removed" if after is None else "added", None, ())
    found = tool_change(before, after)
    if not found.members:
        return None
    members = tuple(_member(member, before, after) for member in found.members)
    return ToolDifference(name, "changed", found.change, members)


def _member(member: str, before: Tool, after: Tool) -> MemberDifference:
    old, new = getattr(before, member), getattr(after, member)
    if member in _SCHEMAS:
        return MemberDifference(member, lines(_pretty(old), _pretty(new)), is_lines=True)
    return MemberDifference(member, words(str(old), str(new)), is_lines=False)


def entry_differences(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[MemberDifference, ...]:
    """Every member of an entry's document that differs, by name."""
    return tuple(
        MemberDifference(name, lines(_shown(before, name), _shown(after, name)), is_lines=True)
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _shown(document: Mapping[str, object], name: str) -> str:
    return _pretty(document[name]) if name in document else ""


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def words(before: str, after: str) -> tuple[Piece, ...]:
    """The difference word by word; the spaces between count as words."""
    return _pieces(_WORD.findall(before), _WORD.findall(after), "")


def lines(before: str, after: str) -> tuple[Piece, ...]:
    """The difference line by line."""
    return _pieces(before.splitlines(), after.splitlines(), "\n")


def _pieces(before: Sequence[str], after: Sequence[str], joint: str) -> tuple[Piece, ...]:
    if len(before) > _MOST or len(after) > _MOST:
        return tuple(_changed(before, after, joint))
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    found: list[Piece] = []
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            found.append(Piece("same", joint.join(before[start:end])))
        else:
            found.extend(_changed(before[start:end], after[other_start:other_end], joint))
    return tuple(found)


def _changed(before: Sequence[str], after: Sequence[str], joint: str) -> Iterator[Piece]:
    if before:
        yield Piece("out", joint.join(before))
    if after:
        yield Piece("in", joint.join(after))
