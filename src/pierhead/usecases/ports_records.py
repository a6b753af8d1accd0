"""What pages and the command line ask of the record: calls, their facts, the chain, use, live processes.

Read only. Filled by `adapters/db` and, in tests, by `usecases/memory_records`. Not here: writing (`ports.Audit`).
Who may see which rows is decided above, by passing `principal`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pierhead.core.json import Json
from pierhead.core.showback import CallerCost
from pierhead.core.usage import Minutes, Pace, ServerUse, ToolUse


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call in one line. Times are seconds since 1970-01-01 UTC.

    `decision` is permit, refuse or ask; `outcome` is that of CallFinished, `running`, `lost`, or, where nothing
    ran, the code of the refusal. `sentence` is why: the refusal's message, or the last rule's sentence.
    `details` are what the server noted of it; `minutes` and those beside it the estimate that was in force.
    """

    call_id: str
    at: float
    principal: str
    server: str
    tool: str
    effect: str
    client: str
    decision: str
    outcome: str
    sentence: str
    duration_ms: float | None
    minutes: float
    details: Mapping[str, Json] = field(default_factory=dict[str, Json])
    minutes_low: float = 0.0
    minutes_high: float = 0.0
    minutes_method: str = ""
    minutes_stated_at: float = 0.0
    bytes_out: int = 0
    """How much was answered; 0 while nobody knows."""
    groups: tuple[str, ...] = ()
    """Of the person, when it was let through; none where nobody kept them."""

    @property
    def estimate(self) -> Minutes:
        """The declaration in force when it ran."""
        return Minutes(self.minutes, self.minutes_low, self.minutes_high, self.minutes_method, self.minutes_stated_at)

    @property
    def person(self) -> str:
        """The person who asked, also where a program did it for them; empty for a program alone."""
        return "" if self.principal.startswith("spiffe://") else self.principal.partition(" via ")[0]


@dataclass(frozen=True, slots=True)
class KeptFact:
    """One fact as it hangs on its writer's chain; `fact` is the record's own JSON."""

    writer: str
    sequence: int
    at: float
    hash: str
    fact: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which calls: an empty text does not restrict; `principal` restricts to one caller.

    `before` goes on where a page ended: the time and id of its last call, newest first.
    """

    since: float
    principal: str = ""
    server: str = ""
    tool: str = ""
    decision: str = ""
    limit: int = 200
    before: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class ChainState:
    """How far the chains of all writers were verified: `broken` names the first wrong record, or is empty."""

    records: int
    verified_to: float
    broken: str


@dataclass(frozen=True, slots=True)
class DayOfCalls:
    """One day (UTC, `YYYY-MM-DD`): calls that were permitted, those that succeeded, and refusals."""

    day: str
    calls: int
    succeeded: int
    refused: int


@dataclass(frozen=True, slots=True)
class CallerUse:
    """What one caller asked of one tool through one surface, and how often; `call_id` is the last of those calls.

    `person` is empty for a workload alone; `permitted` of the `calls` were let through.
    """

    principal: str
    person: str
    surface: str
    server: str
    tool: str
    calls: int
    permitted: int
    last_at: float
    call_id: str


class Records(Protocol):
    """The record, as far as it has been shipped here."""

    async def calls(self, wanted: Filter) -> Sequence[CallRow]:
        """Newest first."""
        ...

    async def call(self, call_id: str) -> CallRow | None: ...

    async def facts_of(self, call_id: str) -> Sequence[KeptFact]:
        """Every fact of every writer that names this call, oldest first."""
        ...

    async def chain(self) -> ChainState: ...

    async def calls_by_server(self, since: float) -> Mapping[str, int]: ...

    async def uses(self, since: float) -> Sequence[ToolUse]:
        """One row a server, tool and declaration in force; the busiest first."""
        ...

    async def use_of(self, server: str, since: float) -> ServerUse:
        """Of one server; `NEVER_USED` where nobody called it."""
        ...

    async def pace_of(self, server: str, since: float) -> Pace:
        """How its permitted calls went."""
        ...

    async def callers(self, since: float, limit: int) -> Sequence[CallerUse]:
        """Who used what, through which surface; the busiest first, at most `limit`."""
        ...

    async def callers_of(self, server: str, since: float) -> Sequence[CallerCost]:
        """Who had permitted calls of one server, with which groups, and what was answered; in any order."""
        ...

    async def active_users(self, since: float) -> int: ...

    async def by_day(self, since: float) -> Sequence[DayOfCalls]:
        """Oldest first; days without a call may be missing."""
        ...


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What a server's process was last known to do: `starting`, `running`, `restarting`, `failed`, `stopped`."""

    state: str
    reason: str
    since: float


class Processes(Protocol):
    """The live states that the supervisor reported."""

    async def states(self) -> Mapping[str, ProcessState]: ...
