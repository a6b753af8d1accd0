"""Facts in what an application measured: failed tasks, lost executors, tasks that carry what all others share.

Not here: text of logs (`sdk/failure_text`), how they end (`endings`), judging (`sdk/failure_rules`).
"""

import re
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Final

from pierhead.sdk.failure_rules import Fact, fact_of
from pierhead.servers.spark.application import Application, Stage

_SOURCE: Final = "event log"
_SKEWED: Final = 4.0
_SLOW_MS: Final = 3_000
_FEWEST: Final = 4
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
