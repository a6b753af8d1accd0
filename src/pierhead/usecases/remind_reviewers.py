"""Reviewers are reminded of what waits for them at half and at the end of their time; then administrators are told.

Each reminder is given once, whoever looks and however often: it is kept with its fact. Below: `core/reminding`. Not
here: sending (`deliver_notices`), what the queue shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.core.audit_reviews import ReviewReminded
from pierhead.core.reminding import Reminder, Urgency, reminders_of
from pierhead.usecases.ports import Clock, Ids
from pierhead.usecases.ports_catalogue import Catalogue
from pierhead.usecases.ports_notices import PEOPLE, Notice, Readers, Reminders
from pierhead.usecases.rights import Rights

_SENTENCES: Final[Mapping[Urgency, str]] = {
    Urgency.HALF: "{} waits for its {} review, and half the time for it is over.",
    Urgency.DUE: "{} waits for its {} review, and the time for it is over.",
    Urgency.ESCALATED: "{} waits for its {} review, and nobody answered in time.",
}


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
    groups = _asked(reminder, desk.rights)
    fact = ReviewReminded(
        review_id=reminder.review_id,
        server=reminder.server,
        version=reminder.version,
        gate=str(reminder.gate),
        urgency=str(reminder.urgency),
        group=", ".join(groups),
        due_at=reminder.due_at,
    )
    notice = _notice(reminder, groups, desk, now) if desk.sends else None
    return await desk.reminders.keep(reminder, notice, fact, now)


def _asked(reminder: Reminder, rights: Rights) -> tuple[str, ...]:
    """Whom it is told to: the gate's group, and at last the administrators."""
    if reminder.urgency is Urgency.ESCALATED:
        return tuple(sorted(rights.admins))
    group = rights.reviewers.get(reminder.gate, "")
    return (group,) if group else ()


def _notice(reminder: Reminder, groups: tuple[str, ...], desk: ReminderDesk, now: float) -> Notice:
    content: dict[str, str | float] = {
        "review": reminder.review_id,
        "server": reminder.server,
        "version": reminder.version,
        "gate": str(reminder.gate),
        "urgency": str(reminder.urgency),
        "group": ", ".join(groups),
        "due_at": reminder.due_at,
        "title": f"{reminder.server} {reminder.version} waits for {reminder.gate}",
        "sentence": _SENTENCES[reminder.urgency].format(f"{reminder.server} {reminder.version}", reminder.gate),
        "url": f"{desk.public_url}/reviews/{reminder.review_id}",
    }
    readers = Readers(groups=groups)
    kind = f"review.{reminder.urgency}"
    return Notice(desk.ids.new(), kind, now, content, tries=0, next_at=now, channel=PEOPLE, readers=readers)
