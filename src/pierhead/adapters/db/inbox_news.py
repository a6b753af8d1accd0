"""Whoever looks at approvals hears of changes, by one look a second at the record for all of them (`looking`).

Every change of an approval commits with its fact, so the end of the registry's own chain tells that there is news, and
the facts since then of what. Fills `hear_inbox.InboxNews`. Not here: what anybody is shown (`apps/registry/web/live`).
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import OWN_WRITER
from pierhead.adapters.db.looking import Looking
from pierhead.adapters.db.schema import APPROVALS, FACTS, HEADS
from pierhead.core.chain import read_line
from pierhead.usecases.hear_inbox import Ears
from pierhead.usecases.ports_approvals import Everyone, Seer

BEAT_S: Final = 1.0
_AT_ONCE: Final = 500


@dataclass(slots=True)
class DatabaseInboxNews:
    """`_seen` is the place in the chain up to which was told."""

    database: Database
    ears: Ears = field(default_factory=Ears)
    _seen: int = 0
    looking: Looking = field(init=False)

    def __post_init__(self) -> None:
        self.looking = Looking(lambda: not self.ears.is_empty, self._tell, BEAT_S)

    @asynccontextmanager
    async def listening(self, seer: Seer | Everyone) -> AsyncGenerator[asyncio.Event]:
        """What changes after this began is heard, however soon."""
        is_first = self.ears.is_empty
        with self.ears.listening(seer) as heard:
            if is_first:
                async with self.database.reading() as connection:
                    self._seen = await _end(connection)
            self.looking.begin()
            yield heard

    async def close(self) -> None:
        """Look no more."""
        await self.looking.close()

    async def _tell(self) -> None:
        async with self.database.reading() as connection:
            if await _end(connection) <= self._seen:
                return
            self._seen, changed = await _since(connection, self._seen)
            rows = await _seen_by(connection, changed) if changed else ()
        for people, approvers in rows:
            self.ears.tell(people.split("\n"), approvers.split("\n"))


async def _end(connection: AsyncConnection) -> int:
    """The last place of the chain: one row, by its key."""
    query = select(HEADS.c.sequence).where(HEADS.c.writer == OWN_WRITER)
    return (await connection.execute(query)).scalar_one_or_none() or 0


async def _since(connection: AsyncConnection, seen: int) -> tuple[int, frozenset[str]]:
    """The approvals that the next facts speak of, and the place of the last of these facts."""
    query = (
        select(FACTS.c.sequence, FACTS.c.line)
        .where(FACTS.c.writer == OWN_WRITER, FACTS.c.sequence > seen)
        .order_by(FACTS.c.sequence)
        .limit(_AT_ONCE)
    )
    rows = (await connection.execute(query)).all()
    named = (orjson.loads(read_line(row.line).payload).get("approval_id") for row in rows)
    return (rows[-1].sequence if rows else seen), frozenset(name for name in named if name)


async def _seen_by(connection: AsyncConnection, changed: frozenset[str]) -> Sequence[tuple[str, str]]:
    """Whose business each of them is, as it is kept: a name a line."""
    query = select(APPROVALS.c.people, APPROVALS.c.approvers).where(APPROVALS.c.id.in_(sorted(changed)))
    return [(row.people, row.approvers) for row in (await connection.execute(query)).all()]
