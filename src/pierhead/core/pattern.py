"""Whether a regular expression can take for ever: repetition inside repetition, repeated alternatives that are alike.

Reads the form of the pattern alone, and errs on the side of "can". What is separated is not ambiguous: `(-[a-z]+)*`
is taken, `([a-z]+)*` is not. Pure. Above: `schema_bounds`. Not here: whether it is a pattern at all.
"""

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_MANY: Final = 10
"""From this many repetitions on, a group counts as repeated without end."""
_IN_A_ROW: Final = 3
_CLASS: Final = re.compile(
    r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)
_QUANTIFIER: Final = re.compile(r"(?:([*+?])|\{(\d*)(?:(,)(\d*))?\})[?+]?")
_HEAD: Final = re.compile(r"\?(?:[:=!>]|<[=!]|P?<\w+>|[aiLmsux-]+:?)")


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing in a sequence: a character class as text, or a group's alternatives; `high` None: without end."""

    source: str
    branches: "tuple[tuple[_Item, ...], ...]"
    low: int
    high: int | None

    @property
    def is_endless(self) -> bool:
        return self.high is None or self.high >= _MANY


def runs_away(pattern: str) -> bool:
    """Whether some text makes the pattern try a number of ways that grows without bound."""
    branches, _ = _alternatives(pattern, 0)
    return any(_is_ambiguous(branch) for branch in branches)


def _alternatives(pattern: str, at: int) -> tuple[tuple[tuple[_Item, ...], ...], int]:
    """The alternatives that begin at that place, and where they end: at a closing bracket, or with the pattern."""
    branches: list[tuple[_Item, ...]] = []
    items: list[_Item] = []
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            branches.append(tuple(items))
            items, at = [], at + 1
            continue
        item, at = _item(pattern, at)
        items.append(item)
    return (*branches, tuple(items)), at


def _item(pattern: str, at: int) -> tuple[_Item, int]:
    inside: tuple[tuple[_Item, ...], ...] = ()
    source = ""
    if pattern[at] == "(":
        head = _HEAD.match(pattern, at + 1)
        inside, at = _alternatives(pattern, head.end() if head else at + 1)
        at += 1
    else:
        found = _CLASS.match(pattern, at)
        source = found[0] if found else pattern[at]
        at += len(source)
    low, high, at = _repeated(pattern, at)
    return _Item(source, inside, low, high), at


def _repeated(pattern: str, at: int) -> tuple[int, int | None, int]:
    found = _QUANTIFIER.match(pattern, at)
    if found is None or found[0].startswith("{}"):
        return 1, 1, at
    if found[1]:
        return int(found[1] == "+"), 1 if found[1] == "?" else None, found.end()
    low = int(found[2] or 0)
    high = low if not found[3] else int(found[4]) if found[4] else None
    return low, high, found.end()


def _is_ambiguous(items: Sequence[_Item]) -> bool:
    for at, item in enumerate(items):
        row = items[at : at + _IN_A_ROW]
        if len(row) == _IN_A_ROW and all(each.high is None and each.source == item.source != "" for each in row):
            return True
        if item.is_endless and (_is_alike(item.branches) or any(_is_loose(branch) for branch in item.branches)):
            return True
        if any(_is_ambiguous(branch) for branch in item.branches):
            return True
    return False


def _is_loose(branch: Sequence[_Item]) -> bool:
    """Whether it repeats something, and nothing in it says where one round ends and the next begins."""
    endless = [item for item in _flat(branch) if item.is_endless]
    return bool(endless) and not any(_separates(item, endless, branch) for item in (branch[0], branch[-1]))


def _separates(item: _Item, endless: Sequence[_Item], branch: Sequence[_Item]) -> bool:
    """Whether a round begins or ends with it and nothing else: `-`, or `[=!]{1,2}` where more has to follow."""
    if item.branches or item.low == 0 or item.is_endless:
        return False
    mine = _matched(item.source)
    if item.low != item.high and not any(
        each is not item and each.low and not each.branches and mine.isdisjoint(_matched(each.source))
        for each in branch
    ):
        return False
    return all(not each.branches and mine.isdisjoint(_matched(each.source)) for each in endless)


def _flat(branch: Sequence[_Item]) -> Iterator[_Item]:
    for item in branch:
        yield item
        for inner in item.branches:
            yield from _flat(inner)


def _is_alike(branches: Sequence[Sequence[_Item]]) -> bool:
    """Whether two alternatives match the same text, or one the beginning of the other's."""
    return any(
        all(not _firsts(a).isdisjoint(_firsts(b)) for a, b in zip(one, other, strict=False))
        for at, one in enumerate(branches)
        for other in branches[at + 1 :]
    )


def _firsts(item: _Item) -> frozenset[str]:
    if not item.branches:
        return _matched(item.source)
    return frozenset(each for branch in item.branches if branch for each in _firsts(branch[0]))


@lru_cache(1_000)
def _matched(source: str) -> frozenset[str]:
    """Which plain characters it matches; what cannot be read matches all."""
    try:
        one = re.compile(source, re.DOTALL)
    except re.error:
        return frozenset(string.printable)
    return frozenset(character for character in string.printable if one.fullmatch(character))
