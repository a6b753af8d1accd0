"""`/_rpc/{name}` for a function of the database: its arguments as one object, what it gives as rows.

Not here: curated queries, which stand at the same route (sql_routes.py); who may call what (function_lane.py).
"""

from typing import Any, cast

from pierhead.sdk import Invalid
from pierhead.sdk.governed.engine import Limits
from pierhead.sdk.governed.notes import note_answer
from pierhead.sdk.routes import Done, Prepared, Reply
from pierhead.servers.sql.function_lane import FunctionLane
from pierhead.servers.sql.function_tools import SECONDS, TOOL
from pierhead.servers.sql.rest.asked import Asked
from pierhead.servers.sql.rest.calling import carried
from pierhead.servers.sql.rest.replies import MOST_BYTES, MOST_ROWS, Shown, cell_for, done


class FunctionRoutes:
    """The route of functions."""

    def __init__(self, lane: FunctionLane) -> None:
        self._lane = lane

    async def call(self, asked: Asked) -> Reply | None:
        """`POST /_rpc/{name}`."""

        def prepare() -> Prepared:
            wanted, preferences = asked.wanted(), asked.preferences()
            asked.parameters(frozenset())
            name, given = asked.name(1), body_object(asked)

            async def answer() -> Done:
                limits = Limits(MOST_ROWS, SECONDS, MOST_BYTES, cell_for(MOST_ROWS))
                called = await self._lane.call(asked.calls.caller, name, given, limits)
                most = called.limits.rows
                cut = "rows" if len(called.rows.rows) > most else "bytes" if called.rows.is_cut else ""
                shown = Shown(called.rows.fields, called.rows.rows[:most], most, cut=cut)
                made = done(shown, wanted, preferences, asked.request)
                note_answer(called.rows, len(shown.rows), cut)
                return made

            return Prepared({"function": name, "arguments": given}, asked.size, answer)

        return await carried(asked, TOOL, prepare)


def body_object(asked: Asked) -> dict[str, Any]:
    """The body, which may be left out where nothing must be given. Errors: Invalid."""
    body: object = asked.json_value() if asked.request.body else dict[str, object]()
    if not isinstance(body, dict):
        raise Invalid("the body is no JSON object", hint="send the parameters as one object", code="bad-body")
    return cast("dict[str, Any]", body)
