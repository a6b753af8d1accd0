"""The platform in its parts: a registry, two gateways and a server of an author's, each to be killed and started again.

Real processes on loopback, made by `nursery`. The server is `ledger`: what it did stands in a file outside the
platform. Not here: what a test does to them, and what must hold afterwards.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import free_ports

VERSION: Final = "2026-07-28"
WITHIN_S: Final = 60.0
ROLES: Final = ("registry", "server", "gateway-a", "gateway-b")
GATEWAYS: Final = ("gateway-a", "gateway-b")
META: Final = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "parts", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_POLL_S: Final = 0.01
_PLUGIN: Final = "[pierhead.servers]\nledger = tests.rigs.ledger:build\n"
_ROOT: Final = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Nursery:
    """Where processes come from."""

    process: "subprocess.Popen[str]"

    def bear(self, words: Sequence[str | Path], environment: Mapping[str, str], log: str) -> int:
        """A new process that runs `pierhead` with these words."""
        wanted = {"words": [str(word) for word in words], "environment": environment, "log": log}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def nursery_in(folder: Path) -> Generator[Nursery]:
    """One that knows the kind `ledger`: it takes seconds to import everything, so many platforms share it."""
    plugin = folder / "ledger-1.0.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: ledger\nVersion: 1.0\n")
    (plugin / "entry_points.txt").write_text(_PLUGIN)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.rigs.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(_ROOT)))},
    ) as process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(WITHIN_S)


@dataclass(frozen=True)
class Parts:
    """One platform. `clerks` may call the ledger, `frank` and `gina` approve, `ivy` may do both, `mallory` nothing."""

    folder: Path
    database_url: str
    ports: Sequence[int]
    nursery: "Nursery"
    alive: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def registry_url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def public_url(self) -> str:
        """Both gateways answer to it; it is the first one's own."""
        return self.url("gateway-a")

    @property
    def effects_file(self) -> Path:
        return self.folder / "effects"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, role: str) -> str:
        return f"http://127.0.0.1:{self.ports[ROLES.index(role)]}"

    def effects(self) -> Counter[str]:
        """How often each entry was struck."""
        return Counter(self.effects_file.read_text().split()) if self.effects_file.exists() else Counter()

    def start(self, role: str) -> None:
        """Start one part; returns when it answers."""
        environment = {"PIERHEAD__DATABASE__URL": self.database_url} if self.database_url else {}
        if role == "gateway-b":
            environment["PIERHEAD__PLATFORM__REPLICA"] = "b"
        log = str(self.folder / f"{role}.log")
        self.alive[role] = self.nursery.bear(self._words(role), environment, log)
        self._until_it_answers(role)

    def kill(self, role: str) -> None:
        """`kill -9`; returns when it is gone."""
        gone = self.alive.pop(role)
        os.kill(gone, signal.SIGKILL)
        _until(lambda: not _is_there(gone), f"{role} is gone")

    def end(self, role: str) -> None:
        """Ask it to end, and wait until it has."""
        ending = self.alive.pop(role)
        os.kill(ending, signal.SIGTERM)
        _until(lambda: not _is_there(ending), f"{role} has ended")

    @cached_property
    def internal_key(self) -> str:
        return (self.data / "keys" / "internal.key").read_text()

    def _words(self, role: str) -> tuple[str | Path, ...]:
        fleet, registry = ("--fleet", self.folder / "fleet.yaml"), ("--registry", self.registry_url)
        port = ("--port", str(self.ports[ROLES.index(role)]))
        common = (*port, "--data", self.data, "--public-url", self.public_url)
        if role == "registry":
            return ("run", "registry", *fleet, *common)
        if role == "server":
            return ("run", "server", "ledger", *fleet, *registry, *common)
        return ("run", "gateway", *registry, *common, "--diagnostics-port", str(self.ports[-1 - GATEWAYS.index(role)]))

    def _until_it_answers(self, role: str) -> None:
        path = "/v0.1/servers?limit=1" if role == "registry" else "/healthz"
        log = self.folder / f"{role}.log"
        _until(lambda: self._answers(role, path), f"{role} answers: {log.read_text()[-600:] if log.exists() else ''}")

    def _answers(self, role: str, path: str) -> bool:
        assert _is_there(self.alive[role]), (self.folder / f"{role}.log").read_text()[-2000:]
        asking = http.client.HTTPConnection("127.0.0.1", self.ports[ROLES.index(role)], timeout=WITHIN_S)
        try:
            asking.request("GET", path)
            return asking.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asking.close()


@contextmanager
def parts(folder: Path, nursery: Nursery, database_url: str = "", clerks: int = 4) -> Generator[Parts]:
    """A running platform in `folder`; on SQLite there, or on the database named."""
    (folder / "data").mkdir(parents=True)
    (folder / "fleet.yaml").write_text(_fleet(folder / "effects", clerks))
    Keys.at(folder / "data").ensure(("ledger",))
    made = Parts(folder, database_url, free_ports(len(ROLES) + len(GATEWAYS)), nursery)
    try:
        for role in ROLES:
            made.start(role)
        yield made
    finally:
        for left in made.alive.values():
            os.kill(left, signal.SIGKILL)


def _fleet(effects: Path, clerks: int) -> str:
    people = "".join(f"  clerk-{number}: {{groups: [clerks]}}\n" for number in range(clerks))
    return f"""
people:
{people}  frank: {{groups: [platform-admin]}}
  gina: {{groups: [platform-admin]}}
  ivy: {{groups: [clerks, platform-admin]}}
  mallory: {{groups: [ads]}}
servers:
  ledger:
    kind: ledger
    owner: books
    support: "#books"
    access: {{groups: [clerks]}}
    approvers: [platform-admin]
    file: {effects}
    edition: 1.0.0
"""


def call_headers(part: Parts, bearer: str, tool: str = "strike") -> dict[str, str]:
    """Both gateways are asked under the one public name."""
    return {
        "authorization": f"Bearer {bearer}",
        "host": part.public_url.removeprefix("http://"),
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }


def call_body(arguments: object, tool: str = "strike") -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {WITHIN_S:g} s: {what}"
        time.sleep(_POLL_S)
