"""`/_sql` and `/_rpc`: a caller's statement, a curated query or a function, as over MCP, with its rows in every format.

Many rows come as a stream. Not here: the guard and the lane (sql_lane.py).
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, cast

from pierhead.sdk import Invalid, NotFound
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.governed.notes import note_answer, note_count
from pierhead.sdk.governed.policy import MOST_SECONDS, MOST_STREAMED
from pierhead.sdk.governed.source import Ready
from pierhead.sdk.governed.sql_lane import SqlLane
from pierhead.sdk.routes import Done, Prepared, Reply
from pierhead.servers.sql.rest.asked import Asked
from pierhead.servers.sql.rest.calling import carried
from pierhead.servers.sql.rest.function_routes import FunctionRoutes, body_object
from pierhead.servers.sql.rest.preferences import Format
from pierhead.servers.sql.rest.replies import MOST_BYTES, MOST_ROWS, Shown, cell_for, done, json_reply
from pierhead.servers.sql.rest.streams import MOST_STREAMED_BYTES, STREAMED_CELL, Streaming

DEFAULT_ROWS: Final = 100


Opening = Callable[[Limits], AbstractAsyncContextManager[Ready]]
"""A statement made ready, within limits."""


class SqlRoutes:
    """The routes of statements, and of the curated `queries` by name; `functions` are what else has a name."""

    def __init__(self, lane: SqlLane, queries: frozenset[str], functions: FunctionRoutes | None) -> None:
        self._lane = lane
        self._queries = queries
        self._functions = functions

    async def run(self, asked: Asked) -> Reply | None:
        def prepare() -> Prepared:
            wanted, preferences = asked.wanted(), asked.preferences()
            asked.parameters(frozenset())
            body = asked.json("sql", "params", "max_rows", "timeout_s")
            rows = body.pop("max_rows", None)
            limit = checked_limit(rows, wanted.format)
            arguments = asked.calls.arguments("run_query", body)
            values = cast("dict[str, Any]", arguments.values)

            def opening(limits: Limits) -> AbstractAsyncContextManager[Ready]:
                return self._lane.ready(asked.calls.caller, sql=values["sql"], limits=limits, params=values["params"])

            streaming = Streaming(wanted, preferences, limit, rows is not None)
            body_of = _answering(asked, opening, streaming, values["timeout_s"])
            return Prepared({**arguments.plain, "max_rows": limit}, asked.size, body_of)

        return await carried(asked, "run_query", prepare)

    async def call(self, asked: Asked) -> Reply | None:
        """`POST /_rpc/{name}`: a curated query, its parameters as the body; all its rows, as far as they may come."""
        name = asked.name(1)
        if name not in self._queries and self._functions is not None:
            return await self._functions.call(asked)
        if name not in self._queries:
            raise NotFound("no such route", hint="/openapi.json names the routes you may use")

        def prepare() -> Prepared:
            wanted, preferences = asked.wanted(), asked.preferences()
            asked.parameters(frozenset())
            arguments = asked.calls.arguments(name, body_object(asked))

            def opening(limits: Limits) -> AbstractAsyncContextManager[Ready]:
                return self._lane.curated(asked.calls.caller, name=name, limits=limits, values=arguments.values)

            limit = MOST_STREAMED if wanted.format.streams else MOST_ROWS
            streaming = Streaming(wanted, preferences, limit, is_asked=False)
            return Prepared(arguments.plain, asked.size, _answering(asked, opening, streaming, MOST_SECONDS))

        return await carried(asked, name, prepare)

    async def explain(self, asked: Asked) -> Reply | None:
        def prepare() -> Prepared:
            arguments = asked.calls.arguments("explain_query", asked.json("sql"))
            sql = cast("str", arguments.values["sql"])

            async def answer() -> Done:
                explained = await self._lane.explain_query(asked.calls.caller, sql=sql)
                return json_reply(explained.model_dump_json().encode())

            return Prepared(arguments.plain, asked.size, answer)

        return await carried(asked, "explain_query", prepare)


def _answering(asked: Asked, opening: Opening, streaming: Streaming, seconds: float) -> Callable[[], Awaitable[Done]]:
    """What runs once the call is permitted: a page, or a stream beyond the rows of one."""

    async def answer() -> Done:
        send = _page if streaming.limit <= MOST_ROWS else _stream
        return await send(asked, opening, streaming, seconds)

    return answer


async def _page(asked: Asked, opening: Opening, paged: Streaming, seconds: float) -> Done:
    async with opening(Limits(paged.limit, seconds, MOST_BYTES, cell_for(paged.limit))) as ready:
        answer = await ready.engine.run(ready.query, ready.view, ready.values, ready.limits)
    limit = ready.limits.rows
    cut = "rows" if len(answer.rows) > limit else "bytes" if answer.is_cut else ""
    shown = Shown(answer.fields, answer.rows[:limit], limit, cut=cut)
    made = done(shown, paged.wanted, paged.preferences, asked.request)
    note_answer(answer, len(shown.rows), cut)
    return made


async def _stream(asked: Asked, opening: Opening, streaming: Streaming, seconds: float) -> Done:
    async with opening(Limits(streaming.limit, seconds, MOST_STREAMED_BYTES, STREAMED_CELL)) as ready:
        batches = ready.engine.stream(ready.query, ready.view, ready.values, ready.limits)
        made, count = await streaming.within(ready.limits.rows).send(batches, asked.calls.stream)
    note_count(count)
    return made


def checked_limit(rows: object, format_: Format) -> int:
    """How many rows are meant: as asked, or the default of the format. Errors: Invalid (`bad-parameter`)."""
    most = MOST_STREAMED if format_.streams else MOST_ROWS
    if rows is None:
        return MOST_STREAMED if format_.streams else DEFAULT_ROWS
    if type(rows) is not int or not 1 <= rows <= most:
        hint = "accept text/csv, application/x-ndjson or Arrow for more" if most == MOST_ROWS else "ask again for more"
        raise Invalid(f"the limit is a whole number from 1 to {most:,}", hint=hint, code="bad-parameter")
    return rows
