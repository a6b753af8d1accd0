"""What whoever asked may do about their own approvals: confirm, wait, look, withdraw; and what others may not."""

from dataclasses import dataclass, field, replace

import pytest
from tests.approving import desk_over, needed, person
from tests.unit.samples import AGENT, ALICE, ISSUER, ROBOT, caller

from pierhead.core.approval import Approval, ApprovalState, FormAnswer
from pierhead.core.approval_record import ApprovalRecord, proposal_of
from pierhead.core.errors import Conflict, Forbidden, Invalid, NotFound
from pierhead.core.foreseen import Foreseen, Planned
from pierhead.core.identity import ANONYMOUS, Both
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.memory import MemoryClock, MemoryIds
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.memory_duty import MemoryChoices
from pierhead.usecases.own_approvals import (
    LONGEST_WAIT_S,
    Asker,
    await_approval,
    confirm_approval,
    own_approvals,
    withdraw_approval,
)
from pierhead.usecases.remember_choice import ChoiceBook

pytestmark = pytest.mark.anyio
MINE = Asker(ISSUER, "alice", "")
BOB = Asker(ISSUER, "bob", "")


@pytest.fixture
def store() -> MemoryApprovals:
    return MemoryApprovals(MemoryClock())


@pytest.fixture
def desk(store: MemoryApprovals) -> ApprovalDesk:
    return desk_over(store, limit=20)


async def asked(desk: ApprovalDesk, approval: Approval = Approval.CONFIRM, table: str = "flights") -> ApprovalRecord:
    return await ask_approval(proposal_of(needed({"table": table}, approval)), desk)


def yes(record: ApprovalRecord, verdict: str = "approve") -> FormAnswer:
    return FormAnswer(verdict, record.proposal.digest)


@pytest.mark.parametrize(("verdict", "state"), [("approve", "approved"), ("deny", "denied")])
async def test_a_form_decides_a_confirmation_on_record(
    desk: ApprovalDesk, store: MemoryApprovals, verdict: str, state: str
) -> None:
    record = await asked(desk)
    after = await confirm_approval(record.id, yes(record, verdict), MINE, desk)
    assert after.state == state
    assert [(made.by, made.how, made.verdict) for made in after.decisions] == [("alice", "form", verdict)]
    assert [fact.kind for fact in store.facts] == ["approval-asked", "approval-decided", "approval-moved"]


async def test_a_yes_that_lasts_is_remembered_and_what_cannot_be_is_confirmed_all_the_same(
    desk: ApprovalDesk, store: MemoryApprovals
) -> None:
    choices = MemoryChoices()
    lasting = replace(desk, choices=ChoiceBook(choices, store.clock, MemoryIds()))
    record = await asked(desk)
    after = await confirm_approval(record.id, yes(record, "remember"), MINE, lasting)
    assert (after.state, after.decisions[-1].verdict) == (ApprovalState.APPROVED, "approve")
    (choice,) = choices.kept.values()
    assert (choice.person, choice.free, choice.expires_at - choice.created_at) == ("alice", (), 8 * 3600)

    planned = Foreseen(plan=Planned("pln_1", "plan_it", {}, "d" * 64, 1, (), 1e12))
    needs = proposal_of(needed({"table": "planned"}, Approval.CONFIRM))
    other = await ask_approval(replace(needs, foreseen=planned), desk)
    assert (await confirm_approval(other.id, yes(other, "remember"), MINE, lasting)).state is ApprovalState.APPROVED
    assert len(choices.kept) == 1


@pytest.mark.parametrize("approval", [Approval.APPROVE, Approval.FOUR_EYES])
async def test_a_form_decides_nothing_that_takes_another_persons_yes(desk: ApprovalDesk, approval: Approval) -> None:
    record = await asked(desk, approval)
    with pytest.raises(Forbidden, match="nothing but confirmations"):
        await confirm_approval(record.id, yes(record), MINE, desk)


@pytest.mark.parametrize(
    "other", [BOB, replace(MINE, issuer="https://other.example"), Asker("", "", ROBOT), Asker("", "", "")]
)
async def test_nobody_else_confirms_sees_waits_or_withdraws(desk: ApprovalDesk, other: Asker) -> None:
    record = await asked(desk)
    with pytest.raises(NotFound):
        await confirm_approval(record.id, yes(record), other, desk)
    with pytest.raises(NotFound):
        await await_approval(record.id, other, 1, desk, News())
    with pytest.raises(NotFound):
        await withdraw_approval(record.id, other, desk)
    assert await own_approvals(other, "warehouse", desk) == []
    assert (await await_approval(record.id, MINE, 0, desk, News())).state is ApprovalState.PENDING


async def test_an_answer_is_good_for_what_was_shown_while_it_waits(desk: ApprovalDesk) -> None:
    record = await asked(desk)
    with pytest.raises(Conflict, match="not what would run"):
        await confirm_approval(record.id, FormAnswer("approve", "0" * 64), MINE, desk)
    with pytest.raises(Invalid, match="no such verdict"):
        await confirm_approval(record.id, yes(record, "yes"), MINE, desk)
    await confirm_approval(record.id, yes(record), MINE, desk)
    with pytest.raises(Conflict, match="is approved already"):
        await confirm_approval(record.id, yes(record), MINE, desk)


async def test_an_expired_question_takes_no_answer(desk: ApprovalDesk, store: MemoryApprovals) -> None:
    record = await asked(desk)
    store.clock.seconds += 601
    with pytest.raises(Conflict, match="is expired already"):
        await confirm_approval(record.id, yes(record), MINE, desk)


@dataclass
class News:
    """News that come at once; `happens` is what somebody does meanwhile."""

    desk: ApprovalDesk | None = None
    record: ApprovalRecord | None = None
    waited: list[float] = field(default_factory=list[float])

    async def decided(self, record_id: str, within_s: float) -> None:
        self.waited.append(within_s)
        if self.desk is not None and self.record is not None:
            answer = Answer("approve", "", "web", self.record.proposal.digest)
            await decide_approval(record_id, answer, person("frank"), self.desk)


async def test_who_waits_hears_of_the_decision(desk: ApprovalDesk) -> None:
    record = await asked(desk, Approval.APPROVE)
    news = News(desk, record)
    assert (await await_approval(record.id, MINE, 600, desk, news)).state is ApprovalState.APPROVED
    assert news.waited == [LONGEST_WAIT_S]


async def test_what_is_decided_is_told_without_waiting(desk: ApprovalDesk) -> None:
    record = await asked(desk)
    await confirm_approval(record.id, yes(record, "deny"), MINE, desk)
    news = News()
    assert (await await_approval(record.id, MINE, 20, desk, news)).state is ApprovalState.DENIED
    assert (await await_approval(record.id, MINE, 0, desk, news)).state is ApprovalState.DENIED
    assert news.waited == []


async def test_ones_own_are_the_open_ones_of_that_server_newest_first(
    desk: ApprovalDesk, store: MemoryApprovals
) -> None:
    first = await asked(desk)
    store.clock.seconds += 1
    second = await asked(desk, table="airlines")
    closed = await asked(desk, table="closed")
    await withdraw_approval(closed.id, MINE, desk)
    assert [each.id for each in await own_approvals(MINE, "warehouse", desk)] == [second.id, first.id]
    assert await own_approvals(MINE, "other", desk) == []
    elsewhere = replace(MINE, issuer="https://other.example")
    assert await own_approvals(elsewhere, "warehouse", desk) == []


async def test_what_was_withdrawn_stays_withdrawn(desk: ApprovalDesk, store: MemoryApprovals) -> None:
    record = await asked(desk)
    assert (await withdraw_approval(record.id, MINE, desk)).state is ApprovalState.CANCELLED
    assert store.facts[-1].kind == "approval-moved"
    with pytest.raises(Conflict):
        await withdraw_approval(record.id, MINE, desk)


async def test_a_program_that_speaks_for_nobody_looks_after_its_own(desk: ApprovalDesk) -> None:
    record = await ask_approval(proposal_of(needed(principal=AGENT)), desk)
    program = Asker.of(caller(AGENT))
    assert program == Asker("", "", ROBOT)
    assert (await withdraw_approval(record.id, program, desk)).state is ApprovalState.CANCELLED
    with pytest.raises(NotFound):
        await confirm_approval(record.id, yes(record), program, desk)


def test_who_asks_is_the_person_through_whatever_they_come() -> None:
    assert Asker.of(caller(ALICE)) == Asker.of(caller(Both(ALICE, AGENT))) == MINE
    assert Asker.of(caller(ANONYMOUS)) == Asker("", "", "")
