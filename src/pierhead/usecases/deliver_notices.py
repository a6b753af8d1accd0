"""What is to be told leaves until it was taken: tried again later and later, and given up after three days.

A notice for people becomes a copy for each place where they are reached, when it leaves and not before: whoever is in
the group by then hears of it. One that fails holds up no other, and two registries never send the same try. Above: the
registry's program. Not here: how it leaves (`ports_notices.Notifier`), where people are reached (`address_notices`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from pierhead.core.errors import Invalid, UpstreamUnreachable
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_notices import PEOPLE, Addresses, Notice, Notifier, Outbox

AT_ONCE: Final = 50
#: Seconds before the second try; each time twice as long, at most an hour.
FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 3600.0
GIVE_UP_S: Final = 3 * 86_400.0
#: How long one try may take, until another may begin: longer than any channel waits.
TURN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class NoticeDesk:
    """What delivering needs: one notifier a channel."""

    outbox: Outbox
    notifiers: Mapping[str, Notifier]
    addresses: Addresses
    clock: Clock


async def deliver_notices(desk: NoticeDesk) -> int:
    """Try everything that is due once; how many were taken."""
    taken = 0
    for notice in await desk.outbox.due(desk.clock.now(), AT_ONCE):
        if not await desk.outbox.take(notice, desk.clock.now() + TURN_S):
            continue
        if notice.channel == PEOPLE:
            await _spread(notice, desk)
            continue
        after = await _tried(notice, desk)
        await desk.outbox.settle(after)
        taken += not after.fault
    return taken


async def _spread(notice: Notice, desk: NoticeDesk) -> None:
    """A copy for each place, which has the same id however often this is done."""
    now = desk.clock.now()
    copies = [
        replace(notice, id=_copy_id(notice.id, channel, recipient), channel=channel, recipient=recipient, next_at=now)
        for channel, recipient in await desk.addresses.places(notice.readers, now)
        if channel in desk.notifiers
    ]
    fault = "" if copies else "nobody of these can be reached"
    await desk.outbox.spread(replace(notice, tries=notice.tries + 1, next_at=None, fault=fault), copies)


def _copy_id(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:32]


async def _tried(notice: Notice, desk: NoticeDesk) -> Notice:
    now = desk.clock.now()
    tried = replace(notice, tries=notice.tries + 1, next_at=None, fault="")
    notifier = desk.notifiers.get(notice.channel)
    if notifier is None:
        return replace(tried, fault=f"{notice.channel} is not set up any more")
    try:
        await notifier.send(notice, now)
    except Invalid as refused:
        return replace(tried, fault=refused.message)
    except UpstreamUnreachable as away:
        pause = min(FIRST_PAUSE_S * 2**notice.tries, LONGEST_PAUSE_S)
        is_late = now + pause - notice.at > GIVE_UP_S
        return replace(tried, fault=away.message, next_at=None if is_late else now + pause)
    return tried
