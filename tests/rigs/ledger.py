"""A kind of server for tests, made with the SDK: its one tool is destructive, and each run leaves a line in a file.

The line is the effect, outside the platform, written once and synced before the tool goes on. A run that is told to
`hang` stays in the tool after its effect, so that a kill finds it there.
"""

import asyncio
import os
from collections.abc import Mapping

from pierhead import Caller, Server

HANGING_S = 25.0


def build(name: str, settings: Mapping[str, object]) -> Server:
    """The entry point of the kind `ledger`; `file` is where the lines go, `edition` its version."""
    server = Server(name, owner="books", support="#books", version=str(settings["edition"]))
    file = str(settings["file"])

    @server.tool(policy="everyone", effect="destructive", minutes_saved=1, timeout=30)
    async def strike(entry: str, hang: bool = False, *, caller: Caller) -> dict[str, str]:
        """Strike an entry from the books."""
        await asyncio.sleep(0.002)
        _leave(file, entry)
        await asyncio.sleep(HANGING_S if hang else 0.002)
        return {"struck": entry, "by": caller.name}

    return server


def _leave(file: str, entry: str) -> None:
    line = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(line, f"{entry}\n".encode())
    finally:
        os.close(line)
