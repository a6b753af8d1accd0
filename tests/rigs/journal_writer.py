"""A process that makes calls as a host does: intent, effect, outcome. To be killed, traced, or starved of disk.

Each effect appends its call's id to `effects`, each answered call to `acknowledged`. Prints `ready`, then, at its
end, how many calls were refused, and how many of ten more succeeded once a limit on file sizes was lifted.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path

from pierhead.adapters.journal import Journal
from pierhead.adapters.system import SystemClock, SystemIds
from pierhead.core.audit import Actor, CallFinished, CallStarted
from pierhead.core.errors import RecordFailed

DIRECTORY, CALLS = Path(sys.argv[1]), int(sys.argv[2])
ACTOR = Actor("alice", "alice", "", ("data-eng",), "ide", "local")
CALLERS = 16
LINE = 64
"""Bytes of a line of `effects` and `acknowledged`: they divide a page, where a kill can cut a write."""


def appending(name: str) -> int:
    return os.open(DIRECTORY / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(spy: int, call_id: str) -> None:
    os.write(spy, f"{call_id:<{LINE - 1}}\n".encode())


async def call(journal: Journal, call_id: str, effects: int, acknowledged: int) -> bool:
    try:
        await journal.record(CallStarted(call_id, ACTOR, "s", "1", "t", "read", "", "", "d" * 64, 2, {}, 1, (), 1.0))
        note(effects, call_id)
        await asyncio.sleep(0)
        await journal.record(CallFinished(call_id, "ok", "", 1, 1.0))
    except RecordFailed:
        return False
    note(acknowledged, call_id)
    return True


async def main() -> None:
    journal, ids = Journal.open(DIRECTORY, "gateway", SystemClock()), SystemIds()
    effects, acknowledged = appending("effects"), appending("acknowledged")
    print("ready", flush=True)

    async def one(calls: int) -> int:
        return sum([not await call(journal, ids.new(), effects, acknowledged) for _ in range(calls)])

    counts = [CALLS // CALLERS + (number < CALLS % CALLERS) for number in range(CALLERS)]
    refused = sum(await asyncio.gather(*(one(count) for count in counts)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    later = 10 - await one(10)
    journal.close()
    print(refused, later, flush=True)


asyncio.run(main())
