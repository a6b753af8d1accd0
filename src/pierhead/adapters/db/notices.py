"""Reminders that were given, and what is still to be sent: each given and kept once, whoever else does the same.

Fills `ports_notices.Reminders` and `ports_notices.Outbox`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import select

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_own
from pierhead.adapters.db.schema import NOTICES, REMINDERS
from pierhead.core.audit import Fact
from pierhead.core.reminding import Reminder
from pierhead.usecases.ports_notices import Notice


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
                await connection.execute(NOTICES.insert().values(_row(notice)))
            await append_own(self.database, connection, fact, at)
        return True

    async def due(self, now: float, limit: int) -> Sequence[Notice]:
        query = select(NOTICES).where(NOTICES.c.next_at <= now).order_by(NOTICES.c.at, NOTICES.c.id).limit(limit)
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            Notice(row.id, row.kind, row.at, orjson.loads(row.content), row.tries, row.next_at, row.fault)
            for row in rows
        ]

    async def settle(self, notice: Notice) -> None:
        async with self.database.writing() as connection:
            await connection.execute(self.database.upsert(NOTICES, [_row(notice)]))


def _row(notice: Notice) -> dict[str, object]:
    return {
        "id": notice.id,
        "kind": notice.kind,
        "at": notice.at,
        "content": orjson.dumps(notice.content).decode(),
        "tries": notice.tries,
        "next_at": notice.next_at,
        "fault": notice.fault,
    }
