"""Minutes saved: what a tool's owner declared, and the plain formulas over the calls.

Two figures stand side by side: the gross one, and a range from low to high over the calls whose estimate was in
date. Neither is calibrated, and every page says so. Source: docs/explanation/time-saved.md, formulas 1 and 2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

ESTIMATE_DAYS: Final = 180
"""How long an estimate holds after it was stated."""
_DAY_S: Final = 86_400.0
ESTIMATE_S: Final = ESTIMATE_DAYS * _DAY_S
MOST_MINUTES: Final = 10_080.0
"""What one call may save at most: a week."""


@dataclass(frozen=True, slots=True)
class Minutes:
    """An owner's estimate for one successful call, in minutes: most likely, lowest, highest.

    `stated_at` is when it was handed in, in seconds since 1970-01-01 UTC: known to the registry alone, zero elsewhere.
    """

    mode: float
    low: float
    high: float
    method: str
    stated_at: float = 0.0

    @classmethod
    def estimate(cls, mode: float) -> "Minutes":
        """A bare number: an estimate without a stated range."""
        return cls(mode=mode, low=mode, high=mode, method="estimate")

    @property
    def is_range(self) -> bool:
        """Whether it is one that can be summed: from low over mode to high, and nothing that no person would do."""
        return 0 <= self.low <= self.mode <= self.high <= MOST_MINUTES

    @property
    def valid_until(self) -> float | None:
        """When its time is over; None for what is no estimate: nothing, or nobody knows since when."""
        return self.stated_at + ESTIMATE_S if self.stated_at and self.high else None

    def is_valid(self, at: float) -> bool:
        """Whether a call at that time is covered by it."""
        until = self.valid_until
        return until is not None and at < until

    def is_over(self, at: float) -> bool:
        """Whether it was an estimate once, and is too old for a call at that time."""
        return self.valid_until is not None and not self.is_valid(at)


@dataclass(frozen=True, slots=True)
class Saved:
    """What calls saved, in minutes: `gross` by the most likely figure of each, `autonomous` of it without a person.

    Shapes: `counted` calls that ended `ok`, did not repeat, and did work; of those `covered` had an estimate in date,
    which alone makes `low` and `high`, and `expired` one that was too old.
    """

    gross: float = 0.0
    low: float = 0.0
    high: float = 0.0
    autonomous: float = 0.0
    counted: int = 0
    covered: int = 0
    expired: int = 0

    @property
    def coverage(self) -> float | None:
        """From 0 to 1: the share of counted calls with an estimate in date; None where nothing counted."""
        return self.covered / self.counted if self.counted else None

    def __add__(self, other: "Saved") -> "Saved":
        return Saved(
            self.gross + other.gross,
            self.low + other.low,
            self.high + other.high,
            self.autonomous + other.autonomous,
            self.counted + other.counted,
            self.covered + other.covered,
            self.expired + other.expired,
        )


@dataclass(frozen=True, slots=True)
class ToolUse:
    """How often one tool ran under one declaration.

    Shapes: counts over any period; of the calls that `succeeded`, `covered`, `expired` and `autonomous` as in `Saved`.
    Units: `minutes`, `low` and `high` per successful call, as declared when the calls ran.
    """

    server: str
    tool: str
    minutes: float
    calls: int
    succeeded: int
    users: int
    low: float = 0.0
    high: float = 0.0
    method: str = ""
    covered: int = 0
    expired: int = 0
    autonomous: int = 0

    @property
    def saved(self) -> Saved:
        return Saved(
            gross=self.succeeded * self.minutes,
            low=self.covered * self.low,
            high=self.covered * self.high,
            autonomous=self.autonomous * self.minutes,
            counted=self.succeeded,
            covered=self.covered,
            expired=self.expired,
        )


@dataclass(frozen=True, slots=True)
class ServerUse:
    """What was made of one server in a period, by everyone together.

    Units: `saved` in minutes; `last_at` seconds since 1970-01-01 UTC, zero where nobody called; `result_tokens` by
    `cost.tokens_of` of every permitted call.
    """

    calls: int
    people: int
    saved: Saved
    last_at: float
    result_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How the calls of one server went in a period: permitted `calls`, those that ended `ok`, and how long they took.

    Units: `p95_ms` milliseconds, within which nineteen of twenty ended; None where no call has ended.
    """

    calls: int
    ok: int
    p95_ms: float | None

    @property
    def success_rate(self) -> float | None:
        """From 0 to 1; None where nobody called."""
        return self.ok / self.calls if self.calls else None


@dataclass(frozen=True, slots=True)
class Objective:
    """What an owner promises of a server's calls; None where nothing was promised."""

    p95_ms: float | None
    success_rate: float | None

    def is_met_by(self, pace: Pace) -> bool | None:
        """Whether every promise holds of what was measured; None where one of them was not measured."""
        rate = pace.success_rate
        slow = None if self.p95_ms is None or pace.p95_ms is None else pace.p95_ms > self.p95_ms
        bad = None if self.success_rate is None or rate is None else rate < self.success_rate
        if slow or bad:
            return False
        unmeasured = (self.p95_ms is not None and slow is None) or (self.success_rate is not None and bad is None)
        return None if unmeasured else True


NEVER_USED: Final = ServerUse(0, 0, Saved(), 0.0)

POLLING: Final = frozenset({"approvals_wait", "approvals_list_mine", "approvals_cancel"})
"""Tools that ask how another call is doing."""
PROTOCOL_READS: Final = frozenset({"resources/read", "prompts/get", "completion/complete", "tasks/get", "tasks/cancel"})
"""Messages that are recorded as calls are, and call no tool."""
READ_BACK: Final = "_read_result"
"""How the names of tools end that read on in what another call has answered."""


def does_work(tool: str) -> bool:
    """Whether a call of that name can save time: it neither polls nor reads back what another one did."""
    return tool not in POLLING and tool not in PROTOCOL_READS and not tool.endswith(READ_BACK)


def p95_place(count: int) -> int:
    """Which of `count` sorted times (at least one) it is that nineteen of twenty do not exceed, counted from zero."""
    return (count * 19 + 19) // 20 - 1


def saved_by(uses: Iterable[ToolUse]) -> Saved:
    """What all of these saved together.

    Shapes: any number of uses in any order; nothing for none.
    Units: minutes.
    Source: docs/explanation/time-saved.md, formulas 1 and 2.
    """
    return sum((use.saved for use in uses), Saved())


def hours_saved(uses: Iterable[ToolUse]) -> float:
    """Gross time saved, in hours.

    Shapes: any number of uses in any order; zero for none.
    Units: hours; declarations are minutes.
    Source: docs/explanation/time-saved.md, formula 1: sum of successful calls x minutes / 60.
    """
    return saved_by(uses).gross / 60
