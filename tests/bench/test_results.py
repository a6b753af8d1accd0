"""The benchmarks' arithmetic and the shape of their file: a wrong ratio would be believed."""

import json
import os
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from bench.load import read_window
from bench.memory import role_of
from bench.policy import RULES, crowded_snapshot, percentile, spread_snapshot
from bench.processes import NotStarted, cpu_ns, family, free_port, pss_bytes, started
from bench.results import Results, Run, Target, table


def _results() -> Results:
    results = Results({"cores": 2})
    results.add("relay", "cpu", 92.0, "us", 1000)
    results.add("governed", "cpu", 138.0, "us", 800)
    results.compare("governed", "cpu", "relay")
    results.miss("envoy", "no wheel for this machine")
    return results


def test_the_file_has_the_members_that_are_promised() -> None:
    file = json.loads(_results().as_json())
    assert set(file) == {"machine", "runs", "not_measured"}
    assert file["machine"] == {"cores": 2}
    assert file["not_measured"] == [{"name": "envoy", "why": "no wheel for this machine"}]
    members = {"name", "metric", "value", "unit", "ratio_to", "ratio", "n"}
    assert {field.name for field in fields(Run)} == members
    assert all(set(run) == members for run in file["runs"])


def test_a_ratio_is_the_run_over_what_it_is_compared_to() -> None:
    compared = _results().runs[-1]
    assert (compared.name, compared.ratio_to, compared.ratio, compared.n) == ("governed", "relay", 1.5, 800)


def test_plain_values_name_no_ratio() -> None:
    assert all(run.ratio is None and run.ratio_to is None for run in _results().runs[:2])


def test_a_comparison_with_what_was_not_measured_adds_nothing() -> None:
    results = _results()
    results.compare("governed", "cpu", "envoy")
    assert len(results.runs) == 3


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (Target("governed", "cpu", "relay", at_most=1.5), "met"),
        (Target("governed", "cpu", "relay", at_most=1.49), "missed"),
        (Target("governed", "cpu", "relay", at_least=1.5), "met"),
        (Target("governed", "cpu", "relay", at_least=1.51), "missed"),
        (Target("governed", "cpu", None, at_most=138.0), "met"),
        (Target("governed", "cpu", None, at_most=137.0), "missed"),
        (Target("governed", "cpu", "envoy", at_most=1.0), "not measured"),
    ],
)
def test_a_target_is_judged_on_its_own_ratio_or_on_the_value(target: Target, verdict: str) -> None:
    assert _results().judge(target) == verdict


def test_the_table_shows_ratios_targets_and_what_is_missing() -> None:
    text = table(_results(), [Target("governed", "cpu", "relay", at_most=1.2)])
    assert "1.5" in text
    assert "MISSED" in text
    assert "not measured: envoy: no wheel for this machine" in text


def test_cpu_per_call_is_time_on_a_core_over_calls() -> None:
    said = {"requests": 500, "duration_us": 2_000_000, "refused": 0, "broken": 0, "p50_us": 70, "p99_us": 900}
    window = read_window(said, cpu_ns=50_000_000)
    assert (window.cpu_us_per_call, window.calls_per_s, window.p50_us) == (100.0, 250.0, 70)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_a_value_that_was_seen(share: float, expected: int) -> None:
    assert percentile(range(100, 0, -1), share) == expected


def test_both_snapshots_hold_as_many_rules_as_is_said() -> None:
    for snapshot in (spread_snapshot(), crowded_snapshot()):
        rows = sum(len(rows) for rows in snapshot.rows.values())
        assert rows + sum(len(server.tools) for server in snapshot.servers.values()) == RULES


def test_the_kernel_tells_cpu_and_memory_of_a_process() -> None:
    before = cpu_ns(os.getpid())
    sum(number * number for number in range(200_000))
    assert cpu_ns(os.getpid()) > before
    assert pss_bytes(os.getpid()) > 1_000_000
    assert family(os.getpid())[0] == os.getpid()


def test_a_program_that_does_not_come_up_is_shown_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such day')"]
    with pytest.raises(NotStarted, match="no such day"), started("mayfly", command, free_port(), tmp_path):
        pass


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("python pierhead up --port 1", "supervisor"),
        ("python -m pierhead run gateway --data d", "gateway"),
        ("python -m pierhead run server warehouse --data d", "server-warehouse"),
        ("python -m mcp_server_time", "guest"),
    ],
)
def test_memory_is_told_by_the_role_of_a_process(command: str, role: str) -> None:
    assert role_of([word.encode() for word in command.split()]) == role
