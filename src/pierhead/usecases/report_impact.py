"""Time saved, with its method: invocations, active users, hours by the plain formula.

The gross figure (docs/explanation/time-saved.md, formula 1): what owners declared, times the calls that succeeded.
Minutes are those in force when each call ran; repeats of one call within a minute are counted once, which the
record does (`ports_records.Records.uses`). The calibrated figure comes later.
"""

from dataclasses import dataclass
from typing import Final

from pierhead.core.usage import ToolUse, hours_saved
from pierhead.usecases.ports_records import Records

FORMULA: Final = "hours saved = sum over tools of (successful calls x declared minutes) / 60"
METHOD: Final = (
    "gross: the owners' own estimates, not calibrated; only outcome ok; the same person repeating the same "
    "call within 60 s counts once"
)


@dataclass(frozen=True, slots=True)
class Impact:
    """A period's figures. `since` is seconds since 1970-01-01 UTC; `hours` are hours."""

    since: float
    invocations: int
    succeeded: int
    active_users: int
    hours: float
    tools: tuple[ToolUse, ...]


async def report_impact(records: Records, since: float) -> Impact:
    """The figures since then."""
    kept = tuple(await records.uses(since))
    return Impact(
        since=since,
        invocations=sum(use.calls for use in kept),
        succeeded=sum(use.succeeded for use in kept),
        active_users=await records.active_users(since),
        hours=hours_saved(kept),
        tools=kept,
    )
