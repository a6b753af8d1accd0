"""`make bench`: every benchmark in turn, progress on the way, the table of ratios at the end.

`python -m bench policy journal` runs only those. The file is written also when a target is missed: a number is a
finding, not a failure; only a benchmark that cannot be trusted (a refused call) ends the run.
"""

import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import approvals, data, gateway, journal, logs, memory, mesh, policy, registry, road, sdk, sql
from bench.processes import ROOT, cores
from bench.results import Results, Target, table

Suite = Callable[[Results, Path, Callable[[str], None]], None]

SUITES: Final[dict[str, tuple[Suite, Sequence[Target]]]] = {
    "policy": (lambda results, _folder, _say: policy.measure(results), policy.TARGETS),
    "journal": (journal.measure, journal.TARGETS),
    "sdk": (sdk.measure, sdk.TARGETS),
    "gateway": (gateway.measure, gateway.TARGETS),
    "mesh": (mesh.measure, mesh.TARGETS),
    "sql": (sql.measure, sql.TARGETS),
    "data": (data.measure, data.TARGETS),
    "registry": (registry.measure, registry.TARGETS),
    "approvals": (approvals.measure, approvals.TARGETS),
    "logs": (logs.measure, logs.TARGETS),
    "memory": (memory.measure, memory.TARGETS),
    "road": (road.measure, road.TARGETS),
}
RESULTS: Final = ROOT / "bench" / "results.json"


def main(asked: Sequence[str]) -> int:
    """Run the named suites, or all; 2 for a name there is not."""
    unknown = [name for name in asked if name not in SUITES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    say = _progress(started)
    results = Results(machine())
    names = list(asked) or list(SUITES)
    for name in names:
        say(name)
        suite, _ = SUITES[name]
        # Beside the checkout and not in /tmp, which may be memory: the journals must meet a disk.
        with tempfile.TemporaryDirectory(prefix="bench-", dir=_scratch()) as folder:
            suite(results, Path(folder), say)
    RESULTS.write_text(results.as_json())
    targets = [target for name in names for target in SUITES[name][1]]
    print(f"\n{table(results, targets)}\n")
    verdicts = Counter(results.judge(target) for target in targets)
    counted = ", ".join(f"{verdicts[verdict]} {verdict}" for verdict in ("met", "missed", "not measured"))
    print(f"targets: {counted}; {RESULTS.relative_to(ROOT)} written")
    return 0


def machine() -> dict[str, object]:
    """What the figures belong to."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": cores(),
        "load_average": round(os.getloadavg()[0], 2),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _scratch() -> Path:
    folder = ROOT / ".tools"
    folder.mkdir(exist_ok=True)
    return folder


def _progress(started: float) -> Callable[[str], None]:
    def say(what: str) -> None:
        print(f"· {time.monotonic() - started:5.0f} s  {what}", flush=True)

    return say


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
