"""What the tools of a SQL server answer: the types are the output schemas.

Row data stands in `rows` alone; no message or hint holds any. Not here: how answers are made (source.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ListedTable(_Answer):
    name: str
    kind: str = Field(description="table or view")
    comment: str
    rows_estimate: int | None
    operations: list[str]


class TableList(_Answer):
    tables: list[ListedTable]
    next_cursor: str | None = Field(description="pass as cursor for the next page")


class DescribedColumn(_Answer):
    name: str
    type: str
    nullable: bool
    key: bool
    comment: str
    writable: bool


class ResultColumn(_Answer):
    name: str
    type: str


class TableDescription(_Answer):
    name: str
    kind: str
    comment: str
    columns: list[DescribedColumn]
    sample: list[list[Any]] = Field(description="sample rows, cells in the order of columns")


@dataclass(slots=True)
class AnsweredColumn:
    name: str
    type: str


@dataclass(slots=True)
class QueryAnswer:
    """What QueryResult describes, made for each call: without the cost of checking what we made ourselves."""

    columns: Sequence[AnsweredColumn]
    rows: Sequence[Sequence[object]]
    truncated: bool
    notice: str
    tables: Sequence[str]


class QueryResult(_Answer):
    columns: list[ResultColumn]
    rows: list[list[Any]] = Field(description="cells in the order of columns; large integers and decimals are text")
    truncated: bool
    notice: str = Field(description="what was cut and how to narrow the statement")
    tables: list[str]


class WrittenRows(_Answer):
    affected: int
    key: list[str] = Field(description="the columns of the key")
    keys: list[list[Any]] = Field(description="of the written rows, in the order of writing")
    columns: list[ResultColumn]
    rows: list[list[Any]] | None = Field(description="if asked for, or a sample of a dry run")
    truncated: bool
    dry_run: bool = Field(description="nothing was kept")
    etag: str = Field(description="of the row, if one was written; pass it as if_match")
    replayed: bool = Field(description="the first answer to this idempotency_key")


class TableRows(_Answer):
    columns: list[ResultColumn]
    rows: list[list[Any]] = Field(description="cells in the order of columns; related rows are nested")
    truncated: bool
    notice: str = Field(description="what was cut and how to go on")
    total: int | None = None
    next_cursor: str | None = None


class EstimateOfEngine(_Answer):
    rows: int | None
    cost: float | None


class Explanation(_Answer):
    verdict: str = Field(description="permitted or refused")
    reasons: list[str]
    sql: str = Field(description="the statement that would run")
    tables: list[str]
    estimate: EstimateOfEngine | None
