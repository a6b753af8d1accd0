"""Numbered steps from an empty database to today's schema; each is applied once, in its own transaction.

A database that is newer than this program is refused: an older program could not keep its promises on it.
Why not Alembic yet: docs/decisions/0009-numbered-migrations.md.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import DDL, Connection, Inspector, inspect, select

from pierhead.adapters.db.schema import CALLS, METADATA, VERSION
from pierhead.core.errors import Misconfigured

Step = Callable[[Connection], None]


def _create(connection: Connection) -> None:
    METADATA.create_all(connection)


def _add_details(connection: Connection) -> None:
    """What servers note of their calls. An empty database has the column from its first step."""
    columns = {column["name"] for column in inspect(connection).get_columns(CALLS.name)}
    if CALLS.c.details.name not in columns:
        connection.execute(DDL("ALTER TABLE calls ADD COLUMN details TEXT NOT NULL DEFAULT ''"))


STEPS: Final[tuple[Step, ...]] = (_create, _add_details)
LATEST: Final = len(STEPS)


def version_of(connection: Connection) -> int:
    """The schema's version; 0 for an empty database."""
    inspector: Inspector = inspect(connection)
    if not inspector.has_table(VERSION.name):
        return 0
    return connection.execute(select(VERSION.c.version)).scalar_one()


def migrate(connection: Connection) -> None:
    """Bring the schema to LATEST. Runs inside one transaction that also writes the new version.

    Errors: Misconfigured (`database-newer`).
    """
    version = version_of(connection)
    if version > LATEST:
        raise Misconfigured(
            f"the database has schema {version}, this program knows up to {LATEST}",
            hint="start the newer version of pierhead again, or restore a backup made before the upgrade",
            code="database-newer",
        )
    for step in STEPS[version:]:
        step(connection)
    if version < LATEST:
        connection.execute(VERSION.delete())
        connection.execute(VERSION.insert().values(version=LATEST))
