"""The floor of a query: bare ASGI and asyncpg. Reads the key from the same body, answers the row as JSON.

No check of who asks, of what is asked, or of the statement. The database's address comes in DATABASE_URL.
"""

import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import asyncpg
import orjson

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

_KEY = re.compile(r"id = (\d+)")


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
        message = orjson.loads((await receive())["body"])
        found = _KEY.search(message["params"]["arguments"]["sql"])
        row = await self._pool.fetchrow("select * from measurements where id = $1", int(found[1]) if found else 0)
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": dict(row)}
        body = orjson.dumps(answer, default=str)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


app = Floor()
