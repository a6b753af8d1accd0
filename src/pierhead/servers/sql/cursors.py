"""Signed cursors: where a page ended, bound to the query, role and policy it was read under.

A cursor is not secret, it holds order values of a row its holder has seen; but only one that this server gave is
taken, and only with the request that gave it. Not here: what it means in SQL (keysets.py).
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast

import orjson

from pierhead.sdk import Invalid

LONGEST_CURSOR: Final = 4_096
_MARK_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the order values of its last row, or, where rows have no key, how many were read."""

    values: tuple[object, ...] = ()
    offset: int = 0

    @property
    def nulls(self) -> tuple[bool, ...]:
        return tuple(value is None for value in self.values)


class Cursors:
    """Seals and opens with one key; servers that share load share the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sealed(self, place: Place, bound_to: str) -> str | None:
        """The cursor, or None if a value is of a kind that no cursor holds."""
        try:
            body = orjson.dumps([place.offset, [_kept(value) for value in place.values]])
        except TypeError:
            return None
        text = base64.urlsafe_b64encode(self._mark(body, bound_to) + body).decode().rstrip("=")
        return text if len(text) <= LONGEST_CURSOR else None

    def opened(self, text: str, bound_to: str) -> Place:
        """Errors: Invalid (`bad-cursor`), for one of another request, role or policy, or of nobody."""
        if len(text) > LONGEST_CURSOR or not text.isascii():
            raise _bad_cursor()
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise _bad_cursor() from None
        mark, body = sealed[:_MARK_BYTES], sealed[_MARK_BYTES:]
        if not hmac.compare_digest(mark, self._mark(body, bound_to)):
            raise _bad_cursor()
        offset, values = cast("tuple[int, list[Any]]", tuple(orjson.loads(body)))
        return Place(tuple(_restored(value) for value in values), offset)

    def _mark(self, body: bytes, bound_to: str) -> bytes:
        return hmac.digest(self._key, hashlib.sha256(bound_to.encode()).digest() + body, "sha256")[:_MARK_BYTES]


def _bad_cursor() -> Invalid:
    return Invalid(
        "the cursor does not belong to this request",
        hint="send it with the request that gave it, unchanged; after a change of policy begin at the first page",
        code="bad-cursor",
    )


def _kept(value: object) -> object:
    """A driver value as JSON; types.py makes it of the column's type again."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"bytes": value.hex()}
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case Decimal() | uuid.UUID():
            return str(value)
        case _:
            raise TypeError


def _restored(value: object) -> object:
    match value:
        case {"bytes": str(text)}:
            return bytes.fromhex(text)
        case _:
            return value


def same_order(values: Sequence[object], longest: int) -> bool:
    """Whether values came whole: a text that an engine cut is no place to go on from."""
    return not any(isinstance(value, str | bytes) and len(value) > longest for value in values)
