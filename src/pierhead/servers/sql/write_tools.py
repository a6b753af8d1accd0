"""The tools that write: declared unless the source is read only, and offered to callers whose role writes so.

Who must say yes is decided by the policy of the source for each call (write_lane.py). Not here: the tools that read
(server.py).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from pierhead.sdk import Caller, Server
from pierhead.servers.sql.answers import ResultColumn, WrittenRows
from pierhead.servers.sql.cells import plain
from pierhead.servers.sql.engines.engine import MOST_BYTES
from pierhead.servers.sql.grammar_faucet import parse_filter_text
from pierhead.servers.sql.write_lane import WriteLane
from pierhead.servers.sql.writes import (
    MOST_AFFECTED,
    DeleteRequest,
    InsertRequest,
    KeyedRequest,
    Row,
    UpdateRequest,
    WriteOptions,
    Written,
    changes_or_rows,
)

_SECONDS: Final = 40.0
_Most = Annotated[int, Field(ge=1, le=100_000)]


def declare_write_tools(server: Server, writes: WriteLane, policy: str) -> None:
    """All three; who sees which is the roles' affair, and may change while the server runs."""
    _declare_insert(server, writes, policy)
    _declare_update(server, writes, policy)
    _declare_delete(server, writes, policy)


def _declare_insert(server: Server, writes: WriteLane, policy: str) -> None:
    def asks(caller: Caller, arguments: Mapping[str, Any]) -> str:
        merges = arguments.get("on_conflict") == "merge"
        return writes.approval(caller, arguments, ("create", "update") if merges else ("create",))

    @server.tool(
        offered=lambda caller: writes.offers(caller, "create"),
        policy=policy,
        effect="write",
        approval=asks,
        minutes_saved=5,
        timeout=_SECONDS,
    )
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
        """Insert rows, all or none. Repeat safely with the same idempotency_key; dry_run keeps nothing."""
        options = WriteOptions(returning, dry_run, idempotency_key)
        request = InsertRequest(table, rows, on_conflict, options=options)
        return _told(await writes.insert(caller, request))


def _declare_update(server: Server, writes: WriteLane, policy: str) -> None:
    def asks(caller: Caller, arguments: Mapping[str, Any]) -> str:
        inserts = arguments.get("insert_missing") is True
        return writes.approval(caller, arguments, ("update", "create") if inserts else ("update",))

    @server.tool(
        offered=lambda caller: writes.offers(caller, "update"),
        policy=policy,
        effect="destructive",
        approval=asks,
        minutes_saved=5,
        timeout=_SECONDS,
    )
    async def update_rows(  # noqa: PLR0913, PLR0917 - arguments are the tool's schema
        table: str,
        set: Row | None = None,  # noqa: A002 - the word of SQL
        filter: str = "",  # noqa: A002 - as in query_table
        rows: list[dict[str, Any]] | None = None,
        insert_missing: bool = False,
        max_affected: _Most = MOST_AFFECTED,
        if_match: str = "",
        returning: bool = False,
        idempotency_key: str = "",
        dry_run: bool = False,
        *,
        caller: Caller,
    ) -> WrittenRows:
        """Update with set and filter, or rows that hold their key. All or none; more than max_affected undoes it."""
        options = WriteOptions(returning, dry_run, idempotency_key, max_affected, if_match)
        asked = changes_or_rows(set, filter, rows)
        if isinstance(asked, list):
            return _told(await writes.update_keyed(caller, KeyedRequest(table, asked, insert_missing, options)))
        return _told(await writes.update(caller, UpdateRequest(table, asked, parse_filter_text(filter), options)))


def _declare_delete(server: Server, writes: WriteLane, policy: str) -> None:
    def asks(caller: Caller, arguments: Mapping[str, Any]) -> str:
        return writes.approval(caller, arguments, ("delete",))

    @server.tool(
        offered=lambda caller: writes.offers(caller, "delete"),
        policy=policy,
        effect="destructive",
        approval=asks,
        minutes_saved=5,
        timeout=_SECONDS,
    )
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


def _told(written: Written) -> WrittenRows:
    """As a model reads it: long cells and many rows are cut, the count is not."""
    rows, keys, size = list[list[Any]](), list[list[Any]](), 0
    for place in range(max(len(written.keys), len(written.rows or ()))):
        key = [plain(cell) for cell in written.keys[place]] if written.keys else []
        row = [plain(cell) for cell in written.rows[place]] if written.rows else []
        size += sum(len(str(cell)) + 3 for cell in (*key, *row))
        if size > MOST_BYTES:
            break
        keys.append(key)
        rows.append(row)
    return WrittenRows(
        affected=written.affected,
        key=list(written.key_columns),
        keys=keys if written.keys else [],
        columns=[ResultColumn(name=name, type=type_) for name, type_ in written.columns],
        rows=rows if written.rows is not None else None,
        truncated=len(rows) < (len(written.rows) if written.rows else len(written.keys)),
        dry_run=written.dry_run,
        etag=written.etag,
        replayed=written.replayed,
    )
