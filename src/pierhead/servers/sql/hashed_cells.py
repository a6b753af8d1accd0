"""The mask `hash`: cells that are fetched as text, and leave as keyed digests.

A digest is HMAC-SHA256 under a key of the installation, cut to 128 bits: equal for equal values, in every table and
answer, and nothing that can be computed without the key. No engine knows it, so such a column can be neither filtered
nor ordered, and does not exist in statements of callers. Not here: which columns (masks.py), the statement that fetches
them (read_sql.py), where the key lies (the host of the server).
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import orjson

from pierhead.sdk import Invalid

_LENGTH: Final = 32

Hashed = Mapping[str, "Hashed"]
"""What is hashed of related rows, by name; of a cell itself, WHOLE."""

WHOLE: Final[Hashed] = {}


class Digests:
    """`key` is asked at each digest: whoever hosts the server sets it before it starts."""

    def __init__(self, key: Callable[[], bytes | None]) -> None:
        self._key = key
        self._own = secrets.token_bytes(32)  # of this process alone, where no host gives one

    def of(self, value: object) -> str:
        return hmac.new(self._key() or self._own, str(value).encode(), hashlib.sha256).hexdigest()[:_LENGTH]

    def rows(self, rows: Sequence[Sequence[object]], hashed: Mapping[int, Hashed]) -> Sequence[Sequence[object]]:
        """The rows with those cells as digests. Errors: Invalid (`too-large`), for related rows that came cut."""
        if not hashed:
            return rows
        return [[self._cell(cell, hashed.get(place)) for place, cell in enumerate(row)] for row in rows]

    def _cell(self, cell: object, hashed: Hashed | None) -> object:
        if cell is None or hashed is None:
            return cell
        if not hashed:
            return self.of(cell)
        try:
            related = orjson.loads(str(cell))
        except orjson.JSONDecodeError:
            raise Invalid(
                "the rows related to one row are too large", hint="give them fewer columns or a limit", code="too-large"
            ) from None
        return orjson.dumps(self._value(related, hashed)).decode()

    def _value(self, value: object, hashed: Hashed) -> object:
        if value is None or not hashed:
            return None if value is None else self.of(value)
        if isinstance(value, list):
            return [self._value(each, hashed) for each in cast("list[object]", value)]
        members = cast("dict[str, object]", value)
        return {name: self._value(each, hashed[name]) if name in hashed else each for name, each in members.items()}
