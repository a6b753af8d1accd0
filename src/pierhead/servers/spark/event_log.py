"""Reads an event log, line by line and within bounds, into an `Application`.

Lines that tell nothing here are passed over unread. A log that breaks off (its driver died) is as good as what it
holds. Not here: finding files (`event_log_files`), the History Server (`history`).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import orjson

from pierhead.servers.spark.application import Application, Job, Query

Event = Mapping[str, Any]

_LONGEST_TEXT: Final = 8_000
_LONGEST_PLAN: Final = 40_000
_MOST_STAGES: Final = 20_000
_LOOK_EVERY: Final = 2_000
_HEAD: Final = 96


def read_events(lines: Iterable[bytes], application: Application, *, most_bytes: int, until: float) -> Application:
    """Take in the lines of a log. Units: `until` in seconds of the monotonic clock; what is cut is said in `unread`."""
    seen = 0
    for number, line in enumerate(lines):
        seen += len(line)
        if seen > most_bytes:
            application.unread = "bytes"
            break
        if number % _LOOK_EVERY == 0 and time.monotonic() > until:
            application.unread = "time"
            break
        take = _READERS.get(_kind(line))
        if take is None:
            continue
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:  # the last line of a driver that died, or a line cut by a full disk
            continue
        if isinstance(event, dict):
            _take(take, application, cast("Event", event))
    return application


def _take(take: Callable[[Application, Event], None], application: Application, event: Event) -> None:
    """A line whose members are not what they should be tells nothing."""
    try:
        take(application, event)
    except (KeyError, TypeError, ValueError, AttributeError):
        return


def _kind(line: bytes) -> bytes:
    """The event's name, without reading the line: it is always the first member."""
    head = line[:_HEAD].lstrip()
    if not head.startswith(b'{"Event":"'):
        return b""
    name = head[10:].partition(b'"')[0]
    return name.rpartition(b".")[2]


def _log_start(application: Application, event: Event) -> None:
    application.spark = str(event["Spark Version"])


def _application_start(application: Application, event: Event) -> None:
    application.id = str(event.get("App ID") or application.id)
    application.attempt = str(event.get("App Attempt ID") or application.attempt)
    application.name, application.user = str(event["App Name"])[:300], str(event.get("User", ""))
    application.started = int(event["Timestamp"])


def _application_end(application: Application, event: Event) -> None:
    application.ended, application.is_ended = int(event["Timestamp"]), True
    application.exit_code = int(event.get("ExitCode") or 0)


def _environment(application: Application, event: Event) -> None:
    properties = cast("Mapping[str, object]", event["Spark Properties"])
    application.properties = {name: str(value)[:2000] for name, value in properties.items()}
    application.command = str(event.get("System Properties", {}).get("sun.java.command", ""))[:_LONGEST_TEXT]


def _job_start(application: Application, event: Event) -> None:
    number = int(event["Job ID"])
    application.jobs[number] = Job(number, int(event.get("Submission Time", 0)))


def _job_end(application: Application, event: Event) -> None:
    job = application.jobs.setdefault(int(event["Job ID"]), Job(int(event["Job ID"])))
    result = event["Job Result"]
    job.completed = int(event.get("Completion Time", 0))
    job.status = "succeeded" if result["Result"] == "JobSucceeded" else "failed"
    job.error = str(result.get("Exception", {}).get("Message", ""))[:_LONGEST_TEXT]


def _stage_submitted(application: Application, event: Event) -> None:
    if len(application.stages) < _MOST_STAGES:
        _stage_info(application, event["Stage Info"])


def _stage_completed(application: Application, event: Event) -> None:
    about = event["Stage Info"]
    _stage_info(application, about)
    stage = application.stage(int(about["Stage ID"]), int(about["Stage Attempt ID"]))
    stage.completed = int(about.get("Completion Time", 0))
    stage.failure = str(about.get("Failure Reason", ""))[:_LONGEST_TEXT]
    stage.status = "failed" if stage.failure else "complete"


def _stage_info(application: Application, about: Event) -> None:
    stage = application.stage(int(about["Stage ID"]), int(about["Stage Attempt ID"]))
    stage.name, stage.tasks = str(about["Stage Name"])[:300], int(about["Number of Tasks"])
    stage.submitted = int(about.get("Submission Time", 0)) or stage.submitted


def _task_end(application: Application, event: Event) -> None:
    stage = application.stage(int(event["Stage ID"]), int(event["Stage Attempt ID"]))
    task, ending = event["Task Info"], event["Task End Reason"]
    executor = application.executor(str(task["Executor ID"]))
    executor.host = executor.host or str(task.get("Host", ""))
    executor.tasks += 1
    if ending["Reason"] != "Success":
        if not task.get("Killed"):
            stage.failed += 1
            executor.failed += 1
            stage.failed_with(*_ended_badly(ending), int(task.get("Finish Time", 0)), executor.id)
        return
    stage.done += 1
    stage.times.add(int(task["Finish Time"]) - int(task["Launch Time"]))
    _measured(application, event)


def _ended_badly(ending: Event) -> tuple[str, str]:
    """What kind of end, and in which words."""
    reason = str(ending["Reason"])
    match reason:
        case "ExceptionFailure":
            text = f"{ending.get('Class Name', '')}: {ending.get('Description', '')}"
            whole = str(ending.get("Full Stack Trace") or "")
            return reason, (whole if len(whole) > len(text) else text)[:_LONGEST_TEXT]
        case "ExecutorLostFailure":
            where = f"ExecutorLostFailure (executor {ending.get('Executor ID', '?')} exited"
            return reason, f"{where}) Reason: {ending.get('Loss Reason', '')}"[:_LONGEST_TEXT]
        case "FetchFailed":
            return reason, f"FetchFailed: {ending.get('Message', '')}"[:_LONGEST_TEXT]
        case "TaskKilled":
            return reason, f"TaskKilled ({ending.get('Kill Reason', '')})"[:_LONGEST_TEXT]
        case _:
            return reason, reason


def _measured(application: Application, event: Event) -> None:
    """What a task read, wrote and took."""
    metrics = event.get("Task Metrics")
    if not metrics:
        return
    stage = application.stage(int(event["Stage ID"]), int(event["Stage Attempt ID"]))
    read, given, taken = (
        metrics.get(name, {}) for name in ("Input Metrics", "Shuffle Write Metrics", "Shuffle Read Metrics")
    )
    fetched = int(taken.get("Remote Bytes Read", 0)) + int(taken.get("Local Bytes Read", 0))
    stage.input_bytes += int(read.get("Bytes Read", 0))
    stage.shuffle_read += fetched
    stage.shuffle_write += int(given.get("Shuffle Bytes Written", 0))
    stage.spill += int(metrics.get("Disk Bytes Spilled", 0))
    stage.run_ms += int(metrics.get("Executor Run Time", 0))
    stage.gc_ms += int(metrics.get("JVM GC Time", 0))
    stage.records.add(int(read.get("Records Read", 0)) + int(taken.get("Total Records Read", 0)))
    executor = application.executor(str(event["Task Info"]["Executor ID"]))
    executor.run_ms += int(metrics.get("Executor Run Time", 0))
    executor.gc_ms += int(metrics.get("JVM GC Time", 0))
    executor.peak_memory = max(executor.peak_memory, int(metrics.get("Peak Execution Memory", 0)))


def _executor_added(application: Application, event: Event) -> None:
    executor = application.executor(str(event["Executor ID"]))
    executor.added, executor.host = int(event["Timestamp"]), str(event["Executor Info"]["Host"])


def _executor_removed(application: Application, event: Event) -> None:
    executor = application.executor(str(event["Executor ID"]))
    executor.removed, executor.reason = int(event["Timestamp"]), str(event.get("Removed Reason", ""))[:2000]


def _query_start(application: Application, event: Event) -> None:
    number = int(event["executionId"])
    plan = str(event.get("physicalPlanDescription", ""))[:_LONGEST_PLAN]
    query = Query(number, str(event.get("description", ""))[:300], int(event["time"]), plan=plan)
    application.queries[number] = query


def _query_changed(application: Application, event: Event) -> None:
    query = application.queries.get(int(event["executionId"]))
    if query is not None:
        query.plan = str(event.get("physicalPlanDescription", ""))[:_LONGEST_PLAN] or query.plan


def _query_end(application: Application, event: Event) -> None:
    query = application.queries.setdefault(int(event["executionId"]), Query(int(event["executionId"])))
    query.ended, query.error = int(event["time"]), str(event.get("errorMessage") or "")[:_LONGEST_TEXT]


_READERS: Final[Mapping[bytes, Callable[[Application, Event], None]]] = {
    b"SparkListenerLogStart": _log_start,
    b"SparkListenerApplicationStart": _application_start,
    b"SparkListenerApplicationEnd": _application_end,
    b"SparkListenerEnvironmentUpdate": _environment,
    b"SparkListenerJobStart": _job_start,
    b"SparkListenerJobEnd": _job_end,
    b"SparkListenerStageSubmitted": _stage_submitted,
    b"SparkListenerStageCompleted": _stage_completed,
    b"SparkListenerTaskEnd": _task_end,
    b"SparkListenerExecutorAdded": _executor_added,
    b"SparkListenerExecutorRemoved": _executor_removed,
    b"SparkListenerSQLExecutionStart": _query_start,
    b"SparkListenerSQLAdaptiveExecutionUpdate": _query_changed,
    b"SparkListenerSQLExecutionEnd": _query_end,
}
