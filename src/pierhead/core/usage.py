"""Minutes saved: what a tool's owner declared, and the plain formula over the calls.

The honest, calibrated figure comes later; this is the gross one, and every page says so.
Source: docs/explanation/time-saved.md, formula 1.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Minutes:
    """An owner's estimate for one successful call, in minutes: most likely, lowest, highest."""

    mode: float
    low: float
    high: float
    method: str

    @classmethod
    def estimate(cls, mode: float) -> "Minutes":
        """A bare number: an estimate without a stated range."""
        return cls(mode=mode, low=mode, high=mode, method="estimate")


@dataclass(frozen=True, slots=True)
class ToolUse:
    """How often one tool ran under one declaration.

    Shapes: counts over any period. Units: `minutes` per successful call, as declared when the calls ran.
    """

    server: str
    tool: str
    minutes: float
    calls: int
    succeeded: int
    users: int


@dataclass(frozen=True, slots=True)
class ServerUse:
    """What was made of one server in a period, by everyone together.

    Units: `minutes` saved, gross (formula 1); `last_at` seconds since 1970-01-01 UTC, zero where nobody called.
    """

    calls: int
    succeeded: int
    people: int
    minutes: float
    last_at: float


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


NEVER_USED: Final = ServerUse(0, 0, 0, 0.0, 0.0)


def p95_place(count: int) -> int:
    """Which of `count` sorted times (at least one) it is that nineteen of twenty do not exceed, counted from zero."""
    return (count * 19 + 19) // 20 - 1


def hours_saved(uses: Iterable[ToolUse]) -> float:
    """Gross time saved, in hours.

    Shapes: any number of uses in any order; zero for none.
    Units: hours; declarations are minutes.
    Source: docs/explanation/time-saved.md, formula 1: sum of successful calls x minutes / 60.
    """
    return sum(use.succeeded * use.minutes for use in uses) / 60
