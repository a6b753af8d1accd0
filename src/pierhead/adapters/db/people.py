"""Who signed in at the company's identity provider, with the groups of that moment.

Fills `ports_sign_in.PeopleStore`. Not here: how long that holds (`usecases/federate`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import delete, select

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.schema import PEOPLE
from pierhead.usecases.ports_sign_in import SignedIn


@dataclass(frozen=True, slots=True)
class DatabasePeople:
    """People by issuer and name."""

    database: Database

    async def keep(self, person: SignedIn, since: float) -> None:
        groups = orjson.dumps(sorted(person.groups)).decode()
        row = {"issuer": person.issuer, "name": person.name, "groups": groups, "signed_in_at": person.at}
        async with self.database.writing() as connection:
            await connection.execute(self.database.upsert(PEOPLE, [row]))
            await connection.execute(delete(PEOPLE).where(PEOPLE.c.signed_in_at < since))

    async def signed_in(self, issuer: str) -> Sequence[SignedIn]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(select(PEOPLE).where(PEOPLE.c.issuer == issuer))).mappings().all()
        return [
            SignedIn(row["name"], row["issuer"], frozenset(orjson.loads(row["groups"])), row["signed_in_at"])
            for row in rows
        ]
