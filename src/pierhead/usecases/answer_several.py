"""Several approvals answered at once: each by its own word and its own digest, and none by another's.

There is no yes for all. One that cannot be taken does not hinder the others. Not here: one answer (`answer_approval`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.errors import Forbidden, Invalid, NotFound, Unauthenticated
from pierhead.core.identity import Caller
from pierhead.usecases.answer_approval import Answer, decide_approval, seen_approval
from pierhead.usecases.approval_desk import ApprovalDesk

MOST_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one answer: the record as it is now, or why it was not taken."""

    id: str
    record: ApprovalRecord | None
    refused: Forbidden | Invalid | NotFound | Unauthenticated | None


async def answer_several(
    answers: Sequence[tuple[str, Answer]], caller: Caller, auditors: frozenset[str], desk: ApprovalDesk
) -> tuple[Answered, ...]:
    """Take them one after the other, in their order.

    Errors: Invalid (`bad-decision`), for none, too many, or one approval twice: then nothing was taken.
    """
    if not 1 <= len(answers) <= MOST_AT_ONCE:
        message = f"1 to {MOST_AT_ONCE} approvals are answered at once"
        raise Invalid(message, hint="tick those that you have read", code="bad-decision")
    if len({record_id for record_id, _ in answers}) < len(answers):
        raise Invalid("an approval is answered twice", hint="answer each once", code="bad-decision")
    return tuple([await _answered(record_id, answer, caller, auditors, desk) for record_id, answer in answers])


async def _answered(
    record_id: str, answer: Answer, caller: Caller, auditors: frozenset[str], desk: ApprovalDesk
) -> Answered:
    try:
        known = await seen_approval(record_id, caller, auditors, desk)
        return Answered(record_id, await decide_approval(known.id, answer, caller, desk), None)
    except (Forbidden, Invalid, NotFound, Unauthenticated) as refused:
        return Answered(record_id, None, refused)
