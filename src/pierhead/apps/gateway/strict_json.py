"""JSON that every parser reads alike, or nothing.

Beyond RFC 8259 this refuses what parsers are known to read differently: members named twice or named alike but
for case, nesting beyond 64, integers beyond 2^53-1 and numbers no double holds, NaN, lone surrogates, and any
encoding but UTF-8 without a byte order mark. Pure. Above: `envelope`.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, TypeGuard

from pierhead.core.json import Json

DEPTH: Final = 64

_LARGEST_EXACT: Final = 2**53 - 1
_ODD_NUMBER: Final = re.compile(rb"[0-9](?:[0-9]{15}|[eE][+-]?[0-9]{3})")
"""Where a number might be too large: rare, so only then every number is looked at."""


class NotStrict(ValueError):
    """Says which rule the bytes break."""


def parse(text: bytes) -> Json:
    """The value that `text` spells; raises NotStrict."""
    try:
        value: Json = (_EVERY_NUMBER if _ODD_NUMBER.search(text) else _PLAIN).decode(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotStrict("the body is not UTF-8") from None
    except RecursionError:
        raise NotStrict(f"the body is nested deeper than {DEPTH}") from None
    except json.JSONDecodeError as fault:
        raise NotStrict(f"the body is not JSON: {fault.msg.lower()} at character {fault.pos}") from None
    if text.count(b"[") + text.count(b"{") > DEPTH:
        _check_depth(value)
    if b"\\u" in text:
        _check_surrogates(value)
    return value


def is_object(value: object) -> TypeGuard[Mapping[str, Json]]:
    return isinstance(value, dict)


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrict("a member is named twice in one object")
    if len(set(map(str.casefold, members))) != len(members):
        raise NotStrict("two members of one object are named alike but for case")
    return members


def _constant(name: str) -> NoReturn:
    raise NotStrict(f"{name} is no JSON")


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > _LARGEST_EXACT:  # noqa: PLR2004 - a sign and 16 digits, and one more
        raise NotStrict("an integer is beyond 2^53-1")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise NotStrict("a number is larger than any double")
    return value


# Made once: making a decoder costs more than most messages take to read.
_PLAIN: Final = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant)
_EVERY_NUMBER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=_constant, parse_int=_integer, parse_float=_float
)


def _check_depth(value: Json) -> None:
    level: list[Json] = [value]
    for _ in range(DEPTH):
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return
    raise NotStrict(f"the body is nested deeper than {DEPTH}")


def _children(node: Json) -> Sequence[Json]:
    if is_object(node):
        return list(node.values())
    return node if isinstance(node, list) else ()


def _check_surrogates(value: Json) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise NotStrict("a text holds a lone surrogate") from None
