"""The gateway as the product puts it together: token check, policy, durable journal, metrics, assertion.

Real in every part but one: the snapshot is made here rather than fetched, so that no registry stands beside it.
Arguments: a folder with `gateway.json` (see `bench/gateway.py`); the journal is written below it.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from bench.policy import everyday_snapshot
from bench.programs import sql_server
from pierhead.adapters.journal import Journal
from pierhead.adapters.system import SystemClock, SystemIds
from pierhead.apps.gateway import program
from pierhead.bootstrap.mesh_settings import MeshSettings
from pierhead.bootstrap.running import bound_path
from pierhead.bootstrap.wire_gateway import GatewaySetting, gateway_adapters
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.memory import MemorySnapshots


def main(folder: Path) -> None:
    """Run until told to stop."""
    asked = json.loads((folder / "gateway.json").read_text())
    clock = SystemClock()
    mesh = MeshSettings.model_validate(asked.get("mesh", {}))
    setting = GatewaySetting(
        public_url=asked.get("public_url") or f"http://127.0.0.1:{asked['port']}",
        registry_url=asked["issuer_url"],
        surface="ide",
        environment="local",
        assertion_key=bytes.fromhex(asked["assertion_key"]),
        mesh=mesh,
    )
    snapshots = MemorySnapshots(_snapshot(asked))
    journal = Journal.open(folder / "journal", "gateway", clock)
    outside = gateway_adapters(setting, snapshots=snapshots, audit=journal, clock=clock, ids=SystemIds())
    gateway = program(outside, {})
    with uvloop_runner() as runner:
        doors = ((gateway.of_sidecar, mesh.sidecar_socket), (gateway.authz, mesh.authz_socket))
        opened = [(application, bound_path(path)) for application, path in doors if path]
        runner.run(gateway.run(bound(asked["port"]), bound(0), *opened))
    journal.close()


def _snapshot(asked: Mapping[str, Any]) -> Snapshot:
    """The everyday one, or that of the SQL server whose url is named."""
    if asked.get("database_url"):
        return sql_server.snapshot(asked["database_url"], asked["upstream"])
    everyday = everyday_snapshot(asked["upstream"])
    if not asked.get("mesh"):
        return everyday
    rows = dict(everyday.rows)
    rows["warehouse"] = (*rows["warehouse"], workload_row(next(iter(asked["mesh"]["workloads"]))))
    return replace(everyday, rows=rows)


def workload_row(spiffe_id: str) -> Row:
    """What opens the warehouse to a workload."""
    return Row("warehouse", parse_who(f"workload:{spiffe_id}"), EVERY, EVERY, EVERY)


def uvloop_runner() -> asyncio.Runner:
    """A runner on the loop the product runs on."""
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def bound(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes any."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1024)
    return listener


if __name__ == "__main__":
    main(Path(sys.argv[1]))
