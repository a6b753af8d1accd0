"""Versions in order, by the precedence of Semantic Versioning 2.0.0 (section 11).

Texts that are no such version are versions too: they stand below all that are, in the order of their parts. Not
here: which version clients get (`usecases/official_listing`).
"""

import re
from typing import Final

_NUMBER: Final = r"(0|[1-9][0-9]{0,17})"
_VERSION: Final = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_PARTS: Final = re.compile(r"[0-9]{1,18}|[A-Za-z]+")

_Part = tuple[int, int, str]
Precedence = tuple[bool, tuple[int, ...], bool, tuple[_Part, ...]]
"""Compares as the versions do: is semantic, numbers, is a release, parts of the pre-release."""


def precedence(version: str) -> Precedence:
    """Where `version` stands among others. Build metadata does not count."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return False, (), True, tuple(_part(part) for part in _PARTS.findall(version))
    before = found[4]
    parts = () if before is None else tuple(_part(part) for part in before.split("."))
    return True, (int(found[1]), int(found[2]), int(found[3])), before is None, parts


def is_release(version: str) -> bool:
    """Whether `version` is semantic, and no pre-release."""
    is_semantic, _, is_final, _ = precedence(version)
    return is_semantic and is_final


def _part(text: str) -> _Part:
    """Numbers stand below words, and are compared as numbers."""
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)
