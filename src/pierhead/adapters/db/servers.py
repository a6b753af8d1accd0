"""What servers say of themselves, and what their processes do. Each change commits with its fact."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from sqlalchemy import select

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_own
from pierhead.adapters.db.schema import MANIFESTS, STATES
from pierhead.core.audit import Fact
from pierhead.usecases.ports_records import ProcessState
from pierhead.usecases.wire_forms import Manifest, manifest_from_form, manifest_to_form


@dataclass(frozen=True, slots=True)
class DatabaseManifests:
    """Fills `ports_registry.Manifests`."""

    database: Database

    async def all(self) -> Mapping[str, Manifest]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(select(MANIFESTS.c.server, MANIFESTS.c.document))).all()
        return {row.server: manifest_from_form(orjson.loads(row.document)) for row in rows}

    async def one(self, server: str) -> Manifest | None:
        async with self.database.reading() as connection:
            query = select(MANIFESTS.c.document).where(MANIFESTS.c.server == server)
            document = (await connection.execute(query)).scalar_one_or_none()
        return manifest_from_form(orjson.loads(document)) if document else None

    async def keep(self, server: str, manifest: Manifest, at: float, fact: Fact) -> None:
        row = {
            "server": server,
            "version": manifest.version,
            "document": orjson.dumps(manifest_to_form(manifest)).decode(),
            "published_at": at,
        }
        async with self.database.writing() as connection:
            await connection.execute(self.database.upsert(MANIFESTS, [row]))
            await append_own(self.database, connection, fact, at)


@dataclass(frozen=True, slots=True)
class DatabaseStates:
    """Fills `ports_registry.ProcessStates` and `ports_records.Processes`."""

    database: Database

    async def keep_state(self, server: str, state: str, reason: str, at: float, fact: Fact) -> None:
        row = {"server": server, "state": state, "reason": reason, "since": at}
        async with self.database.writing() as connection:
            await connection.execute(self.database.upsert(STATES, [row]))
            await append_own(self.database, connection, fact, at)

    async def states(self) -> Mapping[str, ProcessState]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(select(STATES))).mappings().all()
        return {row["server"]: ProcessState(row["state"], row["reason"], row["since"]) for row in rows}
