"""How long one change takes in a registry of 2,000 servers with 20,000 tools: composed, published, signed, followed.

    python bench/policy_of_a_large_fleet.py [SERVERS [TOOLS_EACH]]

The database is SQLite in a temporary directory; the follower is what a gateway runs. Prints milliseconds.
"""

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pierhead.adapters.db import (
    Database,
    DatabaseCatalogue,
    DatabaseManifests,
    DatabasePolicies,
    DatabaseServerKeys,
    open_database,
)
from pierhead.adapters.snapshot_file import SnapshotOnDisk
from pierhead.adapters.snapshot_signature import SnapshotSigner, SnapshotVerifier
from pierhead.adapters.system import SystemClock, SystemIds
from pierhead.bootstrap.entries import EntryDeclarations
from pierhead.bootstrap.keys import Keys
from pierhead.core.approval import Approval
from pierhead.core.audit import ServerPublished
from pierhead.core.catalog import Effect, Stage, Step, Tool
from pierhead.core.identity import Caller, User
from pierhead.core.review import Gate
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import AgeLimits
from pierhead.core.usage import Minutes
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.check_guest import NOTHING_ALLOWED
from pierhead.usecases.follow_policy import FollowedPolicy
from pierhead.usecases.ports_catalogue import Change
from pierhead.usecases.ports_review import NO_KEYS, NOBODY
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_policy import PolicySource, publish_policy
from pierhead.usecases.publish_version import new_version
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.rights import Rights
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.trust_fleet import enter_fleet
from pierhead.usecases.wire_forms import Manifest

SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string", "description": f"The {name} to look at."} for name in ("table", "column")},
    "required": ["table"],
    "additionalProperties": False,
}
DOCUMENT = {
    "kind": "sql",
    "owner": "data",
    "support": "#data",
    "access": {"groups": ["data-eng"]},
    "url": "sqlite:///x",
}


@contextmanager
def measured(what: str) -> Generator[None]:
    before, used = time.perf_counter(), time.process_time()
    yield
    wall, cpu = (time.perf_counter() - before) * 1000, (time.process_time() - used) * 1000
    print(f"{what:<48} {wall:10.1f} ms {cpu:10.1f} ms of CPU")


def manifest(count: int, version: str = "1") -> Manifest:
    tools = tuple(
        Tool(
            name=f"tool_{number}",
            description="Looks at one column of one table, and says what values it has, most frequent first. " * 2,
            policy=parse_who("group:data-eng or group:analytics"),
            effect=Effect.READ,
            approval=Approval.NONE,
            minutes=Minutes.estimate(2),
            input_schema=SCHEMA,
            output_schema={},
        )
        for number in range(count)
    )
    return Manifest(version, "", "http://127.0.0.1:1/mcp", tools)


def desk_on(database: Database) -> RegistryDesk:
    """A registry process on that database, as it starts."""
    rights = Rights(parse_who("everyone"), dict.fromkeys(Gate, "reviewers"), frozenset({"admin"}), NOTHING_ALLOWED)
    source = PolicySource(
        DatabaseCatalogue(database),
        DatabaseManifests(database),
        DatabasePolicies(database),
        DatabaseServerKeys(database),
        EntryDeclarations(),
        SystemClock(),
        ServedPolicy(),
        trusts_fleet=True,
    )
    return RegistryDesk(source, rights, SystemIds(), NO_KEYS, NOBODY)


async def fill(desk: RegistryDesk, servers: int, tools: int) -> None:
    """Every server entered, deployed and live."""
    with measured("entries of the fleet file"):
        await enter_fleet({f"server-{number:04}": DOCUMENT for number in range(servers)}, desk)
    entries, now = await desk.catalogue.entries(), desk.clock.now()
    for name in entries:
        await desk.manifests.keep(name, manifest(tools), now, ServerPublished(name, "1", "deployed", "", "bench"))
    made = [new_version(entry, manifest(tools), (), "fleet", desk) for entry in entries.values()]
    deployed = tuple(replace(version, stage=Stage.DEPLOYED) for version in made)
    current = tuple(replace(entry, current="1") for entry in entries.values())
    await desk.catalogue.change(Change((), entries=current, versions=deployed), now)


async def change(desk: RegistryDesk, signer: SnapshotSigner, followed: FollowedPolicy) -> None:
    """Changes of one server, each followed to where calls are decided."""
    admin = Caller(User("", "frank", frozenset({"admin"})), "web", "local", "")
    asked = StepAsked("server-0007", "1", Step.SUSPEND, "measured")
    with measured("one change, end to end"):
        with measured("  change, compose, publish"):
            await take_step(asked, admin, desk)
        with measured("  payload and signature"):
            envelope = signer.seal(desk.served.payload(desk.clock.now(), followed.base))
        with measured("  verified, read, swapped, kept on disk"):
            followed.take(envelope)
    with measured("one server's new definitions, published"):
        await publish_manifest("server-0008", replace(manifest(10), version="2"), desk)
    with measured("  followed"):
        followed.take(signer.seal(desk.served.payload(desk.clock.now(), followed.base)))
    with measured("no change, confirmed again"):
        followed.take(signer.seal(desk.served.payload(desk.clock.now(), followed.base)))


async def story(servers: int, tools: int, data: Path) -> None:
    keys = Keys.at(data)
    keys.ensure(())
    database = await open_database(f"sqlite:///{data / 'pierhead.db'}")
    await fill(desk_on(database), servers, tools)
    desk = desk_on(database)
    with measured("start: everything composed and published"):
        await publish_policy(desk.source, "fleet")
    print(f"{'the revision':<48} {len(desk.served.payload(0.0)) / 2**20:10.1f} MiB")
    signer = SnapshotSigner.of(keys.read("snapshot.key"))
    verifier = SnapshotVerifier.of(keys.read("snapshot.pub"))
    followed = FollowedPolicy(desk.clock, AgeLimits(60, 900), verifier, SnapshotOnDisk(data / "snapshot.json"))
    with measured("follower: first snapshot"):
        followed.take(signer.seal(desk.served.payload(desk.clock.now())))
    await change(desk, signer, followed)
    print(f"{'resident at most':<48} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:10.1f} MiB")
    await database.close()


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]] + [2000, 10][len(sys.argv) - 1 :]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(given[0], given[1], Path(folder)))
