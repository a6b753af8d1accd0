"""How servers fare: one row a server for what is known now, and a ring of the last looks.

A look overwrites the one PROBES_KEPT looks before it, so that the history is bounded without ever being cleaned.
Fills `ports_health.HealthStore`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import select

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_own
from pierhead.adapters.db.schema import HEALTH, PROBES
from pierhead.core.audit import Fact
from pierhead.core.health import Health, Probe, lately
from pierhead.usecases.health_forms import health_from_form, health_to_form, probe_from_form, probe_to_form
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_health import PROBES_KEPT


@dataclass(frozen=True, slots=True)
class DatabaseHealths:
    """Reads and keeps them. A last look older than `quiet_s` says nothing any more."""

    database: Database
    clock: Clock
    quiet_s: float

    async def healths(self) -> Mapping[str, Health]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(select(HEALTH))).all()
        return {row.server: self._read(row.document) for row in rows}

    async def healths_of(self, servers: Collection[str]) -> Mapping[str, Health]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(select(HEALTH).where(HEALTH.c.server.in_(servers)))).all()
        return {row.server: self._read(row.document) for row in rows}

    async def health(self, server: str) -> Health | None:
        async with self.database.reading() as connection:
            row = (await connection.execute(select(HEALTH).where(HEALTH.c.server == server))).first()
        return None if row is None else self._read(row.document)

    async def probes(self, server: str, limit: int) -> Sequence[Probe]:
        newest = select(PROBES).where(PROBES.c.server == server).order_by(PROBES.c.at.desc()).limit(limit)
        async with self.database.reading() as connection:
            rows = (await connection.execute(newest)).all()
        return [probe_from_form(orjson.loads(row.document), row.at) for row in rows]

    async def keep(self, healths: Sequence[Health], facts: Sequence[Fact], at: float) -> None:
        if not healths:
            return
        known = [_health_row(health) for health in healths]
        looks = [_probe_row(health) for health in healths]
        async with self.database.writing() as connection:
            await connection.execute(self.database.upsert(HEALTH, known))
            await connection.execute(self.database.upsert(PROBES, looks))
            for fact in facts:
                await append_own(self.database, connection, fact, at)

    def _read(self, document: str) -> Health:
        return lately(health_from_form(orjson.loads(document)), self.clock.now(), self.quiet_s)


def _health_row(health: Health) -> dict[str, object]:
    return {"server": health.server, "document": orjson.dumps(health_to_form(health)).decode()}


def _probe_row(health: Health) -> dict[str, object]:
    document = orjson.dumps(probe_to_form(health.last)).decode()
    slot = health.probes % PROBES_KEPT
    return {"server": health.server, "slot": slot, "at": health.last.at, "document": document}
