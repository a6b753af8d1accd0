"""Where a list goes on: a place, bound to the question it belongs to. A cursor of another question is refused."""

import hashlib
from collections.abc import Sequence

from pierhead.sdk import Invalid

_DIGITS = 12


def cursor_at(offset: int, asked: Sequence[str]) -> str:
    return f"{offset}.{_mark(asked)}"


def begin_of(cursor: str, asked: Sequence[str]) -> int:
    """Where it begins; 0 without a cursor. Errors: Invalid (`bad-cursor`)."""
    if not cursor:
        return 0
    offset, _, mark = cursor.partition(".")
    is_number = offset.isascii() and offset.isdigit() and len(offset) < _DIGITS
    if not is_number or mark != _mark(asked):
        message = "this cursor belongs to another question"
        raise Invalid(message, hint="send it with the same filters, or none to begin anew", code="bad-cursor")
    return int(offset)


def _mark(asked: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(asked).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
