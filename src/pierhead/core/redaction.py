"""What may be kept of arguments: shapes and short plain values, never secrets, never content.

By rule, not by luck: a member whose name speaks of a secret is withheld whole; every other text keeps only its
length unless the tool is known to carry names. Applied before every sink, so the hash chain covers what is kept.
What a server notes of a call on purpose (`kept_details`) keeps its values, and is bounded.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, assert_never, cast

from pierhead.core.json import Json

_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)?|secret|token|api_?key|authorization|cookie|credential|private|dsn|session",
    re.IGNORECASE,
)
_DEPTH: Final = 6
_MEMBERS: Final = 50
_LONGEST_NAME: Final = 64
_ROOM: Final = 4096
_LONGEST_TEXT: Final = 2048
_CUT: Final = "[cut]"


def redact(value: Json, *, depth: int = 0) -> Json:
    """The shape of `value` with its values withheld.

    Shapes: mappings keep their keys (at most 50), sequences become their length, texts their length;
    numbers, booleans and null say only their type. Deeper than 6 levels nothing is kept.
    """
    if depth >= _DEPTH:
        return "[deep]"
    match value:
        case None:
            return None
        case bool():
            return "[boolean]"
        case int() | float():
            return "[number]"
        case str():
            return f"[text {len(value)}]"
        case Mapping():
            kept = list(value.items())[:_MEMBERS]
            return {_name(key): _member(key, member, depth) for key, member in kept}
        case Sequence():
            return f"[list {len(value)}]"
        case _:
            assert_never(value)


def kept_details(noted: Mapping[str, Json]) -> Mapping[str, Json]:
    """What a record keeps of a server's notes: their values, about 4 KB of them, and no member that is a secret.

    Shapes: what goes beyond becomes `[cut]`, also in the middle of a list; texts are cut at 2,048 characters.
    """
    return noted if _is_small(noted) else _Room(_ROOM).members(noted, _DEPTH)


def shown_exactly(arguments: Mapping[str, Json]) -> Mapping[str, Json]:
    """Arguments as whoever decides on them must see them: whole, but for members whose name speaks of a secret."""
    return {name: "[secret]" if _is_secret(name) else shown(value) for name, value in arguments.items()}


def shown(value: Json) -> Json:
    """One value, as `shown_exactly` shows it."""
    if isinstance(value, Mapping):
        return shown_exactly(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [shown(item) for item in value]
    return value


def _is_small(noted: Mapping[str, Json]) -> bool:
    """Whether plainly nothing has to be cut or withheld, which is so of nearly all notes."""
    size = 0
    for name, value in noted.items():
        size += len(name) + 8
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, list):
            if not set(map(type, value)) <= {str}:
                return False
            size += len("".join(cast("list[str]", value))) + 3 * len(value)
        elif isinstance(value, Mapping | Sequence):
            return False
        if len(name) > _LONGEST_NAME or _known_secret(name):
            return False
    return size < _LONGEST_TEXT


class _Room:
    """How much may still be kept, in about bytes."""

    __slots__ = ("_left",)

    def __init__(self, left: int) -> None:
        self._left = left

    def members(self, noted: Mapping[str, Json], depth: int) -> dict[str, Json]:
        kept: dict[str, Json] = {}
        for key, value in noted.items():
            if self._left <= 0:
                kept[_CUT] = True
                break
            name = _name(key)
            self._left -= len(name) + 4
            kept[name] = "[secret]" if _is_secret(key) else self.value(value, depth - 1)
        return kept

    def value(self, value: Json, depth: int) -> Json:
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool | int | float):
            self._left -= 8
            return value
        if depth <= 0:
            return "[deep]"
        if isinstance(value, Mapping):
            return self.members(value, depth)
        return self._items(value, depth - 1)

    def _text(self, text: str) -> str:
        room = max(0, min(_LONGEST_TEXT, self._left))
        self._left -= min(len(text), room) + 3
        return text if len(text) <= room else text[:room] + _CUT

    def _items(self, items: Sequence[Json], depth: int) -> list[Json]:
        kept: list[Json] = []
        for item in items:
            if self._left <= 0:
                kept.append(_CUT)
                break
            kept.append(self.value(item, depth))
        return kept


def _member(key: str, member: Json, depth: int) -> Json:
    return "[secret]" if _is_secret(key) else redact(member, depth=depth + 1)


def _is_secret(key: str) -> bool:
    return _known_secret(key) if len(key) <= _LONGEST_NAME else _SECRET_NAME.search(key) is not None


@lru_cache(maxsize=1024)
def _known_secret(key: str) -> bool:
    """Remembered: tools are called with the same few names again and again."""
    return _SECRET_NAME.search(key) is not None


def _name(key: str) -> str:
    """Keys come from the caller too: long ones are cut."""
    return key if len(key) <= _LONGEST_NAME else key[: _LONGEST_NAME - 3] + "..."
