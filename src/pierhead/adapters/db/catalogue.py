"""Every server, version and review. A change is written with its facts in one transaction, or not at all.

A row carries a `lock` that counts its changes: whoever writes names the one they read, and an older one is refused.
Not here: the form of a row (`catalogue_rows`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, Table, and_, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from pierhead.adapters.db.catalogue_rows import (
    Row,
    entry_from_row,
    entry_to_row,
    move_from_row,
    move_to_row,
    part_from_row,
    part_to_row,
    review_from_row,
    review_to_row,
    version_from_row,
    version_to_row,
)
from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_all
from pierhead.adapters.db.notices import keep_new
from pierhead.adapters.db.schema import ENTRIES, MOVES, PARTS, REVIEWS, VERSIONS
from pierhead.core.catalog import Stage
from pierhead.core.errors import Conflict
from pierhead.core.packet import Part, PartKind
from pierhead.core.review import Review
from pierhead.usecases.ports_catalogue import Change, Entry, Move, Version, endings

_NEWEST: Final = VERSIONS.c.published_at.desc(), VERSIONS.c.lock, VERSIONS.c.version.desc()


@dataclass(frozen=True, slots=True)
class DatabaseCatalogue:
    """Fills `ports_catalogue.Catalogue`."""

    database: Database

    async def entries(self) -> Mapping[str, Entry]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(select(ENTRIES))).mappings().all()
        return {row["name"]: entry_from_row(row) for row in sorted(rows, key=lambda row: str(row["name"]))}

    async def entry(self, server: str) -> Entry | None:
        async with self.database.reading() as connection:
            found = await connection.execute(select(ENTRIES).where(ENTRIES.c.name == server))
            row = found.mappings().one_or_none()
        return entry_from_row(row) if row else None

    async def versions(self, server: str) -> Sequence[Version]:
        return await self._versions(select(VERSIONS).where(VERSIONS.c.server == server))

    async def all_versions(self) -> Mapping[str, Sequence[Version]]:
        found: dict[str, list[Version]] = {}
        for version in await self._versions(select(VERSIONS)):
            found.setdefault(version.server, []).append(version)
        return dict(sorted(found.items()))

    async def current_versions(self) -> Mapping[str, Version]:
        is_current = and_(VERSIONS.c.server == ENTRIES.c.name, VERSIONS.c.version == ENTRIES.c.current)
        query = select(VERSIONS).join(ENTRIES, is_current)
        return {version.server: version for version in await self._versions(query)}

    async def ending(self, until: float) -> Sequence[Version]:
        deprecated = select(VERSIONS).where(VERSIONS.c.stage == str(Stage.DEPRECATED))
        return endings(await self._versions(deprecated), until)

    async def moves(self, server: str) -> Sequence[Move]:
        query = select(MOVES).where(MOVES.c.server == server).order_by(MOVES.c.number)
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [move_from_row(row) for row in rows]

    async def reviews(self, server: str = "") -> Sequence[Review]:
        query = select(REVIEWS).order_by(REVIEWS.c.submitted_at.desc(), REVIEWS.c.id.desc())
        return await self._reviews(query.where(REVIEWS.c.server == server) if server else query)

    async def open_reviews(self) -> Sequence[Review]:
        query = select(REVIEWS).where(REVIEWS.c.closed_at.is_(None))
        return await self._reviews(query.order_by(REVIEWS.c.submitted_at, REVIEWS.c.id))

    async def review(self, review_id: str) -> Review | None:
        return next(iter(await self._reviews(select(REVIEWS).where(REVIEWS.c.id == review_id))), None)

    async def packet(self, bound: str) -> Sequence[Part]:
        columns = [column for column in PARTS.c if column is not PARTS.c.content]
        query = select(*columns).where(PARTS.c.bound == bound).order_by(PARTS.c.kind)
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [part_from_row(row) for row in rows]

    async def part(self, bound: str, kind: PartKind) -> bytes | None:
        query = select(PARTS.c.content).where(PARTS.c.bound == bound, PARTS.c.kind == str(kind))
        async with self.database.reading() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def change(self, change: Change, at: float) -> None:
        try:
            async with self.database.writing() as connection:
                await _write(connection, ENTRIES, [entry_to_row(entry) for entry in change.entries])
                await _write(connection, VERSIONS, [version_to_row(version) for version in change.versions])
                await _write(connection, REVIEWS, [review_to_row(review) for review in change.reviews])
                await _add_moves(connection, change.moves)
                await _replace_parts(connection, change.parts)
                for notice in change.notices:
                    await keep_new(self.database, connection, notice)
                if change.facts:
                    await append_all(self.database, connection, change.facts, at)
        except IntegrityError:
            raise _changed() from None

    async def _versions(self, query: Select[tuple[object, ...]]) -> Sequence[Version]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(query.order_by(*_NEWEST))).mappings().all()
        return [version_from_row(row) for row in rows]

    async def _reviews(self, query: Select[tuple[object, ...]]) -> Sequence[Review]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [review_from_row(row) for row in rows]


async def _write(connection: AsyncConnection, table: Table, rows: Iterable[Row]) -> None:
    """New rows at once, others one by one, each only if its lock is still the one before.

    Errors: Conflict; IntegrityError, for a new one that is there already.
    """
    kept = list(rows)
    new = [row for row in kept if row["lock"] == 1]
    if new:
        await connection.execute(table.insert(), new)
    for row in kept:
        if row["lock"] > 1:
            keys = [column == row[column.name] for column in table.primary_key]
            changed = table.update().where(*keys, table.c.lock == row["lock"] - 1).values(row)
            if (await connection.execute(changed)).rowcount != 1:
                raise _changed()


async def _add_moves(connection: AsyncConnection, moves: Iterable[Move]) -> None:
    for move in moves:
        last = select(func.coalesce(func.max(MOVES.c.number), 0)).where(MOVES.c.server == move.server)
        number = (await connection.execute(last)).scalar_one() + 1
        await connection.execute(MOVES.insert().values(move_to_row(move, number)))


async def _replace_parts(connection: AsyncConnection, parts: Iterable[tuple[Part, bytes]]) -> None:
    for part, content in parts:
        same = PARTS.c.bound == part.bound, PARTS.c.kind == str(part.kind)
        await connection.execute(PARTS.delete().where(*same))
        await connection.execute(PARTS.insert().values(part_to_row(part, content)))


def _changed() -> Conflict:
    return Conflict("somebody else changed it meanwhile", hint="read it again, then decide", code="changed-meanwhile")
