"""What somebody saw of servers becomes what is known of them: judged, kept, and a fact where it changed.

Whoever looks (`bootstrap/watching`, in the supervisor) tells; the registry judges. A server that flaps is one change,
not many. Above: `apps/registry/internal_health`. Not here: looking, the rules of judging (`core/health`).
"""

from collections.abc import Sequence
from typing import Final

from pierhead.core.audit import ServerHealthChanged
from pierhead.core.errors import Invalid
from pierhead.core.health import Condition, Health, Probe, judge
from pierhead.usecases.ports_health import HealthStore

#: After so many intervals without a look a server's condition is unknown.
QUIET_INTERVALS: Final = 3
MOST_AT_ONCE: Final = 5_000


async def keep_looks(probes: Sequence[Probe], healths: HealthStore, at: float) -> None:
    """Take looks at different servers.

    Errors: Invalid (`too-many-looks`).
    """
    if len(probes) > MOST_AT_ONCE or len({probe.server for probe in probes}) < len(probes):
        message = f"more than {MOST_AT_ONCE} looks at once, or two at one server"
        raise Invalid(message, hint="tell each server's last look", code="too-many-looks")
    before = await healths.healths_of([probe.server for probe in probes])
    judged = [judge(before.get(probe.server), probe) for probe in probes]
    facts = [fact for health in judged if (fact := _changed(before.get(health.server), health))]
    await healths.keep(judged, facts, at)


def _changed(before: Health | None, after: Health) -> ServerHealthChanged | None:
    """A first look that finds a server up is no news."""
    known = Condition.UP if before is None else before.condition
    if after.condition is known:
        return None
    return ServerHealthChanged(after.server, after.last.version, str(known), str(after.condition), after.last.reason)
