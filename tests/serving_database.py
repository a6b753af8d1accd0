"""`pierhead serve` as its user starts it: a process of its own, on a free port, in a data directory of its own."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

PIERHEAD = (sys.executable, "-m", "pierhead.apps.cli")
WITHIN_S = 60.0
_POLL_S = 0.05


@dataclass(frozen=True)
class Serving:
    """One serving process. `facts` is what it printed when it was ready, `log` the file of its stderr."""

    data: Path
    process: "subprocess.Popen[str]"
    facts: Mapping[str, Any]
    log: Path
    began: float = field(default_factory=time.monotonic)

    @property
    def url(self) -> str:
        return str(self.facts["url"])

    @property
    def key(self) -> str:
        return str(self.facts["key"])

    def http(self, key: str = "") -> httpx2.Client:
        headers = {"authorization": f"Bearer {key or self.key}"}
        return httpx2.Client(base_url=self.url, headers=headers, trust_env=False, timeout=WITHIN_S)

    @asynccontextmanager
    async def mcp(self, key: str = "", mode: str = "auto") -> AsyncGenerator[Client]:
        headers = {"authorization": f"Bearer {key or self.key}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False, timeout=WITHIN_S) as http,
            Client(streamable_http_client(str(self.facts["mcp"]), http_client=http), mode=mode) as client,
        ):
            yield client

    def tell(self, *arguments: str) -> str:
        """What a command that must succeed on this data directory prints."""
        done = pierhead(*arguments, "--data", str(self.data))
        assert done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WITHIN_S)


def pierhead(*arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*PIERHEAD, *arguments], capture_output=True, text=True, timeout=120, check=False, **more)


@contextmanager
def serving(url: str, data: Path, *flags: str) -> Iterator[Serving]:
    """A database, served on a free port; stopped at the end, whatever happened."""
    command = [*PIERHEAD, "serve", "--db", url, "--data", str(data), "--port", "0", "--json", *flags]
    log = data.parent / "serve.log"
    with log.open("w") as talk:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=talk, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Serving(data, process, json.loads(line), log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(WITHIN_S)
        process.stdout.close()


def within(seconds: float, ask: Any) -> Any:
    """Ask until the answer is truthy, at most so long."""
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(_POLL_S)
    return found
