"""Ask back, and answer, while people decide: words on the record that decide nothing.

Whoever is asked, or stands in for somebody who is, may ask whoever asked; both read it on the card, and the caller in
what its next call answers. Not here: yes and no (`answer_approval`).
"""

from typing import Final

from pierhead.core.absence import in_place_of
from pierhead.core.approval import ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided, as_of, remarked
from pierhead.core.audit_approvals import ApprovalDecided
from pierhead.core.errors import Conflict, Forbidden, Invalid
from pierhead.core.identity import Caller
from pierhead.usecases.answer_approval import groups_now
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ports_approvals import Written
from pierhead.usecases.rights import person_of

LONGEST_REMARK: Final = 500
MOST_REMARKS: Final = 20


async def remark_on_approval(
    record_id: str, comment: str, how: str, caller: Caller, desk: ApprovalDesk
) -> ApprovalRecord:
    """Say something to the others whose business it is. `how` is the page, the API or the command line.

    Errors: NotFound; Forbidden (`person-needed`, `not-yours`); Conflict (`approval-state`, `too-many-remarks`);
    Invalid.
    """
    person = person_of(caller)
    if not 1 <= len(comment) <= LONGEST_REMARK:
        raise Invalid(f"a question has 1 to {LONGEST_REMARK} characters", hint="write it", code="bad-decision")

    stands_in, asked_now = await desk.duties.stands_in(person), groups_now(person, caller, desk)

    def step(record: ApprovalRecord, now: float) -> Written:
        current = as_of(record, now)
        if current.state is not ApprovalState.PENDING:
            raise Conflict(f"this approval is {current.state} already", hint="reload it", code="approval-state")
        if sum(made.verdict == "ask" for made in current.decisions) >= MOST_REMARKS:
            raise Conflict("this approval was talked about enough", hint="decide, or talk", code="too-many-remarks")
        is_theirs = person == current.proposal.person or not asked_now.isdisjoint(current.approvers)
        instead_of = "" if is_theirs else in_place_of(current, person, stands_in)
        if not is_theirs and not instead_of:
            raise Forbidden("this approval is between others", hint="see who is asked", code="not-yours")
        made = Decided(person, how, now, "ask", comment, instead_of=instead_of)
        return Written((remarked(current, made),), (ApprovalDecided.of(current, made),))

    return await desk.store.change(record_id, step)
