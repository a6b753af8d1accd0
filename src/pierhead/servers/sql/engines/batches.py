"""How many rows to fetch at once, so that a stream of any rows keeps a bounded part of them in memory.

Learnt from the rows seen: narrow ones come by the thousand, wide ones by the few. Not here: fetching (each engine).
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from pierhead.sdk.governed.engine import took_too_long

_MOST: Final = 2_000
_FIRST: Final = 50
_BYTES: Final = 1024 * 1024
_CELL: Final = 32


class Batches:
    """Of one stream: the size of its next batch, and the time it has left."""

    __slots__ = ("_loop", "_seconds", "_until", "size")

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._until = self._loop.time() + seconds
        self.size = _FIRST

    def learn(self, rows: Sequence[Sequence[object]]) -> None:
        """Choose the next size, from a batch that is not empty; it grows slowly, since rows may widen."""
        texts = sum([len(cell) for row in rows for cell in row if isinstance(cell, (str, bytes))])
        bytes_a_row = texts // len(rows) + len(rows[0]) * _CELL
        self.size = max(1, min(_MOST, self.size * 4, _BYTES // (bytes_a_row + 1)))

    def seconds_left(self) -> float:
        """Errors: ToolTimedOut, when none are left."""
        left = self._until - self._loop.time()
        if left <= 0:
            raise took_too_long(self._seconds)
        return left
