"""What the tools answer: the types are the output schemas. Cells and texts of queries are content."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Verdict = Literal["fresh", "stale", "unknown"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FoundTable(_Answer):
    table: str
    kind: str
    description: str
    tier: int | None
    owner: str
    landed_at: str | None
    documented: float
    score: float
    reasons: list[str]


class FoundTables(_Answer):
    tables: list[FoundTable]


class ShownColumn(_Answer):
    name: str
    type: str
    comment: str
    masked: bool


class ColumnFigures(_Answer):
    column: str
    distinct: float | None
    nulls: float | None
    low: str | None
    high: str | None


class Described(_Answer):
    table: str
    kind: str
    description: str
    tier: int | None
    owner: str
    columns: list[ShownColumn]
    columns_in_all: int
    partition_keys: list[str]
    partitions: list[dict[str, Any]]
    stats: list[ColumnFigures]
    common_values: dict[str, list[Any]]
    sample: list[list[Any]]


class Landed(_Answer):
    partition: str
    rows: int | None


class Freshness(_Answer):
    table: str
    verdict: Verdict
    why: str
    method: str
    latest: str | None
    landed_at: str | None
    lag_minutes: int | None
    rows: int | None
    rows_median: float | None
    last: list[Landed]
    snapshot: str | None


class Delta(_Answer):
    column: str
    nulls_a: float | None
    nulls_b: float | None
    distinct_a: int | None
    distinct_b: int | None
    low_a: Any
    low_b: Any
    high_a: Any
    high_b: Any


class Compared(_Answer):
    table: str
    a: str
    b: str
    rows_a: int
    rows_b: int
    rows_change: float | None
    columns: list[Delta]


class Edge(_Answer):
    table: str
    made_from: str
    depth: int
    told_by: str
    owner: str
    last_update: str | None


class Lineage(_Answer):
    table: str
    direction: str
    edges: list[Edge]


class PastQuery(_Answer):
    sql: str
    description: str
    team: str
    told_by: str
    tables: list[str]


class PastQueries(_Answer):
    queries: list[PastQuery]


class Validated(_Answer):
    valid: bool
    policy: str
    reasons: list[str]
    line: int | None
    column: int | None
    tables: list[str]
    partition_filter: bool | None
    estimated_bytes: int | None
    estimated_rows: int | None
    needs: str


class Rows(_Answer):
    columns: Sequence[Any]
    rows: Sequence[Sequence[Any]]
    query_id: str
    scanned_bytes: int | None
    handle: str | None = None
    handle_expires_at: str | None = None


class Piece(_Answer):
    columns: Sequence[Any]
    rows: Sequence[Sequence[Any]]
    offset: int
    next_offset: int | None
    total: int


class QueryState(_Answer):
    query_id: str
    state: str
    is_yours: bool
    progress: float | None
    queued_ms: int | None
    elapsed: str | None
    queue: str
    blocked: list[str]
    peak_memory: str | None
    scanned: str | None
    error_name: str
    error_type: str
    error_message: str


class Group(_Answer):
    group: str
    queued: int
    running: int


class Health(_Answer):
    cluster: str
    version: str
    queued: int
    running: int
    blocked: int
    oldest_queued_s: float
    failed_lately: int | None
    nodes: int
    failed_nodes: list[str]
    groups: list[Group]


class Cancelled(_Answer):
    query_id: str
    before: str
    now: str


class NewPartition(_Answer):
    """What a plan to overwrite pins: the partition as it is, and what would stand there instead."""

    table: str
    partition: str
    rows_before: int
    rows_after: int
    snapshot: str
    statement: str


class Overwritten(_Answer):
    table: str
    partition: str
    rows_before: int
    rows_now: int
    snapshot: str
    rollback_to: str
