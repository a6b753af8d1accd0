"""What an engine that writes does besides: the port of transactions, and how a refused change is told.

A transaction undoes everything unless it was committed by name, so that forgetting is harmless. Driver text stays
inside here too: of a broken constraint a caller learns its kind, and a column only if they may see it.
Not here: what is written (write_sql.py), whether it may be (write_lane.py).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol, TypeVar, runtime_checkable

from pierhead.sdk import Conflict, Invalid, ToolFailed, ToolTimedOut
from pierhead.sdk.governed.engine import Limits, Rows, Values
from pierhead.sdk.sqlguard import GovernedQuery, GovernedWrite, PermittedTable, View

LOCK_SECONDS: Final = 2.0

Result = TypeVar("Result")


class Transaction(Protocol):
    """One unit of writing: atomic, and undone at its end unless committed."""

    async def execute(self, statement: GovernedQuery | GovernedWrite, values: Values) -> Rows:
        """Fill the slots, and run: a query sees what was written before it; a change gives back its rows.

        Where an engine has no RETURNING, a change gives one row instead: how many it counted, and the number that it
        gave a row (keyed_work.py).
        Errors: Invalid, Conflict, ToolTimedOut, SecondOpinionDiffers, UpstreamUnreachable; nothing is left of it.
        """
        ...

    async def commit(self) -> None:
        """Make it last. Errors: Conflict, and nothing lasts; OutcomeUnknown."""
        ...


@runtime_checkable
class WritingEngine(Protocol):
    """An engine with transactions; one without does not write, and none does before it was told."""

    def will_write(self) -> None:
        """Some role may write. Without it no session is ever writable; to say it again changes nothing.

        Errors: Misconfigured, where a running engine cannot change over.
        """
        ...

    def transaction(self, view: View, limits: Limits) -> AbstractAsyncContextManager[Transaction]:
        """Begin. Units: `limits.seconds` are for everything inside.

        Errors: Invalid (`not-on-this-engine`), ToolTimedOut, UpstreamUnreachable.
        """
        ...


class OutcomeUnknown(ToolFailed):
    """The database went away while it was asked to make a change last: it may have, or not."""

    default_code = "outcome-unknown"

    def __init__(self) -> None:
        super().__init__(
            "the database did not say whether the change was made",
            hint="read the rows before you write again; do not repeat the call unseen",
        )


def not_on_this_engine() -> Invalid:
    return Invalid(
        "this source cannot be written to", hint="its engine has no transactions here", code="not-on-this-engine"
    )


def is_locked() -> ToolTimedOut:
    return ToolTimedOut(
        "another writer holds these rows; nothing was changed", hint="try again in a moment", code="locked"
    )


def was_overtaken() -> Conflict:
    return Conflict(
        "another change came between; nothing was changed", hint="read the rows and try again", code="write-conflict"
    )


def not_unique() -> Conflict:
    return Conflict(
        "a row with this key is there already; nothing was changed",
        hint="update that row, or insert with on_conflict",
        code="unique-violation",
    )


def not_referenced() -> Conflict:
    return Conflict(
        "a foreign key would break: a row that is named is not there, or one is still in use; nothing was changed",
        hint="write the referenced row first, or free the row of its references",
        code="foreign-key-violation",
    )


def not_checked() -> Invalid:
    return Invalid(
        "a rule of the table refuses these values; nothing was changed",
        hint="see describe_table, or ask the owner of this source",
        code="check-violation",
    )


def needs_value(column: str, table: PermittedTable) -> Invalid:
    known = any(known.name == column for known in table.columns)
    which = f"column {column}" if known else "a column"
    return Invalid(f"{which} needs a value; nothing was changed", hint="see describe_table", code="value-needed")


def does_not_fit(statement: GovernedQuery | GovernedWrite | None) -> Invalid:
    """The engine does not always say which value: then the written columns are named, of which it is one."""
    columns = sorted(statement.inserts | statement.updates) if isinstance(statement, GovernedWrite) else []
    which = f"a value for {', '.join(columns)}" if columns else "a value"
    return Invalid(
        f"{which} does not fit the column's type; nothing was changed",
        hint="describe_table shows the types",
        code="bad-value",
    )


async def whole(work: Awaitable[Result], on_cancel: Callable[[], None] | None = None) -> Result:
    """Wait for `work` to its end, however often the caller is cancelled meanwhile; then let the cancellation go on.

    A thread cannot be abandoned: what it holds would be used by two at once.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if on_cancel is not None:
            on_cancel()
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
        task.exception()
        raise


@asynccontextmanager
async def turn(lock: asyncio.Lock, seconds: float) -> AsyncGenerator[None]:
    """One writer at a time, in the order of asking. Errors: ToolTimedOut, after `seconds` of waiting."""
    try:
        async with asyncio.timeout(seconds):
            await lock.acquire()
    except TimeoutError:
        raise is_locked() from None
    try:
        yield
    finally:
        lock.release()
