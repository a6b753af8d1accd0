"""Reviewers are reminded of what waits for them at half and at the end of their time; then administrators are told.

Each reminder is given once, whoever looks and however often: it is kept with its fact. Below: `core/reminding`. Not
here: sending (`deliver_notices`), what the queue shows.
"""

from dataclasses import dataclass

from pierhead.core.audit_reviews import ReviewReminded
from pierhead.core.reminding import Reminder, Urgency, reminders_of
from pierhead.usecases.ports import Clock, Ids
from pierhead.usecases.ports_catalogue import Catalogue
from pierhead.usecases.ports_notices import Notice, Reminders
from pierhead.usecases.rights import Rights


@dataclass(frozen=True, slots=True)
class ReminderDesk:
    """What reminding needs. `public_url` is where people find the review; `sends` whether notices leave at all."""

    catalogue: Catalogue
    reminders: Reminders
    rights: Rights
    clock: Clock
    ids: Ids
    public_url: str
    sends: bool


async def remind_reviewers(desk: ReminderDesk) -> int:
    """Give every reminder that is due and was not given; how many."""
    now = desk.clock.now()
    due = [each for review in await desk.catalogue.open_reviews() for each in reminders_of(review, now)]
    told = await desk.reminders.told({each.review_id for each in due}) if due else frozenset[tuple[str, str, str]]()
    given = 0
    for reminder in due:
        if (reminder.review_id, str(reminder.gate), str(reminder.urgency)) not in told:
            given += await _give(reminder, desk, now)
    return given


async def _give(reminder: Reminder, desk: ReminderDesk, now: float) -> bool:
    group = _asked(reminder, desk.rights)
    fact = ReviewReminded(
        review_id=reminder.review_id,
        server=reminder.server,
        version=reminder.version,
        gate=str(reminder.gate),
        urgency=str(reminder.urgency),
        group=group,
        due_at=reminder.due_at,
    )
    notice = _notice(reminder, group, desk, now) if desk.sends else None
    return await desk.reminders.keep(reminder, notice, fact, now)


def _asked(reminder: Reminder, rights: Rights) -> str:
    """Whom it is told to: the gate's group, and at last the administrators."""
    if reminder.urgency is Urgency.ESCALATED:
        return ", ".join(sorted(rights.admins))
    return rights.reviewers.get(reminder.gate, "")


def _notice(reminder: Reminder, group: str, desk: ReminderDesk, now: float) -> Notice:
    content: dict[str, str | float] = {
        "review": reminder.review_id,
        "server": reminder.server,
        "version": reminder.version,
        "gate": str(reminder.gate),
        "urgency": str(reminder.urgency),
        "group": group,
        "due_at": reminder.due_at,
        "url": f"{desk.public_url}/reviews/{reminder.review_id}",
    }
    return Notice(desk.ids.new(), f"review.{reminder.urgency}", now, content, tries=0, next_at=now)
