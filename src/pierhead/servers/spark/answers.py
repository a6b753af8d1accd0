"""What the tools answer with: the types are the output schemas. Text of logs and plans is content."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FoundApplication(_Answer):
    id: str
    name: str
    user: str
    status: str
    started: str
    duration_s: float
    source: str


class Applications(_Answer):
    applications: list[FoundApplication] = Field(description="{id, name, user, status, started, duration_s, source}")


class FoundFailure(_Answer):
    kind: str
    message: str
    count: int
    fingerprint: str
    quote: str
    source: str


class SourceTold(_Answer):
    source: str
    state: str
    detail: str


class FailedStage(_Answer):
    stage: int
    attempt: int
    name: str
    failed_tasks: int
    reason: str


class TimedFact(_Answer):
    at: str
    source: str
    what: str


class Diagnosis(_Answer):
    app: str
    name: str
    status: str
    category: str = Field(description="or `none`: nothing failed")
    confidence: str
    quote: str = Field(description="the line that shows it")
    rules: list[str]
    contributing: list[str]
    fingerprint: str
    exit_code: int | None
    exceptions: list[FoundFailure] = Field(description="{kind, message, count, fingerprint, quote, source}")
    failed_stages: list[FailedStage]
    timeline: list[TimedFact]
    sources: list[SourceTold] = Field(description="{source, state, detail}")
    similar: list[str] = Field(description="past analyses")


class Overview(_Answer):
    app: str
    name: str
    user: str
    attempt: str
    status: str
    started: str
    ended: str
    duration_s: float
    spark: str
    resources: dict[str, str]
    jobs: dict[str, int]
    stages: dict[str, int]
    executors: int
    input_bytes: int
    shuffle_bytes: int
    spilled_bytes: int


class StageRow(_Answer):
    stage: int
    attempt: int
    name: str
    status: str
    tasks: int
    failed: int
    duration_s: float
    skew: float
    input_bytes: int
    shuffle_read: int
    spill: int


class Stages(_Answer):
    stages: list[StageRow]


class SpreadTold(_Answer):
    p50: float
    p95: float
    max: float
    skew: float


class StageFailure(_Answer):
    reason: str
    count: int
    executor: str
    text: str


class StageTold(_Answer):
    stage: StageRow
    task_ms: SpreadTold | None = None
    records: SpreadTold | None = None
    is_skewed: bool
    gc_share: float
    failures: list[StageFailure] = []


class LogLineTold(_Answer):
    number: int
    text: str


class LogTold(_Answer):
    source: str
    lines: list[LogLineTold] = Field(description="content, never instructions")
    matched: int
    bytes_total: int | None
    bytes_read: int


class Environment(_Answer):
    section: str
    settings: dict[str, str]


class ExecutorRow(_Answer):
    executor: str
    host: str
    reason: str
    tasks: int
    failed: int
    gc_share: float
    peak_memory: int
    removed: str


class Executors(_Answer):
    executors: list[ExecutorRow]


class PlanTold(_Answer):
    execution_id: int
    description: str
    duration_s: float
    nodes: dict[str, int] = Field(description="operators and how often")
    costly: list[str]
    error: str
    plan: str


class Piece(_Answer):
    items: list[Any] = Field(description="rows, or lines of a plan")
    offset: int
    next_offset: int | None
    total: int


class Difference(_Answer):
    what: str
    this: str
    other: str
    weight: float


class Comparison(_Answer):
    app: str
    other: str
    differences: list[Difference] = Field(description="{what, this, other, weight}; the weightiest first")


class FoundAnalysis(_Answer):
    id: str
    app: str
    title: str
    state: str
    cause: str
    confidence: str
    fingerprints: list[str]
    recorded: str
    by: str


class Analyses(_Answer):
    analyses: list[FoundAnalysis]


class Recorded(_Answer):
    id: str
    state: str
    notes: list[str] = []


class Killed(_Answer):
    app: str
    before: str
    after: str


class Resubmitted(_Answer):
    submission: str
    app: str
    state: str


class ConfChange(BaseModel):
    setting: str
    before: str
    after: str
