"""Who is away and who stands in, and the choices that are remembered: each change with its fact, or not at all.

Fills `ports_duty.Absences` and `ports_duty.Choices`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from sqlalchemy import RowMapping, Table, and_, select

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_own
from pierhead.adapters.db.schema import ABSENCES, CHOICES
from pierhead.core.absence import Absence, AbsenceDeclared, AbsenceEnded
from pierhead.core.audit import Fact
from pierhead.core.choice import Choice, ChoiceEnded, ChoiceRemembered


@dataclass(frozen=True, slots=True)
class DatabaseAbsences:
    """A row each."""

    database: Database

    async def add(self, absence: Absence, fact: AbsenceDeclared, at: float) -> None:
        await _add(self.database, ABSENCES, asdict(absence), fact, at)

    async def end(self, absence_id: str, fact: AbsenceEnded, at: float) -> bool:
        lasts = and_(ABSENCES.c.id == absence_id, ABSENCES.c.ended_at.is_(None), ABSENCES.c.until > at)
        async with self.database.writing() as connection:
            if (await connection.execute(ABSENCES.update().where(lasts).values(ended_at=at))).rowcount != 1:
                return False
            await append_own(self.database, connection, fact, at)
        return True

    async def one(self, absence_id: str) -> Absence | None:
        async with self.database.reading() as connection:
            found = await connection.execute(select(ABSENCES).where(ABSENCES.c.id == absence_id))
            row = found.mappings().one_or_none()
        return _absence(row) if row else None

    async def open(self, now: float) -> Sequence[Absence]:
        lasts = and_(ABSENCES.c.ended_at.is_(None), ABSENCES.c.until > now)
        query = select(ABSENCES).where(lasts).order_by(ABSENCES.c.until, ABSENCES.c.id)
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_absence(row) for row in rows]


@dataclass(frozen=True, slots=True)
class DatabaseChoices:
    """A document each."""

    database: Database

    async def add(self, choice: Choice, fact: ChoiceRemembered, at: float) -> None:
        row = {
            "id": choice.id,
            "person": choice.person,
            "expires_at": choice.expires_at,
            "ended_at": None,
            "document": orjson.dumps(asdict(choice)).decode(),
        }
        await _add(self.database, CHOICES, row, fact, at)

    async def end(self, choice_id: str, fact: ChoiceEnded, at: float) -> bool:
        holds = and_(CHOICES.c.id == choice_id, CHOICES.c.ended_at.is_(None), CHOICES.c.expires_at > at)
        async with self.database.writing() as connection:
            if (await connection.execute(CHOICES.update().where(holds).values(ended_at=at))).rowcount != 1:
                return False
            await append_own(self.database, connection, fact, at)
        return True

    async def of(self, person: str, now: float) -> Sequence[Choice]:
        holds = and_(CHOICES.c.person == person, CHOICES.c.ended_at.is_(None), CHOICES.c.expires_at > now)
        query = select(CHOICES).where(holds)
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return sorted(map(_choice, rows), key=lambda each: (-each.created_at, each.id))


async def _add(database: Database, table: Table, row: dict[str, Any], fact: Fact, at: float) -> None:
    async with database.writing() as connection:
        await connection.execute(table.insert().values(row))
        await append_own(database, connection, fact, at)


def _absence(row: RowMapping) -> Absence:
    members: dict[str, Any] = {**row}
    return Absence(**members)


def _choice(row: RowMapping) -> Choice:
    members: dict[str, Any] = orjson.loads(row["document"])
    members["free"] = tuple(members["free"])
    return Choice(**members)
