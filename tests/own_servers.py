"""A server that its team runs: code of the SDK in a folder, started as its own program with its credential."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
from tests.running_platform import PIERHEAD

_START_S: Final = 60.0
_CODE: Final = '''
from pierhead import Caller, Server

server = Server("lunch", owner="kitchen", support="#lunch", version="{version}", description="What is cooked.")


@server.tool(policy="everyone", effect="read", minutes_saved=1)
async def menu(day: str) -> list[str]:
    """{says}"""
    return ["soup", day]


@server.tool(policy="group:cooks", effect="read", minutes_saved=1)
async def stock(*, caller: Caller) -> str:
    """What is left in the kitchen, and who asks."""
    return caller.name


@server.tool(policy="everyone", effect="write", approval="approve", minutes_saved=5)
async def cater(people: int) -> str:
    """Have the kitchen cook for so many people."""
    return f"soup for {{people}}"
'''


@dataclass
class OwnServer:
    """One server's folder, and its process while it runs."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def credential(self) -> Path:
        return self.folder / "lunch.credential"

    def writes(self, says: str, version: str = "1.0.0") -> None:
        """Its code, with this text of its first tool."""
        (self.folder / "lunch.py").write_text(_CODE.format(says=says, version=version))

    def start(self) -> None:
        """Start it and wait until it answers."""
        words = (
            "run",
            "own",
            "lunch:server",
            "--credential",
            str(self.credential),
            "--data",
            str(self.folder / "data"),
        )
        with (self.folder / "lunch.log").open("ab") as log:
            self.process = subprocess.Popen([*PIERHEAD, *words], cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_S
        while not self._answers():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def end(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(_START_S) == 0, self.said()
            self.process = None

    def said(self) -> str:
        return (self.folder / "lunch.log").read_text()

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False).is_success
        except httpx2.TransportError:
            return False


@contextmanager
def own_server(folder: Path, port: int) -> Iterator[OwnServer]:
    folder.mkdir()
    server = OwnServer(folder, port)
    try:
        yield server
    finally:
        server.end()
