"""Failed sign-ins on the record, without letting a flood of them fill the disk.

The first of each reason in a window is recorded before its sender hears of it; the others of that window are
counted and recorded as one fact when it ends. So at most two facts a reason and window, and every failure counted.
"""

from dataclasses import dataclass, field

from pierhead.core.audit_sign_in import SignInFailed
from pierhead.usecases.ports import Audit, Clock


@dataclass(slots=True)
class FailedSignIns:
    """One listener's failed sign-ins. `window_s` is in seconds; reasons are codes, so there are few."""

    audit: Audit
    clock: Clock
    window_s: float
    _window_ends: float = float("-inf")
    _seen: set[str] = field(default_factory=set[str])
    _counted: dict[str, int] = field(default_factory=dict[str, int])

    async def record(self, reason: str, server: str, client: str) -> None:
        """Count one failure; the first of its reason in this window is on disk when this returns."""
        await self.flush()
        if reason in self._seen:
            self._counted[reason] = self._counted.get(reason, 0) + 1
            return
        self._seen.add(reason)
        await self.audit.record(SignInFailed(reason, server, client))

    async def flush(self, *, at_the_end: bool = False) -> None:
        """Record what a window that is over has counted; called now and then, and before the end."""
        now = self.clock.monotonic()
        if now < self._window_ends and not at_the_end:
            return
        counted, self._counted, self._seen = self._counted, {}, set()
        self._window_ends = now + self.window_s
        for reason, count in counted.items():
            await self.audit.record(SignInFailed(reason, server="", client="", count=count))
