"""What every engine does for a source: the port between source.py and the drivers.

An engine runs only GovernedQuery, text that the guard wrote. It gives a second opinion on it before the first
run, ends a query in the engine when its time is up or the caller has gone (cancelling `run` cancels there), and
never lets driver text out: drivers quote values of rows the caller may not see. Not here: roles, caching.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from pierhead.sdk import Caller, Invalid, ToolFailed, ToolTimedOut
from pierhead.sdk.governed.catalog import Catalog
from pierhead.sdk.sqlguard import GovernedQuery, View

LONGEST_CELL: Final = 500
MOST_BYTES: Final = 64 * 1024
LONGEST_VALUE: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one call. Units: rows, seconds, bytes of encoded answer (about), characters of one cell."""

    rows: int
    seconds: float
    bytes: int = MOST_BYTES
    cell: int = LONGEST_CELL


@dataclass(frozen=True, slots=True)
class Field:
    """A column of an answer. `is_json`: its values are JSON, written as text."""

    name: str
    type: str
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """An answer as the engine gave it: driver values, at most one row more than the limit.

    `query_id` is the engine's own name for the run, where it has one: the audit keeps it. `is_cut`: the engine
    stopped below the limit of rows, since those it has are too large already.
    """

    fields: Sequence[Field]
    rows: Sequence[Sequence[object]]
    query_id: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the engine expects; None where it does not say."""

    rows: int | None
    cost: float | None


Values = Mapping[str, object]
"""What fills the slots of a statement, by name."""

TableNames = frozenset[tuple[str, str]]
"""Schema and name of each."""


@dataclass(frozen=True, slots=True)
class LoginReport:
    """What a source's own login could do if neither guard nor policy stood before it.

    `name` is empty where the engine knows no users. `writable` holds what any means of writing reaches.
    """

    name: str
    readable: TableNames
    writable: TableNames = frozenset()
    owned: TableNames = frozenset()
    is_superuser: bool = False
    reaches_files: bool = False  # or programs, on the machine of the database

    @property
    def dangers(self) -> tuple[str, ...]:
        """Why statements of callers should not run under this login; empty for one without such rights."""
        said = {
            "is a superuser": self.is_superuser,
            f"owns {len(self.owned)} tables": bool(self.owned),
            "reaches files of the database's machine": self.reaches_files,
        }
        return tuple(reason for reason, holds in said.items() if holds)


Reads = Mapping[tuple[str, str], frozenset[tuple[str, str]]]
"""Schema and name of a view -> what it may lead the engine to."""


def with_those_read(named: Collection[tuple[str, str]], reads: Reads) -> TableNames:
    """What a statement that names these tables may touch: them, and what views among them lead to."""
    return frozenset(named).union(*(reads.get(table, frozenset()) for table in named))


CredentialOf = Callable[[Caller], Awaitable[str]]
"""The value of the header `Authorization` with which the engine takes a caller. Errors: Forbidden; ToolFailed."""


@runtime_checkable
class ExchangingEngine(Protocol):
    """An engine that may be asked with callers' own credentials."""

    def use_credentials(self, credential_of: CredentialOf) -> None:
        """Where they come from, if its address asks for them."""
        ...


class Engine(Protocol):
    async def introspect(self) -> Catalog:
        """The whole schema, read once at start. Errors: UpstreamUnreachable."""
        ...

    async def confirm(self, query: GovernedQuery, view: View, values: Values) -> None:
        """The second opinion, before a statement first runs. Errors: SecondOpinionDiffers, Invalid, ToolFailed."""
        ...

    async def run(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> Rows:
        """Fill the slots of the query, and run it.

        Errors: ToolTimedOut, Invalid for what the statement got wrong, UpstreamUnreachable.
        """
        ...

    def stream(self, query: GovernedQuery, view: View, values: Values, limits: Limits) -> AsyncGenerator[Rows]:
        """As `run`, but in batches, each with its fields, so that memory stays bounded however many rows come.

        The first batch comes also when it has no rows. `limits.seconds` is the time of the whole. Whoever stops
        early closes the generator, which ends the statement in the engine.
        """
        ...

    async def estimate(self, query: GovernedQuery, view: View, values: Values) -> Estimate: ...

    async def check_login(self) -> LoginReport:
        """What the login could do besides; asks the engine, changes nothing. Errors: UpstreamUnreachable."""
        ...

    async def close(self) -> None: ...


async def no_stream() -> AsyncGenerator[Rows]:
    """What `stream` is of an engine whose driver has no cursor in the server.

    Errors: Invalid (`not-on-this-engine`), at the first step.
    """
    raise Invalid(
        "this source's engine gives no streams", hint="ask for at most 1,000 rows at once", code="not-on-this-engine"
    )
    yield  # makes it a generator


class SecondOpinionDiffers(ToolFailed):
    """Guard and engine read the statement differently. Nothing ran; whoever operates this should know."""

    default_code = "second-opinion"

    def __init__(self) -> None:
        super().__init__(
            "the engine reads this statement differently from its guard, so it did not run",
            hint="write it in a simpler form; tell the owner of this source",
        )


def took_too_long(seconds: float) -> ToolTimedOut:
    return ToolTimedOut(
        f"the statement ran longer than {seconds:g} s and was ended", hint="filter or aggregate more, or ask for less"
    )


def rejected(reason: str = "the engine could not run the statement") -> Invalid:
    return Invalid(
        reason, hint="check its types, columns and functions against the tables' descriptions", code="statement-failed"
    )


def out_of_memory() -> Invalid:
    return Invalid(
        "the statement needs more memory than it may have",
        hint="aggregate or filter earlier, and do not build large values",
        code="statement-failed",
    )
