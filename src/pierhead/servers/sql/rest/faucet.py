"""Faucet's routes, for clients that were written against it: its parameters, its envelope, our lanes and rules.

    GET /{source}/_table      GET /{source}/_schema[/{table}]
    GET, POST, PATCH, DELETE  /{source}/_table/{table}?filter&fields&group&order&limit&offset&ids&include_count
    GET, PATCH, PUT, DELETE   /{source}/_table/{table}/{key}

`ids` are values of the table's real key. Not here: reading and writing as such (read_routes.py, write_routes.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, cast
from urllib.parse import urlencode

import orjson

from pierhead.sdk import Invalid
from pierhead.sdk.governed.filters import Operand, every
from pierhead.sdk.governed.reads import FOR_PROGRAMS, Page, ReadRequest, Selected, Selection
from pierhead.sdk.governed.source import Source
from pierhead.sdk.routes import Done, Prepared, Reply
from pierhead.servers.sql.grammar_faucet import parse_filter_text
from pierhead.servers.sql.read_lane import ReadLane
from pierhead.servers.sql.rest import encoding
from pierhead.servers.sql.rest.asked import Asked, single
from pierhead.servers.sql.rest.calling import carried
from pierhead.servers.sql.rest.keys import filter_by_ids
from pierhead.servers.sql.rest.replies import cell_for, json_reply
from pierhead.servers.sql.rest.uploads import LARGEST_BULK
from pierhead.servers.sql.select_native import parse_order, parse_select, parse_whole

_PARAMETERS: Final = frozenset(
    {"filter", "fields", "group", "order", "limit", "offset", "ids", "include_count", "cursor"}
)
_YES: Final = frozenset({"true", "1"})
_WRITE_PARAMETERS: Final = frozenset({"filter", "ids"})
_SEGMENTS: Final = 2
"""`/{source}/_table`: what stands before the table's name."""

Handler = Callable[[Asked], Awaitable[Reply | None]]


def below(asked: Asked) -> Asked:
    """The request as the other routes read it: without the source in its path."""
    return replace(asked, parts=asked.parts[_SEGMENTS:])


def writing(handler: Handler) -> Handler:
    """A route that writes, as Faucet's clients call it: rows in an envelope, both ways."""

    async def write(asked: Asked) -> Reply | None:
        given = single(asked.parameters(_WRITE_PARAMETERS))
        query = urlencode([("filter", given["filter"])]).encode() if "filter" in given else b""
        request = replace(asked.request, query=query, body=_opened(asked), headers=_showing(asked))
        ids = tuple(part.strip() for part in given["ids"].split(",")) if "ids" in given else None
        return enveloped(await handler(replace(below(asked), request=request, ids=ids)))

    return write


def listing(handler: Handler) -> Handler:
    """A route of what there is, in Faucet's envelope."""

    async def listed(asked: Asked) -> Reply | None:
        return enveloped(await handler(replace(asked, parts=asked.parts[1:])))

    return listed


def _opened(asked: Asked) -> bytes:
    """The body without its envelope: of a change one object, of an insert all of them."""
    if not asked.request.body.lstrip().startswith(b"{"):
        return asked.request.body
    body = cast("dict[str, object]", asked.json_value(LARGEST_BULK))
    if body.keys() != {"resource"}:
        return asked.request.body
    rows = body["resource"]
    if asked.method != "POST" and isinstance(rows, list):
        members = cast("list[object]", rows)
        if len(members) != 1:
            raise Invalid("a change is one object for all rows", hint="send one in resource", code="bad-body")
        rows = members[0]
    return orjson.dumps(rows)


def _showing(asked: Asked) -> Mapping[bytes, bytes]:
    """The headers; Faucet's clients expect to see the rows."""
    headers = asked.request.headers
    return headers if b"return=" in headers.get(b"prefer", b"") else {**headers, b"prefer": _shown_too(headers)}


def _shown_too(headers: Mapping[bytes, bytes]) -> bytes:
    given = headers.get(b"prefer", b"")
    return given + b", return=representation" if given else b"return=representation"


class FaucetRoutes:
    """The route that reads a table."""

    def __init__(self, source: Source, lane: ReadLane) -> None:
        self._source = source
        self._lane = lane

    async def table(self, asked: Asked) -> Reply | None:
        """`GET /{source}/_table/{table}`."""
        asked = below(asked)

        def prepare() -> Prepared:
            began = asyncio.get_running_loop().time()
            given = single(asked.parameters(_PARAMETERS))
            request = self._request(asked, given)

            async def read() -> Done:
                ceiling = replace(FOR_PROGRAMS, cell=cell_for(request.selection.limit or FOR_PROGRAMS.default_rows))
                page = await self._lane.read(asked.calls.caller, request, ceiling)
                took = asyncio.get_running_loop().time() - began
                return json_reply(_envelope(page, took))

            return Prepared({"table": request.table, **given}, asked.size, read)

        return await carried(asked, "query_table", prepare)

    def _request(self, asked: Asked, given: Mapping[str, str]) -> ReadRequest:
        ids = tuple(part.strip() for part in given["ids"].split(",")) if "ids" in given else None
        by_ids = filter_by_ids(self._source, replace(asked, ids=ids))
        columns, embeds = parse_select(given.get("fields", "*"))
        if "group" in given:
            columns = _grouped(columns, given["group"], has_fields="fields" in given)
        limit = parse_whole("limit", given["limit"]) if "limit" in given else None
        selection = Selection(
            columns,
            embeds,
            every(parse_filter_text(given.get("filter", "")), by_ids),
            parse_order(given.get("order", "")),
            limit,
            parse_whole("offset", given.get("offset", "0")),
        )
        count = "exact" if given.get("include_count", "").lower() in _YES else ""
        return ReadRequest(asked.name(0), selection, cursor=given.get("cursor", ""), count=count)


def _grouped(columns: tuple[Selected, ...], group: str, *, has_fields: bool) -> tuple[Selected, ...]:
    """The columns of a grouped read. Columns beside aggregates are the group, so what is written must agree."""
    names, _ = parse_select(group)
    if not has_fields:
        return (*names, Selected(Operand("", aggregate="count"), "count"))
    plain = {each.operand for each in columns if not each.operand.aggregate}
    if len(plain) == len(columns) or not plain <= {each.operand for each in names}:
        raise Invalid(
            "fields of a group are its columns and aggregates",
            hint=f"write fields={group},total:amount.sum()",
            code="bad-parameter",
        )
    return columns


def _envelope(page: Page, took: float) -> bytes:
    meta: dict[str, Any] = {
        "count": len(page.rows),
        "total": page.total,
        "limit": page.limit,
        "offset": page.offset,
        "next_cursor": page.next_cursor,
        "took_ms": round(took * 1000, 3),
    }
    if page.truncated:
        meta["truncated"] = page.truncated
    return b'{"resource":%b,"meta":%b}' % (encoding.objects(page.fields, page.rows), orjson.dumps(meta))


def enveloped(reply: Reply | None) -> Reply | None:
    """Another route's JSON list as Faucet sends it; anything else as it is."""
    if reply is None or not reply.body.startswith(b"["):
        return reply
    count = len(cast("list[object]", orjson.loads(reply.body)))
    return Reply(reply.status, reply.headers, b'{"resource":%b,"meta":{"count":%d}}' % (reply.body, count))
