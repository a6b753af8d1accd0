"""The browsers in which people hear of approvals: each change with its facts, or not at all.

Fills `ports_push.Browsers`.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import RowMapping, select

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_all, append_own
from pierhead.adapters.db.schema import BROWSERS
from pierhead.core.audit import Fact
from pierhead.core.browser import Browser, BrowserEnded


@dataclass(frozen=True, slots=True)
class DatabaseBrowsers:
    """A row each."""

    database: Database

    async def put(self, browser: Browser, facts: Sequence[Fact], at: float) -> None:
        async with self.database.writing() as connection:
            await connection.execute(self.database.upsert(BROWSERS, [asdict(browser)]))
            await append_all(self.database, connection, facts, at)

    async def end(self, browser_id: str, fact: BrowserEnded, at: float) -> bool:
        async with self.database.writing() as connection:
            if (await connection.execute(BROWSERS.delete().where(BROWSERS.c.id == browser_id))).rowcount != 1:
                return False
            await append_own(self.database, connection, fact, at)
        return True

    async def one(self, browser_id: str) -> Browser | None:
        async with self.database.reading() as connection:
            found = await connection.execute(select(BROWSERS).where(BROWSERS.c.id == browser_id))
            row = found.mappings().one_or_none()
        return _browser(row) if row else None

    async def of(self, issuer: str, people: Collection[str]) -> Sequence[Browser]:
        theirs = (BROWSERS.c.issuer == issuer) & BROWSERS.c.person.in_(sorted(people))
        query = select(BROWSERS).where(theirs).order_by(BROWSERS.c.person, BROWSERS.c.made_at, BROWSERS.c.id)
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [_browser(row) for row in rows]


def _browser(row: RowMapping) -> Browser:
    return Browser(**row)
