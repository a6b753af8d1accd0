"""What a caller asks to have written, as values: made by the tools and by REST, read by write_lane.py.

Names are as the caller wrote them, cells are JSON. Nothing here knows a table. Not here: whether it may be
(rights.py), how it is written (write_sql.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import orjson

from pierhead.sdk import Invalid
from pierhead.sdk.governed.filters import Filter, bad_filter

MOST_AFFECTED: Final = 1_000
MOST_INSERTED: Final = 100_000
MOST_COLUMNS: Final = 1_000
LONGEST_KEY: Final = 255
SAMPLED: Final = 10

OnConflict = Literal["error", "ignore", "merge"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a write is carried out. `if_match` is an ETag, `*`, or several of them, as in HTTP.

    `planned` is a digest of every row that a plan lists, empty while the plan is made; None where there is no plan.
    """

    returning: bool = False
    dry_run: bool = False
    idempotency_key: str = ""
    max_affected: int = MOST_AFFECTED
    if_match: str = ""
    planned: str | None = None


@dataclass(frozen=True, slots=True)
class InsertRequest:
    """`conflict_columns` say which key may be there already; none means the primary key.

    `missing`: a column that a row leaves out takes its default, or, as other rows have it, null.
    """

    table: str
    rows: Sequence[Row]
    on_conflict: OnConflict = "error"
    conflict_columns: tuple[str, ...] = ()
    missing: Literal["default", "null"] = "default"
    options: WriteOptions = field(default_factory=WriteOptions)


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """The same `changes` for every row that `where` finds."""

    table: str
    changes: Row
    where: Filter | None
    options: WriteOptions = field(default_factory=WriteOptions)


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """Rows that each hold their key: the other cells are written. `insert_missing` makes it PUT."""

    table: str
    rows: Sequence[Row]
    insert_missing: bool = False
    options: WriteOptions = field(default_factory=WriteOptions)


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    table: str
    where: Filter | None
    options: WriteOptions = field(default_factory=WriteOptions)


WriteRequest = InsertRequest | UpdateRequest | KeyedRequest | DeleteRequest


@dataclass(frozen=True, slots=True)
class Written:
    """What came of it. Cells are as JSON carries them.

    `keys` and `rows` are in the order of writing, `key_columns` and `columns` name their cells; a preview holds at
    most SAMPLED rows. `etag` is of the row, where exactly one was written and comes back; `state` of them all, in any
    order, where a plan was made or carried out.
    """

    affected: int
    created: int
    key_columns: tuple[str, ...]
    keys: list[list[Any]]
    columns: list[tuple[str, str]]
    rows: list[list[Any]] | None
    dry_run: bool
    etag: str = ""
    replayed: bool = False
    state: str = ""

    def kept(self) -> bytes:
        """As it is remembered for a key."""
        return orjson.dumps(self)

    @classmethod
    def remembered(cls, kept: bytes) -> "Written":
        members: dict[str, Any] = orjson.loads(kept)
        members["key_columns"] = tuple(members["key_columns"])
        members["columns"] = [(name, type_) for name, type_ in members["columns"]]
        return replace(cls(**members), replayed=True)


def digest(request: WriteRequest, *context: str) -> str:
    """Of everything that makes a request what it is, but its key: the order of members does not count."""
    plain = replace(request, options=replace(request.options, idempotency_key=""))
    if isinstance(plain, UpdateRequest | DeleteRequest):
        plain = replace(plain, where=None)
    where = getattr(request, "where", None)
    told = orjson.dumps([type(request).__name__, plain, repr(where), *context], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(told).hexdigest()


def checked(request: WriteRequest) -> None:
    """What no table is needed for. Errors: Invalid."""
    options = request.options
    if not 1 <= options.max_affected <= MOST_AFFECTED * 100:
        raise Invalid("max_affected is at least 1", hint="leave it out for 1000", code="bad-value")
    if len(options.idempotency_key) > LONGEST_KEY or not options.idempotency_key.isprintable():
        raise Invalid(
            f"an idempotency key is at most {LONGEST_KEY} printable characters",
            hint="send a UUID",
            code="bad-idempotency-key",
        )
    match request:
        case InsertRequest(rows=rows) | KeyedRequest(rows=rows):
            _check_rows(rows, MOST_INSERTED if isinstance(request, InsertRequest) else options.max_affected)
        case UpdateRequest():
            _check_row(request.changes)
            _check_where(request.where)
        case DeleteRequest():
            _check_where(request.where)


def _check_rows(rows: Sequence[Row], most: int) -> None:
    if not rows:
        raise Invalid("there are no rows to write", hint="send at least one", code="nothing-to-write")
    if len(rows) > most:
        raise Invalid(f"{len(rows)} rows are more than {most}", hint="send fewer at a time", code="too-many-rows")
    for row in rows:
        _check_row(row)


def _check_row(row: Row) -> None:
    if not row:
        raise Invalid("there is nothing to write", hint="name at least one column", code="nothing-to-write")


def _check_where(where: Filter | None) -> None:
    if where is None:
        raise bad_filter("a filter is needed: it says which rows are meant", "filter on the key for one row")


def changes_or_rows(changes: Row, where: str, rows: list[dict[str, Any]]) -> Row | list[dict[str, Any]]:
    """One of the two ways to update. Errors: Invalid, for both or neither."""
    if rows and not changes and not where:
        return rows
    if changes and not rows:
        return changes
    raise Invalid(
        "send set and filter, or rows", hint="rows hold their key; set is for all that filter finds", code="bad-update"
    )
