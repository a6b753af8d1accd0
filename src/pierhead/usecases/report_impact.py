"""Time saved, with its method: invocations, active users, hours by the plain formulas.

The gross figure and the range beside it (docs/explanation/time-saved.md, formulas 1 and 2): what owners declared,
times the calls that succeeded. Estimates are those in force when each call ran; repeats of one call within a minute
are counted once, which the record does (`ports_records.Records.uses`). The calibrated figure comes later.
"""

from dataclasses import dataclass
from typing import Final

from pierhead.core.usage import ESTIMATE_DAYS, ToolUse, saved_by
from pierhead.usecases.ports_records import Records

FORMULA: Final = "hours saved = sum over tools of (successful calls x declared minutes) / 60"
RANGE_FORMULA: Final = (
    "from sum of (calls with an estimate in date x declared low) / 60 to sum of (those calls x declared high) / 60"
)
METHOD: Final = (
    "gross: the owners' own estimates, not calibrated; only outcome ok; the same person repeating the same "
    "call within 60 s counts once; tools that poll or read back count nothing. Range: only calls whose estimate was "
    f"at most {ESTIMATE_DAYS} days old, which coverage tells"
)


@dataclass(frozen=True, slots=True)
class Impact:
    """A period's figures. `since` is seconds since 1970-01-01 UTC; `hours` are hours, gross.

    From `hours_low` to `hours_high` is what the calls saved whose estimate was in date: `coverage` of those counted,
    from 0 to 1, None where none counted. `expired` calls had one that was too old, and `hours_autonomous` of the gross
    ones are those of programs without a person.
    """

    since: float
    invocations: int
    succeeded: int
    active_users: int
    hours: float
    hours_low: float
    hours_high: float
    hours_autonomous: float
    coverage: float | None
    expired: int
    tools: tuple[ToolUse, ...]


async def report_impact(records: Records, since: float) -> Impact:
    """The figures since then."""
    kept = tuple(await records.uses(since))
    saved = saved_by(kept)
    return Impact(
        since=since,
        invocations=sum(use.calls for use in kept),
        succeeded=saved.counted,
        active_users=await records.active_users(since),
        hours=saved.gross / 60,
        hours_low=saved.low / 60,
        hours_high=saved.high / 60,
        hours_autonomous=saved.autonomous / 60,
        coverage=saved.coverage,
        expired=saved.expired,
        tools=kept,
    )
