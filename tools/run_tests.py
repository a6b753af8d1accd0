"""`make test`: the components, then every test in one run, the fast ones first. Ends with pytest's own summary.

Arguments go on to pytest: `python -m tools.run_tests tests/unit -k permit`. With CI set, a missing component fails
(PIERHEAD_REQUIRE=all). A run without a single test is a failure, as pytest itself says (exit code 5).
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from tools import components
from tools.findings import ROOT

_COVERAGE: Final = (
    "--cov=pierhead.core",
    "--cov=pierhead.usecases",
    "--cov-branch",
    "--cov-report=term-missing:skip-covered",
    "--cov-fail-under=100",
)


#: One process a core of the machine that CI has; a file's tests stay together and in order.
WORKERS: Final = ("-n", "2", "--dist", "loadfile")

#: What DuckDB's binding says of itself when an interpreter ends; it would bury the summary.
_BINDING: Final = ("nanobind: ", " - leaked ", " - ... skipped", "See https://nanobind")


def main(arguments: Sequence[str]) -> int:
    components.prepare()
    return run(command(arguments), environment(os.environ))


def run(program: Sequence[str], given: Mapping[str, str]) -> int:
    """Run to the end, passing on all it says but a binding's farewell; its exit code."""
    with subprocess.Popen(program, cwd=ROOT, env=given, stderr=subprocess.PIPE, text=True, errors="replace") as process:
        for line in process.stderr or ():
            if not line.startswith(_BINDING):
                sys.stderr.write(line)
    return process.returncode


def command(arguments: Sequence[str]) -> list[str]:
    """Pytest with our plug-in; coverage only where everything runs."""
    coverage = () if arguments else _COVERAGE
    return [sys.executable, "-m", "pytest", "-p", "tools.pytest_order", *WORKERS, *coverage, *arguments]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """In CI every component is required."""
    required = {"PIERHEAD_REQUIRE": "all"} if given.get("CI") else {}
    return {**given, **required}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
