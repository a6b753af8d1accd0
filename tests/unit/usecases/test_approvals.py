"""Asking people, their answers, and the one call that gets to use them."""

from dataclasses import replace
from typing import Any

import pytest
from tests.approving import APPROVERS, GROUPS, Named, desk_over, needed, person, proposal
from tests.unit.samples import AGENT, ALICE, ISSUER

from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, proposal_of
from pierhead.core.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound, Unauthenticated
from pierhead.core.identity import ANONYMOUS, Both, Caller, User
from pierhead.usecases.answer_approval import (
    LONGEST_COMMENT,
    Answer,
    cancel_approval,
    decide_approval,
    may_see,
    proof_of,
    seen_approval,
    settle_approval,
)
from pierhead.usecases.approval_desk import ApprovalDesk, record_of, ticket_of
from pierhead.usecases.approval_forms import (
    proposal_from_form,
    proposal_to_form,
    record_from_form,
    record_to_form,
    ticket_from_form,
    ticket_to_form,
)
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.ports_approvals import ApprovalFilter, Everyone, Seer
from pierhead.usecases.spend_approval import expire_approvals, finish_approval, spend_approval

pytestmark = pytest.mark.anyio

AUDITORS = frozenset({"auditors"})
NEVER = -1.0


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def store(clock: MemoryClock) -> MemoryApprovals:
    return MemoryApprovals(clock)


@pytest.fixture
def desk(store: MemoryApprovals) -> ApprovalDesk:
    return desk_over(store)


def kinds(store: MemoryApprovals) -> list[str]:
    return [fact.kind for fact in store.facts]


async def answered(
    record: ApprovalRecord, desk: ApprovalDesk, name: str = "frank", verdict: str = "approve", **changes: Any
) -> ApprovalRecord:
    answer = replace(Answer(verdict, "because", "web", record.proposal.digest), **changes)
    return await decide_approval(record.id, answer, person(name), desk)


async def spend(record: ApprovalRecord, desk: ApprovalDesk, call: str = "call-1") -> ApprovalRecord:
    return await spend_approval(record.id, record.proposal.digest, call, desk)


async def test_the_same_call_is_asked_once_and_told_the_same(store: MemoryApprovals, desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    assert await ask_approval(proposal(), desk) == asked
    assert kinds(store) == ["approval-asked"]
    told = ticket_of(asked, desk.public_url)
    assert told.url == f"https://pierhead.example/approvals/{asked.id}"
    assert told.sentence == "drop_rows needs the approval of another person of platform-admin; nothing was executed"


async def test_a_yes_is_spent_once_and_every_step_is_a_fact(store: MemoryApprovals, desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    approved = await answered(asked, desk)
    assert (approved.state, approved.yeses) == (ApprovalState.APPROVED, ("frank",))
    assert (await ask_approval(proposal(), desk)).state is ApprovalState.APPROVED
    assert (await spend(asked, desk)).state is ApprovalState.EXECUTING
    with pytest.raises(Conflict):
        await spend(asked, desk, "call-2")
    assert (await finish_approval(asked.id, "call-1", "ok", desk)).ended == "ok"
    assert kinds(store) == [
        "approval-asked",
        "approval-decided",
        "approval-moved",
        "approval-spent",
        "approval-moved",
        "approval-moved",
    ]
    again = await ask_approval(proposal(), desk)
    assert (again.id != asked.id, again.state) == (True, ApprovalState.PENDING)


async def test_a_denial_is_final_until_its_time_is_over(desk: ApprovalDesk, clock: MemoryClock) -> None:
    asked = await ask_approval(proposal(), desk)
    denied = await answered(asked, desk, verdict="deny", comment="not on a Friday")
    assert (await ask_approval(proposal(), desk)).id == asked.id
    assert ticket_of(denied, "").sentence == "frank denied drop_rows: not on a Friday"
    clock.seconds = denied.expires_at
    assert (await ask_approval(proposal(), desk)).id != asked.id


async def test_a_denial_without_a_word_says_only_who(desk: ApprovalDesk) -> None:
    denied = await answered(await ask_approval(proposal(), desk), desk, verdict="deny", comment="")
    assert ticket_of(denied, "").sentence == "frank denied drop_rows"


async def test_another_version_supersedes_what_waits(store: MemoryApprovals, desk: ApprovalDesk) -> None:
    first = await ask_approval(proposal(), desk)
    later = await ask_approval(proposal(digest="e" * 64, version="2"), desk)
    assert later.id != first.id
    assert (await record_of(first.id, desk)).state is ApprovalState.SUPERSEDED
    with pytest.raises(Conflict):
        await answered(first, desk)
    assert kinds(store) == ["approval-asked", "approval-moved", "approval-asked"]


async def test_what_runs_or_may_have_run_bars_every_version_of_the_call(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    await answered(asked, desk)
    await spend(asked, desk)
    other = proposal(digest="e" * 64)
    assert (await ask_approval(other, desk)).id == asked.id
    lost = await finish_approval(asked.id, "call-1", "unknown", desk)
    assert lost.state is ApprovalState.FAILED_UNKNOWN
    assert "a person has to settle it" in ticket_of(lost, "").sentence
    assert (await ask_approval(other, desk)).id == asked.id
    with pytest.raises(Forbidden):
        await settle_approval(asked.id, "it ran", person("bob"), desk)
    with pytest.raises(Invalid):
        await settle_approval(asked.id, "", person("frank"), desk)
    settled = await settle_approval(asked.id, "it ran", person("frank"), desk)
    assert (settled.state, settled.ended) == (ApprovalState.CONSUMED, "settled: it ran")
    assert (await ask_approval(other, desk)).id != asked.id


async def test_what_expired_is_asked_again_and_written_down(
    store: MemoryApprovals, desk: ApprovalDesk, clock: MemoryClock
) -> None:
    asked = await ask_approval(proposal(), desk)
    clock.seconds = asked.expires_at
    with pytest.raises(Conflict):
        await answered(asked, desk)
    assert (await ask_approval(proposal(), desk)).id != asked.id
    assert kinds(store) == ["approval-asked", "approval-moved", "approval-asked"]


async def test_a_call_whose_end_nobody_told_is_lost_also_to_whoever_asks(
    store: MemoryApprovals, desk: ApprovalDesk, clock: MemoryClock
) -> None:
    asked = await ask_approval(proposal(), desk)
    await answered(asked, desk)
    clock.seconds = (await spend(asked, desk)).due_at
    assert (await ask_approval(proposal(), desk)).state is ApprovalState.FAILED_UNKNOWN
    assert kinds(store)[-1] == "approval-moved"
    assert await expire_approvals(store) == []


async def test_the_sweep_writes_down_what_expired(
    store: MemoryApprovals, desk: ApprovalDesk, clock: MemoryClock
) -> None:
    asked = await ask_approval(proposal(), desk)
    clock.seconds = asked.expires_at
    assert await expire_approvals(store) == [asked.id]
    assert store.kept[asked.id].state is ApprovalState.EXPIRED
    assert "nobody used it in time" in ticket_of(store.kept[asked.id], "").sentence


async def test_a_run_asks_for_three_at_once_and_superseding_takes_no_new_place(desk: ApprovalDesk) -> None:
    for number in range(3):
        await ask_approval(proposal({"n": number}), desk)
    with pytest.raises(LimitExceeded) as refused:
        await ask_approval(proposal({"n": 9}), desk)
    assert refused.value.code == "too-many-approvals"
    await ask_approval(proposal({"n": 1}, digest="e" * 64), desk)
    assert (await ask_approval(proposal({"n": 9}, run="another"), desk)).state is ApprovalState.PENDING


@pytest.mark.parametrize("name", ["alice", "bob"])
async def test_who_asked_and_who_is_not_asked_decide_nothing(desk: ApprovalDesk, name: str) -> None:
    asked = await ask_approval(proposal(), desk)
    with pytest.raises(Forbidden) as refused:
        await answered(asked, desk, name)
    assert refused.value.code == "not-yours"


async def test_a_program_decides_nothing_even_for_a_person_who_may(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    frank = User(ISSUER, "frank", GROUPS["frank"])
    for principal in (Both(frank, AGENT), AGENT):
        answer = Answer("approve", "", "api", asked.proposal.digest)
        with pytest.raises(Forbidden) as refused:
            await decide_approval(asked.id, answer, Caller(principal, "web", "local", ""), desk)
        assert refused.value.code == "person-needed"


async def test_an_answer_is_for_what_was_shown(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    with pytest.raises(Conflict) as refused:
        await answered(asked, desk, digest="e" * 64)
    assert refused.value.code == "approval-differs"


async def test_answers_that_are_none_are_refused(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    with pytest.raises(Invalid):
        await answered(asked, desk, verdict="maybe")
    with pytest.raises(Invalid):
        await answered(asked, desk, comment="x" * (LONGEST_COMMENT + 1))
    with pytest.raises(NotFound):
        await answered(replace(asked, id="apr_other"), desk)


async def test_four_eyes_wait_for_the_second(store: MemoryApprovals, desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(approval=Approval.FOUR_EYES), desk)
    once = await answered(asked, desk)
    assert "1 of 2 so far" in ticket_of(once, "").sentence
    assert kinds(store) == ["approval-asked", "approval-decided"]
    assert (await answered(asked, desk, "gina")).state is ApprovalState.APPROVED


async def test_a_confirmation_is_the_callers_own(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(approval=Approval.CONFIRM), desk)
    assert "your own confirmation" in ticket_of(asked, "").sentence
    with pytest.raises(Forbidden):
        await answered(asked, desk)
    await answered(asked, desk, "alice")
    assert (await spend(asked, desk)).state is ApprovalState.EXECUTING


@pytest.mark.parametrize("groups", [frozenset({"data-eng"}), None])
async def test_who_lost_the_group_decides_and_settles_nothing_whatever_their_token_says(
    desk: ApprovalDesk, groups: frozenset[str] | None
) -> None:
    asked, runs = [await ask_approval(proposal({"n": n}), desk) for n in range(2)]
    await answered(runs, desk, "gina")
    await spend(runs, desk)
    await finish_approval(runs.id, "call-1", "unknown", desk)
    people = desk.people
    assert isinstance(people, Named)
    if groups is None:
        del people.by_name["frank"]
    else:
        people.by_name["frank"] = groups
    for verdict in ("approve", "deny"):
        with pytest.raises(Forbidden) as refused:
            await answered(asked, desk, verdict=verdict)
        assert refused.value.code == "not-yours"
    with pytest.raises(Forbidden):
        await settle_approval(runs.id, "nothing is gone", person("frank"), desk)
    assert (await record_of(asked.id, desk)).decisions == ()


async def test_an_approver_who_lost_the_group_voids_the_yes(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    await answered(asked, desk)
    people = desk.people
    assert isinstance(people, Named)
    people.by_name["frank"] = frozenset()
    with pytest.raises(Conflict) as refused:
        await spend(asked, desk)
    assert refused.value.code == "approver-changed"
    assert (await record_of(asked.id, desk)).state is ApprovalState.SUPERSEDED
    assert (await ask_approval(proposal(), desk)).state is ApprovalState.PENDING


async def test_an_approver_who_left_voids_the_yes(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(approval=Approval.CONFIRM), desk)
    await answered(asked, desk, "alice")
    people = desk.people
    assert isinstance(people, Named)
    del people.by_name["alice"]
    with pytest.raises(Conflict):
        await spend(asked, desk)


async def test_who_asked_withdraws_and_nobody_else(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    for other in ("frank", "bob"):
        with pytest.raises(NotFound):
            await cancel_approval(asked.id, person(other), desk)
    with pytest.raises(NotFound):
        await cancel_approval(asked.id, Caller(AGENT, "ide", "local", ""), desk)
    with pytest.raises(NotFound):
        await cancel_approval("apr_none", person("alice"), desk)
    assert (await cancel_approval(asked.id, person("alice"), desk)).state is ApprovalState.CANCELLED
    with pytest.raises(Conflict):
        await answered(asked, desk)


async def test_an_approval_is_seen_by_those_it_concerns(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    auditor = Caller(User(ISSUER, "ann", AUDITORS), "web", "local", "")
    for caller in (person("alice"), person("frank"), auditor):
        assert (await seen_approval(asked.id, caller, AUDITORS, desk)).id == asked.id
    for stranger in (person("bob"), Caller(ANONYMOUS, "web", "local", "")):
        with pytest.raises(NotFound):
            await seen_approval(asked.id, stranger, AUDITORS, desk)
    with pytest.raises(NotFound):
        await seen_approval("apr_none", auditor, AUDITORS, desk)
    decided = await answered(asked, desk)
    assert may_see(replace(decided, approvers=()), person("frank"), AUDITORS)


@pytest.mark.parametrize("state", list(ApprovalState))
async def test_every_state_has_its_sentence(desk: ApprovalDesk, state: ApprovalState) -> None:
    asked = await answered(await ask_approval(proposal(), desk), desk, verdict="deny")
    assert "drop_rows" in ticket_of(replace(asked, state=state), "").sentence
    assert "drop_rows" in ticket_of(replace(asked, state=state, ended=""), "").sentence


async def test_without_approvers_the_ticket_says_so(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(), desk)
    assert "nobody: no group is named for it" in ticket_of(replace(asked, approvers=()), "").sentence


async def test_lists_go_on_where_a_page_ended(store: MemoryApprovals, desk: ApprovalDesk) -> None:
    asked = [await ask_approval(proposal({"n": n}), desk) for n in range(3)]
    page = await store.listed(ApprovalFilter(Everyone(), limit=2))
    last = page[-1]
    rest = await store.listed(ApprovalFilter(Everyone(), before=(last.created_at, last.id)))
    assert {record.id for record in (*page, *rest)} == {record.id for record in asked}
    assert await store.listed(ApprovalFilter(Seer("bob", GROUPS["bob"]))) == []
    assert len(await store.listed(ApprovalFilter(Seer("x", frozenset(APPROVERS)), server="warehouse"))) == 3


async def test_forms_come_back_as_they_went_and_others_are_refused(desk: ApprovalDesk) -> None:
    asked = await answered(await ask_approval(proposal({"a": [1, {"b": None}]}), desk), desk)
    assert record_from_form(record_to_form(asked)) == asked
    assert proposal_from_form(proposal_to_form(asked.proposal)) == asked.proposal
    told = ticket_of(asked, "https://x")
    assert ticket_from_form(ticket_to_form(told)) == told
    good = proposal_to_form(proposal())
    for bad in ({**good, "approval": "sometimes"}, {**good, "more": 1}, {**good, "shown": 5}, [], "text"):
        with pytest.raises(Invalid) as refused:
            proposal_from_form(bad)
        assert refused.value.code == "wire-form"


async def test_alice_through_an_agent_is_alice(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal_of(needed(principal=Both(ALICE, AGENT))), desk)
    with pytest.raises(Forbidden):
        await answered(asked, desk, "alice")
    assert (await cancel_approval(asked.id, person("alice"), desk)).state is ApprovalState.CANCELLED


@pytest.mark.parametrize("age", [901.0, NEVER])
async def test_a_yes_to_anothers_call_needs_a_recent_sign_in_and_a_no_does_not(
    desk: ApprovalDesk, clock: MemoryClock, age: float
) -> None:
    asked = await ask_approval(proposal(), desk)
    old = person("frank", 0.0 if age == NEVER else clock.now() - age)
    answer = Answer("approve", "", "api", asked.proposal.digest)
    with pytest.raises(Unauthenticated) as refused:
        await decide_approval(asked.id, answer, old, desk)
    assert refused.value.code == "sign-in-too-old"
    assert (await record_of(asked.id, desk)).decisions == ()
    assert (await decide_approval(asked.id, replace(answer, verdict="deny"), old, desk)).state is ApprovalState.DENIED


async def test_a_sign_in_of_just_then_is_recent_enough_and_what_is_asked_can_be_changed(
    desk: ApprovalDesk, clock: MemoryClock
) -> None:
    asked = await ask_approval(proposal(), desk)
    answer = Answer("approve", "", "api", asked.proposal.digest)
    strict = replace(desk, limits=replace(desk.limits, reauthenticate_s=60.0))
    with pytest.raises(Unauthenticated, match="last 60 s"):
        await decide_approval(asked.id, answer, person("frank", clock.now() - 61), strict)
    made = await decide_approval(asked.id, answer, person("frank", clock.now() - 900), desk)
    assert made.state is ApprovalState.APPROVED


async def test_ones_own_confirmation_needs_no_recent_sign_in(desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(approval=Approval.CONFIRM), desk)
    answer = Answer("approve", "", "api", asked.proposal.digest)
    assert (await decide_approval(asked.id, answer, person("alice", 0.0), desk)).state is ApprovalState.APPROVED


def test_the_record_says_how_old_a_sign_in_was() -> None:
    assert proof_of(person("frank", 1000.0), 1012.9) == "sign-in 12 s old"
    assert proof_of(person("frank", 0.0), 1012.9) == ""
    assert proof_of(person("frank"), 1012.9) == "sign-in 0 s old"
