"""What becomes of approvals that were open when a backup was made."""

import pytest
from tests.approving import desk_over, person, proposal

from pierhead.core.approval import ApprovalState
from pierhead.core.errors import Conflict
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.restore_approvals import close_restored
from pierhead.usecases.spend_approval import finish_approval, spend_approval

pytestmark = pytest.mark.anyio


async def test_no_yes_of_a_backup_is_good_for_anything_and_what_ran_is_left_to_people() -> None:
    store = MemoryApprovals(MemoryClock())
    desk = desk_over(store, limit=9)
    waits, agreed, runs, used, doubt = [await ask_approval(proposal({"n": n}), desk) for n in range(5)]
    for asked in (agreed, runs, used, doubt):
        await decide_approval(asked.id, Answer("approve", "", "web", asked.proposal.digest), person("frank"), desk)
    for asked in (runs, used, doubt):
        await spend_approval(asked.id, asked.proposal.digest, "call-1", desk)
    await finish_approval(used.id, "call-1", "ok", desk)
    await finish_approval(doubt.id, "call-1", "unknown", desk)
    assert await close_restored(store) == 3
    states = {record.id: record.state for record in store.kept.values()}
    assert states == {
        waits.id: ApprovalState.SUPERSEDED,
        agreed.id: ApprovalState.SUPERSEDED,
        runs.id: ApprovalState.FAILED_UNKNOWN,
        used.id: ApprovalState.CONSUMED,
        doubt.id: ApprovalState.FAILED_UNKNOWN,
    }
    with pytest.raises(Conflict):
        await spend_approval(agreed.id, agreed.proposal.digest, "call-2", desk)
    assert await close_restored(store) == 0
