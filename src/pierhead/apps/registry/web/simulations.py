"""Simulations that people started on a page: running one after another, and kept for an hour, for who started them.

In memory and bounded: one a person at a time, few at all, and what came of one is cut to what people read. A restart
forgets them. Not here: what is simulated (`policy_tools`), how it looks (`page_simulation`).
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from pierhead.core.errors import LimitExceeded, NotFound
from pierhead.usecases.ports import Clock
from pierhead.usecases.simulate_policy import Progress, Simulation

KEPT_S: Final = 3600.0
MOST_KEPT: Final = 16
MOST_TOLD: Final = 5_000
"""Changes of each kind that are kept of one simulation, those that widen first."""
_SOON_S: Final = 1.0
_LOG: Final = logging.getLogger(__name__)

Run = Callable[[Progress], Awaitable[Simulation]]


@dataclass(slots=True)
class Started:
    """One simulation. `found` is None until it is done; `failed` says that it never will be.

    `since` and `at` are seconds since 1970-01-01 UTC: whose calls are replayed, and when it was started.
    """

    id: str
    person: str
    since: float
    at: float
    revision: int
    touched: tuple[str, ...]
    progress: Progress = field(default_factory=Progress)
    found: Simulation | None = None
    failed: bool = False

    @property
    def is_running(self) -> bool:
        return self.found is None and not self.failed


@dataclass(slots=True)
class Simulations:
    """The last ones, oldest first."""

    clock: Clock
    _kept: dict[str, Started] = field(default_factory=dict[str, Started])
    running: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    """Those that run, or wait for their turn."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self, run: Run, person: str, since: float, revision: int, touched: tuple[str, ...]) -> Started:
        """Start one; returns when it is done, or after a second. Errors: LimitExceeded."""
        self._forget()
        if any(each.person == person for each in self._kept.values() if each.is_running):
            raise LimitExceeded("your last simulation still runs", hint="wait for it, then start the next")
        if sum(each.is_running for each in self._kept.values()) >= MOST_KEPT:
            raise LimitExceeded("too many simulations run", hint="try again in a minute")
        started = Started(secrets.token_urlsafe(15), person, since, self.clock.now(), revision, touched)
        self._kept[started.id] = started
        task = asyncio.create_task(self._run(run, started))
        self.running.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=_SOON_S)
        return started

    def find(self, simulation_id: str, person: str) -> Started:
        """Errors: NotFound, alike for what is not there, too old and another's."""
        self._forget()
        found = self._kept.get(simulation_id)
        if found is None or found.person != person:
            hint = "simulations are kept for an hour; start it again"
            raise NotFound("no such simulation, too old, or not yours", hint=hint)
        return found

    async def _run(self, run: Run, started: Started) -> None:
        try:
            async with self._turn:
                started.found = _cut(await run(started.progress))
        finally:
            started.failed = started.found is None

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            _LOG.error("a simulation failed", exc_info=fault)

    def _forget(self) -> None:
        """What is too old, and the oldest of too many; what runs is kept."""
        oldest = self.clock.now() - KEPT_S
        done = [key for key, each in self._kept.items() if not each.is_running]
        too_many = done[: max(0, len(self._kept) - MOST_KEPT + 1)]
        for key in {*too_many, *(key for key in done if self._kept[key].at < oldest)}:
            del self._kept[key]


def _cut(found: Simulation) -> Simulation:
    members = (found.changes, found.reach, found.unjudged)
    return replace(
        found,
        changes=found.changes[:MOST_TOLD],
        reach=found.reach[:MOST_TOLD],
        unjudged=found.unjudged[:MOST_TOLD],
        is_cut=found.is_cut or max(map(len, members)) > MOST_TOLD,
    )
