"""Failures that a real Airflow 3 produced (tests/rigs/airflow_recording.py): each is told for what it was."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from pierhead.servers.airflow.failures import failure_of
from pierhead.servers.airflow.logs import Tail

CORPUS: Final = Path(__file__).resolve().parents[2] / "corpus" / "airflow"
EXPECTED: Final = {
    "fail_bash": ("code_error", "cannot open the ledger"),
    "fail_bash_command_not_found": ("dependency", "hadooop: command not found"),
    "fail_bash_no_file": ("missing_input", "part-0000.csv': No such file or directory"),
    "fail_chained": ("code_error", "RuntimeError: the rates of 2026-11-20 cannot be read"),
    "fail_connection": ("dependency", "Connection refused"),
    "fail_dependency": ("dependency", "No module named 'pyarrowless_helpers'"),
    "fail_execution_timeout": ("timeout", "AirflowTaskTimeout"),
    "fail_fan_in": ("missing_input", "No such file or directory: '/data/exports/dt=2026-11-20/orders.csv'"),
    "fail_key_error": ("code_error", "KeyError: 'currency_code'"),
    "fail_killed": ("killed", "Process terminated by signal"),
    "fail_mapped": ("code_error", "ValueError: partition 2 is empty"),
    "fail_memory_error": ("driver_oom", "MemoryError: unable to allocate"),
    "fail_missing_file": ("missing_input", "orders.csv"),
    "fail_permission": ("permission", "Permission denied: '/data/finance/ledger.parquet'"),
    "fail_schema": ("schema_mismatch", "column 'amount' is string in core.orders"),
    "fail_sensor_timeout": ("timeout", "AirflowSensorTimeout"),
    "fail_spark_submit": ("missing_input", "s3://warehouse/core/orders/dt=2026-11-20"),
    "fail_sqlite": ("missing_input", "no such table: core_users"),
    "fail_subprocess": ("code_error", "bad input"),
    "fail_until_repaired": ("missing_input", "s3://warehouse/dt=2026-11-20: No such file or directory"),
    "fail_user_exception": ("code_error", "ValueError: order 4711 has no currency"),
}


def log(name: str) -> Tail:
    content = (CORPUS / f"{name}.ndjson").read_bytes()
    return Tail(content, len(content))


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=list(EXPECTED))
def test_a_recorded_failure_is_told_for_what_it_was_with_the_line_that_shows_it(
    name: str, expected: Sequence[str]
) -> None:
    verdict = failure_of(log(name)).verdict
    assert verdict.category == expected[0]
    assert expected[1] in verdict.quote
    assert verdict.rules


def test_every_recorded_failure_is_expected() -> None:
    assert {file.stem for file in CORPUS.glob("*.ndjson")} == set(EXPECTED)


def test_what_a_task_submitted_elsewhere_is_named() -> None:
    found = failure_of(log("fail_spark_submit"))
    assert found.external_ids == [{"system": "spark", "id": "application_1795141000000_0042"}]


def test_the_same_failure_has_the_same_fingerprint_and_another_has_another() -> None:
    missing, same = failure_of(log("fail_missing_file")), failure_of(log("fail_fan_in"))
    assert missing.fingerprint == same.fingerprint
    assert missing.fingerprint != failure_of(log("fail_permission")).fingerprint


def test_a_log_that_says_nothing_is_unknown() -> None:
    assert failure_of(Tail(b"", 0)).verdict.category == "unknown"
    assert failure_of(Tail(b"all is well\n", 12)).verdict.category == "unknown"
