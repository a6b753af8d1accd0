"""Facts in what an application measured: failed tasks, lost executors, tasks that carry what all others share.

Not here: text of logs (`sdk/failure_text`), judging (`sdk/failure_rules`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from pierhead.sdk.failure_rules import Fact, fact_of
from pierhead.servers.spark.application import Application, Stage

_SOURCE: Final = "event log"
_SKEWED: Final = 4.0
_SLOW_MS: Final = 3_000
_FEWEST: Final = 4
_LONGEST: Final = 200
_STOPPED: Final = re.compile(r"SparkContext is stopping with exitCode 0|Successfully stopped SparkContext")
#: The program has gone without stopping its context: with which exit code, nobody says.
_LEFT: Final = re.compile(r"Invoking stop\(\) from shutdown hook")
_END: Final = 40
_SAD: Final = re.compile(
    r"\b(?:fail(?:ed|ure|s)?|abort(?:ed|ing)?|refus(?:ed|ing)|fatal|errors?|exiting|invalid|missing|cannot|mismatch)\b",
    re.IGNORECASE,
)
_NONE: Final = re.compile(r"\b(?:0|no|zero)\b", re.IGNORECASE)
_LOGGED: Final = re.compile(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d (?:INFO|WARN|ERROR) ")
_FINISHED: Final = re.compile(r"Finished task (\d+)\.\d+ in stage (\d+\.\d+) \(TID \d+\) in (\d+) ms")


def facts_of_application(application: Application) -> list[Fact]:
    """What an event log shows, the failed ends of stages and jobs as what ended it."""
    return [*_failures(application), *_losses(application), *_skews(application)]


def skewed(stage: Stage) -> bool:
    """Whether one task of a stage took many times what the others took, for long enough to matter."""
    times = stage.spread_of_times()
    return stage.tasks >= _FEWEST and times.most >= _SLOW_MS and times.skew >= _SKEWED


def _failures(application: Application) -> Iterator[Fact]:
    is_failed = application.status == "failed"
    for job in application.jobs.values():
        if job.status == "failed":
            fact = fact_of("driver", job.error, job.completed / 1000, _SOURCE, is_final=is_failed)
            yield fact or Fact("driver", "", job.completed / 1000, _SOURCE, job.error[:300])
    for query in application.queries.values():
        fact = fact_of("driver", query.error, query.ended / 1000, _SOURCE, is_final=is_failed) if query.error else None
        if fact is not None:
            yield fact
    for stage in application.stages.values():
        texts = [(each.text, each.first_at) for each in stage.failures.values()]
        texts += [(stage.failure, stage.completed)] if stage.failure else []
        for text, at in texts:
            fact = fact_of("task", text, at / 1000, _SOURCE)
            if fact is not None:
                yield fact


def _losses(application: Application) -> Iterator[Fact]:
    for executor in application.executors.values():
        if executor.removed and executor.reason:
            at = executor.removed / 1000
            text = f"executor {executor.id} removed: {executor.reason}"
            fact = fact_of("task", text, at, _SOURCE)
            if fact is not None:
                yield fact


def _skews(application: Application) -> Iterator[Fact]:
    for stage in application.stages.values():
        if skewed(stage):
            times = stage.spread_of_times()
            yield from _skew(str(stage.id), times.most, times.p50, stage.tasks, stage.completed / 1000, _SOURCE)


def ending_in_log(lines: Sequence[str]) -> list[Fact]:
    """How a driver's log ends: with its context stopped by the program, or as the program left, or in the middle."""
    is_spark = False
    for number, line in reversed(list(enumerate(lines))):
        if _LEFT.search(line):
            return [Fact("state", "left", 0.0, "driver log", line.strip()[-_LONGEST:]), *_last_words(lines[:number])]
        if _STOPPED.search(line) and not any(_LEFT.search(each) for each in lines[max(0, number - _END) : number]):
            return [Fact("state", "succeeded", 0.0, "driver log", line.strip()[-_LONGEST:])]
        is_spark = is_spark or bool(_LOGGED.match(line))
    if not is_spark:
        return []
    last = next(line for line in reversed(lines) if line.strip()).strip()[-_LONGEST:]
    fact = fact_of("shape", f"the log breaks off after: {last}", 0.0, "driver log")
    return [fact] if fact else []


def _last_words(lines: Sequence[str]) -> Iterator[Fact]:
    """What the program itself said right before it left, where that sounds like no good end."""
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if not _LOGGED.match(said) and _SAD.search(said) and not _NONE.search(said):
        fact = fact_of("shape", f"before it left it said: {said[:_LONGEST]}", 0.0, "driver log", is_final=True)
        if fact is not None:
            yield replace(fact, quote=said[:_LONGEST])


def skew_in_log(lines: Iterable[str]) -> list[Fact]:
    """The same by what a driver's log says of tasks that finished."""
    took: dict[str, list[int]] = {}
    for line in lines:
        found = _FINISHED.search(line) if "Finished task" in line else None
        if found:
            took.setdefault(found[2], []).append(int(found[3]))
    facts: list[Fact] = []
    for stage, times in took.items():
        middle = median(times)
        if len(times) >= _FEWEST and max(times) >= _SLOW_MS and max(times) >= _SKEWED * max(middle, 1):
            facts += _skew(stage.partition(".")[0], max(times), middle, len(times), 0.0, "driver log")
    return facts


def _skew(stage: str, most: float, middle: float, tasks: int, at: float, source: str) -> Iterator[Fact]:
    words = (
        f"one task of stage {stage} took {most / 1000:.1f} s, {most / max(middle, 1):.0f} times the middle of {tasks}"
    )
    fact = fact_of("shape", words, at, source)
    if fact is not None:
        yield fact
