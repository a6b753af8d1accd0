"""The tool that reads by parameters: `query_table`, the structured lane as agents see it.

`select` and `order` are the native grammar, `filter` and `having` Faucet's, which is how models write conditions. Not
here: what is done with a request (read_lane.py).
"""

from typing import Annotated, Final

import orjson
from pydantic import Field

from pierhead.sdk import Caller, Server
from pierhead.sdk.governed.answers import ResultColumn, TableRows
from pierhead.sdk.governed.budget import Asks
from pierhead.sdk.governed.cells import plain
from pierhead.sdk.governed.engine import Field as ResultField
from pierhead.sdk.governed.reads import Count, Page, ReadRequest, Selection
from pierhead.servers.sql.grammar_faucet import parse_filter_text
from pierhead.servers.sql.read_lane import ReadLane
from pierhead.servers.sql.select_native import parse_order, parse_select

_SECONDS: Final = 65.0


def declare_read_tool(server: Server, reads: ReadLane, policy: str, asks: Asks | None) -> None:
    @server.tool(policy=policy, effect="read", approval=asks, minutes_saved=8, timeout=_SECONDS)
    async def query_table(  # noqa: PLR0913 - arguments are the tool's schema
        table: str,
        *,
        select: str = "*",
        filter: str = "",  # noqa: A002 - the argument's name
        having: str = "",
        order: str = "",
        limit: Annotated[int, Field(ge=1, le=1000)] = 50,
        cursor: str = "",
        count: Count = "",
        caller: Caller,
    ) -> TableRows:
        """Read one table. select: id,n:total.sum(),lines(qty,products(name)); order: n.desc,id.

        filter: status = 'paid' AND (n > 5 OR name CONTAINS 'x').
        """
        columns, embeds = parse_select(select)
        selection = Selection(columns, embeds, parse_filter_text(filter), parse_order(order), limit)
        request = ReadRequest(table, selection, parse_filter_text(having), cursor, count)
        return told(await reads.read(caller, request))


def told(page: Page) -> TableRows:
    """The page as an agent reads it; related rows are nested values."""
    nested = [field.is_json and field.type == "json" for field in page.fields]
    return TableRows.model_construct(
        columns=[_column(field) for field in page.fields],
        rows=[[_cell(cell, is_nested) for cell, is_nested in zip(row, nested, strict=True)] for row in page.rows],
        truncated=page.next_cursor is not None or bool(page.truncated),
        notice=_notice(page),
        total=page.total,
        next_cursor=page.next_cursor,
    )


def _column(field: ResultField) -> ResultColumn:
    return ResultColumn.model_construct(name=field.name, type=field.type)


def _cell(cell: object, is_nested: bool) -> object:
    if not is_nested or not isinstance(cell, str):
        return plain(cell)
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:  # a JSON column of SQLite holds any text, and a long one comes cut
        return plain(cell)


def _notice(page: Page) -> str:
    if page.next_cursor is None and not page.truncated:
        return ""
    why = {"rows": f"{page.limit} rows is the most here", "bytes": "the answer is full"}.get(page.truncated, "")
    more = "pass next_cursor for more" if page.next_cursor else "ask for less"
    return f"cut after {len(page.rows)} rows{why and ': ' + why}; {more}, or filter and aggregate"
