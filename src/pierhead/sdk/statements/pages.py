"""One answer of a coordinator: parsed strictly enough that nothing it says can lead the client elsewhere.

Pure. Below: values.py. Above: client.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeGuard, cast

import orjson

from pierhead.core.errors import UpstreamUnreachable
from pierhead.sdk.statements.values import Decoder, decoder

Origin = tuple[str, str, int | None]
"""Scheme, host and port."""


@dataclass(frozen=True, slots=True)
class ResultColumn:
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of an answer, and how their cells become values."""

    columns: tuple[ResultColumn, ...]
    decoders: tuple[Decoder | None, ...]

    def decoded(self, rows: list[list[Any]]) -> list[list[object]]:
        """The rows, their cells turned into values in place."""
        for position, decode in enumerate(self.decoders):
            if decode is not None:
                for row in rows:
                    if row[position] is not None:
                        row[position] = decode(row[position])
        return cast("list[list[object]]", rows)


class StatementFailed(Exception):
    """The engine says no. `message` is its own text, which may hold values of rows a caller may not see."""

    def __init__(self, name: str, kind: str, message: str, place: tuple[int, int] | None = None) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        """The engine's name of the error, such as COLUMN_NOT_FOUND."""
        self.kind = kind
        """USER_ERROR, INTERNAL_ERROR, INSUFFICIENT_RESOURCES or EXTERNAL."""
        self.message = message
        self.place = place
        """Line and column in the statement, where the engine says."""

    @property
    def retryable(self) -> bool:
        """Whether the same statement may succeed later."""
        return self.kind in ("INSUFFICIENT_RESOURCES", "EXTERNAL") or self.name in _PASSING


_PASSING: Final = frozenset({"SERVER_STARTING_UP", "SERVER_SHUTTING_DOWN", "NO_NODES_AVAILABLE", "QUERY_QUEUE_FULL"})


@dataclass(frozen=True, slots=True)
class Page:
    """`next_uri` is empty on the last one."""

    query_id: str
    next_uri: str
    header: Header | None
    rows: list[list[Any]]
    failure: StatementFailed | None


def parse_page(body: bytes) -> Page:
    """Errors: UpstreamUnreachable, for what no coordinator answers."""
    try:
        page: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise garbage() from None
    if not _is_object(page) or not isinstance(page.get("id"), str):
        raise garbage()
    next_uri = page.get("nextUri")
    rows = page.get("data")
    error = page.get("error")
    return Page(
        query_id=page["id"],
        next_uri=next_uri if isinstance(next_uri, str) else "",
        header=_header(page.get("columns")),
        rows=cast("list[list[Any]]", rows) if isinstance(rows, list) else [],
        failure=_failure(error) if _is_object(error) else None,
    )


def garbage() -> UpstreamUnreachable:
    return UpstreamUnreachable(
        "the coordinator's answer is not of the statement protocol", hint="tell the owner", code="upstream-garbage"
    )


def _header(columns: object) -> Header | None:
    if not isinstance(columns, list) or not columns:
        return None
    named: list[ResultColumn] = []
    decoders: list[Decoder | None] = []
    for column in cast("Sequence[object]", columns):
        if not _is_object(column):
            raise garbage()
        named.append(ResultColumn(str(column.get("name", "")), str(column.get("type", ""))))
        decoders.append(decoder(column.get("typeSignature")))
    return Header(tuple(named), tuple(decoders))


def _failure(error: dict[str, Any]) -> StatementFailed:
    where = error.get("errorLocation")
    place = (int(where.get("lineNumber", 0)), int(where.get("columnNumber", 0))) if _is_object(where) else None
    name, kind, message = (str(error.get(key, "")) for key in ("errorName", "errorType", "message"))
    return StatementFailed(name, kind, message, place)


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
