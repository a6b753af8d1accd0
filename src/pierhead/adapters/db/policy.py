"""Published policy revisions; none is ever changed or removed."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_own
from pierhead.adapters.db.schema import REVISIONS
from pierhead.core.audit import Fact
from pierhead.core.errors import Conflict
from pierhead.usecases.ports_registry import Revision


@dataclass(frozen=True, slots=True)
class DatabasePolicies:
    """Fills `ports_registry.Policies`."""

    database: Database

    async def latest(self) -> Revision | None:
        query = select(REVISIONS).order_by(REVISIONS.c.number.desc()).limit(1)
        async with self.database.reading() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return Revision(row["number"], row["digest"], row["document"]) if row else None

    async def highest(self) -> int:
        """The highest number published; 0 where nothing can be read: a database that was damaged is about to go."""
        try:
            latest = await self.latest()
        except (SQLAlchemyError, OSError):
            return 0
        return latest.number if latest else 0

    async def publish(self, revision: Revision, at: float, by: str, fact: Fact) -> None:
        row = {
            "number": revision.number,
            "digest": revision.digest,
            "document": revision.document,
            "published_at": at,
            "published_by": by,
        }
        try:
            async with self.database.writing() as connection:
                await connection.execute(REVISIONS.insert().values(row))
                await append_own(self.database, connection, fact, at)
        except IntegrityError:
            raise Conflict(f"revision {revision.number} was taken meanwhile", hint="read the latest again") from None
