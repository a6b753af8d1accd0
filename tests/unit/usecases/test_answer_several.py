"""Several answers at once, each for itself; and questions that decide nothing."""

from dataclasses import replace

import pytest
from tests.approving import desk_over, person, proposal

from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.audit_approvals import ApprovalDecided
from pierhead.core.errors import Conflict, Forbidden, Invalid
from pierhead.core.identity import ANONYMOUS
from pierhead.usecases.answer_approval import Answer, cancel_approval, decide_approval
from pierhead.usecases.answer_several import MOST_AT_ONCE, answer_several
from pierhead.usecases.approval_desk import ApprovalDesk, ticket_of
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.remark_on_approval import LONGEST_REMARK, MOST_REMARKS, remark_on_approval

pytestmark = pytest.mark.anyio
NOBODY: frozenset[str] = frozenset()
ALICE, BOB, FRANK, GINA = (person(name) for name in ("alice", "bob", "frank", "gina"))


@pytest.fixture
def desk() -> ApprovalDesk:
    return desk_over(MemoryApprovals(MemoryClock()), limit=30)


async def asked(desk: ApprovalDesk, n: int, approval: Approval = Approval.APPROVE) -> ApprovalRecord:
    return await ask_approval(proposal({"n": n}, approval), desk)


def word(record: ApprovalRecord, verdict: str = "approve") -> tuple[str, Answer]:
    return record.id, Answer(verdict, "", "web", record.proposal.digest)


async def test_each_is_answered_by_its_own_word_and_none_hinders_another(desk: ApprovalDesk) -> None:
    first, second, third, fourth = [await asked(desk, n) for n in range(4)]
    await cancel_approval(second.id, ALICE, desk)
    swapped = (fourth.id, replace(word(fourth)[1], digest=third.proposal.digest))
    answers = [word(first), word(second), word(third, "deny"), swapped, ("apr_nothing", word(first)[1])]
    told = await answer_several(answers, FRANK, NOBODY, desk)
    states = [each.record.state if each.record else None for each in told]
    codes = [each.refused.code if each.refused else "" for each in told]
    assert states == [ApprovalState.APPROVED, None, ApprovalState.DENIED, None, None]
    assert codes == ["", "approval-state", "", "approval-differs", "not-found"]


async def test_who_may_not_answer_one_does_not_answer_it_among_others(desk: ApprovalDesk) -> None:
    first = await asked(desk, 1)
    (told,) = await answer_several([word(first)], ALICE, NOBODY, desk)
    assert told.refused is not None
    assert told.refused.code == "not-yours"


async def test_none_too_many_or_one_twice_takes_nothing(desk: ApprovalDesk) -> None:
    first = await asked(desk, 1)
    for answers in ([], [word(first)] * 2, [(f"apr_{n}", word(first)[1]) for n in range(MOST_AT_ONCE + 1)]):
        with pytest.raises(Invalid) as refused:
            await answer_several(answers, FRANK, NOBODY, desk)
        assert refused.value.code == "bad-decision"
    found = await desk.store.one(first.id)
    assert found is not None
    assert found.state is ApprovalState.PENDING


async def test_a_question_reaches_whoever_asked_and_decides_nothing(desk: ApprovalDesk) -> None:
    record = await asked(desk, 1, Approval.FOUR_EYES)
    after = await remark_on_approval(record.id, "which ticket?", "web", FRANK, desk)
    assert "frank asks: which ticket?" in ticket_of(after, "").sentence
    after = await remark_on_approval(record.id, "OPS-7", "web", ALICE, desk)
    assert (after.state, after.yeses, after.decisions[-1].comment) == (ApprovalState.PENDING, (), "OPS-7")
    assert "frank asks: which ticket?" in ticket_of(after, "").sentence
    after = await decide_approval(record.id, word(record)[1], FRANK, desk)
    assert after.yeses == ("frank",)
    denied = await decide_approval(record.id, word(record, "deny")[1], GINA, desk)
    assert ticket_of(denied, "").sentence.startswith("gina denied")
    assert isinstance(desk.store, MemoryApprovals)
    assert sum(isinstance(fact, ApprovalDecided) and fact.verdict == "ask" for fact in desk.store.facts) == 2


async def test_strangers_say_nothing_and_nobody_says_too_much(desk: ApprovalDesk) -> None:
    record = await asked(desk, 1)
    with pytest.raises(Forbidden):
        await remark_on_approval(record.id, "let me in", "web", BOB, desk)
    with pytest.raises(Forbidden):
        await remark_on_approval(record.id, "let me in", "web", replace(BOB, principal=ANONYMOUS), desk)
    for said in ("", "x" * (LONGEST_REMARK + 1)):
        with pytest.raises(Invalid):
            await remark_on_approval(record.id, said, "web", FRANK, desk)
    for _ in range(MOST_REMARKS):
        await remark_on_approval(record.id, "why?", "web", FRANK, desk)
    with pytest.raises(Conflict) as refused:
        await remark_on_approval(record.id, "why?", "web", FRANK, desk)
    assert refused.value.code == "too-many-remarks"
    await cancel_approval(record.id, ALICE, desk)
    with pytest.raises(Conflict) as refused:
        await remark_on_approval(record.id, "why?", "web", FRANK, desk)
    assert refused.value.code == "approval-state"
