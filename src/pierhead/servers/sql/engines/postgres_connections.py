"""Connections of one login for single statements: the one used last comes first, with what it has prepared.

asyncpg's pool makes connections, waits for statements that are being cancelled, and replaces what broke. Around a
statement of 50 µs its way in and out costs more than the statement; so a connection whose statement ended in order
stays here, and only one that something happened to goes back there. Above: postgres.py.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, Final

import asyncpg

_WAIT_S: Final = 10.0
_IDLE_S: Final = 300.0
_PREPARED_S: Final = 300.0
_MOST_PREPARED: Final = 200


class _AtHand:
    """One connection of the pool, and the statements that the engine keeps prepared for it.

    Those that come first are kept, all for the same while. Any other is prepared for one run: to forget one for each
    new one would cost a round trip more. Only what the engine keeps is run again: it notices that a table has changed,
    while a text that is parsed anew would come in other types than it was described with.
    """

    __slots__ = ("_prepared", "_since", "connection", "used_at")

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg leaves it partly untyped
        self.connection = connection
        self.used_at = 0.0
        self._prepared: dict[str, Any] = {}
        self._since = monotonic()

    @property
    def is_lost(self) -> bool:
        try:
            return self.connection.is_closed()
        except asyncpg.InterfaceError:  # the pool has taken it back already
            return True

    async def fetch(self, sql: str, values: Sequence[object], seconds: float) -> Sequence[Sequence[object]]:
        statement = self._prepared.get(sql) or await self._prepare(sql, seconds)
        return await statement.fetch(*values, timeout=seconds)

    async def _prepare(self, sql: str, seconds: float) -> Any:  # noqa: ANN401 - as the connection
        if len(self._prepared) < _MOST_PREPARED:
            statement = self._prepared[sql] = await self.connection.prepare(sql, timeout=seconds)
            return statement
        if monotonic() - self._since > _PREPARED_S:
            self._prepared.clear()
            self._since = monotonic()
        return await self.connection.prepare(sql, name="", timeout=seconds)


class Connections:
    """The connections of one pool."""

    def __init__(self, pool: Any) -> None:  # noqa: ANN401 - as the connection
        self._pool = pool
        self._at_hand: list[_AtHand] = []
        self._waiting = 0

    async def fetch(self, sql: str, values: Sequence[object], seconds: float) -> Sequence[Sequence[object]]:
        """The rows of one statement, in no transaction. Errors: those of asyncpg; TimeoutError."""
        try:
            return await self._fetch(sql, values, seconds)
        except asyncpg.InvalidCachedStatementError:  # a table changed under it; it is prepared anew, once
            return await self._fetch(sql, values, seconds)

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[Any]:
        """A connection for several statements."""
        taken, is_in_order = await self._taken(), False
        try:
            yield taken.connection
            is_in_order = True
        finally:
            await self._give_back(taken, is_in_order=is_in_order)

    async def _fetch(self, sql: str, values: Sequence[object], seconds: float) -> Sequence[Sequence[object]]:
        taken, is_in_order = await self._taken(), False
        try:
            rows = await taken.fetch(sql, values, seconds)
            is_in_order = True
        finally:
            await self._give_back(taken, is_in_order=is_in_order)
        return rows

    async def _taken(self) -> _AtHand:
        while self._at_hand:
            taken = self._at_hand.pop()
            if not taken.is_lost:
                return taken
        self._waiting += 1
        try:
            return _AtHand(await self._pool.acquire(timeout=_WAIT_S))
        finally:
            self._waiting -= 1

    async def _give_back(self, taken: _AtHand, *, is_in_order: bool) -> None:
        """To the next call; to the pool, if not in order or somebody waits there. The coldest goes after a while."""
        if not is_in_order or self._waiting:
            await self._pool.release(taken.connection)
            return
        taken.used_at = monotonic()
        self._at_hand.append(taken)
        if taken.used_at - self._at_hand[0].used_at > _IDLE_S:
            await self._pool.release(self._at_hand.pop(0).connection)

    def terminate(self) -> None:
        self._at_hand.clear()
        self._pool.terminate()
