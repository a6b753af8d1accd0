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
_STATEMENTS_KEPT: Final = 1_000
_KEPT_BY_THE_SERVER: Final = 100


class _AtHand:
    """One connection of the pool, and its statements.

    The first ones are kept by the server, parsed and planned. The others are parsed anew at each run, on the way with
    their values: they cost the server nothing while they do not run, and never a round trip more.
    """

    __slots__ = ("_in_server", "_statements", "connection", "used_at")

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg leaves it partly untyped
        self.connection = connection
        self.used_at = 0.0
        self._statements: dict[str, Any] = {}
        self._in_server = 0

    @property
    def is_lost(self) -> bool:
        try:
            return self.connection.is_closed()
        except asyncpg.InterfaceError:  # the pool has taken it back already
            return True

    async def fetch(self, sql: str, values: Sequence[object], seconds: float) -> Sequence[Sequence[object]]:
        statement = self._statements.get(sql) or await self._prepare(sql, seconds)
        return await statement.fetch(*values, timeout=seconds)

    async def _prepare(self, sql: str, seconds: float) -> Any:  # noqa: ANN401 - as the connection
        if len(self._statements) >= _STATEMENTS_KEPT:
            oldest = self._statements.pop(next(iter(self._statements)))
            self._in_server -= bool(oldest.get_name())
        is_in_server = self._in_server < _KEPT_BY_THE_SERVER
        statement = await self.connection.prepare(sql, name=None if is_in_server else "", timeout=seconds)
        self._in_server += is_in_server
        self._statements[sql] = statement
        return statement


class Connections:
    """Of a pool made with `statement_cache_size=0`: without that, a statement the server forgot would be run."""

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
