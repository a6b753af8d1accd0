"""The whole platform as its user starts it: `pierhead up`, on free ports, in a data directory of its own.

One class starts it, stops it, asks its commands and its pages, and finds its processes. What a test proves is not here.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from tests.pages import hidden

from pierhead.bootstrap.running import free_ports

PIERHEAD = (sys.executable, "-m", "pierhead.apps.cli")
#: `up` promises ten seconds; a machine that runs other tests meanwhile may take longer, but not this long.
READY_S = 90.0
WITHIN_S = 60.0
_POLL_S = 0.1

Found = TypeVar("Found")


@dataclass(frozen=True)
class Up:
    """One running platform. `said` is what it printed when it was ready, `log` the file of its progress."""

    data: Path
    ports: tuple[int, int]
    process: "subprocess.Popen[str]"
    said: str
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    def mcp(self, server: str) -> str:
        return f"{self.url}/mcp/{server}"

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return pierhead(*arguments, "--data", str(self.data))

    def tell(self, *arguments: str) -> str:
        """What a command that must succeed prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def token(self, person: str) -> str:
        return self.tell("token", "--as", person, "--ttl", "1h").strip()

    @contextmanager
    def browsing(self, person: str) -> Iterator[httpx2.Client]:
        """A browser without scripts, signed in as that person."""
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=WITHIN_S) as browser:
            page = browser.get("/sign-in").text
            form = {"token": hidden(page, "token"), "next": hidden(page, "next"), "person": person}
            entered = browser.post("/sign-in", data=form, headers={"origin": self.url})
            assert entered.status_code == 303, entered.text
            yield browser

    def children(self) -> dict[str, int]:
        """Its processes by what they run: `registry`, `gateway`, `server NAME`."""
        return {role: pid for pid, parent, role in processes() if parent == self.process.pid}

    def guest(self, server: str) -> int:
        """The process of a guest behind its guard; 0 while there is none."""
        guard = self.children().get(f"server {server}", 0)
        return next((pid for pid, parent, _ in processes() if guard and parent == guard), 0)

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WITHIN_S)


def pierhead(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*PIERHEAD, *arguments], capture_output=True, text=True, timeout=120, check=False)


def processes() -> list[tuple[int, int, str]]:
    """Every living process: id, parent, and the role after `run`, or its whole command."""
    found: list[tuple[int, int, str]] = []
    for directory in Path("/proc").iterdir():
        try:
            words = (directory / "cmdline").read_bytes().decode().split("\0")
            stat = (directory / "stat").read_text().rpartition(")")[2].split()
        except (OSError, UnicodeDecodeError):
            continue
        if directory.name.isdecimal() and stat[0] != "Z":
            found.append((int(directory.name), int(stat[1]), _role(words)))
    return found


def _role(words: list[str]) -> str:
    after = words[words.index("run") + 1 :] if "run" in words else words
    flags = next((place for place, word in enumerate(after) if word.startswith("--")), len(after))
    return " ".join(after[:flags])


def family(root: int) -> set[int]:
    """A process and all that descend from it."""
    known = {root}
    listed = processes()
    while more := {pid for pid, parent, _ in listed if parent in known} - known:
        known |= more
    return known


def alive(pids: set[int]) -> set[int]:
    return pids & {pid for pid, _, _ in processes()}


def until_gone(pids: set[int], within_s: float = 40) -> None:
    deadline = time.monotonic() + within_s
    while left := alive(pids):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(_POLL_S)


@contextmanager
def up(data: Path, fleet: Path | None = None, *more: str, **settings: str) -> Iterator[Up]:
    """A platform on free ports; stopped at the end, whatever happened.

    `more` are flags, `settings` are like `registry__probe_s`.
    """
    port, diagnostics = free_ports(2)
    flags = ["--data", str(data), "--port", str(port), "--diagnostics-port", str(diagnostics)]
    flags += ["--fleet", str(fleet)] if fleet else []
    flags += more
    environment = {**os.environ, **{f"PIERHEAD__{name.upper()}": value for name, value in settings.items()}}
    log = data.parent / "up.log"
    with log.open("w") as talk:
        process = subprocess.Popen(
            [*PIERHEAD, "up", *flags], stdout=subprocess.PIPE, stderr=talk, text=True, env=environment
        )
    try:
        yield Up(data, (port, diagnostics), process, _until_ready(process, log), log)
    finally:
        pids = family(process.pid)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(WITHIN_S)
        if process.stdout is not None:
            process.stdout.close()
        until_gone(pids)


def _until_ready(process: "subprocess.Popen[str]", log: Path) -> str:
    said = ""
    assert process.stdout is not None
    began = time.monotonic()
    while "Ctrl-C stops everything" not in said:
        line = process.stdout.readline()
        assert line, log.read_text()
        assert time.monotonic() - began < READY_S
        said += line
    return said


def eventually(find: Callable[[], Found], what: str) -> Found:
    """Ask again until the answer is truthy; fail after a minute."""
    deadline = time.monotonic() + WITHIN_S
    while not (found := find()):
        assert time.monotonic() < deadline, f"not within {WITHIN_S:g} s: {what}"
        time.sleep(_POLL_S)
    return found


def call_rows(browser: httpx2.Client, **filters: str) -> list[dict[str, Any]]:
    """The calls that this person sees, newest first."""
    return browser.get("/audit.json", params=filters).json()["calls"]
