"""One tool for each curated query, its parameters as a closed schema.

Not here: the queries as written (queries.py), what runs for them (sql_lane.py), their REST route (rest/).
"""

from collections.abc import Awaitable, Callable, Mapping
from inspect import Parameter, Signature
from typing import Any, Final, cast

import orjson

from pierhead.sdk import Caller, Encoded, Estimate, Server
from pierhead.sdk.governed.answers import QueryResult
from pierhead.sdk.governed.budget import Asks
from pierhead.sdk.governed.queries import Queries, Query, QueryParameter
from pierhead.sdk.governed.sql_lane import SqlLane

_SECONDS: Final = 65.0


def declare_curated_tools(
    server: Server, statements: SqlLane, queries: Queries, policy: str, asks: Asks | None
) -> None:
    """Errors: Misconfigured, for a query that cannot be a tool."""
    for name, query in queries.items():
        declared = server.tool(
            policy=policy,
            effect="read",
            approval=asks,
            minutes_saved=query.minutes_saved,
            timeout=_SECONDS,
            offered=_offered(statements, name),
            estimate=_expected(statements, name),
            name=name,
        )
        declared(_function(statements, name, query))


def _offered(statements: SqlLane, name: str) -> Callable[[Caller], bool]:
    return lambda caller: statements.offers_query(caller, name)


def _expected(statements: SqlLane, name: str) -> Callable[[Mapping[str, Any], Caller], Awaitable[Estimate]]:
    async def expected(arguments: Mapping[str, Any], caller: Caller) -> Estimate:
        return await statements.expects_of(caller, name=name, values=arguments)

    return expected


def _function(statements: SqlLane, name: str, query: Query) -> Callable[..., Awaitable[object]]:
    """A function whose signature is the query's parameters: the SDK makes the schema and the checks of it."""

    async def run(**values: object) -> object:
        caller = cast("Caller", values.pop("caller"))
        return Encoded[QueryResult](orjson.dumps(await statements.run_curated(caller, name=name, values=values)))

    run.__name__ = name
    run.__doc__ = query.description
    parameters = [_parameter(each, declared) for each, declared in query.parameters.items()]
    caller = Parameter("caller", Parameter.KEYWORD_ONLY, annotation=Caller)
    cast("Any", run).__signature__ = Signature([*parameters, caller], return_annotation=Encoded[QueryResult])
    return run


def _parameter(name: str, declared: QueryParameter) -> Parameter:
    default = Parameter.empty if declared.is_required else declared.default_value
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=declared.annotation, default=default)
