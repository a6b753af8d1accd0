"""What servers say of themselves, what their processes do, and the keys of those that run elsewhere.

Each change commits with its fact.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson
from sqlalchemy import delete, select

from pierhead.adapters.db.engine import Database
from pierhead.adapters.db.facts import append_own
from pierhead.adapters.db.schema import MANIFESTS, SERVER_KEYS, STATES
from pierhead.core.audit import Fact
from pierhead.core.server_key import ServerKey
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


@dataclass(frozen=True, slots=True)
class DatabaseServerKeys:
    """Fills `ports_registry.ServerKeys`."""

    database: Database

    async def keys(self) -> Mapping[str, ServerKey]:
        async with self.database.reading() as connection:
            rows = (await connection.execute(select(SERVER_KEYS))).mappings().all()
        return {row["server"]: ServerKey(**row) for row in rows}

    async def key(self, server: str) -> ServerKey | None:
        query = select(SERVER_KEYS).where(SERVER_KEYS.c.server == server)
        async with self.database.reading() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return ServerKey(**row) if row else None

    async def keep_key(self, key: ServerKey, fact: Fact) -> None:
        async with self.database.writing() as connection:
            await connection.execute(self.database.upsert(SERVER_KEYS, [asdict(key)]))
            await append_own(self.database, connection, fact, key.made_at)

    async def end_key(self, server: str, at: float, fact: Fact) -> None:
        async with self.database.writing() as connection:
            await connection.execute(delete(SERVER_KEYS).where(SERVER_KEYS.c.server == server))
            await append_own(self.database, connection, fact, at)
