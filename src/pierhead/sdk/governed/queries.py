"""Curated queries as they are written: SQL that an owner reviewed, typed parameters, and the roles that may call it.

Each holds to the same guard as a caller's statement: it reads what the calling role may read, and is checked for each
of its roles when it loads. Not here: the tools made of them (query_tools.py), running them (sql_lane.py).
"""

import datetime as dt
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self, cast

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from pierhead.sdk import UpstreamUnreachable
from pierhead.sdk.governed.engine import Values
from pierhead.sdk.sqlguard import PREFIX, Dialect, SqlRefused, View, govern

TOOLS: Final = frozenset(
    {
        "list_tables",
        "describe_table",
        "query_table",
        "run_query",
        "explain_query",
        "insert_rows",
        "update_rows",
        "delete_rows",
        "plan_delete_rows",
        "delete_planned_rows",
        "call_function",
    }
)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LARGEST: Final = 2**63 - 1
_OWN_ARGUMENT: Final = "caller"

ParameterType = Literal["text", "integer", "number", "boolean", "date", "timestamp"]
_PYTHON_TYPES: Final[Mapping[ParameterType, Any]] = {
    "text": str,
    "integer": Annotated[int, Field(ge=-_LARGEST - 1, le=_LARGEST)],
    "number": Annotated[float, Field(allow_inf_nan=False)],
    "boolean": bool,
    "date": dt.date,
    "timestamp": dt.datetime,
}
# PostgreSQL types a parameter by where it stands, and would take a moment as one of this machine's zone. Text stays
# untyped, so that it also fits an enum or a uuid.
_POSTGRES_TYPES: Final[Mapping[ParameterType, str]] = {
    "integer": "bigint",
    "number": "numeric",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}


def _tool_name(written: str) -> str:
    if not _NAME.fullmatch(written):
        raise ValueError("a query is named by lower-case letters, digits and _, beginning with a letter")
    if written in TOOLS:
        raise ValueError("every SQL server has a tool of that name; choose another")
    return written


def _parameter_name(written: str) -> str:
    if not _NAME.fullmatch(written) or keyword.iskeyword(written) or written == _OWN_ARGUMENT:
        raise ValueError("a parameter is named by lower-case letters, digits and _, and not by a reserved word")
    return written


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class QueryParameter(_Strict):
    """One parameter, `:name` in the SQL. Without a default it must be given; `default: null` lets it be left out."""

    type: ParameterType
    default: Any = None
    description: str = ""

    @model_validator(mode="after")
    def _takes_its_default(self) -> Self:
        try:
            TypeAdapter[object](self.annotation).validate_json(orjson.dumps(self.default), strict=True)
        except (ValidationError, TypeError):
            if not self.is_required:
                raise ValueError(f"the default is not of type {self.type}") from None
        return self

    @property
    def is_required(self) -> bool:
        return "default" not in self.model_fields_set

    @property
    def annotation(self) -> Any:  # noqa: ANN401 - a type, as pydantic reads them
        """The type of values, with its description."""
        takes = _PYTHON_TYPES[self.type]
        whole = takes | None if not self.is_required and self.default is None else takes
        return Annotated[whole, Field(description=self.description)] if self.description else whole

    @property
    def default_value(self) -> object:
        """The default as the tool's own code takes it."""
        return TypeAdapter[object](self.annotation).validate_json(orjson.dumps(self.default), strict=True)


class Query(_Strict):
    """One curated query. An empty `roles` offers it to nobody."""

    sql: str = Field(min_length=1)
    description: str = Field(min_length=1)
    parameters: dict[Annotated[str, AfterValidator(_parameter_name)], QueryParameter] = {}
    roles: list[str]
    minutes_saved: float = Field(default=10, ge=0)

    def casts(self, dialect: Dialect) -> Mapping[str, str]:
        """Parameter -> the SQL type that it is cast to, where the engine would guess."""
        if dialect != "postgres":
            return {}
        return {
            name: _POSTGRES_TYPES[each.type] for name, each in self.parameters.items() if each.type in _POSTGRES_TYPES
        }

    def bound(self, values: Mapping[str, object], dialect: Dialect) -> Values:
        """Slot -> what the driver binds there."""
        return {PREFIX + name: _for_driver(value, dialect) for name, value in values.items()}


def _for_driver(value: object, dialect: Dialect) -> object:
    """SQLite has no times: its own functions write them as text. A moment with a zone is told in UTC."""
    if isinstance(value, dt.datetime):
        moment = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
        return moment.isoformat(" ") if dialect == "sqlite" else moment
    if isinstance(value, dt.date):
        return value.isoformat() if dialect == "sqlite" else value
    if isinstance(value, float) and dialect == "postgres":
        return Decimal(str(value))
    return value


@dataclass(frozen=True, slots=True)
class OfferedQuery:
    """A query as its tool tells it; `parameters` is the tool's input schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


Queries = Mapping[str, Query]
_QUERIES: Final = TypeAdapter(dict[Annotated[str, AfterValidator(_tool_name)], Query])


def parse_queries(written: object) -> tuple[Queries, list[str]]:
    """The queries in `written`, and what is wrong with them."""
    try:
        return _QUERIES.validate_python(written), []
    except ValidationError as invalid:
        return {}, [f"queries.{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors()]


def digested(queries: Queries) -> bytes:
    """What changes when a query does."""
    return _QUERIES.dump_json(cast("dict[str, Query]", queries)) if queries else b""


def queries_schema() -> dict[str, Any]:
    """JSON Schema of `queries`."""
    return _QUERIES.json_schema()


def unheld(queries: Queries, roles: Mapping[str, object]) -> Iterator[str]:
    """Roles that queries name and that there are not. A source without any role serves nobody yet."""
    for name, query in queries.items():
        for role in query.roles if roles else ():
            if role not in roles:
                yield f"queries.{name}.roles: there is no role {role}"


def unfit(queries: Queries, views: Mapping[str, View]) -> Iterator[str]:
    """What the guard refuses of the queries, for each role that may call them."""
    for name, query in queries.items():
        for role in query.roles:
            if role in views:
                yield from (f"queries.{name}, as role {role}: {fault}" for fault in _faults(query, views[role]))


def _faults(query: Query, view: View) -> Iterator[str]:
    try:
        governed = govern(query.sql, view, max_rows=1, casts=query.casts(view.dialect))
    except SqlRefused as refusal:
        yield f"{refusal.message}; {refusal.hint}"
        return
    except UpstreamUnreachable:
        return  # a table broke its contract: each call says so, until somebody accepts it
    if governed.explain:
        yield "EXPLAIN gives no rows; write the statement alone"
    used = {slot.removeprefix(PREFIX) for slot in governed.slots if slot.startswith(PREFIX)}
    yield from (f"the SQL has :{each}, which is no parameter" for each in sorted(used - query.parameters.keys()))
    yield from (f"the SQL does not use the parameter {each}" for each in sorted(query.parameters.keys() - used))
