"""A log of 500 MB: how long it takes, and in how much memory, to tell the traceback that matters in 16 KB.

Three places of the failure: at the end, at the very beginning with nothing but `INFO` behind it, and behind a log a
tenth of whose lines speak of errors. The floor reads each line in turn. Each reading is a process of its own, so that
its peak of memory is its own.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.processes import ROOT
from bench.results import Results, Target

SIZE: Final = 500 * 2**20
ROUNDS: Final = 3
_PART: Final = 8 * 2**20
_NOISE: Final = (
    "[2026-11-20T02:{0:02d}:{1:02d}.000+0000] {{taskinstance.py:{2}}} INFO - Finished task {2} in stage 3, {3} ms\n"
)
_ERRORS: Final = "[2026-11-20T02:00:{0:02d}.000+0000] {{retry.py:1}} INFO - try {1}: no error, errorCount=0\n"
_TRACE: Final = """[2026-11-20T02:00:01.123+0000] {taskinstance.py:2905} ERROR - Task failed with exception
Traceback (most recent call last):
  File "/opt/airflow/dags/load.py", line 17, in read
    raise FileNotFoundError(path)
FileNotFoundError: s3://bucket/dt=2026-11-20
"""
_READINGS: Final = (
    ("logs.end", "file", "end"),
    ("logs.beginning", "file", "beginning"),
    ("logs.noisy", "file", "noisy"),
    ("logs.stream", "stream", "beginning"),
    ("logs.lines", "lines", "beginning"),
)
TARGETS: Final = (
    *(Target(name, "seconds", None, at_most=3.0) for name, how, _ in _READINGS if how != "lines"),
    *(Target(name, "peak", None, at_most=200.0) for name, how, _ in _READINGS if how != "lines"),
    *(Target(name, "answer", None, at_most=16_000.0) for name, how, _ in _READINGS if how != "lines"),
    Target("logs.beginning", "cpu", "logs.lines", at_most=1.0),
)


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Write the logs, read each three times in turn; the best round counts. One without the traceback is a fault."""
    say("logs: writing three logs of 500 MB")
    files = {name: _written(folder / f"{name}.log", name) for name in ("end", "beginning", "noisy")}
    told: dict[str, list[dict[str, float]]] = {name: [] for name, _, _ in _READINGS}
    for number in range(ROUNDS):
        say(f"logs: round {number + 1} of {ROUNDS}")
        for name, how, which in _READINGS:
            told[name].append(_reading(how, files[which]))
    for name, rounds in told.items():
        if not all(each["found"] for each in rounds):
            raise ValueError(f"{name} did not find the traceback")
        results.add(name, "seconds", min(each["seconds"] for each in rounds), "s", ROUNDS)
        results.add(name, "cpu", min(each["cpu"] for each in rounds), "s", ROUNDS)
        results.add(name, "peak", max(each["peak_mb"] for each in rounds), "MB", ROUNDS)
        results.add(name, "answer", max(each["bytes"] for each in rounds), "bytes", ROUNDS)
    for metric in ("cpu", "seconds"):
        results.compare("logs.beginning", metric, "logs.lines")


def _written(file: Path, which: str) -> Path:
    """500 MB of lines, with the failure where `which` says."""
    lines = [_NOISE.format(number // 60 % 60, number % 60, number, number % 997) for number in range(80_000)]
    if which == "noisy":
        lines[::10] = [_ERRORS.format(number % 60, number) for number in range(len(lines[::10]))]
    part = "".join(lines).encode()[:_PART].rpartition(b"\n")[0] + b"\n"
    with file.open("wb") as opened:
        if which != "end":
            opened.write(_TRACE.encode())
        for _ in range(SIZE // len(part) + 1):
            opened.write(part)
        if which == "end":
            opened.write(_TRACE.encode())
    return file


def _reading(how: str, file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.programs.log_reader", how, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=120)
    return json.loads(done.stdout)
