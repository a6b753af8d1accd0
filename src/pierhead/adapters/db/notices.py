"""Reminders that were given, and what is still to be sent: each given and kept once, whoever else does the same.

Fills `ports_notices.Reminders`, `ports_notices.Announcements` and `ports_notices.Outbox`.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import orjson
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_own
from pierhead.adapters.db.schema import NOTICES, REMINDERS
from pierhead.core.audit import Fact
from pierhead.core.reminding import Reminder
from pierhead.usecases.ports_notices import Notice, Readers


@dataclass(frozen=True, slots=True)
class DatabaseNotices:
    """Both tables; a reminder, its fact and its notice commit together."""

    database: Database

    async def told(self, reviews: Collection[str]) -> frozenset[tuple[str, str, str]]:
        query = select(REMINDERS).where(REMINDERS.c.review.in_(reviews))
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return frozenset((row.review, row.gate, row.urgency) for row in rows)

    async def keep(self, reminder: Reminder, notice: Notice | None, fact: Fact, at: float) -> bool:
        row = {
            "review": reminder.review_id,
            "gate": str(reminder.gate),
            "urgency": str(reminder.urgency),
            "told_at": at,
        }
        async with self.database.writing() as connection:
            if (await connection.execute(self.database.insert_new(REMINDERS, row))).rowcount != 1:
                return False
            if notice is not None:
                await keep_notices(self.database, connection, (notice,))
            await append_own(self.database, connection, fact, at)
        return True

    async def announce(self, notice: Notice, fact: Fact, at: float) -> bool:
        is_there = select(NOTICES.c.id).where(NOTICES.c.id == notice.id)
        async with self.database.reading() as connection:
            if (await connection.execute(is_there)).first():
                return False
        async with self.database.writing() as connection:
            if not await keep_new(self.database, connection, notice):
                return False
            await append_own(self.database, connection, fact, at)
        return True

    async def due(self, now: float, limit: int) -> Sequence[Notice]:
        query = select(NOTICES).where(NOTICES.c.next_at <= now).order_by(NOTICES.c.at, NOTICES.c.id).limit(limit)
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_notice(row) for row in rows]

    async def take(self, notice: Notice, until: float) -> bool:
        is_same = (NOTICES.c.id == notice.id) & (NOTICES.c.next_at == notice.next_at)
        async with self.database.writing() as connection:
            taken = await connection.execute(NOTICES.update().where(is_same).values(next_at=until))
        return taken.rowcount == 1

    async def settle(self, notice: Notice) -> None:
        async with self.database.writing() as connection:
            await connection.execute(self.database.upsert(NOTICES, [_row(notice)]))

    async def spread(self, notice: Notice, copies: Sequence[Notice]) -> None:
        async with self.database.writing() as connection:
            for copy in copies:
                await connection.execute(self.database.insert_new(NOTICES, _row(copy)))
            await connection.execute(self.database.upsert(NOTICES, [_row(notice)]))


async def keep_notices(database: Database, connection: AsyncConnection, notices: Sequence[Notice]) -> None:
    """Notices, in the transaction of what they tell of; one with the id of another takes its place."""
    if notices:
        await connection.execute(database.upsert(NOTICES, [_row(notice) for notice in notices]))


async def keep_new(database: Database, connection: AsyncConnection, notice: Notice) -> bool:
    """A notice, unless there is one of that id."""
    return (await connection.execute(database.insert_new(NOTICES, _row(notice)))).rowcount == 1


def _notice(row: RowMapping) -> Notice:
    members = dict(row)
    readers: dict[str, list[str]] = orjson.loads(row["readers"]) if row["readers"] else {}
    members["content"] = orjson.loads(row["content"])
    members["readers"] = Readers(**{name: tuple(names) for name, names in readers.items()})
    return Notice(**members)


def _row(notice: Notice) -> dict[str, object]:
    return {
        **{name: getattr(notice, name) for name in Notice.__dataclass_fields__},
        "content": orjson.dumps(notice.content).decode(),
        "readers": orjson.dumps(asdict(notice.readers)).decode(),
    }
