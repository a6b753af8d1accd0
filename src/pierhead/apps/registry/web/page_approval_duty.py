"""What stands on an approval's card only for some: breaking the glass, reviewing that, and remembering a confirmation.

Not here: the card itself (`page_approval`), what the forms do (`answers_duty`).
"""

from typing import Final

import htpy as h

from pierhead.apps.registry.approval_shown import ApprovalWhole
from pierhead.apps.registry.web.inputs import area, choice, form, submit
from pierhead.apps.registry.web.parts import Tone, absolute, notice, titled, visible
from pierhead.core.approval_record import Decided

HOURS: Final = {"0": "ask every time", "1": "1 hour", "4": "4 hours", "8": "8 hours"}


def glass(known: ApprovalWhole, token: str) -> h.Node:
    """For those who may let one yes stand for two, and for those who look at it afterwards."""
    return [_broken(known), _break(known, token), _review(known, token)]


def _broken(known: ApprovalWhole) -> h.Node:
    if known.review_due_at is None:
        return None
    return notice(
        Tone.BAD,
        "The glass was broken.",
        "One yes stands for two here. Somebody who had no part in it has to look at it by ",
        absolute(known.review_due_at),
        ".",
    )


def _break(known: ApprovalWhole, token: str) -> h.Node:
    if not known.may_break_glass:
        return None
    return titled(
        "Only one of two can be found?",
        form(
            f"/approvals/{known.line.id}/break-glass",
            token,
            h.p(class_="quiet")["One yes is then enough, for this call alone. Everyone concerned hears of it at once."],
            h.input(type="hidden", name="digest", value=known.digest),
            area("Why it cannot wait", "comment", is_required=True),
            submit("Break the glass"),
        ),
    )


def _review(known: ApprovalWhole, token: str) -> h.Node:
    if not known.may_review:
        return None
    told = area("What you found: whether it was needed", "comment", is_required=True)
    action = f"/approvals/{known.line.id}/review"
    return titled("Review the broken glass", form(action, token, told, submit("Sign the review", is_main=True)))


def remember(known: ApprovalWhole) -> h.Node:
    """Beside a confirmation: whether the same call is to be confirmed without asking, for a while."""
    if not known.may_remember:
        return None
    return choice("The same call again, with these very arguments", "remember", HOURS, "0")


def decided_how(made: Decided) -> h.Node:
    """In whose place, and what proved the person."""
    place = f"in place of {visible(made.instead_of)}" if made.instead_of else ""
    said = ", ".join(each for each in (place, visible(made.how), visible(made.auth)) if each)
    return h.p(class_="quiet")[said]
