"""Ask people once: the same call gets the same record, whatever it asks again.

A denied call stays denied until its record would have expired; a call whose version or rules changed gets a new
record, and the old one is superseded. A plan that is no longer what it was is not asked for: what waited for it is
superseded, and nothing takes its place. Not here: answering (`answer_approval`), using the answer (`spend_approval`).
"""

from collections.abc import Sequence
from functools import partial

from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided, Proposal, as_of, decided, proposed, superseded
from pierhead.core.audit import Fact
from pierhead.core.audit_approvals import ApprovalAsked, ApprovalDecided, ApprovalMoved
from pierhead.core.choice import REMEMBERED, Choice, covers, is_about, is_outdated
from pierhead.core.errors import Conflict, LimitExceeded
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ports_approvals import Known, Written

_LEAVES: frozenset[ApprovalState] = frozenset({ApprovalState.PENDING, ApprovalState.APPROVED})


async def ask_approval(proposal: Proposal, desk: ApprovalDesk) -> ApprovalRecord:
    """The record of that call: the one there is, or a new one; of a plan that changed, what was superseded for it.

    Errors: LimitExceeded (`too-many-approvals`), where its run has too many open; Invalid (`bad-approval`); Conflict
    (`plan-changed`), where nothing waited for a plan that changed.
    """
    plan = proposal.foreseen.plan
    if plan is not None and plan.is_changed:
        return await desk.store.propose(proposal, _given_up)
    approvers = await desk.approvers.of(proposal.server)
    choices = await _choices(proposal, desk) if proposal.approval is Approval.CONFIRM else ()
    step = partial(_asked, proposal, approvers, desk, choices)
    return await desk.store.propose(proposal, step)


async def _choices(proposal: Proposal, desk: ApprovalDesk) -> Sequence[Choice]:
    """What the person said of calls like this; what version or policy has left behind is dropped."""
    about = [each for each in await desk.choices.held(proposal.person) if is_about(each, proposal)]
    for choice in about:
        if is_outdated(choice, proposal):
            await desk.choices.drop(choice, "version or policy changed", "")
    return about


def _asked(
    proposal: Proposal, approvers: tuple[str, ...], desk: ApprovalDesk, choices: Sequence[Choice], known: Known
) -> Written:
    before = known.latest
    records: tuple[ApprovalRecord, ...] = ()
    facts: tuple[Fact, ...] = ()
    is_freed = False
    if before is not None:
        now = as_of(before, known.now)
        if _stands(now, proposal, known.now):
            return Written((now,), () if now is before else (ApprovalMoved.of(before, now, ""),))
        if now.state in _LEAVES:
            now, is_freed = superseded(now, "the version, the rules or the class changed"), True
        if now is not before:
            records, facts = (now,), (ApprovalMoved.of(before, now, ""),)
    if known.open_of_run - is_freed >= desk.limits.open_of_run:
        raise _too_many(desk.limits.open_of_run, "of this run")
    if proposal.person and known.open_of_person - is_freed >= desk.limits.open_of_person:
        raise _too_many(desk.limits.open_of_person, f"of yours on {proposal.server}")
    record = proposed(desk.ids.new(), proposal, approvers, known.now)
    fresh = _remembered(record, choices, known.now)
    return Written((*records, *fresh.records), (*facts, *fresh.facts))


def _remembered(record: ApprovalRecord, choices: Sequence[Choice], now: float) -> Written:
    """A new record, confirmed at once where its person said so of calls like it: each such use is on record."""
    asked = ApprovalAsked.of(record)
    choice = next((each for each in choices if covers(each, record.proposal, now)), None)
    if choice is None:
        return Written((record,), (asked,))
    made = Decided(choice.person, REMEMBERED, now, "approve", f"choice {choice.id}")
    after = decided(record, made)
    return Written((after,), (asked, ApprovalDecided.of(record, made), ApprovalMoved.of(record, after, choice.person)))


def _given_up(known: Known) -> Written:
    now = as_of(known.latest, known.now) if known.latest else None
    if known.latest is None or now is None or now.state not in _LEAVES:
        raise Conflict("what this would change is not what was planned", hint="plan again", code="plan-changed")
    after = superseded(now, "what it would change is not what was planned")
    return Written((after,), (ApprovalMoved.of(known.latest, after, ""),))


def _stands(record: ApprovalRecord, proposal: Proposal, now: float) -> bool:
    """Whether that record is the answer to the same call: what runs, or may have run, bars every version of it."""
    if record.state in {ApprovalState.EXECUTING, ApprovalState.FAILED_UNKNOWN}:
        return True
    if record.proposal.digest != proposal.digest:
        return False
    return record.is_open or (record.state is ApprovalState.DENIED and now < record.expires_at)


def _too_many(limit: int, whose: str) -> LimitExceeded:
    return LimitExceeded(
        f"{limit} approvals {whose} wait already",
        hint="wait for an answer, or withdraw one: approvals_cancel",
        code="too-many-approvals",
    )
