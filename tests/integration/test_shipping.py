"""Journal to registry over real HTTP, with the registry away in between: nothing lost, nothing stored twice."""

import asyncio
import socket
from pathlib import Path

import pytest

from pierhead.adapters.journal import Journal
from pierhead.adapters.remote import Registry
from pierhead.adapters.snapshot_file import SnapshotOnDisk
from pierhead.adapters.snapshot_signature import SnapshotVerifier
from pierhead.adapters.system import SystemClock
from pierhead.apps.registry import run
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_audit import verify
from pierhead.bootstrap.wire_registry import RegistrySetting
from pierhead.core.audit import CallFinished
from pierhead.core.errors import UpstreamUnreachable
from pierhead.core.snapshot import AgeLimits
from pierhead.usecases.follow_policy import FollowedPolicy
from pierhead.usecases.ports_registry import Held
from pierhead.usecases.ship_facts import Shipping, ship_once

FLEET = """
servers:
  clock:
    kind: stdio
    command: [env]
    owner: o
    support: s
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
"""


def test_facts_reach_the_registry_once_though_it_was_away(tmp_path: Path) -> None:
    path, keys = tmp_path / "fleet.yaml", Keys.at(tmp_path)
    path.write_text(FLEET)
    fleet = fleet_file.load(path, tmp_path)
    keys.ensure(tuple(fleet.servers))

    async def story() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        journal = Journal.open(tmp_path / "journal", "gateway", SystemClock())
        await asyncio.gather(*(journal.record(CallFinished(str(number), "ok", "", 0, 1.0)) for number in range(1200)))
        remote, progress = Registry.at(url, keys.read("internal.key")), Shipping()
        listener.close()
        with pytest.raises(UpstreamUnreachable):
            await ship_once("gateway", journal, remote, progress)
        listener = socket.create_server(("127.0.0.1", int(url.rpartition(":")[2])))
        serving = asyncio.ensure_future(run(RegistrySetting(tmp_path, fleet, url, "ide", "local"), listener))
        try:
            await ship_once("gateway", journal, remote, progress)
            assert progress.acknowledged == 1200
            await ship_once("gateway", journal, remote, Shipping())
            file = SnapshotOnDisk(tmp_path / "snapshots" / "gateway.json")
            signature = SnapshotVerifier.of(keys.read("snapshot.pub"))
            policy = FollowedPolicy(SystemClock(), AgeLimits(60, 900), signature, file)
            policy.take(await remote.snapshot(Held(0, "", 0), 0))
            assert "clock" in policy.current().servers
        finally:
            await remote.close()
            journal.close()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            listener.close()
        found = await verify(tmp_path)
        assert found.broken == ""
        assert found.registry is not None
        assert found.registry.records == 1202  # those, one entry, one policy

    asyncio.run(story())
