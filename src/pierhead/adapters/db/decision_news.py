"""Who waits for a decision hears of it, by one look a beat for all of them (`looking`).

Fills `ports_approvals.DecisionNews`. Not here: who may wait for what (`usecases/own_approvals`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.looking import Looking
from pierhead.adapters.db.schema import APPROVALS
from pierhead.core.approval import ApprovalState

BEAT_S: Final = 0.25
"""A decision reaches who waits after one beat at most; four looks a second are nothing to either database."""
_AT_ONCE: Final = 500


@dataclass(slots=True)
class DatabaseDecisionNews:
    """The waiting, by the record that they wait for."""

    database: Database
    _waiting: dict[str, set[asyncio.Event]] = field(default_factory=dict[str, set[asyncio.Event]])
    looking: Looking = field(init=False)

    def __post_init__(self) -> None:
        self.looking = Looking(lambda: bool(self._waiting), self._look, BEAT_S)

    async def decided(self, record_id: str, within_s: float) -> None:
        """The state is looked at, not its change: what was decided before this began to wait is found, too."""
        heard = asyncio.Event()
        self._waiting.setdefault(record_id, set()).add(heard)
        self.looking.begin()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await heard.wait()
        finally:
            self._leave(record_id, heard)

    async def close(self) -> None:
        """Look no more; whoever waits still does so until their time is over."""
        await self.looking.close()

    def _leave(self, record_id: str, heard: asyncio.Event) -> None:
        others = self._waiting[record_id]
        others.discard(heard)
        if not others:
            del self._waiting[record_id]

    async def _look(self) -> None:
        waited = sorted(self._waiting)
        for first in range(0, len(waited), _AT_ONCE):
            self._tell(await self._decided(waited[first : first + _AT_ONCE]))

    def _tell(self, decided: Sequence[str]) -> None:
        for record_id in decided:
            for heard in self._waiting.get(record_id, ()):
                heard.set()

    async def _decided(self, some: Sequence[str]) -> Sequence[str]:
        query = select(APPROVALS.c.id).where(APPROVALS.c.id.in_(some), APPROVALS.c.state != ApprovalState.PENDING)
        async with self.database.reading() as connection:
            return (await connection.execute(query)).scalars().all()
