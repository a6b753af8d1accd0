"""An entry's document as people and programs may see it: whole, but for the secrets that a fleet file may hold.

Above: pages, API and command line. Not here: who may see an entry at all.
"""

import re
from collections.abc import Mapping
from typing import Final

from pierhead.core.json import Json

_MASK: Final = "***"
_PASSWORD: Final = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]+@")
_SECRET: Final = re.compile(r"password|passphrase|secret|token|credential|(^|[_-])key$", re.IGNORECASE)
_ALL_SECRET: Final = frozenset({"environment"})
"""What a guest's process gets in its environment is where programs expect their secrets."""


def shown(document: Mapping[str, Json]) -> dict[str, Json]:
    """The document without passwords in URLs, values of secret names, and values of a process's environment."""
    return {name: _masked(name, value) for name, value in document.items()}


def masked(document: Mapping[str, Json]) -> tuple[str, ...]:
    """The members that hold a mask where a secret belongs: what somebody was shown, and sends back."""
    return tuple(sorted(name for name, value in document.items() if _holds_mask(name, value)))


def _holds_mask(name: str, value: Json) -> bool:
    match value:
        case dict() if name in _ALL_SECRET:
            return _MASK in value.values()
        case dict():
            return any(_holds_mask(inner, each) for inner, each in value.items())
        case list():
            return any(_holds_mask(name, each) for each in value)
        case str() if _SECRET.search(name):
            return value == _MASK
        case str():
            return f":{_MASK}@" in value
        case _:
            return False


def _masked(name: str, value: Json) -> Json:
    match value:
        case dict() if name in _ALL_SECRET:
            return dict.fromkeys(value, _MASK)
        case dict():
            return {inner: _masked(inner, each) for inner, each in value.items()}
        case list():
            return [_masked(name, each) for each in value]
        case str() if _SECRET.search(name):
            return _MASK
        case str():
            return _PASSWORD.sub(rf"\1:{_MASK}@", value)
        case _:
            return value
