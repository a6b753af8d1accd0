"""Approvals asked in the process that keeps them: what a server may do with its caller's own, and no more."""

import pytest
from tests.approving import desk_over, needed
from tests.unit.samples import ALICE, caller

from pierhead.core.approval import Approval, ApprovalState, FormAnswer
from pierhead.core.approval_record import proposal_of
from pierhead.usecases.desk_approvals import DeskApprovals
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_approvals import MemoryApprovals

pytestmark = pytest.mark.anyio
WANTED = needed(approval=Approval.CONFIRM)


@pytest.fixture
def approvals() -> DeskApprovals:
    return DeskApprovals(desk_over(MemoryApprovals(MemoryClock())))


async def test_what_is_asked_is_listed_confirmed_and_spent(approvals: DeskApprovals) -> None:
    ticket = await approvals.ask(WANTED)
    assert await approvals.mine(caller(ALICE), "warehouse") == [ticket]
    assert await approvals.wait(ticket.id, caller(ALICE), 1) == ticket
    agreed = await approvals.confirm(ticket, FormAnswer("approve", proposal_of(WANTED).digest), caller(ALICE))
    assert agreed.state is ApprovalState.APPROVED
    await approvals.spend(WANTED, agreed)
    await approvals.finish(agreed.id, WANTED.request.call.id, "ok")
    assert await approvals.mine(caller(ALICE), "warehouse") == []


async def test_what_is_asked_can_be_withdrawn(approvals: DeskApprovals) -> None:
    ticket = await approvals.ask(WANTED)
    assert (await approvals.cancel(ticket.id, caller(ALICE))).state is ApprovalState.CANCELLED
