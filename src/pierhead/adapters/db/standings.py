"""Where every version stands, without reading the definitions of those that did not change.

Definitions are most of what a version weighs, and no list shows them: a row is read whole once, then only when its
lock is another. Not here: changing anything (`catalogue`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import RowMapping, func, select

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.schema import ENTRIES, MOVES, VERSIONS
from pierhead.core.catalog import Stage, Step
from pierhead.core.review import Binding
from pierhead.usecases.ports_official import CLIENTS_SAW, Standing

_LISTED: Final = [str(stage) for stage in sorted(CLIENTS_SAW | {Stage.RETIRED})]
_AT_ONCE: Final = 100

_Name = tuple[str, str]


@dataclass(slots=True, eq=False)
class DatabaseStandings:
    """Fills `ports_official.Standings`."""

    database: Database
    _read: dict[_Name, tuple[tuple[int, float], Standing]] = field(
        default_factory=dict[_Name, tuple[tuple[int, float], Standing]]
    )

    async def mark(self) -> object:
        """Locks only ever rise, and nothing is removed: equal sums are equal states."""
        entries = select(func.count(), func.sum(ENTRIES.c.lock)).select_from(ENTRIES)
        versions = select(func.count(), func.sum(VERSIONS.c.lock)).select_from(VERSIONS)
        async with self.database.reading() as connection:
            found = [(await connection.execute(query)).one() for query in (entries, versions)]
        return [(int(count), int(locks or 0)) for count, locks in found]

    async def known(self) -> Sequence[Standing]:
        columns = (VERSIONS.c.server, VERSIONS.c.version, VERSIONS.c.stage, VERSIONS.c.lock, ENTRIES.c.made_at)
        query = select(*columns).join(ENTRIES, ENTRIES.c.name == VERSIONS.c.server)
        retired = select(MOVES.c.server, MOVES.c.version, MOVES.c.source).where(MOVES.c.step == str(Step.RETIRE))
        async with self.database.reading() as connection:
            rows = (await connection.execute(query.where(VERSIONS.c.stage.in_(_LISTED)))).all()
            moves = (await connection.execute(retired)).all()
        were_deployed = {(server, version) for server, version, source in moves if Stage(source) in CLIENTS_SAW}
        standing = {
            (server, version): (lock, made_at)
            for server, version, stage, lock, made_at in rows
            if stage != Stage.RETIRED or (server, version) in were_deployed
        }
        await self._read_anew({name: at for name, at in standing.items() if self._is_other(name, at)})
        self._read = {name: kept for name, kept in self._read.items() if name in standing}
        return [kept for _, kept in self._read.values()]

    def _is_other(self, name: _Name, at: tuple[int, float]) -> bool:
        kept = self._read.get(name)
        return kept is None or kept[0] != at

    async def _read_anew(self, changed: dict[_Name, tuple[int, float]]) -> None:
        """Some at a time, so that other requests are answered in between."""
        servers = sorted({server for server, _ in changed})
        for begin in range(0, len(servers), _AT_ONCE):
            for row in await self._rows(servers[begin : begin + _AT_ONCE]):
                name = (row["server"], row["version"])
                if name in changed:
                    at = changed[name]
                    self._read[name] = ((row["lock"], at[1]), _standing(row, declared_at=at[1]))
            await asyncio.sleep(0)

    async def _rows(self, servers: list[str]) -> Sequence[RowMapping]:
        query = select(VERSIONS).where(VERSIONS.c.server.in_(servers))
        async with self.database.reading() as connection:
            return (await connection.execute(query)).mappings().all()


def _standing(row: RowMapping, declared_at: float) -> Standing:
    kept: dict[str, Any] = orjson.loads(row["document"])
    return Standing(
        server=row["server"],
        version=row["version"],
        stage=Stage(row["stage"]),
        published_at=row["published_at"],
        moved_at=kept["moved_at"],
        declared_at=declared_at,
        reason=kept["reason"],
        message=kept["message"],
        successor=kept["successor"],
        sunset_at=kept["sunset_at"],
        document=kept["entry"],
        conditions=tuple(kept["conditions"]),
        binding=Binding(**kept["binding"]),
    )
