"""The whole demo's memory: `pierhead up` in an empty data directory, after a few calls, all its processes together.

Proportional set size: what two processes share counts once. Needs nothing but the product itself.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.processes import NotStarted, Program, family, free_port, pss_bytes, started
from bench.results import Results, Target

CALLS: Final = 20
_READY_S: Final = 120.0
_QUERY: Final = "sql=SELECT * FROM flights LIMIT 50"
_ROLES: Final = ("registry", "gateway", "server")
TARGETS: Final = (Target("memory.demo", "pss", None, at_most=600.0),)


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Start, call, weigh. A demo that does not start is named in the results."""
    port, data = free_port(), folder / "data"
    pierhead = Path(sys.executable).with_name("pierhead")
    command = [pierhead, "up", "--data", data, "--port", str(port), "--diagnostics-port", str(free_port())]
    say("memory: starting the demo")
    try:
        with started("up", command, port, folder) as program:
            wait_until_ready(data / "run" / "platform.json")
            say(f"memory: {CALLS} calls")
            for _ in range(CALLS):
                _call(pierhead, data)
            _weigh(results, program)
    except (NotStarted, subprocess.SubprocessError) as failed:
        results.miss("memory.demo", str(failed))


def wait_until_ready(announced: Path) -> None:
    """Until the platform says that it is ready. Errors: NotStarted."""
    limit = time.monotonic() + _READY_S
    while not announced.exists():
        if time.monotonic() > limit:
            raise NotStarted(f"the demo was not ready within {_READY_S:.0f} s")
        time.sleep(0.1)


def _call(pierhead: Path, data: Path) -> None:
    command = [pierhead, "call", "warehouse", "run_query", _QUERY, "--as", "alice", "--data", data]
    subprocess.run(list(map(str, command)), capture_output=True, check=True, timeout=60)


def _weigh(results: Results, program: Program) -> None:
    """The sum, and the share of each process by its role."""
    weights: dict[str, float] = {}
    for pid in family(program.pid):
        role = role_of(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        weights[role] = weights.get(role, 0.0) + pss_bytes(pid) / 2**20
    results.add("memory.demo", "pss", sum(weights.values()), "MB", CALLS)
    for role, weight in sorted(weights.items()):
        results.add(f"memory.{role}", "pss", weight, "MB", CALLS)


def role_of(command: list[bytes]) -> str:
    """What one process of the platform is: its role and, for a server, whose."""
    words = [word.decode(errors="replace") for word in command]
    if "run" in words[:-1]:
        role = words[words.index("run") + 1 :]
        if role[0] in _ROLES:
            return f"server-{role[1]}" if role[0] == "server" else role[0]
    return "supervisor" if "up" in words else "guest"
