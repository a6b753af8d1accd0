"""A deprecated version ends on its day: it is retired, by nobody's hand, with the reason on record.

Above: the registry does it again and again while it runs. Below: `advance_server`. Not here: announcing an end, which
the step `deprecate` does, and telling owners that it is near (`fleet_health`).
"""

from datetime import UTC, datetime
from typing import Final

from pierhead.core.catalog import Step
from pierhead.core.errors import Conflict
from pierhead.usecases.advance_server import move
from pierhead.usecases.ports_catalogue import Change, Version
from pierhead.usecases.registry_desk import RegistryDesk, commit, put_in_force

BY: Final = "its last day"
"""Who takes the step, on record."""


async def end_versions(desk: RegistryDesk) -> int:
    """Retire every deprecated version whose day is over; how many."""
    ended = await desk.catalogue.ending(desk.clock.now())
    return sum([await _end(version, desk) for version in ended])


async def _end(version: Version, desk: RegistryDesk) -> bool:
    """False where another registry, or a person, moved it first."""
    after, moved, fact = move(version, Step.RETIRE, BY, _reason(version), desk.clock.now())
    try:
        await commit(Change((fact,), versions=(after,), moves=(moved,)), desk)
    except Conflict:
        return False
    await put_in_force(version.server, BY, desk)
    return True


def _reason(version: Version) -> str:
    """As it was announced; every version that is ending has its time."""
    last = datetime.fromtimestamp(version.sunset_at or 0.0, UTC)
    return f"it could be called until {last:%Y-%m-%d %H:%M} UTC, as its owner announced"
