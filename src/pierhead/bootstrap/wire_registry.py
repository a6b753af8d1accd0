"""Puts the registry together: database, policy, record, sign-in, pages.

One typed function. The registry opens no journal: its own facts commit in its database with what they tell of.
Above: `apps/registry` mounts the parts. Not here: listening, processes.
"""

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pierhead.adapters.data_lane import GatewayData
from pierhead.adapters.db import (
    Database,
    DatabaseAudit,
    DatabaseFacts,
    DatabaseManifests,
    DatabasePolicies,
    DatabaseRecords,
    DatabaseSignIn,
    DatabaseStates,
    open_database,
)
from pierhead.adapters.oidc import Issuer, Tokens
from pierhead.adapters.snapshot_signature import SnapshotSigner
from pierhead.adapters.system import SystemClock
from pierhead.adapters.token_signer import JoseSigner
from pierhead.bootstrap.fleet import Fleet
from pierhead.bootstrap.keys import Keys
from pierhead.usecases.advance_server import Registration
from pierhead.usecases.grant_tokens import Terms, TokenDesk
from pierhead.usecases.memory_sign_in import KnownPeople
from pierhead.usecases.ports import Clock
from pierhead.usecases.publish_policy import publish_policy
from pierhead.usecases.serve_policy import ServedPolicy

ADMINS: Final = frozenset({"platform-admin"})
AUDITORS: Final = frozenset({"security-reviewers"}) | ADMINS
_BY: Final = "fleet"


@dataclass(frozen=True, slots=True)
class RegistrySetting:
    """Where the registry stands. `surface` and `environment` are those of callers at the public port."""

    data: Path
    fleet: Fleet
    public_url: str
    surface: str
    environment: str
    database_url: str = ""
    """Empty: SQLite in the data directory."""


@dataclass(frozen=True, slots=True)
class RegistryAdapters:
    """Ports, filled."""

    setting: RegistrySetting
    keys: Keys
    clock: Clock
    database: Database
    registration: Registration
    policy: ServedPolicy
    signer: SnapshotSigner
    facts: DatabaseFacts
    records: DatabaseRecords
    states: DatabaseStates
    desk: TokenDesk
    data: GatewayData
    tokens: Tokens
    """Verifies what callers of the API present, as the gateway does; the keys are the registry's own."""


async def registry_adapters(setting: RegistrySetting, opened: AsyncExitStack) -> RegistryAdapters:
    """Open the database, publish what the fleet file says, and fill every port; `opened` closes it again.

    Errors: Misconfigured; nothing is left open then.
    """
    keys, clock = Keys.at(setting.data), SystemClock()
    database = await open_database(setting.database_url or f"sqlite:///{setting.data.resolve() / 'pierhead.db'}")
    opened.push_async_callback(database.close)
    manifests, policies = DatabaseManifests(database), DatabasePolicies(database)
    policy = ServedPolicy()
    policy.put(await publish_policy(setting.fleet.servers.values(), manifests, policies, clock, _BY))
    data = GatewayData.at(setting.public_url)
    opened.push_async_callback(data.close)
    signer = JoseSigner(keys.read("token.jwk").decode())

    async def own_keys() -> bytes:
        return json.dumps(signer.public_keys()).encode()

    desk = TokenDesk(
        store=DatabaseSignIn(database),
        signer=signer,
        people=KnownPeople(setting.fleet.people, setting.fleet.claims),
        audit=DatabaseAudit(database, clock),
        clock=clock,
        terms=Terms(setting.public_url),
    )
    return RegistryAdapters(
        setting=setting,
        keys=keys,
        clock=clock,
        database=database,
        registration=Registration(setting.fleet.servers, manifests, policies, clock),
        policy=policy,
        signer=SnapshotSigner.of(keys.read("snapshot.key")),
        facts=DatabaseFacts(database),
        records=DatabaseRecords(database),
        states=DatabaseStates(database),
        desk=desk,
        data=data,
        tokens=Tokens(Issuer(setting.public_url, frozenset({"RS256"}), own_keys), clock, policy),
    )
