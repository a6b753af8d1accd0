"""Runs the official conformance suite and reads what it saved, so that tests can count scenarios and checks."""

import json
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import anyio
from tests.components import NodeTools

EXPECTED_FAILURES = Path(__file__).with_name("expected-failures.yml")
_SAVED = re.compile(r"server-(?P<scenario>[a-z0-9-]+?)-\d{4}-\d\d-\d\dT[\d-]+Z")

#: The scenarios of a revision that decide about conformance, and the checks in them that must succeed.
REQUIRED = {"2025-11-25": (30, 70), "2026-07-28": (37, 120)}

#: Run and reported by the suite, scored by nobody; we hold ourselves to them all the same.
UNSCORED = {
    "2025-11-25": {"json-schema-2020-12": 8, "server-session-lifecycle": 3},
    "2026-07-28": {
        "json-schema-2020-12": 8,
        "http-header-validation": 14,
        "http-custom-header-server-validation": 10,
    },
}

#: Passes without one successful check, since it is skipped where the tasks extension is not offered.
WITHOUT_CHECKS = {"tasks-status-notifications"}


@dataclass(frozen=True)
class Verdict:
    """The exit code, the output, and each scenario's checks by status."""

    exit_code: int
    output: str
    checks: dict[str, Counter[str]]

    def failing(self) -> set[str]:
        """Scenarios with a failed check, or without any that succeeded."""
        return {
            name
            for name, count in self.checks.items()
            if count["FAILURE"] or (not count["SUCCESS"] and name not in WITHOUT_CHECKS)
        }

    def succeeded(self, *names: str) -> int:
        """How many checks succeeded in these scenarios."""
        return sum(self.checks[name]["SUCCESS"] for name in names)

    def required(self) -> list[str]:
        """The scored scenarios: all that ran, less those the summary calls not scored."""
        _, _, unscored = self.output.partition("Not scored for")
        return [name for name in self.checks if not re.search(rf"^  \S {re.escape(name)} \(", unscored, re.MULTILINE)]


async def conform(tools: NodeTools, url: str, saved: Path, *options: str) -> Verdict:
    """Run the suite against `url`; `saved` is an empty folder for its results."""
    command = tools.command("@modelcontextprotocol/conformance", "dist/index.js")
    done = await anyio.run_process(
        [*command, "server", "--url", url, "-o", str(saved), *options], check=False, stderr=subprocess.STDOUT
    )
    return Verdict(done.returncode, done.stdout.decode(), _checks(saved))


def _checks(saved: Path) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for file in sorted(saved.glob("*/checks.json")):
        name = _SAVED.fullmatch(file.parent.name)
        assert name is not None, file
        statuses = Counter(check["status"] for check in json.loads(file.read_text()))
        found[name["scenario"]] = found.get(name["scenario"], Counter()) + statuses
    return found
