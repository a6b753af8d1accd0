"""What people let clients do: each change with its fact, and an end with the end of every token that came of it.

Fills `ports_consents.Consents`. Not here: codes and tokens otherwise (`oauth`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson
from sqlalchemy import RowMapping, and_, delete, exists, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_own
from pierhead.adapters.db.schema import CODES, CONSENTS, REFRESH_TOKENS, REVOKED_FAMILIES
from pierhead.core.consent import Consent, ConsentEnded, ConsentGiven, ConsentReused


@dataclass(frozen=True, slots=True)
class DatabaseConsents:
    """A document each."""

    database: Database

    async def one(self, consent_id: str, now: float) -> Consent | None:
        query = select(CONSENTS).where(CONSENTS.c.id == consent_id, CONSENTS.c.expires_at > now)
        async with self.database.reading() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return _consent(row) if row else None

    async def of(self, issuer: str, person: str, now: float) -> Sequence[Consent]:
        is_theirs = and_(CONSENTS.c.person == person, CONSENTS.c.issuer == issuer, CONSENTS.c.expires_at > now)
        async with self.database.reading() as connection:
            rows = (await connection.execute(select(CONSENTS).where(is_theirs))).mappings().all()
        return sorted(map(_consent, rows), key=lambda each: (-each.given_at, each.id))

    async def keep(self, consent: Consent, fact: ConsentGiven | ConsentReused, at: float) -> None:
        row = {
            "id": consent.id,
            "issuer": consent.issuer,
            "person": consent.person,
            "expires_at": consent.expires_at,
            "document": orjson.dumps(asdict(consent)).decode(),
        }
        async with self.database.writing() as connection:
            await connection.execute(delete(CONSENTS).where(CONSENTS.c.expires_at <= at))
            await connection.execute(self.database.upsert(CONSENTS, [row]))
            await append_own(self.database, connection, fact, at)

    async def end(self, consent: Consent, fact: ConsentEnded, at: float) -> bool:
        async with self.database.writing() as connection:
            if (await connection.execute(delete(CONSENTS).where(CONSENTS.c.id == consent.id))).rowcount != 1:
                return False
            families = await self._end_families(consent, connection, at)
            await append_own(self.database, connection, replace(fact, token_ids=tuple(families)), at)
        return True

    async def _end_families(self, consent: Consent, connection: AsyncConnection, at: float) -> Sequence[str]:
        """Those of codes too: one that was just spent has no refresh token yet."""
        found = union(
            *(
                select(table.c.family).where(
                    table.c.person == consent.person,
                    table.c.client_id == consent.client_id,
                    ~exists().where(REVOKED_FAMILIES.c.family == table.c.family),
                )
                for table in (CODES, REFRESH_TOKENS)
            )
        )
        families = sorted((await connection.execute(found)).scalars().all())
        for family in families:
            row = {"family": family, "revoked_at": at}
            await connection.execute(self.database.insert_new(REVOKED_FAMILIES, row))
        mine = and_(CODES.c.person == consent.person, CODES.c.client_id == consent.client_id)
        await connection.execute(delete(CODES).where(mine))
        return families


def _consent(row: RowMapping) -> Consent:
    members: dict[str, Any] = orjson.loads(row["document"])
    members["uses"] = tuple(members["uses"])
    return Consent(**members)
