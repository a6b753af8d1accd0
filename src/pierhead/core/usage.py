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


NEVER_USED: Final = ServerUse(0, 0, 0, 0.0, 0.0)


def hours_saved(uses: Iterable[ToolUse]) -> float:
    """Gross time saved, in hours.

    Shapes: any number of uses in any order; zero for none.
    Units: hours; declarations are minutes.
    Source: docs/explanation/time-saved.md, formula 1: sum of successful calls x minutes / 60.
    """
    return sum(use.succeeded * use.minutes for use in uses) / 60
