"""What may be kept of arguments: shapes and short plain values, never secrets, never content.

By rule, not by luck: a member whose name speaks of a secret is withheld whole; every other text keeps only its
length unless the tool is known to carry names. Applied before every sink, so the hash chain covers what is kept.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from pierhead.core.json import Json

_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)?|secret|token|api_?key|authorization|cookie|credential|private|dsn|session",
    re.IGNORECASE,
)
_DEPTH: Final = 6
_MEMBERS: Final = 50


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


def _member(key: str, member: Json, depth: int) -> Json:
    return "[secret]" if _SECRET_NAME.search(key) else redact(member, depth=depth + 1)


def _name(key: str) -> str:
    """Keys come from the caller too: long ones are cut."""
    return key if len(key) <= 64 else key[:61] + "..."  # noqa: PLR2004 - longer than any sane name
