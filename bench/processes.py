"""Programs under measurement: started in a group of their own, watched until ready, measured, stopped.

CPU and memory are the kernel's own figures. Not here: what to start (`gateway`, `sql`, `memory`), load (`load`).
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pierhead.bootstrap.running import free_ports

ROOT: Final = Path(__file__).resolve().parent.parent
MEASURED_CORE: Final = 0
OTHER_CORE: Final = 1
_READY_S: Final = 30.0
_STOP_S: Final = 10.0


class NotStarted(Exception):
    """A program did not come up; the message holds the end of its output."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program and where it listens."""

    name: str
    pid: int
    port: int

    def cpu_ns(self) -> int:
        """Time on a core so far, all its threads, in nanoseconds."""
        return cpu_ns(self.pid)


def cpu_ns(pid: int) -> int:
    """Time on a core of every thread of `pid`, in nanoseconds (the first figure of `schedstat`)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that ended meanwhile
            total += int((task / "schedstat").read_text().split()[0])
    return total


def peak_bytes(pid: int) -> int:
    """The most memory that one process ever had in use."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def pss_bytes(pid: int) -> int:
    """Proportional memory of one process: shared pages are counted once over all who share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def family(pid: int) -> list[int]:
    """`pid` and every process below it."""
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            children += [int(child) for child in (task / "children").read_text().split()]
    return [pid, *(below for child in children for below in family(child))]


def free_port() -> int:
    """A port nobody listens on now."""
    return free_ports(1)[0]


@contextmanager
def started(
    name: str,
    command: Sequence[str | Path],
    port: int,
    folder: Path,
    *,
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Generator[Program]:
    """Run `command` until the block ends; enters once it listens on `port`.

    Errors: NotStarted, with the last lines it wrote.
    """
    pinned = ["taskset", "-c", str(core)] if core is not None and cores() > 1 else []
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*pinned, *map(str, command)],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        _wait(name, process, port, log)
        yield Program(name, process.pid, port)
    finally:
        _stop(process)


def cores() -> int:
    """How many cores this run may use."""
    return len(os.sched_getaffinity(0))


def _wait(name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    limit = time.monotonic() + _READY_S
    while time.monotonic() < limit:
        if process.poll() is not None:
            break
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    tail = log.read_text(errors="replace")[-600:]
    raise NotStarted(f"{name} did not listen on port {port}: {tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask its group to end, then insist."""
    for wanted, patience in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, _STOP_S)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, wanted)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
