"""Addresses of the official API as segments, so that an escaped slash in a name stays one.

Read from the raw path: a router that decodes first cannot tell `com.example%2Fpresto` from two segments. Empty
segments count as none, since clients put a base with a slash before a path with one. Not here: what answers (`routes`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

CURRENT: Final = "v0.1"
ALIAS: Final = "v0"

_VIEWS: Final = "r"
_NAME: Final = "{serverName}"


@dataclass(frozen=True, slots=True)
class Address:
    """One address below a base: the base's view (empty for everyone's), and the segments behind the version."""

    view: str
    segments: Sequence[str]


def address_of(raw_path: bytes, *, has_alias: bool) -> Address | None:
    """The address that a raw path is, if it is one of this API."""
    parts = [part for part in raw_path.partition(b"?")[0].decode("latin-1").split("/") if part]
    is_view = parts[:1] == [_VIEWS]
    view, rest = (parts[1:2], parts[2:]) if is_view else ([""], parts)
    if not view or not rest or not (rest[0] == CURRENT or (has_alias and rest[0] == ALIAS)):
        return None
    return Address(view[0], [_decoded(part) for part in rest[1:]])


def _decoded(part: str) -> str:
    """A segment without its escapes; what is no UTF-8 names nothing."""
    return unquote(part, errors="replace")


@dataclass(frozen=True, slots=True)
class Matched:
    """What an address gives a template: the template's names with their values."""

    values: Mapping[str, str] = field(hash=False)


def match(template: str, segments: Sequence[str]) -> Matched | None:
    """The names of `template` in those segments. A server's name is one segment with a slash in it, or two."""
    wanted = template.strip("/").split("/")[1:]
    left, values = list(segments), dict[str, str]()
    for part in wanted:
        if not left:
            return None
        given = left.pop(0)
        if part == _NAME and "/" not in given and left:
            given = f"{given}/{left.pop(0)}"
        if part.startswith("{"):
            values[part.strip("{}")] = given
        elif part != given:
            return None
    return None if left else Matched(values)
