"""Which servers each policy revision changed: what a program that follows the registry asks.

Pure. Kept for the last few hundred revisions of this process; whoever lags behind further reads everything again.
Above: `serve_policy`, `apps/registry/api/changes`. Not here: waiting, and who may know of which server.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from pierhead.core.snapshot import Snapshot

_KEPT: Final = 500

Changed = Mapping[str, bool]
"""Server to whether it was callable before or is now: who may not see what is not callable learns of no other."""


def changed(before: Snapshot, after: Snapshot) -> Changed:
    """The servers that one snapshot has otherwise than the other: values, tools or access."""
    names = before.servers.keys() | after.servers.keys()
    alike = before.policies.texts == after.policies.texts  # any server may be what a company policy speaks of
    differing = {name for name in names if not alike or _differs(before, after, name)}
    return {name: _is_live(before, name) or _is_live(after, name) for name in differing}


def _differs(before: Snapshot, after: Snapshot, name: str) -> bool:
    old, new = before.servers.get(name), after.servers.get(name)
    same = old is new or old == new  # most are the very same value, and deep comparison of the others is dear
    return not same or before.rows.get(name, ()) != after.rows.get(name, ())


def _is_live(snapshot: Snapshot, name: str) -> bool:
    server = snapshot.servers.get(name)
    return server is not None and server.is_callable


@dataclass(slots=True)
class ChangeLog:
    """The changes of the last revisions, oldest first."""

    _kept: deque[tuple[int, Changed]] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def note(self, revision: int, what: Changed) -> None:
        self._kept.append((revision, what))

    def since(self, revision: int) -> Changed | None:
        """What changed past that revision; None where this log does not reach back so far."""
        if not self._kept or self._kept[0][0] > revision + 1:
            return None
        found: dict[str, bool] = {}
        for number, what in self._kept:
            if number > revision:
                found |= {name: live or found.get(name, False) for name, live in what.items()}
        return found


class PolicyFeed(Protocol):
    """The policy in force, and waiting for the next."""

    @property
    def is_ending(self) -> bool:
        """Whether the program stops, so that nobody should wait any longer."""
        ...

    def current(self) -> Snapshot: ...

    async def after(self, revision: int, wait_s: float) -> None:
        """Return once a revision past that is in force, at the latest after `wait_s`."""
        ...

    def changed_since(self, revision: int) -> Changed | None: ...
