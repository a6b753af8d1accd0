"""Who signed in at the company's identity provider, as it last stated them; and what people no longer have.

Fills `ports_sign_in.PeopleStore` and `WithdrawalStore`. Not here: how long that holds (`usecases/federate`), what it
means (`usecases/withdraw_person`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import RowMapping, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_own
from pierhead.adapters.db.numbers import last_number, next_number
from pierhead.adapters.db.schema import PEOPLE, WITHDRAWALS
from pierhead.core.audit_people import PersonRestored, PersonWithdrawn
from pierhead.core.withdrawal import KEPT_S, Person, Withdrawal, Withdrawals
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_sign_in import SignedIn

_PEOPLE: Final = "people"
_WITHDRAWALS: Final = "withdrawals"
_NONE: Final = "[]"


@dataclass(frozen=True, slots=True)
class DatabasePeople:
    """People by issuer and name."""

    database: Database
    clock: Clock

    async def keep(self, person: SignedIn, since: float) -> None:
        async with self.database.writing() as connection:
            number = await next_number(self.database, connection, _PEOPLE, self.clock.now())
            await connection.execute(self.database.upsert(PEOPLE, [_row(person, number)]))
            old = (PEOPLE.c.signed_in_at < since, PEOPLE.c.confirmed_at < since)  # not who was just forgotten
            await connection.execute(delete(PEOPLE).where(*old))

    async def change(self, before: SignedIn, after: SignedIn) -> bool:
        async with self.database.writing() as connection:
            number = await next_number(self.database, connection, _PEOPLE, self.clock.now())
            unchanged = (
                PEOPLE.c.issuer == before.issuer,
                PEOPLE.c.name == before.name,
                PEOPLE.c.signed_in_at == before.at,
                PEOPLE.c.asked_at == before.asked_at,
            )
            changed = update(PEOPLE).where(*unchanged).values(_row(after, number))
            return (await connection.execute(changed)).rowcount == 1

    async def forget(self, issuer: str, name: str) -> None:
        gone = SignedIn(name, issuer, frozenset(), 0.0, confirmed_at=self.clock.now())
        async with self.database.writing() as connection:
            number = await next_number(self.database, connection, _PEOPLE, self.clock.now())
            known = update(PEOPLE).where(PEOPLE.c.issuer == issuer, PEOPLE.c.name == name)
            await connection.execute(known.values(_row(gone, number)))

    async def signed_in(self, issuer: str, after: int) -> tuple[int, Sequence[SignedIn]]:
        query = select(PEOPLE).where(PEOPLE.c.issuer == issuer, PEOPLE.c.number > after)
        async with self.database.reading() as connection:
            number = await last_number(connection, _PEOPLE)
            if number == after:
                return number, ()
            rows = (await connection.execute(query)).mappings().all()
        return number, [_person(row) for row in rows]


@dataclass(frozen=True, slots=True)
class DatabaseWithdrawals:
    """What people no longer have, by issuer and subject."""

    database: Database
    clock: Clock

    async def begin(self) -> None:
        """A registry starts: whatever it read comes from here on under a number that nobody has seen."""
        async with self.database.writing() as connection:
            await self._number(connection)

    async def version(self) -> int:
        async with self.database.reading() as connection:
            return await last_number(connection, _WITHDRAWALS)

    async def withdraw(self, more: Withdrawal, at: float, fact: PersonWithdrawn) -> None:
        async with self.database.writing() as connection:
            await self._number(connection)  # first: two that change one person take turns
            before = await _withdrawn(connection, more.person)
            await self._put(connection, before.and_also(more) if before else more)
            over = (WITHDRAWALS.c.void_before < at - KEPT_S, WITHDRAWALS.c.groups == _NONE)
            await connection.execute(delete(WITHDRAWALS).where(*over))
            await append_own(self.database, connection, fact, at)

    async def restore(self, person: Person, groups: frozenset[str], at: float, fact: PersonRestored) -> bool:
        async with self.database.writing() as connection:
            await self._number(connection)
            before = await _withdrawn(connection, person)
            if before is None or before.groups.isdisjoint(groups):
                return False
            await self._put(connection, Withdrawal(*person, before.before, before.groups - groups))
            await append_own(self.database, connection, fact, at)
        return True

    async def withdrawals(self, since: float) -> Withdrawals:
        async with self.database.reading() as connection:
            number = await last_number(connection, _WITHDRAWALS)
            rows = (await connection.execute(select(WITHDRAWALS))).mappings().all()
        each = [_withdrawal(row) for row in rows]
        return Withdrawals.of(number, [one for one in each if one.groups or one.before >= since])

    async def _number(self, connection: AsyncConnection) -> None:
        await next_number(self.database, connection, _WITHDRAWALS, self.clock.now())

    async def _put(self, connection: AsyncConnection, one: Withdrawal) -> None:
        groups = orjson.dumps(sorted(one.groups)).decode()
        row = {"issuer": one.issuer, "subject": one.subject, "void_before": one.before, "groups": groups}
        await connection.execute(self.database.upsert(WITHDRAWALS, [row]))


async def _withdrawn(connection: AsyncConnection, person: Person) -> Withdrawal | None:
    issuer, subject = person
    query = select(WITHDRAWALS).where(WITHDRAWALS.c.issuer == issuer, WITHDRAWALS.c.subject == subject)
    row = (await connection.execute(query)).mappings().one_or_none()
    return _withdrawal(row) if row else None


def _withdrawal(row: RowMapping) -> Withdrawal:
    return Withdrawal(row["issuer"], row["subject"], row["void_before"], frozenset(orjson.loads(row["groups"])))


def _row(person: SignedIn, number: int) -> dict[str, Any]:
    return {
        "issuer": person.issuer,
        "name": person.name,
        "groups": orjson.dumps(sorted(person.groups)).decode(),
        "signed_in_at": person.at,
        "subject": person.subject,
        "provider_grant": person.grant,
        "confirmed_at": person.confirmed_at,
        "asked_at": person.asked_at,
        "number": number,
    }


def _person(row: RowMapping) -> SignedIn:
    return SignedIn(
        name=row["name"],
        issuer=row["issuer"],
        groups=frozenset(orjson.loads(row["groups"])),
        at=row["signed_in_at"],
        subject=row["subject"],
        grant=row["provider_grant"],
        confirmed_at=row["confirmed_at"],
        asked_at=row["asked_at"],
    )
