"""The record of all writers: raw lines on their chains, and the calls projected from them.

Rows of `facts` are inserted, never changed. The registry's own facts hang on a chain of their own and commit with
what they tell of. Not here: reading calls (`calls`), checking what others ship (`usecases/ship_facts`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson
from sqlalchemy import select, tuple_
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.schema import CALLS, FACTS, HEADS
from pierhead.core.audit import Fact
from pierhead.core.chain import START, Head, Record, next_line, read_line
from pierhead.core.errors import Conflict, RecordFailed
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_registry import FactLine
from pierhead.usecases.project_calls import CallState, project, rank_of

OWN_WRITER: Final = "registry"
_ROWS_AT_ONCE: Final = 200
"""Each row of `calls` has 23 values, and a statement of PostgreSQL's driver takes 32,767."""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """Fills `ports_registry.FactStore` and `FactPages`."""

    database: Database

    async def head(self, writer: str) -> Head | None:
        async with self.database.reading() as connection:
            return await _head(connection, writer)

    async def keep(self, writer: str, after: Head | None, records: Sequence[Record]) -> None:
        try:
            async with self.database.writing() as connection:
                if await _head(connection, writer) != after:
                    raise Conflict(f"the chain of {writer} has moved on", hint="read its head again")
                await store(self.database, connection, writer, records)
        except IntegrityError:
            raise Conflict(f"the chain of {writer} has moved on", hint="read its head again") from None

    async def lines(self, after: tuple[str, int], limit: int) -> Sequence[FactLine]:
        place = tuple_(FACTS.c.writer, FACTS.c.sequence)
        query = (
            select(FACTS.c.writer, FACTS.c.sequence, FACTS.c.line)
            .where(place > tuple_(*after))
            .order_by(FACTS.c.writer, FACTS.c.sequence)
            .limit(limit)
        )
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [FactLine(row.writer, row.sequence, bytes(row.line)) for row in rows]


@dataclass(frozen=True, slots=True)
class DatabaseAudit:
    """The port Audit for the registry's own facts: on disk when `record` returns."""

    database: Database
    clock: Clock

    async def record(self, fact: Fact) -> None:
        try:
            async with self.database.writing() as connection:
                await append_own(self.database, connection, fact, self.clock.now())
        except (SQLAlchemyError, OSError, TypeError) as failed:
            message = f"the record could not be made durable: {type(failed).__name__}"
            raise RecordFailed(message, hint="see to the registry's database") from failed


async def append_own(database: Database, connection: AsyncConnection, fact: Fact, now: float) -> None:
    """Put a fact of the registry itself on its chain, in the transaction of what it tells of."""
    await append_all(database, connection, (fact,), now)


async def append_all(database: Database, connection: AsyncConnection, facts: Sequence[Fact], now: float) -> None:
    """Put several facts on it, in their order."""
    head = await _head(connection, OWN_WRITER)
    if head is None:
        # The first two at once: one inserts the row, the other waits for it; then both lock it in turn.
        start = {"writer": OWN_WRITER, "sequence": START.sequence, "hash": START.hash}
        await connection.execute(database.insert_new(HEADS, start))
        head = await _head(connection, OWN_WRITER) or START
    records: list[Record] = []
    for fact in facts:
        head, line = next_line(head, int(now * 1000), orjson.dumps(fact))
        records.append(read_line(line))
    await store(database, connection, OWN_WRITER, records)


async def store(database: Database, connection: AsyncConnection, writer: str, records: Sequence[Record]) -> None:
    """Insert checked records, move the head, project the calls."""
    facts = [(record, orjson.loads(record.payload)) for record in records]
    await connection.execute(FACTS.insert(), [_row(writer, record, fact) for record, fact in facts])
    end = records[-1]
    head = {"writer": writer, "sequence": end.sequence, "hash": end.hash}
    await connection.execute(database.upsert(HEADS, [head]))
    await _project(database, connection, rank_of(writer), facts)


async def _head(connection: AsyncConnection, writer: str) -> Head | None:
    query = select(HEADS.c.sequence, HEADS.c.hash).where(HEADS.c.writer == writer).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return Head(row.sequence, row.hash) if row else None


def _row(writer: str, record: Record, fact: Mapping[str, Any]) -> dict[str, Any]:
    _, line = next_line(Head(record.sequence - 1, record.previous), record.time_ms, record.payload)
    return {
        "writer": writer,
        "sequence": record.sequence,
        "at_ms": record.time_ms,
        "hash": record.hash,
        "kind": fact["kind"],
        "call_id": fact.get("call_id", ""),
        "line": line,
    }


async def _project(
    database: Database, connection: AsyncConnection, rank: int, facts: Sequence[tuple[Record, Mapping[str, Any]]]
) -> None:
    ids = sorted({fact["call_id"] for _, fact in facts if "call_id" in fact})
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        chosen = ids[start : start + _ROWS_AT_ONCE]
        rows = (await connection.execute(select(CALLS).where(CALLS.c.call_id.in_(chosen)))).mappings().all()
        before = {row["call_id"]: CallState(**row) for row in rows}
        after = dict(before)
        for record, fact in facts:
            if fact.get("call_id") in set(chosen):
                state = project(after.get(fact["call_id"]), rank, record.time_ms, fact)
                if state is not None:
                    after[state.call_id] = state
        changed = [asdict(state) for call_id, state in after.items() if before.get(call_id) != state]
        if changed:
            await connection.execute(database.upsert(CALLS, changed))
