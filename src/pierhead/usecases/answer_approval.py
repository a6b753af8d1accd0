"""People answer: approve, deny, withdraw, and settle what nobody knows the end of.

Whoever answers is a person in person; rights are asked when they answer, and again when the answer is used. Deciding
is never an MCP tool. Not here: rights themselves (`core/approval_record.why_not`).
"""

from dataclasses import dataclass

from pierhead.core.absence import in_place_of
from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided, as_of, cancelled, decided, settled, why_not
from pierhead.core.audit import Fact
from pierhead.core.audit_approvals import ApprovalDecided, ApprovalMoved
from pierhead.core.errors import Conflict, Forbidden, Invalid, Unauthenticated
from pierhead.core.identity import Caller
from pierhead.usecases.approval_desk import ApprovalDesk, no_such_approval, record_of
from pierhead.usecases.ports_approvals import Written
from pierhead.usecases.rights import person_of

LONGEST_COMMENT = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says. `digest` is that of what they were shown: an answer counts for nothing else.

    `auth` says what proved the person, and how long before.
    """

    verdict: str
    comment: str
    how: str
    digest: str
    auth: str = ""


def may_see(record: ApprovalRecord, caller: Caller, auditors: frozenset[str]) -> bool:
    """Whoever asked, whoever is asked, whoever decided, and auditors."""
    who = caller.person
    if who is None:
        return False
    return who.subject in record.people or not who.groups.isdisjoint((*record.approvers, *auditors))


async def seen_approval(record_id: str, caller: Caller, auditors: frozenset[str], desk: ApprovalDesk) -> ApprovalRecord:
    """The record, for those who may see it. Errors: NotFound, alike for what is not there and what is hidden."""
    record = await record_of(record_id, desk)
    if may_see(record, caller, auditors) or await _stands_in(record, caller, desk):
        return record
    raise no_such_approval()


async def _stands_in(record: ApprovalRecord, caller: Caller, desk: ApprovalDesk) -> bool:
    """Whether the duty of somebody who is asked is the caller's for now."""
    who = caller.person
    lent = await desk.duties.stands_in(who.subject) if who else ()
    return any(not each.groups.isdisjoint(record.approvers) for each in lent)


async def decide_approval(record_id: str, answer: Answer, caller: Caller, desk: ApprovalDesk) -> ApprovalRecord:
    """One person's yes or no. A yes to the call of another needs a recent sign-in, whatever way it comes.

    Errors: NotFound; Forbidden (`person-needed`, `not-yours`); Unauthenticated (`sign-in-too-old`); Conflict
    (`approval-state`, `approval-differs`); Invalid (`bad-decision`).
    """
    person = person_of(caller)
    _check(answer)
    stands_in = await desk.duties.stands_in(person)

    def step(record: ApprovalRecord, now: float) -> Written:
        current = as_of(record, now)
        if current.state is not ApprovalState.PENDING:
            raise Conflict(f"this approval is {current.state} already", hint="reload it", code="approval-state")
        reason = why_not(current, person, groups_now(person, caller, desk))
        instead_of = in_place_of(current, person, stands_in) if reason else ""
        _require("" if instead_of else reason)
        if answer.verdict == "approve" and current.proposal.approval is not Approval.CONFIRM:
            require_fresh(caller, now, desk)
        if answer.digest != current.proposal.digest:
            raise Conflict("what you were shown is not what would run", hint="reload it", code="approval-differs")
        made = Decided(person, answer.how, now, answer.verdict, answer.comment, answer.auth, instead_of)
        after = decided(current, made)
        facts: list[Fact] = [ApprovalDecided.of(current, made)]
        if after.state is not current.state:
            facts.append(ApprovalMoved.of(record, after, person))
        return Written((after,), tuple(facts))

    return await desk.store.change(record_id, step)


async def cancel_approval(record_id: str, caller: Caller, desk: ApprovalDesk) -> ApprovalRecord:
    """Withdraw what one asked for oneself. Errors: NotFound; Conflict (`approval-state`)."""
    record = await record_of(record_id, desk)
    if not _is_requester(record, caller):
        raise no_such_approval()

    def step(found: ApprovalRecord, now: float) -> Written:
        after = cancelled(found, now)
        return Written((after,), (ApprovalMoved.of(found, after, caller.name),))

    return await desk.store.change(record_id, step)


async def settle_approval(record_id: str, comment: str, caller: Caller, desk: ApprovalDesk) -> ApprovalRecord:
    """Say what became of a call that was lost; the same call may then be asked for again.

    Errors: NotFound; Forbidden (`person-needed`, `not-yours`); Conflict (`approval-state`); Invalid.
    """
    person = person_of(caller)
    _check(Answer("approve", comment, "", ""))
    if not comment:
        raise Invalid("say what you found: what the call did, and what not", hint="give a comment", code="bad-decision")

    def step(record: ApprovalRecord, now: float) -> Written:
        if groups_now(person, caller, desk).isdisjoint(record.approvers):
            _require(f"this is settled by {' or '.join(record.approvers) or 'nobody'}")
        current = as_of(record, now)
        made = Decided(person, "settled", now, "settle", comment)
        after = settled(current, made, now)
        return Written((after,), (ApprovalDecided.of(current, made), ApprovalMoved.of(record, after, person)))

    return await desk.store.change(record_id, step)


def require_fresh(caller: Caller, now: float, desk: ApprovalDesk) -> None:
    """Errors: Unauthenticated (`sign-in-too-old`), where nobody knows, too, when the caller proved who they are."""
    oldest = desk.limits.reauthenticate_s
    if now - caller.proved_at > oldest:
        raise Unauthenticated(
            f"this needs a sign-in of the last {oldest:.0f} s; yours is older, or your token does not say (auth_time)",
            hint="sign in anew, for a program with a new access token, and answer once more",
            code="sign-in-too-old",
        )


def proof_of(caller: Caller, now: float) -> str:
    """How old the proof of who that is, for the record; empty where nobody knows."""
    return f"sign-in {int(max(0.0, now - caller.proved_at))} s old" if caller.proved_at else ""


def groups_now(person: str, caller: Caller, desk: ApprovalDesk) -> frozenset[str]:
    """Of the groups that the caller shows, those they still have: a token is older than what became of its person."""
    return caller.groups & (desk.people.groups(person) or frozenset())


def _is_requester(record: ApprovalRecord, caller: Caller) -> bool:
    """The person for whom it was asked, through whatever they come now."""
    who = caller.person
    return who is not None and (who.issuer, who.subject) == (record.proposal.issuer, record.proposal.person)


def _check(answer: Answer) -> None:
    if answer.verdict not in {"approve", "deny"}:
        raise Invalid("a decision is approve or deny", hint="choose one", code="bad-decision")
    if len(answer.comment) > LONGEST_COMMENT:
        raise Invalid(f"a comment has at most {LONGEST_COMMENT} characters", hint="shorten it", code="bad-decision")


def _require(reason: str) -> None:
    if reason:
        raise Forbidden(reason, hint="see who is asked on the approval's page", code="not-yours")
