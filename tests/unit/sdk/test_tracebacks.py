"""Exceptions in texts of Python and Java, chained and one inside the other: the cause of each, once."""

from pierhead.sdk.tracebacks import find_exceptions

PYTHON = """Traceback (most recent call last):
  File "/opt/dags/load.py", line 42, in load
    read(path)
  File "/opt/dags/load.py", line 17, in read
    raise FileNotFoundError(path)
FileNotFoundError: s3://bucket/dt=2026-11-20
"""
JAVA = """26/11/20 02:00:09 ERROR Executor: Exception in task 0.0 in stage 1.0 (TID 1)
java.lang.RuntimeException: wrapped
\tat com.example.Job.run(Job.java:10)
\tat java.base/java.lang.Thread.run(Thread.java:829)
Caused by: java.lang.OutOfMemoryError: Java heap space
\tat com.example.Job.fill(Job.java:99)
\t... 2 more
26/11/20 02:00:10 INFO SparkContext: stopped
"""
PYSPARK = """Traceback (most recent call last):
  File "/app/job.py", line 9, in <module>
    df.write.parquet(out)
  File "/spark/python/pyspark/sql/readwriter.py", line 1721, in parquet
    self._jwrite.parquet(path)
py4j.protocol.Py4JJavaError: An error occurred while calling o68.parquet.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2844)
Caused by: org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "/app/job.py", line 5, in divide
    return 1 / x
ZeroDivisionError: division by zero

\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handlePythonException(PythonRunner.scala:572)
"""


def test_a_python_traceback_names_what_was_raised_and_where() -> None:
    (found,) = find_exceptions(f"before\n{PYTHON}")
    assert (found.kind, found.message, found.language) == (
        "FileNotFoundError", "s3://bucket/dt=2026-11-20", "python",
    )  # fmt: skip
    assert found.frames_head == ("/opt/dags/load.py:17 in read", "/opt/dags/load.py:42 in load")
    assert found.first_line == 2
    assert found.quote in PYTHON
    assert "FileNotFoundError" in found.quote


def test_a_chain_names_its_cause() -> None:
    second = 'Traceback (most recent call last):\n  File "b.py", line 1, in g\n    x\nValueError: bad table\n'
    for words in ("The above exception was the direct cause of the following exception:",
                  "During handling of the above exception, another exception occurred:"):  # fmt: skip
        (found,) = find_exceptions(f"{PYTHON}\n{words}\n\n{second}")
        assert found.kind == "FileNotFoundError"
        assert found.chain == ("ValueError: bad table", "FileNotFoundError: s3://bucket/dt=2026-11-20")


def test_a_java_trace_names_its_last_cause() -> None:
    (found,) = find_exceptions(JAVA)
    assert (found.kind, found.message, found.language) == ("java.lang.OutOfMemoryError", "Java heap space", "java")
    assert found.frames_head == ("com.example.Job.fill(Job.java:99)",)
    assert found.chain == ("java.lang.RuntimeException: wrapped", "java.lang.OutOfMemoryError: Java heap space")
    assert found.quote in JAVA
    assert found.last_line == 7


def test_python_inside_java_inside_python_is_told_from_its_inmost() -> None:
    (found,) = find_exceptions(PYSPARK)
    assert (found.kind, found.message, found.language) == ("ZeroDivisionError", "division by zero", "python")
    assert found.frames_head[0] == "/app/job.py:5 in divide"


def test_java_inside_python_is_told_from_java() -> None:
    text = PYSPARK.partition("Caused by")[0]
    (found,) = find_exceptions(text)
    assert found.kind == "org.apache.spark.SparkException"
    assert found.language == "java"


def test_the_same_failure_counts_as_one() -> None:
    again = PYTHON.replace("2026-11-20", "2026-11-21").replace("17", "18")
    (found,) = find_exceptions(PYTHON + "2026-11-20 02:00:00 INFO again\n" + again)
    assert found.count == 2
    assert (found.first_line, found.last_line) == (1, 13)
    assert find_exceptions(PYTHON)[0].fingerprint == find_exceptions(again)[0].fingerprint
    other = PYTHON.replace("FileNotFoundError", "PermissionError")
    assert find_exceptions(PYTHON)[0].fingerprint != find_exceptions(other)[0].fingerprint


def test_a_relay_may_put_a_time_in_front_of_each_line() -> None:
    relayed = "".join(f"[2026-11-20, 02:00:01 UTC] {{subprocess.py:93}} INFO - {line}\n" for line in JAVA.splitlines())
    (found,) = find_exceptions(relayed)
    assert found.kind == "java.lang.OutOfMemoryError"
    assert found.quote in relayed


def test_an_exception_at_the_end_of_a_line_of_the_scheduler_is_found() -> None:
    text = (
        "26/11/20 02:00:09 WARN TaskSetManager: Lost task 0.0 in stage 1.0 (TID 1) (host executor 1):"
        " java.lang.ArithmeticException: / by zero\n\tat com.example.Job.run(Job.java:10)\n"
    )
    (found,) = find_exceptions(text)
    assert (found.kind, found.message) == ("java.lang.ArithmeticException", "/ by zero")


def test_lone_lines_and_lists_of_lines() -> None:
    found = find_exceptions(["java.lang.OutOfMemoryError: Java heap space", "all is well", "ValueError: no"])
    assert [each.kind for each in found] == ["java.lang.OutOfMemoryError", "ValueError"]
    assert find_exceptions("nothing here\nErrorCount: 3\nan error occurred: none\n") == []


def test_each_is_small_however_large_the_text() -> None:
    deep = "".join(f'  File "/opt/{"x" * 300}.py", line {n}, in f{n}\n    call()\n' for n in range(300))
    (found,) = find_exceptions(f"Traceback (most recent call last):\n{deep}ValueError: {'y' * 5_000}\n")
    assert len(found.quote.encode()) <= 1_200
    assert len(found.message) <= 400
    assert sum(map(len, found.frames_head)) <= 480


def test_of_frames_deep_in_a_library_the_last_of_own_code_is_kept() -> None:
    installed = [
        f'  File "/opt/lib/python3.12/site-packages/pandas/core/{name}.py", line 1, in {name}' for name in "abcde"
    ]
    own = ['  File "/opt/dags/load.py", line 42, in load']
    (found,) = find_exceptions(["Traceback (most recent call last):", *own, *installed, "KeyError: 'currency'"])
    assert found.frames_head[-1] == "/opt/dags/load.py:42 in load"
    assert [frame[-1] for frame in found.frames_head[:-1]] == ["e", "d", "c"]


def test_a_cause_that_a_library_caught_is_shown_with_the_code_that_called_it() -> None:
    text = """Traceback (most recent call last):
  File "/opt/lib/python3.12/site-packages/pandas/core/indexes/base.py", line 1, in get_loc
KeyError: 'currency'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/opt/dags/load.py", line 42, in load
  File "/opt/lib/python3.12/site-packages/pandas/core/frame.py", line 2, in __getitem__
KeyError: 'currency'"""
    (found,) = find_exceptions(text)
    assert found.frames_head[0].endswith("pandas/core/indexes/base.py:1 in get_loc")
    assert found.frames_head[-1] == "/opt/dags/load.py:42 in load"
