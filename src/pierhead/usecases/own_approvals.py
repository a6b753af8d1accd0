"""What whoever asked may do about their own approvals from where they asked: confirm, wait, look, withdraw.

Reached through a server, for the person whom the gateway verified there. A form decides class `confirm` and nothing
else; of what others asked nothing is told. Above: the registry's internal API. Not here: deciding on the calls of
others, which is no tool (`answer_approval`).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from pierhead.core.approval import OPEN_STATES, Approval, ApprovalState, FormAnswer
from pierhead.core.approval_record import ApprovalRecord, Decided, as_of, cancelled, decided
from pierhead.core.audit import Fact
from pierhead.core.audit_approvals import ApprovalDecided, ApprovalMoved
from pierhead.core.choice import LONGEST_S
from pierhead.core.errors import Conflict, Forbidden, Invalid
from pierhead.core.identity import Caller, User
from pierhead.usecases.approval_desk import ApprovalDesk, no_such_approval, record_of
from pierhead.usecases.ports_approvals import ApprovalFilter, DecisionNews, Seer, Written
from pierhead.usecases.ports_duty import Wish
from pierhead.usecases.remember_choice import remember_choice

LONGEST_WAIT_S = 25.0
_MOST = 20
FORM = "form"
REMEMBER = "remember"
_SAME_AGAIN = Wish(LONGEST_S, (), FORM)
"""With exactly the same arguments; other patterns are chosen on the page."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked: a person by issuer and name, or a program that speaks for nobody."""

    issuer: str
    person: str
    program: str

    @classmethod
    def of(cls, caller: Caller) -> "Asker":
        who, program = caller.person, caller.workload
        if who is not None:
            return cls(who.issuer, who.subject, "")
        return cls("", "", program.spiffe_id if program else "")

    def asked(self, record: ApprovalRecord) -> bool:
        """Whether that record is of theirs: a person's, through whatever they come now."""
        theirs = record.proposal
        if self.person:
            return (self.issuer, self.person) == (theirs.issuer, theirs.person)
        return bool(self.program) and (theirs.person, theirs.requester) == ("", self.program)


async def confirm_approval(record_id: str, answer: FormAnswer, asker: Asker, desk: ApprovalDesk) -> ApprovalRecord:
    """The caller's own yes or no, given in a form of their client; `remember` is a yes to the very same for hours.

    Errors: NotFound; Forbidden (`not-yours`), where another's yes is needed; Conflict (`approval-state`,
    `approval-differs`); Invalid (`bad-decision`).
    """

    def step(record: ApprovalRecord, now: float) -> Written:
        current = as_of(record, now)
        _check(current, answer, asker)
        made = Decided(asker.person, FORM, now, "approve" if answer.verdict == REMEMBER else answer.verdict)
        after = decided(current, made)
        facts: tuple[Fact, ...] = (ApprovalDecided.of(current, made), ApprovalMoved.of(record, after, asker.person))
        return Written((after,), facts)

    record = await desk.store.change(record_id, step)
    if answer.verdict == REMEMBER:
        with suppress(Invalid):  # what cannot be remembered was confirmed all the same
            await remember_choice(record_id, _SAME_AGAIN, User(asker.issuer, asker.person, frozenset()), desk)
    return record


def _check(record: ApprovalRecord, answer: FormAnswer, asker: Asker) -> None:
    if not asker.person or not asker.asked(record):
        raise no_such_approval()
    if record.proposal.approval is not Approval.CONFIRM:
        hint = "see who is asked on the approval's page"
        raise Forbidden("a form decides nothing but confirmations", hint=hint, code="not-yours")
    if record.state is not ApprovalState.PENDING:
        raise Conflict(f"this approval is {record.state} already", hint="call again", code="approval-state")
    if answer.digest != record.proposal.digest:
        raise Conflict("what you were shown is not what would run", hint="call again", code="approval-differs")


async def await_approval(
    record_id: str, asker: Asker, wait_s: float, desk: ApprovalDesk, news: DecisionNews
) -> ApprovalRecord:
    """The record once it no longer waits for people, or as it is after `wait_s`. Errors: NotFound."""
    record = await _own(record_id, asker, desk)
    if record.state is not ApprovalState.PENDING or wait_s <= 0:
        return record
    await news.decided(record_id, min(wait_s, LONGEST_WAIT_S))
    return await _own(record_id, asker, desk)


async def own_approvals(asker: Asker, server: str, desk: ApprovalDesk) -> Sequence[ApprovalRecord]:
    """What they asked for on that server and is open still, newest first."""
    name = asker.person or asker.program
    wanted = ApprovalFilter(Seer(asker.person, frozenset()), OPEN_STATES, asker.person, server, limit=_MOST)
    found = await desk.store.listed(wanted) if name else ()
    return [record for record in found if asker.asked(record)]


async def withdraw_approval(record_id: str, asker: Asker, desk: ApprovalDesk) -> ApprovalRecord:
    """Withdraw what one asked for. Errors: NotFound; Conflict (`approval-state`)."""
    await _own(record_id, asker, desk)

    def step(record: ApprovalRecord, now: float) -> Written:
        after = cancelled(record, now)
        return Written((after,), (ApprovalMoved.of(record, after, asker.person or asker.program),))

    return await desk.store.change(record_id, step)


async def _own(record_id: str, asker: Asker, desk: ApprovalDesk) -> ApprovalRecord:
    """One text for absent and another's."""
    record = await record_of(record_id, desk)
    if not asker.asked(record):
        raise no_such_approval()
    return record
