"""From whatever schema a database has to today's: Alembic, run inside the caller's transaction.

One revision a file in `versions/`, numbered from 0001; how to add one is told in docs/how-to/change-the-schema.md.
A database that is newer than this program is refused: an older program could not keep its promises on it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Integer, column, inspect, select, table

from pierhead.core.errors import Misconfigured

_HERE: Final = Path(__file__).parent
_COUNTED: Final = table("schema_version", column("version", Integer))
"""Where databases from before Alembic keep the number of their schema."""
_TAKEN_OVER: Final = 3
"""What stands there afterwards: programs of that time refuse a number they do not know."""


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the schema to that revision, and write down that it has it.

    Errors: Misconfigured (`database-newer`).
    """
    if pending(connection):
        _take_over(connection)
        command.upgrade(_config(connection), revision)


def pending(connection: Connection) -> Sequence[str]:
    """The revisions that are still to come, oldest first, each as `0002 title`; changes nothing.

    Errors: Misconfigured (`database-newer`).
    """
    revisions = list(reversed(list(_scripts().walk_revisions())))
    names = [revision.revision for revision in revisions]
    reached = revision_of(connection)
    if reached and reached not in names:
        raise Misconfigured(
            f"the database has schema {reached}, this program knows up to {names[-1]}",
            hint="start the newer version of pierhead again, or restore a backup made before the upgrade",
            code="database-newer",
        )
    done = names.index(reached) + 1 if reached else 0
    return [f"{revision.revision} {revision.doc}" for revision in revisions[done:]]


def revision_of(connection: Connection) -> str:
    """The revision that the database has; empty for an empty one."""
    counted = _counted(connection)
    if 0 < counted < _TAKEN_OVER:
        return f"{counted:04}"
    return MigrationContext.configure(connection).get_current_revision() or ""


def latest() -> str:
    """The revision that this program works with."""
    return _scripts().get_current_head() or ""


def _take_over(connection: Connection) -> None:
    """Alembic goes on from the number that an older program reached."""
    if 0 < _counted(connection) < _TAKEN_OVER:
        command.stamp(_config(connection), revision_of(connection))
        connection.execute(_COUNTED.update().values(version=_TAKEN_OVER))


def _counted(connection: Connection) -> int:
    if not inspect(connection).has_table(_COUNTED.name):
        return 0
    return connection.execute(select(_COUNTED.c.version)).scalar_one()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_HERE))


def _config(connection: Connection) -> Config:
    """Alembic's own configuration, without a file."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_HERE))
    return config
