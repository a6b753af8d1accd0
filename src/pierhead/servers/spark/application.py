"""An application as its event log or its History Server tells it: attempts, jobs, stages, executors, queries.

Units: times are milliseconds since 1970-01-01 UTC, 0 where unknown; durations milliseconds; sizes bytes. Not here:
reading (`event_log`, `history`), judging (`diagnosis`).
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

_MOST_SAMPLES: Final = 50_000
_MOST_FAILURES: Final = 20
_HALF: Final = 0.5
_NEARLY_ALL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Spread:
    """How something is distributed over the tasks of a stage."""

    p50: float
    p95: float
    most: float

    @property
    def skew(self) -> float:
        """The most, against the middle; 1 where all are alike. A middle of nothing counts as one."""
        return round(self.most / max(self.p50, 1.0), 1) if self.most else 1.0


@dataclass(slots=True)
class Samples:
    """Values of the tasks of one stage: each of them up to a number, from then on every second, fourth, ..."""

    values: "array[int]" = field(default_factory=lambda: array("q"))
    most: int = 0
    _step: int = 1
    _seen: int = 0

    def add(self, value: int) -> None:
        self.most = max(self.most, value)
        self._seen += 1
        if self._seen % self._step:
            return
        self.values.append(value)
        if len(self.values) > _MOST_SAMPLES:
            self.values, self._step = self.values[::2], self._step * 2

    def spread(self) -> Spread:
        ordered = sorted(self.values)
        if not ordered:
            return Spread(0, 0, 0)
        return Spread(_at(ordered, _HALF), _at(ordered, _NEARLY_ALL), self.most)


def _at(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(slots=True)
class Failure:
    """One kind of failure of tasks: what it said, and how often."""

    reason: str
    text: str
    count: int = 0
    first_at: int = 0
    executor: str = ""


@dataclass(slots=True)
class Stage:
    """One attempt of a stage."""

    id: int
    attempt: int
    name: str = ""
    status: str = "active"
    tasks: int = 0
    done: int = 0
    failed: int = 0
    submitted: int = 0
    completed: int = 0
    failure: str = ""
    input_bytes: int = 0
    shuffle_read: int = 0
    shuffle_write: int = 0
    spill: int = 0
    run_ms: int = 0
    gc_ms: int = 0
    times: Samples = field(default_factory=Samples)
    records: Samples = field(default_factory=Samples)
    failures: dict[str, Failure] = field(default_factory=dict[str, Failure])
    time_spread: Spread | None = None
    """As the History Server worked it out; without it, by the samples."""
    record_spread: Spread | None = None

    @property
    def duration(self) -> int:
        return max(0, self.completed - self.submitted) if self.completed and self.submitted else 0

    def spread_of_times(self) -> Spread:
        return self.time_spread or self.times.spread()

    def spread_of_records(self) -> Spread:
        return self.record_spread or self.records.spread()

    def failed_with(self, reason: str, text: str, at: int, executor: str) -> None:
        """Count one failed task."""
        key = f"{reason}\0{text[:120]}"
        known = self.failures.get(key)
        if known is None:
            if len(self.failures) >= _MOST_FAILURES:
                return
            known = self.failures[key] = Failure(reason, text, 0, at, executor)
        known.count += 1


@dataclass(slots=True)
class Executor:
    id: str
    host: str = ""
    added: int = 0
    removed: int = 0
    reason: str = ""
    tasks: int = 0
    failed: int = 0
    run_ms: int = 0
    gc_ms: int = 0
    peak_memory: int = 0

    @property
    def is_failed(self) -> bool:
        return bool(self.failed or (self.removed and self.reason))


@dataclass(slots=True)
class Job:
    id: int
    submitted: int = 0
    completed: int = 0
    status: str = "running"
    error: str = ""


@dataclass(slots=True)
class Query:
    """One execution of SQL or of a data frame."""

    id: int
    description: str = ""
    started: int = 0
    ended: int = 0
    plan: str = ""
    error: str = ""

    @property
    def duration(self) -> int:
        return max(0, self.ended - self.started) if self.ended else 0


@dataclass(slots=True)
class Application:
    """One attempt of an application. `is_ended` says that its end is on record; `unread` why the rest was not read."""

    id: str
    attempt: str = ""
    name: str = ""
    user: str = ""
    spark: str = ""
    started: int = 0
    ended: int = 0
    exit_code: int = 0
    is_ended: bool = False
    unread: str = ""
    command: str = ""
    properties: dict[str, str] = field(default_factory=dict[str, str])
    stages: dict[tuple[int, int], Stage] = field(default_factory=dict[tuple[int, int], Stage])
    executors: dict[str, Executor] = field(default_factory=dict[str, Executor])
    jobs: dict[int, Job] = field(default_factory=dict[int, Job])
    queries: dict[int, Query] = field(default_factory=dict[int, Query])

    @property
    def status(self) -> str:
        """`failed` where a job failed and none came after it, or it ended with a code; nothing ended is `incomplete`.

        A driver may fail in its own code and leave no trace here: logs tell that.
        """
        last = max(self.jobs.values(), key=lambda job: (job.submitted, job.id), default=None)
        if self.exit_code or (last is not None and last.status == "failed"):
            return "failed"
        return "succeeded" if self.is_ended else "incomplete"

    @property
    def duration(self) -> int:
        return max(0, self.ended - self.started) if self.ended else 0

    @property
    def input_bytes(self) -> int:
        return sum(stage.input_bytes for stage in self.stages.values())

    def stage(self, number: int, attempt: int) -> Stage:
        return self.stages.setdefault((number, attempt), Stage(number, attempt))

    def executor(self, name: str) -> Executor:
        return self.executors.setdefault(name, Executor(name))
