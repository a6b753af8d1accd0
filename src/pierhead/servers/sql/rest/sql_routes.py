"""`/_sql`: a caller's statement as over MCP, with its rows in every format, and many of them as a stream.

Not here: the guard and the lane (sql_lane.py).
"""

from typing import Any, Final, cast

from pierhead.sdk import Invalid
from pierhead.sdk.routes import Done, Prepared, Reply, Stream
from pierhead.servers.sql.engines.engine import Limits
from pierhead.servers.sql.notes import note_answer, note_count
from pierhead.servers.sql.policy import MOST_STREAMED
from pierhead.servers.sql.rest.asked import Asked
from pierhead.servers.sql.rest.calling import carried
from pierhead.servers.sql.rest.preferences import Format, Preferences, Wanted
from pierhead.servers.sql.rest.replies import MOST_BYTES, MOST_ROWS, Shown, cell_for, done, json_reply
from pierhead.servers.sql.rest.streams import MOST_STREAMED_BYTES, STREAMED_CELL, Streaming
from pierhead.servers.sql.sql_lane import SqlLane

DEFAULT_ROWS: Final = 100


class SqlRoutes:
    """The routes of statements."""

    def __init__(self, lane: SqlLane) -> None:
        self._lane = lane

    async def run(self, asked: Asked) -> Reply | None:
        def prepare() -> Prepared:
            wanted, preferences = asked.wanted(), asked.preferences()
            asked.parameters(frozenset())
            body = asked.json("sql", "params", "max_rows", "timeout_s")
            rows = body.pop("max_rows", None)
            limit = checked_limit(rows, wanted.format)
            arguments = asked.calls.arguments("run_query", body)
            values = cast("dict[str, Any]", arguments.values)

            async def answer() -> Done:
                if limit > MOST_ROWS:
                    out = asked.calls.stream
                    streaming = Streaming(wanted, preferences, limit, rows is not None)
                    return await self._stream(asked, values, streaming, out)
                return await self._page(asked, values, limit, wanted, preferences)

            return Prepared({**arguments.plain, "max_rows": limit}, asked.size, answer)

        return await carried(asked, "run_query", prepare)

    async def explain(self, asked: Asked) -> Reply | None:
        def prepare() -> Prepared:
            arguments = asked.calls.arguments("explain_query", asked.json("sql"))
            sql = cast("str", arguments.values["sql"])

            async def answer() -> Done:
                explained = await self._lane.explain_query(asked.calls.caller, sql=sql)
                return json_reply(explained.model_dump_json().encode())

            return Prepared(arguments.plain, asked.size, answer)

        return await carried(asked, "explain_query", prepare)

    async def _page(
        self, asked: Asked, values: dict[str, Any], limit: int, wanted: Wanted, preferences: Preferences
    ) -> Done:
        limits = Limits(limit, values["timeout_s"], MOST_BYTES, cell_for(limit))
        async with self._lane.ready(
            asked.calls.caller, sql=values["sql"], limits=limits, params=values["params"]
        ) as ready:
            answer = await ready.engine.run(ready.query, ready.view, ready.values, ready.limits)
        limit = ready.limits.rows
        cut = "rows" if len(answer.rows) > limit else "bytes" if answer.is_cut else ""
        shown = Shown(answer.fields, answer.rows[:limit], limit, cut=cut)
        made = done(shown, wanted, preferences, asked.request)
        note_answer(answer, len(shown.rows), cut)
        return made

    async def _stream(self, asked: Asked, values: dict[str, Any], streaming: Streaming, out: Stream) -> Done:
        limits = Limits(streaming.limit, values["timeout_s"], MOST_STREAMED_BYTES, STREAMED_CELL)
        async with self._lane.ready(
            asked.calls.caller, sql=values["sql"], limits=limits, params=values["params"]
        ) as ready:
            batches = ready.engine.stream(ready.query, ready.view, ready.values, ready.limits)
            made, count = await streaming.within(ready.limits.rows).send(batches, out)
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
