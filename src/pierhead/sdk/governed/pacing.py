"""How many calls a caller and a role may make: a rate, a number at once, and a short queue before the refusal.

In memory, for one process; nothing here awaits unless a call has to wait. Time comes in as an argument. Not here: the
limits of one call (cells.py, engines/). Above: source.py.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from pierhead.sdk import LimitExceeded

MOST_WAITING: Final = 64
LONGEST_WAIT_S: Final = 2.0
_CALLERS_KNOWN: Final = 4_096


@dataclass(frozen=True, slots=True)
class Shares:
    """A limit of one caller, and of a whole role."""

    caller: int
    role: int


@dataclass(slots=True)
class _Share:
    """What one caller, or one role, has left. A bucket holds a second's worth of calls."""

    tokens: float
    at: float
    running: int = 0

    def refill(self, rate: int, now: float) -> None:
        self.tokens = min(float(rate), self.tokens + (now - self.at) * rate)
        self.at = now


@dataclass(slots=True)
class _Waiting:
    caller: Hashable
    turn: "asyncio.Future[None]"


@dataclass(slots=True)
class Pace:
    """The pace of one role: `begin` before a call, `end` after it."""

    in_flight: Shares
    rate: Shares | None
    """Calls a second; None where the setting switches rates off."""
    now: Callable[[], float]
    _role: _Share = field(init=False)
    _callers: dict[Hashable, _Share] = field(default_factory=dict[Hashable, _Share])
    _queue: deque[_Waiting] = field(default_factory=deque[_Waiting])

    def __post_init__(self) -> None:
        self._role = _Share(float(self.rate.role) if self.rate else 0.0, self.now())

    async def begin(self, caller: Hashable) -> None:
        """Take a place, waiting a little if there is none.

        Errors: LimitExceeded (`too-many-calls` for the rate, `too-many-at-once` for places), saying when to retry.
        """
        share = self._share(caller)
        if self.rate is not None:
            self._spend(share, self.rate)
        if self._has_place(share):
            self._take(share)
        else:
            await self._wait(caller)

    def end(self, caller: Hashable) -> None:
        """Give the place back, and to the first who waits and may have it."""
        self._role.running -= 1
        self._callers[caller].running -= 1
        for waiting in self._queue:
            share = self._share(waiting.caller)
            if not waiting.turn.done() and self._has_place(share):
                self._take(share)
                waiting.turn.set_result(None)
                return

    def _share(self, caller: Hashable) -> _Share:
        share = self._callers.get(caller)
        if share is None:
            if len(self._callers) >= _CALLERS_KNOWN:
                self._forget_idle()
            share = self._callers[caller] = _Share(float(self.rate.caller) if self.rate else 0.0, self.now())
        return share

    def _forget_idle(self) -> None:
        """Whoever has nothing running and has not called for a second has a full bucket anyway."""
        waiting = {each.caller for each in self._queue}
        now = self.now()
        self._callers = {
            caller: share
            for caller, share in self._callers.items()
            if share.running or now - share.at < 1.0 or caller in waiting
        }

    def _spend(self, share: _Share, rate: Shares) -> None:
        now = self.now()
        share.refill(rate.caller, now)
        self._role.refill(rate.role, now)
        for bucket, limit, whose in ((share, rate.caller, "you"), (self._role, rate.role, "your role")):
            if bucket.tokens < 1.0:
                raise _too_many(whose, limit, (1.0 - bucket.tokens) / limit)
        share.tokens -= 1.0
        self._role.tokens -= 1.0

    def _has_place(self, share: _Share) -> bool:
        return share.running < self.in_flight.caller and self._role.running < self.in_flight.role

    def _take(self, share: _Share) -> None:
        share.running += 1
        self._role.running += 1

    async def _wait(self, caller: Hashable) -> None:
        if len(self._queue) >= MOST_WAITING:
            raise _too_many_at_once()
        waiting = _Waiting(caller, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                await waiting.turn
        except (TimeoutError, asyncio.CancelledError) as ended:
            if waiting.turn.done() and not waiting.turn.cancelled():
                self.end(caller)  # the place came in the moment in which nobody waited for it any more
            if isinstance(ended, TimeoutError):
                raise _too_many_at_once() from None
            raise
        finally:
            self._queue.remove(waiting)


def _too_many(whose: str, limit: int, seconds: float) -> LimitExceeded:
    return LimitExceeded(
        f"{whose} may make {limit} calls a second on this source",
        hint=f"try again in {math.ceil(seconds * 10) / 10:g} s",
        code="too-many-calls",
    )


def _too_many_at_once() -> LimitExceeded:
    return LimitExceeded(
        "too many calls run on this source at once",
        hint="try again in 2 s, one after the other",
        code="too-many-at-once",
    )
