"""Reminders of reviews, given and sent while the registry runs: again and again, and never a reason for it to end.

Every registry of a platform may do it: a reminder is kept once, and who takes a notice knows it by its id. Below:
`usecases/remind_reviewers`, `usecases/deliver_notices`. Not here: pages (`apps/registry/web`).
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from pierhead.adapters.db import DatabaseNotices
from pierhead.adapters.foreign.webhook import Webhook
from pierhead.adapters.system import SystemIds
from pierhead.bootstrap.wire_registry import RegistryAdapters
from pierhead.usecases.deliver_notices import NoticeDesk, deliver_notices
from pierhead.usecases.remind_reviewers import ReminderDesk, remind_reviewers

_EVERY_S: Final = 15.0


async def tell_for_ever(adapters: RegistryAdapters, every_s: float = _EVERY_S) -> None:
    """Until cancelled: remind, send, wait. A round that fails is said on stderr, and the next one begins anew."""
    work = _round(adapters)
    while True:
        one = asyncio.ensure_future(work())
        try:
            await asyncio.wait({one})
        finally:
            one.cancel()  # no effect on one that is over; another must have let go of the database before it is closed
            (failed,) = await asyncio.gather(one, return_exceptions=True)
        if isinstance(failed, BaseException):
            sys.stderr.write(f"reminders of reviews: {type(failed).__name__}: {failed}\n"[:500])
        await asyncio.sleep(every_s)


def _round(adapters: RegistryAdapters) -> Callable[[], Awaitable[None]]:
    setting, notices = adapters.setting, DatabaseNotices(adapters.database)
    notify = setting.notify
    reminding = ReminderDesk(
        catalogue=adapters.catalogue,
        reminders=notices,
        rights=adapters.registry.rights,
        clock=adapters.clock,
        ids=SystemIds(),
        public_url=setting.public_url,
        sends=bool(notify.url),
    )
    delivering = None
    if notify.url:
        webhook = Webhook(notify.url, notify.key, setting.rules.guest_rules.allowed_hosts)
        delivering = NoticeDesk(notices, webhook, adapters.clock)

    async def one_round() -> None:
        await remind_reviewers(reminding)
        if delivering is not None:
            await deliver_notices(delivering)

    return one_round
