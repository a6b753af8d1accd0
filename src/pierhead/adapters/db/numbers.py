"""The number of the last change of something, which everyone who shares a database reads to see whether there is news.

Taken inside the transaction of the change, which others then wait for: whoever has seen a number has seen all before
it. It follows the clock, so that what a backup brought back gets higher numbers than what it replaced.
"""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.schema import NUMBERS


async def next_number(database: Database, connection: AsyncConnection, name: str, now: float) -> int:
    """A number that is higher than all before, for a change in this transaction."""
    await connection.execute(database.insert_new(NUMBERS, {"name": name, "number": 0}))
    mine = NUMBERS.c.name == name
    await connection.execute(update(NUMBERS).where(mine).values(number=NUMBERS.c.number + 1))  # holds the row
    taken = max((await connection.execute(select(NUMBERS.c.number).where(mine))).scalar_one(), int(now * 1000))
    await connection.execute(update(NUMBERS).where(mine).values(number=taken))
    return taken


async def last_number(connection: AsyncConnection, name: str) -> int:
    """The number of the last change; 0 before the first."""
    found = (await connection.execute(select(NUMBERS.c.number).where(NUMBERS.c.name == name))).scalar_one_or_none()
    return found or 0
