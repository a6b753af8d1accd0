"""Starting the rig `remote_mcp`, a real server of somebody else, and telling it what to be."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
from tests.components import free_port

_RIG: Final = Path(__file__).parent / "rigs" / "remote_mcp.py"
_START_S: Final = 20.0


@dataclass
class RemoteServer:
    """One process that serves MCP at `url`."""

    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def tell(self, **changes: Any) -> None:
        httpx2.post(f"http://127.0.0.1:{self.port}/rig", json=changes, trust_env=False).raise_for_status()

    def seen(self) -> dict[str, Any]:
        return httpx2.get(f"http://127.0.0.1:{self.port}/rig", trust_env=False).json()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        self.process = _started(self.port)


@contextmanager
def remote_server() -> Iterator[RemoteServer]:
    port = free_port()
    server = RemoteServer(port, _started(port))
    try:
        yield server
    finally:
        server.end()


def _started(port: int) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, str(_RIG), str(port)])
    deadline = time.monotonic() + _START_S
    while True:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/rig", trust_env=False)
        except httpx2.TransportError:
            assert process.poll() is None, "the rig ended"
            assert time.monotonic() < deadline, "the rig did not start"
            time.sleep(0.05)
        else:
            return process
