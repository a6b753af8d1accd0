"""The whole platform as its user starts it: `pierhead up`, on free ports, in a data directory of its own.

One class starts it, stops it, asks its commands and its pages, and finds its processes. What a test proves is not here.
"""

import contextlib
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
from tests.components import free_port
from tests.pages import hidden

WITHIN_S = 60.0
_POLL_S = 0.1

Found = TypeVar("Found")


@dataclass(frozen=True)
class RunningPlatform:
    """One platform that runs. `talk` is the file its terminal text goes to."""

    url: str
    data: Path
    talk: Path
    process: "subprocess.Popen[bytes]"

    def pierhead(self, *arguments: str, expect: int = 0) -> str:
        """What the command prints on stdout; it must end with that exit code."""
        command = [sys.executable, "-m", "pierhead.apps.cli", *arguments, "--data", str(self.data)]
        done = subprocess.run(
            command,
            cwd=self.data.parent,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def token(self, person: str, *more: str) -> str:
        return self.pierhead("token", "--as", person, "--ttl", "1h", *more).strip()

    def mcp(self, server: str) -> str:
        return f"{self.url}/mcp/{server}"

    @contextmanager
    def browsing(self, person: str) -> Iterator[httpx2.Client]:
        """A browser without scripts, signed in as that person."""
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=WITHIN_S) as browser:
            page = browser.get("/sign-in").text
            form = {"token": hidden(page, "token"), "next": hidden(page, "next"), "person": person}
            entered = browser.post("/sign-in", data=form, headers={"origin": self.url})
            assert entered.status_code == 303, entered.text
            yield browser

    def pid(self, role: str) -> int:
        """The process of `registry`, `gateway` or `server NAME`; 0 while there is none."""
        words = ("run", *role.split())
        return next((pid for pid in _children(self.process.pid) if _starts(pid, words)), 0)

    def guest_pid(self, server: str, program: str) -> int:
        """The process of a guest behind its guard; 0 while there is none."""
        guard = self.pid(f"server {server}")
        inside = _children(guard) if guard else []
        return next((pid for pid in inside if program in " ".join(_command(pid))), 0)

    def states(self) -> dict[str, str]:
        """The state of each server's process, as the pages show it; empty while the registry is away."""
        try:
            with self.browsing("frank") as browser:
                listed = browser.get("/servers.json").json()["servers"]
        except (httpx2.HTTPError, ValueError, KeyError, AssertionError):
            return {}
        return {line["name"]: line["process"]["state"] for line in listed}

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=WITHIN_S)


@contextmanager
def running_platform(folder: Path) -> Iterator[RunningPlatform]:
    """A platform of the demo fleet under `folder`, ready; stopped at the end, whatever happened."""
    data, talk = folder / "data", folder / "talk"
    port, diagnostics = free_port(), free_port()
    command = [sys.executable, "-m", "pierhead.apps.cli", "up", "--data", str(data)]
    command += ["--port", str(port), "--diagnostics-port", str(diagnostics)]
    with talk.open("ab") as text:
        process = subprocess.Popen(
            command, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=text, stderr=text
        )
    platform = RunningPlatform(f"http://127.0.0.1:{port}", data, talk, process)
    try:
        eventually(lambda: _is_ready(platform), "the platform is ready", platform)
        yield platform
    finally:
        try:
            platform.stop()
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _is_ready(platform: RunningPlatform) -> bool:
    assert platform.process.poll() is None, platform.talk.read_text()
    return (platform.data / "run" / "platform.json").exists()


def eventually(find: Callable[[], Found], what: str, platform: RunningPlatform | None = None) -> Found:
    """Ask again until the answer is truthy; fail after a minute, with what the platform said."""
    deadline = time.monotonic() + WITHIN_S
    while not (found := find()):
        if time.monotonic() > deadline:
            said = platform.talk.read_text() if platform else ""
            raise AssertionError(f"not within {WITHIN_S:g} s: {what}\n{said}")
        time.sleep(_POLL_S)
    return found


def call_rows(browser: httpx2.Client, **filters: str) -> list[dict[str, Any]]:
    """The calls that this person sees, newest first."""
    return browser.get("/audit.json", params=filters).json()["calls"]


def _environment() -> dict[str, str]:
    """As a newcomer's: no setting of the machine that runs the tests gets in."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PIERHEAD", "COV_"))}


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def _starts(pid: int, words: tuple[str, ...]) -> bool:
    command = _command(pid)
    return any(tuple(command[place : place + len(words)]) == words for place in range(len(command)))
