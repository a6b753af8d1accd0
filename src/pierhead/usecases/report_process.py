"""What a server's process does, as its supervisor says: kept with its fact.

Above: `apps/registry/internal`. Not here: starting and watching processes (`adapters/processes`).
"""

from dataclasses import dataclass
from typing import Final

from pierhead.core.audit import ServerStateChanged
from pierhead.core.errors import Invalid
from pierhead.usecases.ports_registry import ProcessStates
from pierhead.usecases.registry_desk import RegistryDesk, entry_of

STATES: Final = ("starting", "running", "restarting", "failed", "stopped")


@dataclass(frozen=True, slots=True)
class StateChange:
    """What a server's process now does, and why."""

    server: str
    state: str
    reason: str


async def report_state(change: StateChange, states: ProcessStates, desk: RegistryDesk) -> None:
    """Note what a server's process does.

    Errors: NotFound; Invalid, for a state that is none of STATES.
    """
    await entry_of(change.server, desk)
    if change.state not in STATES:
        raise Invalid(f"no such state: {change.state!r}", hint=f"one of {', '.join(STATES)}")
    fact = ServerStateChanged(change.server, change.state, change.reason)
    await states.keep_state(change.server, change.state, change.reason, desk.clock.now(), fact)
