"""A person who just confirmed a call need not confirm calls like it for a while; and changes their mind.

Only whoever was asked, only on a form that a person sees (a page, or an elicitation on an attested surface), only
class confirm. Each use is a decision of its own on record (`ask_approval`). Not here: what a choice covers
(`core/choice`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.choice import Choice, ChoiceEnded, ChoiceRemembered, choice_of
from pierhead.core.errors import Conflict, Forbidden, NotFound
from pierhead.core.identity import User
from pierhead.usecases.approval_desk import ApprovalDesk, no_such_approval, record_of
from pierhead.usecases.ports import Clock, Ids
from pierhead.usecases.ports_duty import Choices, Wish

_FORMS: Final = frozenset({"web", "form"})


@dataclass(frozen=True, slots=True)
class ChoiceBook:
    """Fills `ports_duty.Remembered`."""

    choices: Choices
    clock: Clock
    ids: Ids

    async def held(self, person: str) -> Sequence[Choice]:
        return await self.choices.of(person, self.clock.now())

    async def drop(self, choice: Choice, reason: str, by: str) -> bool:
        fact = ChoiceEnded(choice.id, choice.person, reason, by)
        return await self.choices.end(choice.id, fact, self.clock.now())

    async def keep(self, record: ApprovalRecord, wish: Wish) -> Choice:
        now = self.clock.now()
        choice = choice_of(record, self.ids.new(), wish.free, now, wish.lifetime_s)
        await self.choices.add(choice, ChoiceRemembered.of(choice, wish.how), now)
        return choice


async def remember_choice(record_id: str, wish: Wish, who: User, desk: ApprovalDesk) -> Choice:
    """Remember the yes that `who` gave to that record.

    Errors: NotFound, also for a record of others; Forbidden (`not-confirmed`), without that yes or off a form;
    Invalid (`bad-choice`).
    """
    record = await record_of(record_id, desk)
    if (who.issuer, who.subject) != (record.proposal.issuer, record.proposal.person):
        raise no_such_approval()
    if wish.how not in _FORMS or not _confirmed(record, who.subject, wish.how):
        raise Forbidden(
            "only what you just confirmed, on a form that you saw, is remembered",
            hint="confirm it on its page",
            code="not-confirmed",
        )
    return await desk.choices.keep(record, wish)


async def revoke_choice(choice_id: str, who: User, desk: ApprovalDesk) -> None:
    """Forget it; the next call asks. Errors: NotFound, also for a choice of others; Conflict (`choice-over`)."""
    mine = {each.id: each for each in await desk.choices.held(who.subject) if each.issuer == who.issuer}
    if choice_id not in mine:
        raise NotFound("no such choice, or not yours", hint="see: pierhead approvals choices")
    if not await desk.choices.drop(mine[choice_id], "revoked", who.subject):
        raise Conflict("this choice is over", hint="nothing to do", code="choice-over")


def _confirmed(record: ApprovalRecord, person: str, how: str) -> bool:
    return any((made.by, made.how, made.verdict) == (person, how, "approve") for made in record.decisions)
