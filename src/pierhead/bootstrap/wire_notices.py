"""Reminders, what ends soon, and all notices on their way out, while the registry runs: again and again.

Every registry of a platform may do it: a reminder is kept once, a try is one registry's alone, and who takes a notice
knows it by its id. Below: `usecases/remind_reviewers`, `usecases/warn_owners`, `usecases/deliver_notices`. Not
here: pages (`apps/registry/web`).
"""

from typing import Final

from pierhead.adapters.db import DatabaseNotices
from pierhead.adapters.foreign.mail import Mail
from pierhead.adapters.foreign.slack import Slack
from pierhead.adapters.foreign.webhook import Webhook
from pierhead.adapters.system import SystemIds
from pierhead.bootstrap.notify_settings import NotifySettings
from pierhead.bootstrap.repeating import for_ever
from pierhead.bootstrap.wire_push import browser_notices
from pierhead.bootstrap.wire_registry import RegistryAdapters
from pierhead.usecases.address_notices import AddressBook, BrowserBook, MailBook
from pierhead.usecases.deliver_notices import NoticeDesk, deliver_notices
from pierhead.usecases.ports_notices import BROWSER, MAIL, SLACK, WEBHOOK, Notifier
from pierhead.usecases.remind_reviewers import ReminderDesk, remind_reviewers
from pierhead.usecases.warn_owners import OwnerDesk, warn_owners

_EVERY_S: Final = 15.0
_OWNERS_S: Final = 600.0
_DELIVER_S: Final = 2.0


async def tell_for_ever(adapters: RegistryAdapters, every_s: float = _EVERY_S) -> None:
    """Until cancelled: remind, wait."""
    desk = ReminderDesk(
        catalogue=adapters.catalogue,
        reminders=DatabaseNotices(adapters.database),
        rights=adapters.registry.rights,
        clock=adapters.clock,
        ids=SystemIds(),
        public_url=adapters.setting.public_url,
        sends=adapters.setting.notify.tells_people,
    )
    await for_ever(lambda: remind_reviewers(desk), every_s, "reminders of reviews")


async def warn_owners_for_ever(adapters: RegistryAdapters, every_s: float = _OWNERS_S) -> None:
    """Until cancelled: tell owners of what ends soon, wait. Ends at once where nothing leaves."""
    registry = adapters.registry
    if registry.news is None:
        return
    announcements = DatabaseNotices(adapters.database)
    desk = OwnerDesk(adapters.catalogue, announcements, registry.rights.reviewers, adapters.clock, registry.news)
    await for_ever(lambda: warn_owners(desk), every_s, "what ends soon")


async def deliver_for_ever(adapters: RegistryAdapters, every_s: float = _DELIVER_S) -> None:
    """Until cancelled: send what is due, wait. Ends at once where nothing is ever sent."""
    desk = notice_desk(adapters)
    if desk.notifiers:
        await for_ever(lambda: deliver_notices(desk), every_s, "notices")


def notice_desk(adapters: RegistryAdapters) -> NoticeDesk:
    """The outbox, every channel that is set up, and where people are reached by it."""
    notifiers, notify = _notifiers(adapters), adapters.setting.notify
    mail = MailBook(notify.addresses, notify.mail_domain) if MAIL in notifiers else None
    browsers = BrowserBook(adapters.push.browsers, adapters.desk.terms.people_of) if adapters.push else None
    has_webhook, has_slack = WEBHOOK in notifiers, SLACK in notifiers
    addresses = AddressBook(adapters.desk.people, mail, has_webhook, adapters.duty.absences, browsers, has_slack)
    return NoticeDesk(DatabaseNotices(adapters.database), notifiers, addresses, adapters.clock)


def _notifiers(adapters: RegistryAdapters) -> dict[str, Notifier]:
    """Every channel that is set up."""
    notify, allowed = adapters.setting.notify, adapters.setting.rules.guest_rules.allowed_hosts
    found: dict[str, Notifier] = {}
    if notify.url:
        found[WEBHOOK] = Webhook(notify.url, notify.key, allowed)
    if notify.has_slack:
        found[SLACK] = Slack(notify.slack_url.get_secret_value(), allowed)
    if notify.smtp_url:
        found[MAIL] = _mail(notify)
    if adapters.push:
        found[BROWSER] = browser_notices(notify, adapters.keys, adapters.push, adapters.approvals, allowed)
    return found


def _mail(notify: NotifySettings) -> Mail:
    return Mail(notify.smtp_url, notify.mail_from, notify.smtp_user, notify.smtp_password.get_secret_value())
