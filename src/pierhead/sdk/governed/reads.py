"""What is read, as values: made from a URL (select_native.py), a body or a tool's arguments; answered by read_lane.py.

    ReadRequest(table, Selection(columns, embeds, filter, order, limit, offset), having, cursor, count)

Names are as the caller wrote them; nothing here knows what is permitted. Not here: grammars, SQL (read_sql.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pierhead.sdk.governed.engine import LONGEST_CELL, MOST_BYTES, Field
from pierhead.sdk.governed.filters import Filter, Operand, Scalar, shape, values

MOST_EMBEDDED: Final = 3  # levels of related rows

Count = Literal["", "exact", "estimated"]
Cut = Literal["", "rows", "bytes"]


@dataclass(frozen=True, slots=True)
class Selected:
    """One column of the answer. `Operand("*")` is every permitted column. `name` is its alias, `cast` a type word."""

    operand: Operand
    name: str = ""
    cast: str = ""


@dataclass(frozen=True, slots=True)
class Ordered:
    """Where `nulls` is empty, they come last in ascending order and first in descending order, on every engine."""

    operand: Operand
    is_descending: bool = False
    nulls: Literal["", "first", "last"] = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """One level of a read: the table asked for, or related rows of each of its rows. `limit` None: the lane's own."""

    columns: tuple[Selected, ...] = (Selected(Operand("*")),)
    embeds: tuple["Embed", ...] = ()
    filter: Filter | None = None
    order: tuple[Ordered, ...] = ()
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Embed:
    """Related rows: `relation` is a table, a foreign key or its column; `hint` tells several relations apart.

    `is_inner` drops rows without any; `is_spread` puts the columns of the one related row among the row's own.
    """

    relation: str
    selection: Selection
    name: str = ""
    hint: str = ""
    is_inner: bool = False
    is_spread: bool = False

    @property
    def title(self) -> str:
        """What it is called in the answer, and in parameters (`lines.order=...`)."""
        return self.name or self.relation


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """One read. `having` names results of `selection.columns`; a `cursor` goes with the request that gave it."""

    table: str
    selection: Selection = Selection()
    having: Filter | None = None
    cursor: str = ""
    count: Count = ""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a lane gives at most, whatever is asked for; a role may give less. Units: rows, bytes (about), seconds.

    `cell` is the longest text of one cell, in characters.
    """

    default_rows: int
    rows: int
    bytes: int
    seconds: float
    cell: int


FOR_AGENTS: Final = Ceiling(default_rows=50, rows=1_000, bytes=MOST_BYTES, seconds=10.0, cell=LONGEST_CELL)
FOR_PROGRAMS: Final = Ceiling(default_rows=100, rows=1_000, bytes=10 * 1024 * 1024, seconds=10.0, cell=10 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: driver values in the order of `fields`; related rows are JSON text, under a field of type `json`.

    `truncated` says what the lane cut off below what was asked for. `next_cursor` is None on the last page, `total`
    None if no count was asked for. `limit` is how many rows were asked for, after ceilings.
    """

    table: str
    fields: Sequence[Field]
    rows: Sequence[Sequence[object]]
    truncated: Cut
    limit: int
    offset: int
    next_cursor: str | None
    total: int | None
    hashed: frozenset[int] = frozenset()
    """The places of cells that are digests: no part of a row's own state, which writes compare."""


def read_values(request: ReadRequest) -> Iterator[Scalar]:
    """Every value of a request that is bound, in the order in which read_sql.py writes their slots."""
    yield from _selection_values(request.selection)
    yield from values(request.having)


def _selection_values(selection: Selection) -> Iterator[Scalar]:
    yield from values(selection.filter)
    for embed in selection.embeds:
        yield from _selection_values(embed.selection)


def read_shape(request: ReadRequest) -> object:
    """The request without its values, hashable: requests of one shape are one statement."""
    return request.table, _selection_shape(request.selection), shape(request.having)


def _selection_shape(selection: Selection) -> object:
    embeds = tuple(
        (embed.relation, embed.name, embed.hint, embed.is_inner, embed.is_spread, _selection_shape(embed.selection))
        for embed in selection.embeds
    )
    columns, order = selection.columns, selection.order
    return columns, embeds, shape(selection.filter), order, selection.limit, selection.offset
