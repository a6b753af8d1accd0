"""One of a named group lets a call go on with one other yes in place of two; the day after, somebody looks at it.

The alarm is the fact: it is kept with the change, and everyone whose business it is hears of it at once. Not here: the
rules themselves (`core/break_glass`), who is told (`tell_approvals`).
"""

from pierhead.core.approval_record import ApprovalRecord, Decided, as_of
from pierhead.core.audit import Fact
from pierhead.core.audit_approvals import ApprovalDecided, ApprovalMoved
from pierhead.core.break_glass import (
    BROKEN,
    REVIEWED,
    GlassBroken,
    glass_broken,
    glass_reviewed,
    why_not_break,
    why_not_review,
)
from pierhead.core.errors import Conflict, Forbidden, Invalid
from pierhead.core.identity import Caller
from pierhead.usecases.answer_approval import LONGEST_COMMENT, Answer, groups_now, require_fresh
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ports_approvals import Written
from pierhead.usecases.rights import person_of


async def break_glass(record_id: str, answer: Answer, caller: Caller, desk: ApprovalDesk) -> ApprovalRecord:
    """One yes is enough for this record from now on. The verdict of `answer` counts for nothing.

    Errors: NotFound; Forbidden (`person-needed`, `not-yours`); Unauthenticated (`sign-in-too-old`); Conflict
    (`approval-differs`, `approval-state`); Invalid (`bad-decision`), without a reason.
    """
    person = person_of(caller)
    _check(answer.comment)

    def step(record: ApprovalRecord, now: float) -> Written:
        current = as_of(record, now)
        _require(why_not_break(current, person, groups_now(person, caller, desk), desk.limits.break_glass))
        require_fresh(caller, now, desk)
        if answer.digest != current.proposal.digest:
            raise Conflict("what you were shown is not what would run", hint="reload it", code="approval-differs")
        made = Decided(person, answer.how, now, BROKEN, answer.comment, answer.auth)
        after = glass_broken(current, made)
        facts: list[Fact] = [GlassBroken.of(current, made)]
        if after.state is not current.state:
            facts.append(ApprovalMoved.of(record, after, person))
        return Written((after,), tuple(facts))

    return await desk.store.change(record_id, step)


async def review_glass(
    record_id: str, answer: Answer, caller: Caller, reviewers: frozenset[str], desk: ApprovalDesk
) -> ApprovalRecord:
    """Somebody who had no part in it says what they found. Errors: as `break_glass`."""
    person = person_of(caller)
    _check(answer.comment)

    def step(record: ApprovalRecord, now: float) -> Written:
        current = as_of(record, now)
        _require(why_not_review(current, person, groups_now(person, caller, desk), reviewers))
        made = Decided(person, answer.how, now, REVIEWED, answer.comment, answer.auth)
        after = glass_reviewed(current, made)
        facts: list[Fact] = [ApprovalDecided.of(current, made)]
        if current is not record:
            facts.append(ApprovalMoved.of(record, current, ""))
        return Written((after,), tuple(facts))

    return await desk.store.change(record_id, step)


def _check(reason: str) -> None:
    if not reason or len(reason) > LONGEST_COMMENT:
        message = f"a reason of at most {LONGEST_COMMENT} characters is needed"
        raise Invalid(message, hint="say why", code="bad-decision")


def _require(reason: str) -> None:
    if reason:
        raise Forbidden(reason, hint="see the approval's page", code="not-yours")
