"""Reading rows by REST: a table, one row of it, or a read whose parameters are JSON.

The lane reads, here its requests are made from HTTP, and its pages told. Not here: grammars (select_native.py), the
lane (read_lane.py), Faucet's routes (faucet.py).
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from pierhead.sdk import Invalid
from pierhead.sdk.governed.engine import Rows
from pierhead.sdk.governed.filters import Filter
from pierhead.sdk.governed.grammar_native import RESERVED
from pierhead.sdk.governed.notes import note_count
from pierhead.sdk.governed.policy import MOST_STREAMED
from pierhead.sdk.governed.reads import FOR_PROGRAMS, Ceiling, Count, Page, ReadRequest, Selection
from pierhead.sdk.governed.source import Source
from pierhead.sdk.routes import Done, Prepared, Reply
from pierhead.servers.sql import etags
from pierhead.servers.sql.grammar_faucet import parse_filter_text
from pierhead.servers.sql.read_lane import ReadLane
from pierhead.servers.sql.rest.asked import Asked, Pairs, single
from pierhead.servers.sql.rest.calling import carried
from pierhead.servers.sql.rest.keys import key_filter
from pierhead.servers.sql.rest.preferences import Preferences, Wanted
from pierhead.servers.sql.rest.replies import MOST_ROWS, Shown, cell_for, done, json_reply, one_row
from pierhead.servers.sql.rest.streams import MOST_STREAMED_BYTES, STREAMED_CELL, Streaming
from pierhead.servers.sql.rest.write_routes import no_row
from pierhead.servers.sql.select_native import parse_order, parse_read, parse_select

TOOL: Final = "query_table"
_FOR_ONE_ROW: Final = replace(FOR_PROGRAMS, cell=cell_for(1))
_FOR_STREAMS: Final = Ceiling(
    default_rows=MOST_STREAMED, rows=MOST_STREAMED, bytes=MOST_STREAMED_BYTES, seconds=60.0, cell=STREAMED_CELL
)
_MEMBERS: Final = ("select", "filter", "having", "order", "limit", "offset", "cursor", "count")
_COUNTS: Final[Mapping[str, Count]] = {"": "", "exact": "exact", "estimated": "estimated"}


@dataclass(frozen=True, slots=True)
class _Reading:
    """One read of rows, as it was asked for."""

    asked: Asked
    request: ReadRequest
    wanted: Wanted
    preferences: Preferences

    @property
    def limit(self) -> int:
        """The rows that are meant: as asked, or the default of the format."""
        given = self.request.selection.limit
        if given is None:
            return MOST_STREAMED if self.wanted.format.streams else FOR_PROGRAMS.default_rows
        return given


class ReadRoutes:
    """The routes that read."""

    def __init__(self, source: Source, lane: ReadLane) -> None:
        self._source = source
        self._lane = lane

    async def table(self, asked: Asked) -> Reply | None:
        """`GET /{table}`."""

        def prepare() -> Prepared:
            wanted, preferences = asked.wanted(), asked.preferences()
            pairs = asked.parameters()
            request = parse_read(asked.name(0), pairs)
            request = replace(request, count=_COUNTS[preferences.get("count")])
            return self._prepared(_Reading(asked, request, wanted, preferences), recorded(request.table, pairs))

        return await carried(asked, TOOL, prepare)

    async def query(self, asked: Asked) -> Reply | None:
        """`POST /{table}/_query`: the same, with Faucet's words for conditions."""

        def prepare() -> Prepared:
            wanted, preferences = asked.wanted(), asked.preferences()
            asked.parameters(frozenset())
            body = asked.json(*_MEMBERS)
            request = _request_of(asked.name(0), body, preferences)
            return self._prepared(_Reading(asked, request, wanted, preferences), {"table": request.table, **body})

        return await carried(asked, TOOL, prepare)

    async def explain(self, asked: Asked) -> Reply | None:
        """`POST /{table}/_query/explain`: what would run for the same body. Asked as whoever may read so."""

        def prepare() -> Prepared:
            preferences = asked.preferences()
            asked.parameters(frozenset())
            body = asked.json(*_MEMBERS)
            request = _request_of(asked.name(0), body, preferences)

            async def answer() -> Done:
                explained = await self._lane.explain(asked.calls.caller, request)
                return json_reply(explained.model_dump_json().encode())

            return Prepared({"table": request.table, **body}, asked.size, answer)

        return await carried(asked, TOOL, prepare)

    async def row(self, asked: Asked) -> Reply | None:
        """`GET /{table}/{key}`: one object, with the tag that a write may ask for."""

        def prepare() -> Prepared:
            wanted = asked.wanted()
            pairs = asked.parameters(frozenset({"select"}))
            select = single(pairs).get("select", "*")
            columns, embeds = parse_select(select)
            where: Filter = key_filter(self._source, asked)
            request = ReadRequest(asked.name(0), Selection(columns, embeds, where, limit=1))

            async def read() -> Done:
                page = await self._lane.read(asked.calls.caller, request, _FOR_ONE_ROW)
                if not page.rows:
                    raise no_row()
                tag = _tag(page) if not pairs else ""
                return one_row(_shown(page), wanted, asked.request, tag.encode())

            arguments = {"table": request.table, "select": select, "filter": asked.parts[1].decode("ascii"), "limit": 1}
            return Prepared(arguments, asked.size, read)

        return await carried(asked, TOOL, prepare)

    def _prepared(self, reading: _Reading, arguments: dict[str, Any]) -> Prepared:
        async def read() -> Done:
            if reading.wanted.format.streams and reading.limit > MOST_ROWS:
                return await self._stream(reading)
            ceiling = replace(FOR_PROGRAMS, cell=cell_for(min(reading.limit, MOST_ROWS)))
            page = await self._lane.read(reading.asked.calls.caller, reading.request, ceiling)
            shown = _shown(page)
            link = next_link(reading.asked, page) if page.next_cursor and reading.asked.method != "POST" else b""
            return done(shown, reading.wanted, reading.preferences, reading.asked.request, link)

        return Prepared(arguments, reading.asked.size, read)

    async def _stream(self, reading: _Reading) -> Done:
        _check_streamed(reading)
        asked, limit = reading.asked, min(reading.limit, MOST_STREAMED)
        is_asked = reading.request.selection.limit is not None and reading.limit <= MOST_STREAMED
        beyond = replace(reading.request, selection=replace(reading.request.selection, limit=limit))
        batches: AsyncGenerator[Rows] = self._lane.stream(asked.calls.caller, beyond, _FOR_STREAMS)
        streaming = Streaming(reading.wanted, reading.preferences, limit, is_asked)
        made, count = await streaming.send(batches, asked.calls.stream)
        note_count(count)
        return made


def _check_streamed(reading: _Reading) -> None:
    if reading.request.cursor or reading.request.count:
        raise Invalid(
            "an answer this long goes out as a stream, which has no cursor and no count",
            hint=f"set limit to {MOST_ROWS} or less",
            code="bad-parameter",
        )


def _request_of(table: str, body: dict[str, Any], preferences: Preferences) -> ReadRequest:
    """A read from JSON members. Errors: Invalid, naming what has the wrong type."""
    texts = {name: body.get(name, "") for name in ("select", "filter", "having", "order", "cursor", "count")}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise Invalid(f"{name} is no text", hint="send text", code="bad-body")
    columns, embeds = parse_select(texts["select"] or "*")
    count = preferences.get("count") or texts["count"]
    if count not in _COUNTS:
        raise Invalid("count is exact or estimated", hint="leave it out for none", code="bad-body")
    selection = Selection(
        columns,
        embeds,
        parse_filter_text(texts["filter"]),
        parse_order(texts["order"]),
        _whole(body, "limit"),
        _whole(body, "offset") or 0,
    )
    return ReadRequest(table, selection, parse_filter_text(texts["having"]), texts["cursor"], _COUNTS[count])


def _whole(body: dict[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is not None and (type(value) is not int or not 0 <= value <= 10**9):
        raise Invalid(f"{name} is no whole number", hint="send 0 or more", code="bad-body")
    return value


def _tag(page: Page) -> str:
    """Of one row as writes see it, which know no digests."""
    kept = [place for place in range(len(page.fields)) if place not in page.hashed]
    return etags.etag([page.fields[place].name for place in kept], [page.rows[0][place] for place in kept])


def _shown(page: Page) -> Shown:
    return Shown(
        page.fields,
        page.rows,
        page.limit,
        page.offset,
        page.truncated,
        page.total,
        page.next_cursor,
    )


def recorded(table: str, pairs: Pairs) -> dict[str, Any]:
    """The arguments as the record keeps them: the tool's, with the conditions as they were written."""
    arguments: dict[str, Any] = {"table": table}
    conditions: list[str] = []
    for name, value in pairs:
        if name in RESERVED:
            arguments[name] = value
        else:
            conditions.append(f"{name}={value}")
    if conditions:
        arguments["filter"] = "&".join(conditions)
    return arguments


def next_link(asked: Asked, page: Page) -> bytes:
    """The query of the page after this one."""
    kept = [(name, value) for name, value in asked.parameters() if name not in ("cursor", "offset")]
    kept.append(("cursor", page.next_cursor or ""))
    return ("?" + "&".join(f"{quote(name, safe='')}={quote(value, safe='(),.*')}" for name, value in kept)).encode()
