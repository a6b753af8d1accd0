"""Secrets taken out of what a server reads, before anything else is done with it: cut, answered, digested, kept.

An author calls none of this for answers: `envelope` does, and errors do. It is for what a server keeps by itself, and
for texts that come in pieces. Below: `core/secret_shapes`, which knows names and shapes. Not here: arguments as they
are recorded (`core/redaction`).
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, cast

from pierhead.core.secret_shapes import LONGEST_SECRET, is_secret_name, without_secrets

#: Further words of the server whose tool runs: `Server(secret_names=...)`. The host sets it around each call.
_NAMES: Final[ContextVar[frozenset[str]]] = ContextVar("pierhead_secret_names", default=frozenset())
_REPLACED: Final = "[redacted:named]"
_DEEPEST: Final = 60
_TRIES: Final = 8
_MOST_HELD: Final = 65_536


@contextmanager
def also_secret(names: Collection[str]) -> Generator[None]:
    """Inside the block these words name secrets too."""
    token = _NAMES.set(_NAMES.get() | frozenset(names))
    try:
        yield
    finally:
        _NAMES.reset(token)


def redact(text: str) -> str:
    """`text` with each secret replaced by `[redacted:<kind>]`."""
    return without_secrets(text, _NAMES.get())


def redact_value(  # any JSON, and what a model holds besides
    value: Any,  # noqa: ANN401
    names: frozenset[str] | None = None,
) -> Any:  # noqa: ANN401
    """The same of a JSON value: texts as `redact` has them; of members whose name is a secret's, each value.

    Numbers stay, and so does what is no JSON. Deeper than 60 levels nothing is kept. `names` stand for those of the
    server whose tool runs.
    """
    return _redacted(value, _NAMES.get() if names is None else names, _DEEPEST)


def secret_names() -> frozenset[str]:
    """The further words of the server whose tool runs."""
    return _NAMES.get()


def _redacted(value: Any, names: frozenset[str], depth: int) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, str):
        return without_secrets(value, names)
    if depth <= 0:
        return None if isinstance(value, Mapping | list | tuple) else value
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {key: _member(key, member, names, depth - 1) for key, member in members.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, names, depth - 1) for item in cast("Sequence[Any]", value)]
    return value


def _member(key: str, value: Any, names: frozenset[str], depth: int) -> Any:  # noqa: ANN401 - as above
    plain = _redacted(value, names, depth)
    return _withheld(plain) if isinstance(key, str) and is_secret_name(key, names) else plain


def _withheld(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, str):
        return value if not value or value.startswith("[redacted:") else _REPLACED
    if isinstance(value, dict):
        return {key: _withheld(member) for key, member in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_withheld(item) for item in cast("list[Any]", value)]
    return value


class Redactor:
    """A text that comes in pieces: what is given back is free of secrets, also of those that lay across two of them.

    Holds back 8 to 16 KB, or up to 64 KB where it can be cut nowhere without cutting a secret; `rest` gives
    them at the end.
    """

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take in the next piece; gives what is sure by now."""
        whole = self._held + piece
        self._held = whole
        if len(whole) <= 2 * LONGEST_SECRET:
            return ""
        cut, told = _sure(whole)
        self._held = whole[cut:]
        return told

    def rest(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return redact(held)


def _sure(whole: str) -> tuple[int, str]:
    """Where `whole` can be cut so that both parts read as they do together, and the first of them."""
    together = redact(whole)
    cut = len(whole) - LONGEST_SECRET
    for _ in range(_TRIES):
        cut = max(whole.rfind("\n", 0, cut), -1) + 1 or whole.rfind(" ", 0, cut) + 1
        if not cut:
            break
        first = redact(whole[:cut])
        if first + redact(whole[cut:]) == together:
            return cut, first
        cut -= 1
    if len(whole) <= _MOST_HELD:
        return 0, ""
    return len(whole) - LONGEST_SECRET, f"[redacted:long, {len(whole) - LONGEST_SECRET} characters]\n"
