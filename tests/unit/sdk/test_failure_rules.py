"""The table of failure rules, against messages as engines write them, and the judgement over several of them."""

import json
from pathlib import Path

import pytest

from pierhead.sdk.failure_rules import RULES, Fact, classify, fact_of, rule_for
from pierhead.sdk.failure_text import facts_in_text

CORPUS = Path(__file__).parents[2] / "corpus" / "failure_messages.jsonl"
MESSAGES = [json.loads(line) for line in CORPUS.read_text().splitlines()]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["text"][:40])
def test_a_message_that_engines_write_is_known(message: dict[str, str]) -> None:
    found = rule_for("driver", message["text"])
    assert found is not None
    assert (found[0].category, found[1] in message["text"]) == (message["category"], True)


def test_every_rule_has_a_name_of_its_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_what_a_container_did_outranks_what_a_text_says() -> None:
    text = fact_of("driver", "java.util.concurrent.TimeoutException: Futures timed out", 1, "driver log", is_final=True)
    pod = fact_of("container", "executor exec-1 OOMKilled, exit code 137", 9, "pods")
    assert text is not None
    assert pod is not None
    verdict = classify([text, pod])
    assert (verdict.category, verdict.confidence, verdict.contributing) == ("executor_oom", "confirmed", ["timeout"])


def test_a_driver_that_was_out_of_memory_is_told_from_an_executor() -> None:
    pod = fact_of("container", "driver etl-driver OOMKilled, exit code 137", 9, "pods")
    assert pod is not None
    assert classify([pod]).category == "driver_oom"


def test_what_was_caught_is_not_what_ended_it() -> None:
    log = """26/11/22 04:19:48 ERROR Reader: cannot look
java.io.FileNotFoundException: No such file or directory: s3a://lake/optional
26/11/22 04:19:51 INFO TaskSetManager: Starting task 0.0 in stage 1.0
Traceback (most recent call last):
  File "job.py", line 3, in <module>
    rates["GBP"]
KeyError: 'GBP'
26/11/22 04:19:52 INFO SparkContext: Successfully stopped SparkContext"""
    verdict = classify(facts_in_text(log.splitlines(), "driver", "driver log"))
    assert (verdict.category, verdict.quote) == ("code_error", "KeyError: 'GBP'")


def test_nothing_known_is_unknown() -> None:
    assert classify([Fact("driver", "?", 0, "driver log")]).category == "unknown"
    assert rule_for("driver", "26/11/22 04:19:52 INFO SparkContext: Successfully stopped SparkContext") is None


def test_a_kill_of_what_would_not_end_is_skew() -> None:
    kill = fact_of("driver", "RECEIVED SIGNAL TERM", 9, "driver log")
    skew = fact_of("shape", "one task of stage 3 took 40 s, 31 times the middle of 8 tasks", 5, "event log")
    assert kill is not None
    assert skew is not None
    assert classify([kill, skew]).category == "skew"


def test_lines_that_airflow_wrote_around_those_of_spark_are_read() -> None:
    head = "[2026-11-20T02:01:07.051+0000] {spark_submit.py:645} INFO - "
    log = [
        f"{head}26/11/20 02:01:06 INFO SparkContext: Running",
        f"{head}Traceback (most recent call last):",
        f'{head}  File "job.py", line 3, in <module>',
        f"{head}ModuleNotFoundError: No module named 'features'",
    ]
    verdict = classify(facts_in_text(log, "driver", "Airflow task log"))
    assert (verdict.category, verdict.confidence) == ("dependency", "confirmed")


def test_a_structured_log_is_read() -> None:
    line = {
        "ts": "2026-11-20T02:01:06.123Z",
        "level": "ERROR",
        "logger": "Executor",
        "msg": "Exception in task 0.0 in stage 1.0 (TID 4)",
        "exception": {"class": "java.lang.OutOfMemoryError", "msg": "Java heap space"},
    }
    (fact,) = facts_in_text([json.dumps(line, separators=(",", ":"))], "driver", "driver log")
    assert (fact.value, fact.at) == ("executor_oom", 1795140066.0)


@pytest.mark.slow
def test_a_log_that_says_one_thing_over_and_over_is_judged_once() -> None:
    noise = [f"26/11/22 04:19:48 ERROR TaskSetManager: thing {number} went odd" for number in range(50_000)]
    told = facts_in_text([*noise, "26/11/22 04:20:48 ERROR Reader: bucket lake not found"], "driver", "driver log")
    assert [(fact.value, fact.at) for fact in told] == [("missing_input", 1795321248.0)]


@pytest.mark.slow
def test_of_a_log_that_never_repeats_its_beginning_and_its_end_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []

    def counted(kind: str, text: str) -> object:
        judged.append(text)
        return rule_for(kind, text)

    monkeypatch.setattr("pierhead.sdk.failure_text.rule_for", counted)
    words = [f"{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676 % 26)}" for n in range(17_000)]
    noise = [f"java.lang.IllegalStateException: {word} is {word * 20}" for word in words]
    lines = [
        "org.apache.hadoop.security.AccessControlException: Permission denied: user=ann",
        *noise,
        "26/11/20 02:00:10 ERROR Executor: java.io.FileNotFoundException: No such file /lake/orders/dt=2026-11-20",
    ]
    values = {fact.value for fact in facts_in_text(lines, "driver", "log")}
    assert {"permission", "missing_input"} <= values
    assert 200_000 < sum(map(len, judged)) <= 240_000


def test_a_line_of_source_and_a_frame_of_a_trace_say_nothing_by_their_words() -> None:
    trace = """Traceback (most recent call last):
  File "load.py", line 7, in <module>
    raise FileNotFoundError(path)  # access denied, timed out
    ~~~~~^^^^^^^^^^^
KeyError: 'GBP'
\tat org.apache.spark.sql.errors.QueryCompilationErrors.tableNotFoundException(Errors.scala:1)"""
    assert classify(facts_in_text(trace.splitlines(), "driver", "log")).category == "code_error"


def test_an_exception_that_somebody_named_is_one() -> None:
    trace = [
        "Traceback (most recent call last):",
        '  File "load.py", line 7, in <module>',
        "__main__.BadLedger: off by 3",
    ]
    verdict = classify(facts_in_text(trace, "driver", "driver log"))
    assert (verdict.category, verdict.quote) == ("code_error", "__main__.BadLedger: off by 3")


def test_the_root_of_a_chain_of_causes_counts() -> None:
    trace = """java.lang.RuntimeException: cannot be parsed
Caused by: com.example.StoreAccessDeniedException: no"""
    assert rule_for("driver", trace) is not None
    fact = fact_of("driver", trace, 0, "driver log")
    assert fact is not None
    assert (fact.value, fact.quote) == ("permission", "Caused by: com.example.StoreAccessDeniedException: no")


def test_memory_that_a_worker_of_python_lacks_is_its_executors() -> None:
    trace = """Traceback (most recent call last):
  File "/opt/spark/python/lib/pyspark.zip/pyspark/worker.py", line 2089, in main
    process()
  File "load.py", line 7, in <lambda>
MemoryError"""
    assert classify(facts_in_text(trace.splitlines(), "driver", "driver log")).category == "executor_oom"
