"""The product's SQL server over PostgreSQL, put together as `bootstrap/wire_server` does, but for the registry.

Arguments: a folder with `server.json` (see `bench/sql.py`); the journal is written below it.
"""

import asyncio
import json
import socket
import sys
from pathlib import Path

from bench.policy import GROUP
from pierhead.adapters.assertion import Verifier
from pierhead.adapters.journal import Journal
from pierhead.adapters.system import SystemClock
from pierhead.apps import serving
from pierhead.bootstrap.running import bound
from pierhead.core.catalog import Stage
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import Who
from pierhead.core.snapshot import Snapshot
from pierhead.sdk import Server
from pierhead.sdk.governance import govern
from pierhead.sdk.host import host
from pierhead.servers.sql import build
from pierhead.usecases.memory import MemorySnapshots, NoApprovals, snapshot_of

NAME = "warehouse"


def server(database_url: str) -> Server:
    """The server as the fleet file would declare it: one role, one table."""
    role = {"tables": ["measurements"], "operations": ["read"], "groups": [GROUP]}
    settings = {
        "owner": "data-platform",
        "support": "#data-help",
        "url": database_url,
        "roles": {"analyst": role},
        "rate_limits": False,
    }
    return build(NAME, settings)


def snapshot(database_url: str, upstream: str) -> Snapshot:
    """What a registry would say of it."""
    row = Row(NAME, Who(groups=frozenset({GROUP})), EVERY, EVERY, EVERY)
    return snapshot_of([server(database_url).listed(Stage.DEPLOYED, upstream)], [row])


def main(folder: Path) -> None:
    """Run until told to stop."""
    asked = json.loads((folder / "server.json").read_text())
    clock, sql = SystemClock(), server(asked["database_url"])
    journal = Journal.open(folder / "journal", f"server-{NAME}", clock)
    snapshots = MemorySnapshots(snapshot(asked["database_url"], ""))
    governance = govern(NAME, sql.tools, snapshots, NoApprovals(), journal, clock)
    application = host(sql, governance, Verifier(bytes.fromhex(asked["key"]), NAME, clock))
    listener = bound("127.0.0.1", asked["port"])
    serving.run(lambda: _serve(application, listener))
    journal.close()


async def _serve(application: serving.Application, listener: socket.socket) -> None:
    """As the product's own program serves it, until a signal."""
    stopping = asyncio.Event()
    serving.stop_on_signals(stopping)
    await serving.serve(application, [listener], stopping, drain_s=5, lifespan="on")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
