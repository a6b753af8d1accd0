"""`/` and `/_schema`: what there is for the caller's role, never for anyone else's.

Not here: what a role sees (source.py), how it is described for programs (openapi.py).
"""

from typing import Any, cast
from urllib.parse import quote

import orjson

from pierhead.sdk import NotFound
from pierhead.sdk.governed.schema_lane import SchemaLane
from pierhead.sdk.governed.source import Source
from pierhead.sdk.routes import Done, Prepared, Reply
from pierhead.servers.sql.rest.asked import Asked, single
from pierhead.servers.sql.rest.calling import carried
from pierhead.servers.sql.rest.replies import json_reply
from pierhead.servers.sql.rest.schemas import described, shown_tables


class SchemaRoutes:
    """The routes of what there is."""

    def __init__(self, source: Source, lane: SchemaLane) -> None:
        self._source = source
        self._lane = lane

    async def tables(self, asked: Asked) -> Reply | None:
        """`GET /`: the tables, a page at a time."""

        def prepare() -> Prepared:
            given: dict[str, Any] = dict(single(asked.parameters(frozenset({"query", "limit", "cursor"}))))
            if given.get("limit", "").isdigit():
                given["limit"] = int(given["limit"])
            arguments = asked.calls.arguments("list_tables", {"limit": 200, **given})
            values = cast("dict[str, Any]", arguments.values)

            async def answer() -> Done:
                found = await self._lane.list_tables(asked.calls.caller, **values)
                body = orjson.dumps([table.model_dump() for table in found.tables])
                return json_reply(body, headers=_next(found.next_cursor, values))

            return Prepared(arguments.plain, asked.size, answer)

        return await carried(asked, "list_tables", prepare)

    async def whole(self, asked: Asked) -> Reply | None:
        """`GET /_schema`: every table with its columns."""

        def prepare() -> Prepared:
            asked.parameters(frozenset())

            async def answer() -> Done:
                return json_reply(orjson.dumps(self._described(asked)))

            return Prepared({}, asked.size, answer)

        return await carried(asked, "list_tables", prepare)

    async def one(self, asked: Asked) -> Reply | None:
        """`GET /_schema/{table}`."""

        def prepare() -> Prepared:
            asked.parameters(frozenset())
            name = asked.name(1)

            async def answer() -> Done:
                for table in self._described(asked):
                    if table["name"] == name:
                        return json_reply(orjson.dumps(table))
                raise no_table(name)

            return Prepared(asked.calls.arguments("describe_table", {"table": name}).plain, asked.size, answer)

        return await carried(asked, "describe_table", prepare)

    def _described(self, asked: Asked) -> list[dict[str, Any]]:
        ground = self._source.ground
        return [described(table) for table in shown_tables(ground, ground.acting(asked.calls.caller))]


def no_table(name: str) -> NotFound:
    """The same for a hidden table as for one that is not there."""
    return NotFound(f"there is no table {name[:128]}", hint="GET / names the tables you may use", code="unknown-table")


def _next(cursor: str | None, values: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    if cursor is None:
        return []
    query = f"?cursor={quote(cursor, safe='')}&limit={values['limit']}&query={quote(values['query'], safe='')}"
    return [(b"link", f'<{query}>; rel="next"'.encode())]
