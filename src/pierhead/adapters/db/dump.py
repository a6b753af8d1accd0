"""The whole database as lines of JSON, one table after the other, and back: from SQLite to PostgreSQL too.

A dump is one consistent view. A load replaces everything, at the revision the dump was made at, then migrates. Not
here: the archive around it (`adapters/archive`).
"""

from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Final

import orjson
from sqlalchemy import Connection, MetaData, Table, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.migrations import migrate, revision_of
from pierhead.core.errors import Invalid

_BYTES: Final = "b64:"
_TEXT: Final = "txt:"
_AT_ONCE: Final = 500
_NOT_OURS: Final = frozenset({"alembic_version", "schema_version"})

Lines = Iterator[bytes]


@asynccontextmanager
async def dumping(database: Database) -> AsyncGenerator["Dump"]:
    """One consistent view of everything, while it is open."""
    async with database.reading() as connection:
        if database.engine.dialect.name == "postgresql":
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        revision = await connection.run_sync(revision_of)
        yield Dump(connection, revision, await connection.run_sync(_tables))


class Dump:
    """A view that can be read table by table; `revision` is that of the schema."""

    def __init__(self, connection: AsyncConnection, revision: str, tables: Mapping[str, Table]) -> None:
        self._connection = connection
        self.revision = revision
        self.tables = tables

    async def lines(self, table: str) -> AsyncIterator[bytes]:
        """Its rows, each a JSON object on a line, in the order of the primary key."""
        found = self.tables[table]
        rows = await self._connection.stream(select(found).order_by(*found.primary_key.columns))
        async for row in rows.mappings():
            yield orjson.dumps({str(name): _to_json(value) for name, value in row.items()}) + b"\n"


async def load(database: Database, revision: str, tables: Mapping[str, Lines]) -> Mapping[str, int]:
    """Replace everything by these rows; how many each table got. All of it, or nothing.

    Errors: Invalid (`bad-backup`), for a table or a row that does not fit; Misconfigured (`database-newer`).
    """

    def replace(connection: Connection) -> Mapping[str, int]:
        _reflected(connection).drop_all(connection)
        migrate(connection, revision)
        there = _tables(connection)
        counts = {name: _fill(connection, _known(there, name), lines) for name, lines in tables.items()}
        migrate(connection)
        return counts

    async with database.writing() as connection:
        return await connection.run_sync(replace)


def _reflected(connection: Connection) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata


def _tables(connection: Connection) -> Mapping[str, Table]:
    """Every table of ours as it stands there, by name."""
    return {name: table for name, table in sorted(_reflected(connection).tables.items()) if name not in _NOT_OURS}


def _known(tables: Mapping[str, Table], name: str) -> Table:
    if name not in tables:
        message = f"the backup has a table that its own schema has not: {name}"
        raise Invalid(message, hint="use another copy of it", code="bad-backup")
    return tables[name]


def _fill(connection: Connection, table: Table, lines: Lines) -> int:
    """Insert rows, some at once."""
    count = 0
    while batch := list(islice(lines, _AT_ONCE)):
        connection.execute(table.insert(), [_row(table, line) for line in batch])
        count += len(batch)
    return count


def row_of(line: bytes) -> dict[str, Any]:
    """One row, by column. Errors: Invalid (`bad-backup`)."""
    try:
        return {name: _from_json(value) for name, value in orjson.loads(line).items()}
    except (ValueError, AttributeError):
        raise Invalid("a row of the backup is no row", hint="use another copy of it", code="bad-backup") from None


def _row(table: Table, line: bytes) -> dict[str, Any]:
    row = row_of(line)
    if set(row) != set(table.columns.keys()):
        message = f"a row of the backup does not fit its table {table.name}"
        raise Invalid(message, hint="use another copy of it", code="bad-backup")
    return row


def _to_json(value: object) -> object:
    """JSON has no bytes; a text that looks like ours is marked as a text."""
    if isinstance(value, bytes):
        return _BYTES + b64encode(value).decode()
    if isinstance(value, str) and value.startswith((_BYTES, _TEXT)):
        return _TEXT + value
    return value


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith(_BYTES):
        return b64decode(value.removeprefix(_BYTES))
    return value.removeprefix(_TEXT)
