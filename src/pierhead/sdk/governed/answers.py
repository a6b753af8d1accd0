"""What the tools of a SQL server answer: the types are the output schemas.

Row data stands in `rows` alone; no message or hint holds any. Schemas are shown one level deep: eight tools share a
budget of 2,000 tokens, and what is inside a list is told in its description. Not here: how answers are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """One level: what is inside lists and mappings is described, not spelled out."""
        whole = handler.resolve_ref_schema(handler(schema))
        properties = cast("dict[str, JsonSchemaValue]", whole.get("properties", {}))
        return {"type": "object", "properties": {name: _shallow(member) for name, member in properties.items()}}


def _shallow(member: JsonSchemaValue) -> JsonSchemaValue:
    kept = {key: member[key] for key in ("type", "description") if key in member}
    options = [str(option.get("type", "object")) for option in member.get("anyOf", ())]
    return {"type": options, **kept} if options else {"type": "object", **kept}


class ListedTable(_Answer):
    name: str
    kind: str
    comment: str
    rows_estimate: int | None
    operations: list[str]


class TableList(_Answer):
    tables: list[ListedTable] = Field(description="{name, kind, comment, rows_estimate, operations}")
    next_cursor: str | None


class DescribedColumn(_Answer):
    name: str
    type: str
    nullable: bool
    key: bool
    comment: str
    masked: bool
    writable: bool


class DescribedRelation(_Answer):
    """Related rows: `table!hint(...)` in select, where `table` alone could mean several."""

    table: str
    hint: str
    columns: list[str]
    many: bool


class ResultColumn(_Answer):
    name: str
    type: str


class TableDescription(_Answer):
    name: str
    kind: str
    comment: str
    columns: list[DescribedColumn] = Field(description="{name, type, nullable, key, comment, masked, writable}")
    relations: list[DescribedRelation] = Field(description="{table, hint, columns, many}, for select in query_table")
    sample: list[list[Any]]


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
    columns: list[ResultColumn] = Field(description="{name, type}")
    rows: list[list[Any]] = Field(description="large integers and decimals are text")
    truncated: bool
    notice: str
    tables: list[str]


class WrittenRows(_Answer):
    affected: int
    keys: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    dry_run: bool
    etag: str = Field(description="for if_match")
    replayed: bool


class TableRows(_Answer):
    columns: list[ResultColumn] = Field(description="{name, type}")
    rows: list[list[Any]] = Field(description="cells by column")
    truncated: bool
    notice: str
    total: int | None = None
    next_cursor: str | None = None


class EstimateOfEngine(_Answer):
    rows: int | None
    cost: float | None


class Explanation(_Answer):
    verdict: str = Field(description="permitted or refused")
    role: str
    reasons: list[str]
    sql: str
    tables: list[str]
    estimate: EstimateOfEngine | None
