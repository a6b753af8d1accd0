"""An author's road, as their machine walks it: from `pierhead new` to a governed call of a new tool in `pierhead up`.

Every step is the command that a person types, one after the other, in an empty folder: make the project, run its tests
in both revisions, hold it against the standard, start the platform, call the tool. Needs nothing but the product.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.memory import wait_until_ready
from bench.processes import NotStarted, free_port, started
from bench.results import Results, Target

_STEPS: Final = (
    ("new", ("pierhead", "new", "lunch", "--owner", "kitchen", "--support", "#lunch", "--group", "staff")),
    ("test", ("python", "-m", "pytest", "-p", "no:cacheprovider")),
    ("check", ("pierhead", "check", ".")),
)
TARGETS: Final = (Target("road.to_a_call", "elapsed", None, at_most=30.0),)


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Walk it once. A step that fails is named in the results, and nothing after it is measured."""
    spent, before = 0.0, _processor_s()
    project = folder / "lunch"
    try:
        for name, command in _STEPS:
            say(f"road: {' '.join(command)}")
            spent += _step(results, name, command, folder if name == "new" else project)
        spent += _called(results, project, folder / "data", say)
    except (NotStarted, subprocess.SubprocessError) as failed:
        results.miss("road.to_a_call", str(failed))
        return
    results.add("road.to_a_call", "elapsed", spent, "s", 1)
    results.add("road.to_a_call", "cpu", _processor_s() - before, "s", 1)  # says more on a machine that does other work


def _processor_s() -> float:
    """Seconds of every processor that programs of ours took which have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _step(results: Results, name: str, command: tuple[str, ...], folder: Path) -> float:
    """Seconds of one command. Errors: CalledProcessError."""
    program = Path(sys.executable).with_name(command[0])
    began = time.monotonic()
    subprocess.run([str(program), *command[1:]], cwd=folder, capture_output=True, check=True, timeout=120)
    taken = time.monotonic() - began
    results.add(f"road.{name}", "elapsed", taken, "s", 1)
    return taken


def _called(results: Results, project: Path, data: Path, say: Callable[[str], None]) -> float:
    """Seconds from `up` to the answer of the first call."""
    say("road: pierhead up --fleet fleet.yaml")
    port, began = free_port(), time.monotonic()
    pierhead = Path(sys.executable).with_name("pierhead")
    ports = ("--port", str(port), "--diagnostics-port", str(free_port()))
    command = [pierhead, "up", "--fleet", project / "fleet.yaml", "--data", data, *ports]
    with started("up", command, port, project.parent):
        wait_until_ready(data / "run" / "platform.json")
        up = time.monotonic() - began
        results.add("road.up", "elapsed", up, "s", 1)
        say("road: pierhead call lunch add_note")
        call = ("pierhead", "call", "lunch", "add_note", "text=Lunch moves to noon.", "--as", "alice")
        return up + _step(results, "call", (*call, "--data", str(data)), project)
