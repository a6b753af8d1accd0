"""Processes on this machine: start, watch, restart after a growing pause, stop in order. No orphan is left.

Each child leads its own session, so that Ctrl-C in a terminal reaches the supervisor alone; its output goes to a log.
Its standard input is a pipe that only the supervisor holds: when the supervisor ends, however it ends, the child reads
the end of it and drains (`end_with_parent`). Not here: what the children are (`bootstrap/wire_platform`).
"""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pierhead.core.errors import Misconfigured, PierheadError, UpstreamUnreachable

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 30.0
#: A child that lived this long was healthy: the next pause starts small again.
HEALTHY_S: Final = 30.0
_POLL_S: Final = 0.05
_LOG_LINES: Final = 3
_MISCONFIGURED: Final = 2
_STDIN: Final = 0
_LARGEST_ANSWER: Final = 256 * 1024

Report = Callable[[str, str, str], Awaitable[None]]
Chance = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Child:
    """One process: how to start it, and where it says that it is ready (loopback)."""

    name: str
    argv: tuple[str, ...]
    port: int
    ready_path: str
    log: Path


@dataclass(slots=True)
class Supervisor:
    """Keeps children alive.

    `report(name, state, reason)` hears starting, running, restarting and stopped; `chance` gives a number from 0 to 1,
    which spreads restarts; `keep_open` are descriptors that children hold as long as they live.
    """

    report: Report
    chance: Chance
    keep_open: Sequence[int] = ()
    _living: dict[str, "_Living"] = field(default_factory=dict[str, "_Living"])

    async def start(self, child: Child, within_s: float) -> None:
        """Start it and wait until it is ready; from then on it is restarted whenever it ends.

        Errors: Misconfigured, if it says so by its exit code; UpstreamUnreachable, if it ends or is not ready in time.
        Either way it is gone.
        """
        living = _Living(child, self.report, self.chance, tuple(self.keep_open))
        self._living[child.name] = living
        try:
            await living.first(within_s)
        finally:
            if living.watching is None:
                self._living.pop(child.name, None)

    async def until_ready(self, name: str, path: str, port: int, within_s: float) -> None:
        """Wait until that child answers 200 at another place. Errors: as `start`."""
        await self._living[name].answers(port, path, within_s)

    def pids(self) -> dict[str, int]:
        """The processes that live now."""
        return {name: living.pid for name, living in self._living.items() if living.pid}

    async def stop(self, names: Sequence[str], within_s: float) -> bool:
        """Ask these children to drain, together; kill what has not ended in time. Whether all ended by themselves."""
        ending = [self._living.pop(name) for name in names if name in self._living]
        return all(await asyncio.gather(*(living.stop(within_s) for living in ending)))

    def kill(self) -> None:
        """Kill every child now: the drain was cut short."""
        for living in self._living.values():
            living.kill()


@dataclass(slots=True)
class _Living:
    """One child through all its lives."""

    child: Child
    report: Report
    chance: Chance
    keep_open: tuple[int, ...]
    process: asyncio.subprocess.Process | None = None
    watching: "asyncio.Task[None] | None" = None
    stopping: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid if self.process and self.process.returncode is None else 0

    async def first(self, within_s: float) -> None:
        await self.report(self.child.name, "starting", "")
        self.process = await self._spawn()
        try:
            await self.answers(self.child.port, self.child.ready_path, within_s)
            self.watching = asyncio.create_task(self._watch(self.process))
        finally:
            if self.watching is None:
                self.kill()
                await self.process.wait()
        await self.report(self.child.name, "running", "")

    async def answers(self, port: int, path: str, within_s: float) -> None:
        """Wait for a 200. Errors: see `Supervisor.start`."""
        deadline = time.monotonic() + within_s
        while not await is_ready(port, path):
            if self.watching is None and self.process is not None and self.process.returncode is not None:
                raise self._ended(self.process.returncode)
            if time.monotonic() > deadline:
                raise self._late(within_s)
            await asyncio.sleep(_POLL_S)

    async def stop(self, within_s: float) -> bool:
        self.stopping = True
        if self.watching is not None:
            self.watching.cancel()
        process = self.process
        if process is None or process.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), within_s)
        except TimeoutError:
            self.kill()
            await process.wait()
            return False
        return True

    def kill(self) -> None:
        """The whole group: a child's own children go with it."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        pause = FIRST_PAUSE_S
        while not self.stopping:
            began = time.monotonic()
            ended = await process.wait()
            pause = FIRST_PAUSE_S if time.monotonic() - began > HEALTHY_S else min(pause * 2, LONGEST_PAUSE_S)
            wait = pause * (0.5 + self.chance() / 2)
            await self.report(self.child.name, "restarting", f"{_how(ended)}; again in {wait:.1f} s")
            await asyncio.sleep(wait)
            self.process = process = await self._spawn()
            await self._report_when_ready(process)

    async def _report_when_ready(self, process: asyncio.subprocess.Process) -> None:
        while process.returncode is None:
            if await is_ready(self.child.port, self.child.ready_path):
                await self.report(self.child.name, "running", "")
                return
            await asyncio.sleep(_POLL_S)

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.child.log.parent.mkdir(parents=True, exist_ok=True)
        with self.child.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.child.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=self.keep_open,
            )

    def _ended(self, code: int) -> PierheadError:
        message = f"{self.child.name} ended at start ({_how(code)}): {_last_lines(self.child.log)}"
        hint = f"read {self.child.log}"
        if code == _MISCONFIGURED:
            return Misconfigured(message, hint=hint, code="child-ended")
        return UpstreamUnreachable(message, hint=hint, code="child-ended")

    def _late(self, within_s: float) -> UpstreamUnreachable:
        message = f"{self.child.name} was not ready within {within_s:.0f} s: {_last_lines(self.child.log)}"
        return UpstreamUnreachable(message, hint=f"read {self.child.log}", code="child-late")


async def is_ready(port: int, path: str) -> bool:
    """Whether 127.0.0.1:PORT answers 200 there."""
    return await answer_of(port, path, 2) is not None


async def answer_of(port: int, path: str, within_s: float, host: str = "127.0.0.1") -> bytes | None:
    """What HOST:PORT answers there with 200; None for anything else."""
    asked = f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode("ascii")
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(asked)
                answer = await reader.read(_LARGEST_ANSWER)
                while more := await reader.read(_LARGEST_ANSWER - len(answer)):
                    answer += more
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if head.split(b" ")[1:2] == [b"200"] else None


def end_with_parent(grace_s: float) -> None:
    """Called by a supervised child: when standard input ends, so does this process, after its drain."""

    def watch() -> None:
        # Not through sys.stdin: a buffered reader that waits here would hold its lock when the interpreter ends.
        while os.read(_STDIN, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _last_lines(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as text:
        lines = deque((line.strip() for line in text if line.strip()), _LOG_LINES)
    return " / ".join(lines) or "it said nothing"
