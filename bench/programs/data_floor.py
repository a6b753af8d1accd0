"""The floor of the data layer: bare ASGI and one asyncpg pool, with its SQL written down. Nobody is asked who they are.

GET /measurements/{id} answers one row, POST anything the hundred rows from the key in the body on. The database's
address comes in DATABASE_URL.
"""

import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import asyncpg
import orjson

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_ROW: Final = "select id, station, taken, celsius from measurements where id = $1"
_ROWS: Final = "select id, station, taken, celsius from measurements where id > $1 order by id limit 100"
_KEY: Final = re.compile(rb"id > (\d+)")


class Floor:
    """The ASGI application."""

    def __init__(self) -> None:
        self._pool: Any = None

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        """One query a request; the pool is opened by the first."""
        if scope["type"] != "http":
            return
        if self._pool is None:
            self._pool = asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=16, max_size=16)  # pyright: ignore[reportUnknownMemberType]
            await self._pool
        body = orjson.dumps(await self._answer(scope, receive))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Callable[[], Awaitable[Message]]) -> object:
        if scope["method"] == "GET":
            return dict(await self._pool.fetchrow(_ROW, int(scope["path"].rpartition("/")[2])))
        found = _KEY.search((await receive())["body"])
        return [dict(row) for row in await self._pool.fetch(_ROWS, int(found[1]) if found else 0)]


app = Floor()
