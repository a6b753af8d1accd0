"""What is to be told leaves until it was taken: tried again later and later, and given up after three days.

One that fails holds up no other. Above: the registry's program. Not here: how it leaves (`ports_notices.Notifier`).
"""

from dataclasses import dataclass, replace
from typing import Final

from pierhead.core.errors import Invalid, UpstreamUnreachable
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_notices import Notice, Notifier, Outbox

AT_ONCE: Final = 50
#: Seconds before the second try; each time twice as long, at most an hour.
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 3600.0
GIVE_UP_S: Final = 3 * 86_400.0


@dataclass(frozen=True, slots=True)
class NoticeDesk:
    """What delivering needs."""

    outbox: Outbox
    notifier: Notifier
    clock: Clock


async def deliver_notices(desk: NoticeDesk) -> int:
    """Try everything that is due once; how many were taken."""
    taken = 0
    for notice in await desk.outbox.due(desk.clock.now(), AT_ONCE):
        after = await _tried(notice, desk)
        await desk.outbox.settle(after)
        taken += not after.fault
    return taken


async def _tried(notice: Notice, desk: NoticeDesk) -> Notice:
    now = desk.clock.now()
    tried = replace(notice, tries=notice.tries + 1, next_at=None, fault="")
    try:
        await desk.notifier.send(notice, now)
    except Invalid as refused:
        return replace(tried, fault=refused.message)
    except UpstreamUnreachable as away:
        pause = min(FIRST_PAUSE_S * 2**notice.tries, LONGEST_PAUSE_S)
        is_late = now + pause - notice.at > GIVE_UP_S
        return replace(tried, fault=away.message, next_at=None if is_late else now + pause)
    return tried
