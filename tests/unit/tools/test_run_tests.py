"""`make test`: order, required components, and what counts as a failure."""

import subprocess
import sys
from pathlib import Path

import pytest
from tools.components import missing_packages, node_is_current
from tools.findings import ROOT
from tools.run_tests import WORKERS, command, environment, run

TESTS = """
import pytest

@pytest.mark.slow
def test_slow(): print("ran slow")

def test_fast(): print("ran fast")

def test_without_its_engine(): pytest.skip("component engine: no program `engine` on the path")

def test_skipped_otherwise(): pytest.skip("not on this system")
"""


def _run(tmp_path: Path, text: str, *more: str, **variables: str) -> tuple[int, str]:
    (tmp_path / "test_some.py").write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow: x\n", encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-s",
            "-p",
            "tools.pytest_order",
            "-p",
            "no:cacheprovider",
            str(tmp_path),
            *more,
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.slow
def test_fast_tests_run_first_and_the_last_line_is_the_summary(tmp_path: Path) -> None:
    code, said = _run(tmp_path, TESTS)
    assert code == 0
    assert said.index("ran fast") < said.index("ran slow")
    assert said.strip().splitlines()[-1].startswith("2 passed, 2 skipped")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), WORKERS], ids=["alone", "by workers"])
def test_a_missing_component_is_named_with_what_it_left_untested(tmp_path: Path, workers: tuple[str, ...]) -> None:
    _, said = _run(tmp_path, TESTS, *workers)
    assert "engine: no program `engine` on the path: left 1 untested" in said
    assert "test_without_its_engine" in said
    assert "not on this system" not in said


@pytest.mark.slow
def test_a_missing_component_fails_where_all_are_required(tmp_path: Path) -> None:
    code, said = _run(tmp_path, TESTS, PIERHEAD_REQUIRE="all")
    assert code == 1
    assert said.strip().splitlines()[-1].startswith("1 failed, 2 passed, 1 skipped")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), WORKERS], ids=["alone", "by workers"])
def test_a_module_that_misses_its_component_fails_where_all_are_required(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    module = 'import pytest\npytest.skip("component engine: none", allow_module_level=True)\n'
    code, said = _run(tmp_path, module, *workers, PIERHEAD_REQUIRE="all")
    assert code != 0
    assert "required component is missing: engine: none" in said


@pytest.mark.slow
def test_no_test_at_all_is_a_failure(tmp_path: Path) -> None:
    assert _run(tmp_path, "")[0] == 5


def test_ci_requires_every_component() -> None:
    assert environment({"CI": "true"}) == {"CI": "true", "PIERHEAD_REQUIRE": "all"}
    assert environment({"HOME": "x"}) == {"HOME": "x"}


def test_coverage_is_demanded_only_of_a_whole_run() -> None:
    assert "--cov-fail-under=100" in command([])
    assert "--cov-fail-under=100" not in command(["tests/unit"])


def test_a_package_is_missing_when_its_program_is_nowhere(tmp_path: Path) -> None:
    packages = {"engine": ("no-such-program", "/opt/engine-*/run")}
    assert missing_packages(packages, tmp_path) == ["engine"]
    (tmp_path / "opt" / "engine-1").mkdir(parents=True)
    (tmp_path / "opt" / "engine-1" / "run").touch()
    assert missing_packages(packages, tmp_path) == []


@pytest.mark.parametrize(("installed", "current"), [(b"lock", True), (b"older", False)])
def test_node_tools_are_current_when_their_lock_file_is(tmp_path: Path, installed: bytes, *, current: bool) -> None:
    (tmp_path / "package-lock.json").write_bytes(b"lock")
    assert not node_is_current(tmp_path, tmp_path)
    (tmp_path / ".installed").write_bytes(installed)
    assert node_is_current(tmp_path, tmp_path) is current


def test_a_bindings_farewell_does_not_bury_the_summary(capfd: pytest.CaptureFixture[str]) -> None:
    code = """import sys
print("3 passed")
print("nanobind: leaked 2 types!", ' - leaked type "x"', "Traceback: kept", sep="\\n", file=sys.stderr)
sys.exit(4)"""
    assert run([sys.executable, "-c", code], {}) == 4
    told = capfd.readouterr()
    assert told.out == "3 passed\n"
    assert told.err == "Traceback: kept\n"
