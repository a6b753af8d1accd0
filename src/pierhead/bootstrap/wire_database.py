"""The platform's own database as the command line sees it: where it is, and whether its schema is today's.

Above: `pierhead db`. Not here: what is in it, backups (`wire_backup`).
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from pierhead.adapters.db import Database, pending_of, reach_database, upgrade
from pierhead.bootstrap.settings import Settings


def database_url(settings: Settings) -> str:
    """Where the platform's database is: as set, else SQLite in the data directory."""
    return settings.database.url.get_secret_value() or f"sqlite:///{settings.platform.data.resolve() / 'pierhead.db'}"


@asynccontextmanager
async def reached(settings: Settings) -> AsyncGenerator[Database]:
    """The database as it is, whatever its schema. Errors: Misconfigured (`database-unreachable`)."""
    database = await reach_database(database_url(settings))
    try:
        yield database
    finally:
        await database.close()


async def steps_to_come(settings: Settings) -> Sequence[str]:
    """The migrations that the database still needs, oldest first. Errors: Misconfigured (`database-newer`)."""
    async with reached(settings) as database:
        return await pending_of(database)


async def bring_up_to_date(settings: Settings) -> Sequence[str]:
    """Migrate; the steps that were taken. Errors: Misconfigured (`database-newer`, `database-unreachable`)."""
    async with reached(settings) as database:
        steps = await pending_of(database)
        await upgrade(database)
        return steps
