"""What a project hands in beside its definitions: its tests' report, and a bill of what its lock file names.

Above: `pierhead publish`. Not here: the signature (`adapters/publisher_key`), reading any of it (the registry).
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Final, cast

from pierhead.core.errors import Invalid, NotFound, ToolFailed

_LOCKS: Final = ("uv.lock", "pylock.toml", "requirements.lock", "requirements.txt")
_PINNED: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_NO_TESTS: Final = 5
_SHOWN: Final = 15
_WITHIN_S: Final = 600


def run_tests(folder: Path, report: Path) -> None:
    """Run the project's tests and write their report as JUnit XML.

    Errors: ToolFailed (`tests-failed`), with the last lines, also where there are no tests or no pytest.
    """
    report.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pytest", f"--junit-xml={report.resolve()}", "-p", "no:cacheprovider"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_WITHIN_S)  # noqa: S603 - our own interpreter
    except subprocess.TimeoutExpired:
        message = f"the tests of {folder} did not end within {_WITHIN_S} s"
        raise ToolFailed(message, hint="run pytest there", code="tests-failed") from None
    if done.returncode == _NO_TESTS:
        raise ToolFailed(f"{folder} has no tests", hint="write some: docs/reference/testing.md", code="tests-failed")
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN:])
        raise ToolFailed(f"the tests of {folder} fail:\n{said}", hint="run pytest there", code="tests-failed")


def bill_of(folder: Path, name: str, version: str) -> bytes:
    """A CycloneDX document of the lock file and of Pierhead itself, which a project's lock need not name.

    The same for the same lock. Errors: NotFound, Invalid (`no-lock`).
    """
    lock = next((folder / each for each in _LOCKS if (folder / each).is_file()), None)
    if lock is None:
        message = f"{folder} locks nothing: it has none of {', '.join(_LOCKS)}"
        raise NotFound(message, hint="uv lock, or pip freeze > requirements.lock", code="no-lock")
    components = [
        {
            "type": "library",
            "name": each,
            "version": pinned,
            "purl": f"pkg:pypi/{each}@{pinned}",
            "bom-ref": f"{each}@{pinned}",
        }
        for each, pinned in sorted({"pierhead": installed("pierhead"), **dict(_locked(lock))}.items())
    ]
    subject = {"type": "application", "name": name, "version": version, "bom-ref": f"{name}@{version}"}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": subject},
        "components": components,
        "dependencies": [{"ref": subject["bom-ref"], "dependsOn": [each["bom-ref"] for each in components]}],
    }
    return json.dumps(document, indent=1).encode()


def _locked(lock: Path) -> Iterator[tuple[str, str]]:
    try:
        text = lock.read_text("utf-8")
        yield from (
            _of_toml(tomllib.loads(text)) if lock.suffix == ".toml" or lock.name == "uv.lock" else _of_lines(text)
        )
    except (ValueError, OSError, KeyError, TypeError):
        raise Invalid(f"cannot read {lock}", hint="lock again", code="no-lock") from None


def _of_toml(read: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """`package` of uv, `packages` of the standard form."""
    for package in cast("list[dict[str, Any]]", read.get("package") or read["packages"]):
        if "version" in package and not {"editable", "virtual"} & package.get("source", {}).keys():
            yield str(package["name"]), str(package["version"])


def _of_lines(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith(("#", "--")):
            continue
        found = _PINNED.match(stripped)
        if found is None:
            raise ValueError(stripped)
        yield re.sub(r"[-_.]+", "-", found[1]).lower(), found[2]
