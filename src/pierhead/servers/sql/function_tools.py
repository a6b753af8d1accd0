"""The tool that calls a granted function; only a role that calls any is offered it.

Who must say yes is the function's affair: one that may change something needs `approve` unless its grant says
otherwise. Not here: functions inside statements (the guard), their route (rest/).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
from pydantic import Field

from pierhead.sdk import Caller, Encoded, Server
from pierhead.sdk.governed.answers import QueryResult
from pierhead.sdk.governed.engine import Limits
from pierhead.servers.sql.function_lane import FunctionLane

TOOL: Final = "call_function"
SECONDS: Final = 30.0
_TIMEOUT: Final = 40.0


def declare_function_tool(server: Server, functions: FunctionLane, policy: str) -> None:
    def asks(caller: Caller, arguments: Mapping[str, Any]) -> str:
        return functions.approval(caller, arguments)

    @server.tool(
        policy=policy,
        effect="destructive",
        approval=asks,
        minutes_saved=5,
        timeout=_TIMEOUT,
        offered=functions.offers,
        name=TOOL,
    )
    async def call_function(
        function: str,
        arguments: dict[str, Any] = {},  # noqa: B006 - read, never changed
        max_rows: Annotated[int, Field(ge=1, le=1000)] = 50,
        *,
        caller: Caller,
    ) -> Encoded[QueryResult]:
        """Call one function of the database, its arguments by name. One that you may not call names those you may."""
        answer = await functions.answer(caller, function, arguments, Limits(max_rows, SECONDS))
        return Encoded(orjson.dumps(answer))
