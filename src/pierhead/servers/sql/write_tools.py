"""The tools that write: declared unless the source is read only, and offered to callers whose role writes so.

Who must say yes is decided by the policy of the source for each call (write_lane.py). Not here: the tools that read
(server.py).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field

from pierhead.sdk import Caller, NotFound, Plan, Server
from pierhead.sdk.governed.answers import WrittenRows
from pierhead.sdk.governed.approvals import WriteOperation
from pierhead.sdk.governed.budget import Asks
from pierhead.sdk.governed.cells import fitted
from pierhead.sdk.governed.engine import MOST_BYTES, Limits
from pierhead.servers.sql.grammar_faucet import parse_filter_text
from pierhead.servers.sql.write_lane import WriteLane
from pierhead.servers.sql.writes import (
    MOST_AFFECTED,
    DeleteRequest,
    InsertRequest,
    KeyedRequest,
    UpdateRequest,
    WriteOptions,
    Written,
    changes_or_rows,
)

_SECONDS: Final = 40.0
_HALF: Final = MOST_BYTES // 2  # for keys, and for rows
_SHOWN: Final = 200  # characters of a filter in a sentence
Function = TypeVar("Function", bound=Callable[..., object])
_Most = Annotated[int, Field(ge=1, le=100_000)]


def declare_write_tools(server: Server, writes: WriteLane, policy: str) -> None:
    """All of them; who sees which is the roles' affair, and may change while the server runs."""
    _declare_insert(server, writes, policy)
    _declare_update(server, writes, policy)
    _declare_delete(server, writes, policy)
    _declare_planned_delete(server, writes, policy)


def _writing(
    server: Server, writes: WriteLane, policy: str, operation: WriteOperation, asks: Asks
) -> Callable[[Function], Function]:
    """The declaration that all three share. `asks` is asked of each call; what is there already is changed for good."""
    return server.tool(
        offered=lambda caller: writes.offers(caller, operation),
        policy=policy,
        effect="write" if operation == "create" else "destructive",
        approval=asks,
        minutes_saved=5,
        timeout=_SECONDS,
    )


def _declare_insert(server: Server, writes: WriteLane, policy: str) -> None:
    def asks(caller: Caller, arguments: Mapping[str, Any]) -> str:
        merges = arguments.get("on_conflict") == "merge"
        return writes.approval(caller, arguments, ("create", "update") if merges else ("create",))

    @_writing(server, writes, policy, "create", asks)
    async def insert_rows(  # noqa: PLR0913 - arguments are the tool's schema
        table: str,
        rows: list[dict[str, Any]],
        on_conflict: Literal["error", "ignore"] = "error",
        returning: bool = False,
        idempotency_key: str = "",
        dry_run: bool = False,
        *,
        caller: Caller,
    ) -> WrittenRows:
        """Insert rows, all or none; repeat with the same idempotency_key."""
        options = WriteOptions(returning, dry_run, idempotency_key)
        request = InsertRequest(table, rows, on_conflict, options=options)
        return _told(await writes.insert(caller, request))


def _declare_update(server: Server, writes: WriteLane, policy: str) -> None:
    def asks(caller: Caller, arguments: Mapping[str, Any]) -> str:
        inserts = arguments.get("insert_missing") is True
        return writes.approval(caller, arguments, ("update", "create") if inserts else ("update",))

    @_writing(server, writes, policy, "update", asks)
    async def update_rows(  # noqa: PLR0913, PLR0917 - arguments are the tool's schema
        table: str,
        set: dict[str, Any] = {},  # noqa: A002, B006 - the word of SQL; read, never changed
        filter: str = "",  # noqa: A002 - as in query_table
        rows: list[dict[str, Any]] = [],  # noqa: B006 - read, never changed
        insert_missing: bool = False,
        max_affected: _Most = MOST_AFFECTED,
        if_match: str = "",
        returning: bool = False,
        idempotency_key: str = "",
        dry_run: bool = False,
        *,
        caller: Caller,
    ) -> WrittenRows:
        """Update by set and filter, or rows with their key. All or none; above max_affected it is undone."""
        options = WriteOptions(returning, dry_run, idempotency_key, max_affected, if_match)
        asked = changes_or_rows(set, filter, rows)
        if isinstance(asked, list):
            return _told(await writes.update_keyed(caller, KeyedRequest(table, asked, insert_missing, options)))
        return _told(await writes.update(caller, UpdateRequest(table, asked, parse_filter_text(filter), options)))


def _declare_delete(server: Server, writes: WriteLane, policy: str) -> None:
    def asks(caller: Caller, arguments: Mapping[str, Any]) -> str:
        return writes.approval(caller, arguments, ("delete",))

    @_writing(server, writes, policy, "delete", asks)
    async def delete_rows(  # noqa: PLR0913, PLR0917 - arguments are the tool's schema
        table: str,
        filter: str,  # noqa: A002 - as in query_table
        max_affected: _Most = MOST_AFFECTED,
        if_match: str = "",
        returning: bool = False,
        idempotency_key: str = "",
        dry_run: bool = False,
        *,
        caller: Caller,
    ) -> WrittenRows:
        """Delete the rows a filter finds. All or none; more than max_affected undoes it."""
        options = WriteOptions(returning, dry_run, idempotency_key, max_affected, if_match)
        return _told(await writes.delete(caller, DeleteRequest(table, parse_filter_text(filter), options)))


def _declare_planned_delete(server: Server, writes: WriteLane, policy: str) -> None:
    """Deleting in two steps: people are shown the very rows, and no other row goes."""

    def offered(caller: Caller) -> bool:
        return writes.offers_plans(caller, "delete")

    def asks(caller: Caller, arguments: Mapping[str, Any]) -> str:
        return writes.planned_approval(caller, arguments["plan"], "delete")

    @server.plan(policy=policy, minutes_saved=3, timeout=_SECONDS, offered=offered)
    async def plan_delete_rows(
        table: str,
        filter: str,  # noqa: A002 - as in query_table
        max_affected: _Most = MOST_AFFECTED,
        *,
        caller: Caller,
    ) -> Plan[dict[str, Any]]:
        """Say which rows a filter would delete, for delete_planned_rows. Changes nothing."""
        options = WriteOptions(dry_run=True, max_affected=max_affected, planned="")
        written = await writes.delete(caller, DeleteRequest(table, parse_filter_text(filter), options))
        return _plan(table, filter, written)

    @server.tool(
        offered=offered,
        policy=policy,
        effect="destructive",
        approval=asks,
        minutes_saved=5,
        timeout=_SECONDS,
        plan=plan_delete_rows,
    )
    async def delete_planned_rows(plan: Plan[dict[str, Any]], *, caller: Caller) -> WrittenRows:
        """Delete exactly the rows of a plan of plan_delete_rows, or none."""
        asked = plan.arguments
        options = WriteOptions(max_affected=asked["max_affected"], planned=plan.state)
        return _told(
            await writes.delete(caller, DeleteRequest(asked["table"], parse_filter_text(asked["filter"]), options))
        )


def _plan(table: str, where: str, written: Written) -> Plan[dict[str, Any]]:
    if not written.affected:
        raise NotFound(f"no row of {table} is found by this filter", hint="see: query_table", code="no-such-row")
    names = [name for name, _ in written.columns]
    rows = "row" if written.affected == 1 else "rows"
    return Plan(
        f"delete {written.affected} {rows} of {table} where {json.dumps(where[:_SHOWN])}",
        _fitting(names, written.rows) if written.rows is not None else [],
        undo="only from a backup of this source",
        count=written.affected,
        state=written.state,
    )


def _told(written: Written) -> WrittenRows:
    """As a model reads it: long cells and many rows are cut, the count is not."""
    return WrittenRows(
        affected=written.affected,
        keys=_fitting(written.key_columns, written.keys),
        rows=_fitting([name for name, _ in written.columns], written.rows or []),
        dry_run=written.dry_run,
        etag=written.etag,
        replayed=written.replayed,
    )


def _fitting(columns: Sequence[str], rows: list[list[Any]]) -> list[dict[str, Any]]:
    fitting, _ = fitted(rows, Limits(rows=len(rows), seconds=0, bytes=_HALF))
    return [dict(zip(columns, row, strict=True)) for row in fitting]
