"""Failures that a real Airflow 3 produced (tests/rigs/airflow_recording.py): each is told for what it was.

Its DAGs are those of tests/rigs/airflow_dags.py and tests/rigs/airflow_services_dags.py.
"""

import json
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
    "fail_bash_trace": ("code_error", "ZeroDivisionError: division by zero"),
    "fail_bash_no_file": ("missing_input", "part-0000.csv': No such file or directory"),
    "fail_caught": ("code_error", "ValueError: no rows were loaded for 2026-11-20"),
    "fail_chained": ("code_error", "RuntimeError: the rates of 2026-11-20 cannot be read"),
    "fail_columns": ("schema_mismatch", "KeyError: 'currency'"),
    "fail_connection": ("dependency", "Connection refused"),
    "fail_dependency": ("dependency", "No module named 'pyarrowless_helpers'"),
    "fail_disk": ("dependency", "No space left on device"),
    "fail_docker": ("dependency", "Failed to establish connection to any given Docker hosts"),
    "fail_execution_timeout": ("timeout", "AirflowTaskTimeout"),
    "fail_fan_in": ("missing_input", "No such file or directory: '/data/exports/dt=2026-11-20/orders.csv'"),
    "fail_http_absent": ("missing_input", "404:Not Found"),
    "fail_http_reset": ("dependency", "Remote end closed connection without response"),
    "fail_http_unavailable": ("dependency", "503:Service Unavailable"),
    "fail_key_error": ("code_error", "KeyError: 'currency_code'"),
    "fail_killed": ("killed", "Process terminated by signal"),
    "fail_leaves": ("dependency", "could not connect to ledger-db:5432: Connection refused"),
    "fail_locked": ("timeout", "database is locked"),
    "fail_mapped": ("code_error", "ValueError: partition 2 is empty"),
    "fail_memory_error": ("driver_oom", "MemoryError: unable to allocate"),
    "fail_missing_file": ("missing_input", "orders.csv"),
    "fail_no_connection": ("dependency", "The conn_id `warehouse_db` isn't defined"),
    "fail_object": ("missing_input", "An error occurred (404) when calling the HeadObject operation"),
    "fail_package": ("dependency", "No matching distribution found for no-such-package-of-ours"),
    "fail_permission": ("permission", "Permission denied: '/data/finance/ledger.parquet'"),
    "fail_process": ("killed", "A process in the process pool was terminated abruptly"),
    "fail_program": ("dependency", "No such file or directory: 'spark-submitt'"),
    "fail_raised_from": ("missing_input", "No such file or directory: '/mnt/share/orders.dat'"),
    "fail_schema": ("schema_mismatch", "column 'amount' is string in core.orders"),
    "fail_sensor_timeout": ("timeout", "AirflowSensorTimeout"),
    "fail_shell": ("code_error", "EXPORT_DAY_THAT_IS_NOT_SET: unbound variable"),
    "fail_spark_submit": ("missing_input", "s3://warehouse/core/orders/dt=2026-11-20"),
    "fail_sqlite": ("missing_input", "no such table: core_users"),
    "fail_subprocess": ("code_error", "bad input"),
    "fail_until_repaired": ("missing_input", "s3://warehouse/dt=2026-11-20: No such file or directory"),
    "fail_value": ("schema_mismatch", "invalid input syntax for type integer"),
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


def test_an_exception_that_does_not_sound_like_one_has_a_fingerprint_too() -> None:
    (found,) = failure_of(log("fail_value")).exceptions
    assert (found.kind, found.message) == (
        "InvalidTextRepresentation",
        'invalid input syntax for type integer: "twelve"',
    )
    assert found.fingerprint.startswith("fp_")


def test_a_log_that_says_nothing_is_unknown() -> None:
    assert failure_of(Tail(b"", 0)).verdict.category == "unknown"
    assert failure_of(Tail(b"all is well\n", 12)).verdict.category == "unknown"


def entries(*told: dict[str, object]) -> Tail:
    content = b"".join(
        json.dumps({"timestamp": "2026-11-20T02:00:00Z", "logger": "task", **each}).encode() + b"\n" for each in told
    )
    return Tail(content, len(content))


def raised(kind: str, words: str) -> dict[str, object]:
    return {
        "level": "error",
        "event": "Task failed with exception",
        "error_detail": [{"exc_type": kind, "exc_value": words, "frames": []}],
    }


BEGUN: Final = {"level": "info", "event": "Worker startup parse complete"}
NOISE: Final = {"level": "error", "event": "PermissionError: [Errno 13] Permission denied: '/data/of/another/dag'"}


def test_a_log_that_breaks_off_shows_that_whoever_ran_the_task_was_gone() -> None:
    running = {"level": "info", "event": "exporting orders"}
    verdict = failure_of(entries(NOISE, BEGUN, running)).verdict
    assert (verdict.category, verdict.confidence, verdict.quote) == ("killed", "possible", "exporting orders")
    assert failure_of(entries(BEGUN)).verdict.category == "killed"
    ended = {"level": "info", "event": "::group::Post Execute"}
    assert failure_of(entries(BEGUN, running, ended)).verdict.category == "unknown"


def test_what_was_said_while_files_of_dags_were_read_is_none_of_the_tasks() -> None:
    failed = raised("ValueError", "order 4711 has no currency")
    verdict = failure_of(entries(NOISE, BEGUN, failed)).verdict
    assert (verdict.category, verdict.quote) == ("code_error", "ValueError: order 4711 has no currency")


def test_a_process_that_left_by_itself_is_told_by_its_exit_code() -> None:
    left = {"level": "warning", "event": "Process exited abnormally", "exit_code": 7}
    verdict = failure_of(entries(BEGUN, left)).verdict
    assert (verdict.category, verdict.rules) == ("code_error", ("exit.7",))
    assert verdict.quote == "Process exited abnormally: exit code 7"
    missing = {"level": "error", "event": "ModuleNotFoundError: No module named 'loader'"}
    assert failure_of(entries(BEGUN, missing, left)).verdict.category == "dependency"


@pytest.mark.parametrize(
    ("kind", "words", "category"),
    [
        ("RuntimeError", "Job run 42 ended in state FAILED", "missing_input"),
        ("AirflowException", "Pod loader-1 returned a failure", "missing_input"),
        ("SystemExit", "1", "missing_input"),
        ("ValueError", "no rows were loaded", "code_error"),
    ],
)
def test_an_exception_that_only_wraps_gives_way_to_what_was_told_before_it(
    kind: str, words: str, category: str
) -> None:
    before = {"level": "error", "event": "java.io.FileNotFoundException: No such file: s3a://core/orders/dt=2026-11-20"}
    assert failure_of(entries(BEGUN, before, raised(kind, words))).verdict.category == category


@pytest.mark.parametrize(
    ("kind", "words", "category"),
    [
        ("OperationalError", "unable to open database file", "missing_input"),
        ("OperationalError", "connection failed: server does not support SSL, but SSL was required", "dependency"),
        ("OperationalError", 'connection failed: FATAL:  role "nobody_here" does not exist', "permission"),
        ("StringDataRightTruncation", "value too long for type character varying(3)", "schema_mismatch"),
        ("HTTPError", "429 Client Error: Too Many Requests for url: http://api.corp.example/orders", "dependency"),
        ("ValueError", "order 429 has no currency", "code_error"),
        ("ClientError", "An error occurred (SlowDown): Please reduce your request rate.", "dependency"),
        ("TemplateNotFound", "'sql/load_orders.sql' not found in search path: '/opt/airflow/dags'", "missing_input"),
        ("AirflowException", "Can not find the cwd: /opt/etl/orders", "missing_input"),
        ("BadCopyFileFormat", "extra data after last expected column", "schema_mismatch"),
        ("ConnectionError", "the warehouse restarts", "dependency"),
        ("ConnectionError", "invalid user name or password", "permission"),
        ("BadZipFile", "File is not a zip file", "schema_mismatch"),
        ("BrokenProcessPool", "A process in the process pool was terminated abruptly", "killed"),
        ("ServerSelectionTimeoutError", "db:27017: [Errno 111] Connection refused, Timeout: 30s", "dependency"),
    ],
)
def test_what_surrounds_a_task_is_told_by_its_kinds_of_words(kind: str, words: str, category: str) -> None:
    assert failure_of(entries(BEGUN, raised(kind, words))).verdict.category == category


def test_a_connection_that_was_late_is_a_timeout() -> None:
    late = raised("ConnectTimeout", "failed to establish a connection: connection timed out")
    assert failure_of(entries(BEGUN, late)).verdict.category == "timeout"


def traced(*told: tuple[str, str, str]) -> dict[str, object]:
    """What ended a task: exceptions with the file that raised them, the last one first, each raised from the next."""
    details = [
        {
            "exc_type": kind,
            "exc_value": words,
            "is_cause": place > 0,
            "frames": [{"filename": file, "lineno": 7, "name": "read"}],
        }
        for place, (kind, words, file) in enumerate(told)
    ]
    return {"level": "error", "event": "Task failed with exception", "error_detail": details}


PANDAS: Final = "/opt/airflow/lib/pandas/core/indexes/base.py"


@pytest.mark.parametrize(
    ("kind", "words", "file", "category"),
    [
        ("KeyError", "'currency'", PANDAS, "schema_mismatch"),
        ("ValueError", "could not convert string to float: '1.234,50'", PANDAS, "schema_mismatch"),
        ("ValueError", "Length of values does not match length of index", PANDAS, "code_error"),
        ("KeyError", "'currency'", "/opt/airflow/dags/load.py", "code_error"),
    ],
)
def test_a_table_with_other_columns_or_values_is_told_from_a_mistake_in_code(
    kind: str, words: str, file: str, category: str
) -> None:
    verdict = failure_of(entries(BEGUN, traced((kind, words, file)))).verdict
    assert (verdict.category, verdict.quote) == (category, f"{kind}: {words}")


@pytest.mark.parametrize(
    ("kind", "words", "category"),
    [
        ("FileNotFoundError", "[Errno 2] No such file or directory: '/mnt/share/orders.dat'", "missing_input"),
        ("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)", "code_error"),
    ],
)
def test_what_an_exception_was_raised_from_counts_where_that_says_more(kind: str, words: str, category: str) -> None:
    outer, cause = ("ValueError", "extract failed", "load.py"), (kind, words, "load.py")
    assert failure_of(entries(BEGUN, traced(outer, cause))).verdict.category == category


def test_the_line_that_names_an_exception_is_quoted_and_not_a_hint_behind_it() -> None:
    words = (
        "function day(date) does not exist\nLINE 1: select day(now())\n               ^\nHINT:  No function matches."
    )
    verdict = failure_of(entries(BEGUN, traced(("UndefinedFunction", words, "cursor.py")))).verdict
    assert (verdict.category, verdict.quote) == ("code_error", "UndefinedFunction: function day(date) does not exist")


def around(code: int, *output: str) -> Tail:
    """What a program wrote, and what Airflow says when it has ended."""
    failed = raised("AirflowException", f"Bash command failed. The command returned a non-zero exit code {code}.")
    return entries(BEGUN, *({"level": "info", "event": line} for line in output), failed)


@pytest.mark.parametrize(
    ("code", "output", "category", "quote"),
    [
        (22, ("curl: (22) The requested URL returned error: 404",), "missing_input", "returned error: 404"),
        (22, ("curl: (22) The requested URL returned error: 403",), "permission", "returned error: 403"),
        (2, ("gzip: stdin: not in gzip format", "tar: Child returned status 1"), "schema_mismatch", "not in gzip"),
        (1, ("Error: Unable to access jarfile /opt/jobs/loader.jar",), "dependency", "Unable to access jarfile"),
        (-15, ("exporting orders",), "killed", "exporting orders"),
        (1, ("bash: warning: cannot change locale: No such file or directory", "bad rate"), "code_error", "bad rate"),
        (
            1,
            (
                "WARNING: Permission denied for /etc/cache",
                "Connection refused by the cache, going on without",
                "Traceback (most recent call last):",
                '  File "ratio.py", line 4, in <module>',
                "ZeroDivisionError: division by zero",
            ),
            "code_error",
            "ZeroDivisionError: division by zero",
        ),
        (
            1,
            (
                "java.lang.IllegalStateException: order 4711 cannot be booked",
                "\tat com.corp.etl.Loader.main(Loader.java:21)",
                'Caused by: java.lang.NullPointerException: because "total" is null',
                "\tat com.corp.etl.Order.sum(Order.java:41)",
                "\t... 1 more",
            ),
            "code_error",
            'Caused by: java.lang.NullPointerException: because "total" is null',
        ),
    ],
)
def test_a_program_is_judged_by_what_it_raised_or_said_last_and_not_by_its_warnings(
    code: int, output: Sequence[str], category: str, quote: str
) -> None:
    verdict = failure_of(around(code, *output)).verdict
    assert (verdict.category, quote in verdict.quote) == (category, True)


def test_programs_that_failed_differently_have_other_fingerprints() -> None:
    first, same, other = (
        failure_of(around(1, line)).fingerprint
        for line in ("cannot open ledger 41", "cannot open ledger 42", "the rates are stale")
    )
    assert first == same != other


@pytest.mark.parametrize(
    ("words", "category", "quote"),
    [
        ("FATAL: could not connect to ledger-db:5432: Connection refused", "dependency", "Connection refused"),
        ("ERROR: nothing was exported", "code_error", "ERROR: nothing was exported"),
        ("all rows were read", "code_error", "Task exited: exit code 3"),
    ],
)
def test_a_task_that_just_leaves_is_told_by_what_it_printed(words: str, category: str, quote: str) -> None:
    printed = {"level": "info", "event": words, "logger": "task.stdout"}
    left = {"level": "error", "event": "Task exited", "exit_code": 3}
    verdict = failure_of(entries(BEGUN, printed, left)).verdict
    assert (verdict.category, quote in verdict.quote) == (category, True)


def test_a_task_that_leaves_with_words_is_told_by_them() -> None:
    left = {"level": "error", "event": "Task exited", "exit_code": "no files found in /data/landing for 2026-11-20"}
    verdict = failure_of(entries(BEGUN, left)).verdict
    assert (verdict.category, "no files found" in verdict.quote) == ("missing_input", True)
