"""How large and how strange a JSON Schema may be before it is a burden or a weapon.

Read without recursion, so that depth itself cannot hurt the reader. Pure. Above: `usecases/check_definitions`.
Not here: what its texts say (`hostile_text`), holding values against it (the SDK and the guard).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from pierhead.core.pattern import runs_away

DEEPEST: Final = 24
MOST_PARTS: Final = 2_000
MANY_PARTS: Final = 400
LONGEST_PATTERN: Final = 1_000
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


@dataclass(frozen=True, slots=True)
class Part:
    """One value inside a JSON document: where, how deep, what."""

    place: str
    depth: int
    key: str
    value: object


def parts(document: object) -> Iterator[Part]:
    """Every value of a document, at most MOST_PARTS + 1 of them and none below DEEPEST + 1."""
    left = [Part("", 0, "", document)]
    given = 0
    while left and given <= MOST_PARTS:
        part = left.pop()
        given += 1
        yield part
        if part.depth <= DEEPEST:
            left.extend(_inside(part))


def _inside(part: Part) -> Iterator[Part]:
    if isinstance(part.value, Mapping):
        for key, value in cast("Mapping[str, object]", part.value).items():
            yield Part(f"{part.place}.{key}" if part.place else str(key), part.depth + 1, str(key), value)
    elif isinstance(part.value, list | tuple):
        for at, value in enumerate(cast("list[object]", part.value)):
            yield Part(f"{part.place}[{at}]", part.depth + 1, part.key, value)


def outside_reference(part: Part) -> bool:
    """Whether it points to somewhere that is not this schema."""
    return part.key in _REFERENCES and isinstance(part.value, str) and not part.value.startswith("#")


def pattern_fault(part: Part) -> str:
    """Why a `pattern` cannot be used to check values; empty if it can, or is none."""
    if part.key != "pattern" or not isinstance(part.value, str):
        return ""
    if len(part.value) > LONGEST_PATTERN:
        return f"longer than {LONGEST_PATTERN} characters"
    try:
        re.compile(part.value)
    except (re.error, OverflowError, RecursionError):
        return "no regular expression"
    return "a repetition inside a repetition, which takes for ever" if runs_away(part.value) else ""
