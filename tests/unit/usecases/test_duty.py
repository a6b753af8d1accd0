"""Who stands in for whom, what need not be confirmed again, and a glass that is broken: with their facts."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.approving import Named, desk_over, person, proposal
from tests.unit.samples import ISSUER

from pierhead.core.absence import Absence
from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from pierhead.core.fatigue import Thresholds
from pierhead.core.identity import User
from pierhead.core.rule import parse_who
from pierhead.usecases.address_notices import AddressBook, MailBook
from pierhead.usecases.answer_approval import Answer, decide_approval, seen_approval
from pierhead.usecases.approval_desk import ApprovalDesk, record_of, ticket_of
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.break_glass import break_glass, review_glass
from pierhead.usecases.count_approvals import ApprovalCounts
from pierhead.usecases.declare_absence import DutyDesk, declare_absence, end_absence
from pierhead.usecases.measure_fatigue import FatigueDesk, measure_fatigue
from pierhead.usecases.memory import MemoryClock, MemoryIds
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.memory_duty import MemoryAbsences, MemoryChoices
from pierhead.usecases.memory_sign_in import KnownPeople
from pierhead.usecases.ports_approvals import ApprovalFilter, ApprovalLimits, Everyone
from pierhead.usecases.ports_duty import Wish
from pierhead.usecases.ports_notices import Readers
from pierhead.usecases.remark_on_approval import remark_on_approval
from pierhead.usecases.remember_choice import ChoiceBook, remember_choice, revoke_choice
from pierhead.usecases.spend_approval import spend_approval
from pierhead.usecases.tell_approvals import ApprovalNews

pytestmark = pytest.mark.anyio

ADMINS = frozenset({"platform-admin"})
AWAY = Absence("", "", "bob", 0.0, 0.0, "holiday")
ALICE = User(ISSUER, "alice", frozenset({"data-eng"}))
HOUR = Wish(3600.0, (), "web")


@dataclass
class World:
    """Everything at one time; bob is a deputy by policy, alice is not."""

    clock: MemoryClock
    named: Named
    store: MemoryApprovals
    absences: MemoryAbsences
    choices: MemoryChoices
    duty: DutyDesk
    desk: ApprovalDesk
    counts: ApprovalCounts

    async def away(self, name: str = "frank", deputy: str = "bob") -> Absence:
        wanted = replace(AWAY, deputy=deputy, until=self.clock.now() + 3600.0)
        return await declare_absence(wanted, person(name), self.duty)

    async def ask(self, approval: Approval = Approval.APPROVE, **changes: Any) -> ApprovalRecord:
        return await ask_approval(proposal(None, approval, **changes), self.desk)

    async def say(self, record: ApprovalRecord, name: str, verdict: str = "approve") -> ApprovalRecord:
        answer = Answer(verdict, "because", "web", record.proposal.digest, "sign-in 5 s old")
        return await decide_approval(record.id, answer, person(name), self.desk)


@pytest.fixture
def world() -> World:
    clock, named, counts = MemoryClock(), Named(), ApprovalCounts()
    store = MemoryApprovals(clock, tell=counts.counting(ApprovalNews(MemoryIds(), "https://p.example", ("auditors",))))
    absences, choices = MemoryAbsences(), MemoryChoices()
    duty = DutyDesk(absences, named, parse_who("user:bob"), clock, MemoryIds())
    desk = replace(
        desk_over(store),
        people=named,
        duties=duty,
        choices=ChoiceBook(choices, clock, MemoryIds()),
        limits=ApprovalLimits(break_glass=frozenset({"data-eng"})),
    )
    return World(clock, named, store, absences, choices, duty, desk, counts)


async def test_a_deputy_does_the_duty_of_whoever_is_away_and_it_is_on_record(world: World) -> None:
    asked = await world.ask()
    with pytest.raises(Forbidden):
        await world.say(asked, "bob")
    with pytest.raises(NotFound):
        await seen_approval(asked.id, person("bob"), frozenset(), world.desk)
    made = await world.away()
    assert (made.person, made.deputy, made.since) == ("frank", "bob", world.clock.now())
    assert await seen_approval(asked.id, person("bob"), frozenset(), world.desk) == asked
    approved = await world.say(asked, "bob")
    (decision,) = approved.decisions
    assert (decision.by, decision.instead_of, decision.auth) == ("bob", "frank", "sign-in 5 s old")
    (fact,) = [each for each in world.store.facts if each.kind == "approval-decided"]
    assert (getattr(fact, "instead_of", ""), getattr(fact, "auth", "")) == ("frank", "sign-in 5 s old")
    assert (await spend_approval(asked.id, asked.proposal.digest, "c", world.desk)).state is ApprovalState.EXECUTING
    assert [each.kind for each in world.absences.facts] == ["absence-declared"]


async def _ended(world: World, absence: Absence) -> None:
    await end_absence(absence.id, person("frank"), ADMINS, world.duty)


async def _over(world: World, absence: Absence) -> None:
    world.clock.seconds = absence.until


async def _left(world: World, absence: Absence) -> None:
    world.named.by_name[absence.person] = frozenset({"ads"})


async def _gone(world: World, absence: Absence) -> None:
    del world.named.by_name[absence.person]


async def _deputy_gone(world: World, absence: Absence) -> None:
    del world.named.by_name[absence.deputy]


@pytest.mark.parametrize("happens", [_ended, _left, _gone, _deputy_gone])
async def test_a_duty_that_is_no_longer_lent_when_it_is_spent_was_for_nothing(world: World, happens: Any) -> None:
    absence, asked = await world.away(), await world.ask()
    await world.say(asked, "bob")
    await happens(world, absence)
    with pytest.raises(Conflict) as void:
        await spend_approval(asked.id, asked.proposal.digest, "c", world.desk)
    assert void.value.code == "approver-changed"
    assert (await record_of(asked.id, world.desk)).state is ApprovalState.SUPERSEDED


@pytest.mark.parametrize("happens", [_ended, _over, _left, _gone])
async def test_nobody_stands_in_once_it_is_over_or_the_group_is_gone(world: World, happens: Any) -> None:
    absence = await world.away()
    asked = await world.ask()
    await happens(world, absence)
    assert not any("platform-admin" in each.groups for each in await world.duty.stands_in("bob"))
    with pytest.raises((Forbidden, Conflict)):
        await world.say(asked, "bob")


async def test_a_deputy_asks_back_in_anothers_place_and_decides_after_it(world: World) -> None:
    asked = await world.ask()
    with pytest.raises(Forbidden):
        await remark_on_approval(asked.id, "which ticket?", "web", person("bob"), world.desk)
    await remark_on_approval(asked.id, "is this the table of May?", "web", person("frank"), world.desk)
    await world.away()
    made = await remark_on_approval(asked.id, "which ticket?", "web", person("bob"), world.desk)
    assert [(each.by, each.instead_of) for each in made.decisions] == [("frank", ""), ("bob", "frank")]
    await remark_on_approval(asked.id, "INC-42", "web", person("alice"), world.desk)
    approved = await world.say(asked, "bob")
    assert (approved.decisions[-1].instead_of, approved.state) == ("frank", ApprovalState.APPROVED)
    assert (await spend_approval(asked.id, asked.proposal.digest, "c", world.desk)).state is ApprovalState.EXECUTING


async def test_nobody_asks_in_the_place_of_whoever_asked(world: World) -> None:
    asked = await world.ask()
    await world.away("alice", "gina")
    confirmed = await world.ask(Approval.CONFIRM, call_key="other")
    with pytest.raises(Forbidden):
        await remark_on_approval(confirmed.id, "why?", "web", person("bob"), world.desk)
    with pytest.raises(Forbidden):
        await remark_on_approval(asked.id, "why?", "web", person("bob"), world.desk)


async def test_whoever_asked_gains_nothing_by_a_deputy(world: World) -> None:
    await world.away()
    own = await world.ask(person="bob")
    with pytest.raises(Forbidden, match="nobody approves their own call"):
        await world.say(own, "bob")
    franks = await world.ask(person="frank", call_key="other", run="other")
    with pytest.raises(Forbidden):
        await world.say(franks, "bob")


async def test_a_duty_is_not_handed_on(world: World) -> None:
    await world.away("frank", "bob")
    world.named.by_name["eve"] = frozenset({"ads"})
    await world.away("bob", "eve")
    assert [each.groups for each in await world.duty.stands_in("eve")] == [frozenset({"ads"})]
    world.named.by_name["alice"] = frozenset({"other"})
    with pytest.raises(Forbidden):
        await world.away("frank", "alice")


async def test_a_deputy_without_the_policy_may_only_what_both_may(world: World) -> None:
    world.named.by_name["frank"] = frozenset({"platform-admin", "data-eng"})
    await world.away("frank", "alice")
    assert [each.groups for each in await world.duty.stands_in("alice")] == [frozenset({"data-eng"})]


@pytest.mark.parametrize(("deputy", "error"), [("nobody-here", Invalid), ("alice", Forbidden), ("frank", Invalid)])
async def test_who_cannot_be_a_deputy(world: World, deputy: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await world.away("frank", deputy)
    assert (world.absences.kept, world.absences.facts) == ({}, [])


async def test_an_absence_is_ended_by_its_person_or_an_administrator_once(world: World) -> None:
    absence = await world.away("alice", "")
    assert await world.duty.away() == {"alice"}
    with pytest.raises(NotFound):
        await end_absence(absence.id, person("bob"), ADMINS, world.duty)
    with pytest.raises(NotFound):
        await end_absence("none", person("frank"), ADMINS, world.duty)
    await end_absence(absence.id, person("frank"), ADMINS, world.duty)
    with pytest.raises(Conflict):
        await end_absence(absence.id, person("alice"), ADMINS, world.duty)
    assert await world.duty.away() == frozenset()
    assert [each.kind for each in world.absences.facts] == ["absence-declared", "absence-ended"]


async def test_the_deputy_hears_of_it_in_place_of_whoever_is_away(world: World) -> None:
    await world.away()
    people = KnownPeople(world.named.by_name)
    book = AddressBook(people, MailBook({}, "x.example"), webhook=False, absences=world.absences)
    asked = Readers(groups=("platform-admin",), but=("gina",))
    assert await book.places(asked, world.clock.now()) == (("mail", "henry@x.example"), ("mail", "bob@x.example"))
    assert await book.places(replace(asked, but=("gina", "bob")), world.clock.now()) == (("mail", "henry@x.example"),)
    assert await book.places(Readers(people=("frank",)), world.clock.now()) == (("mail", "frank@x.example"),)
    assert await book.places(Readers(groups=("ads",)), world.clock.now()) == (("mail", "bob@x.example"),)


async def confirmed(world: World, **changes: Any) -> ApprovalRecord:
    return await world.say(await world.ask(Approval.CONFIRM, **changes), "alice")


async def test_a_remembered_choice_confirms_the_same_call_again_and_each_use_is_on_record(world: World) -> None:
    first = await confirmed(world)
    choice = await remember_choice(first.id, HOUR, ALICE, world.desk)
    await spend_approval(first.id, first.proposal.digest, "c", world.desk)
    world.store.kept[first.id] = replace(world.store.kept[first.id], state=ApprovalState.CONSUMED)
    told = len(world.store.notices)
    again = await world.ask(Approval.CONFIRM)
    assert (again.id != first.id, again.state) == (True, ApprovalState.APPROVED)
    assert [(made.by, made.how, made.comment) for made in again.decisions] == [
        ("alice", "remembered", f"choice {choice.id}")
    ]
    assert [fact.kind for fact in world.store.facts][-3:] == ["approval-asked", "approval-decided", "approval-moved"]
    assert len(world.store.notices) == told
    assert (await spend_approval(again.id, again.proposal.digest, "d", world.desk)).state is ApprovalState.EXECUTING
    assert [each.kind for each in world.choices.facts] == ["choice-remembered"]


async def test_another_version_or_policy_drops_it(world: World) -> None:
    await remember_choice((await confirmed(world)).id, HOUR, ALICE, world.desk)
    fresh = await world.ask(Approval.CONFIRM, version="2", digest="e" * 64, call_key="k2")
    assert fresh.state is ApprovalState.PENDING
    assert [each.kind for each in world.choices.facts] == ["choice-remembered", "choice-ended"]
    assert await world.desk.choices.held("alice") == []


async def test_it_confirms_nothing_that_asks_others_and_nothing_else(world: World) -> None:
    await remember_choice((await confirmed(world)).id, HOUR, ALICE, world.desk)
    assert (await world.ask(Approval.APPROVE, call_key="k2")).state is ApprovalState.PENDING
    assert (await world.ask(Approval.CONFIRM, call_key="k3", arguments_digest="0" * 64)).state is ApprovalState.PENDING


async def test_only_what_one_confirmed_oneself_on_a_form_is_remembered(world: World) -> None:
    asked = await world.ask(Approval.CONFIRM)
    with pytest.raises(Forbidden):
        await remember_choice(asked.id, HOUR, ALICE, world.desk)
    await world.say(asked, "alice")
    for how in ("api", "form"):
        with pytest.raises(Forbidden):
            await remember_choice(asked.id, replace(HOUR, how=how), ALICE, world.desk)
    for other in (User(ISSUER, "bob", frozenset()), User("https://other.example", "alice", frozenset())):
        with pytest.raises(NotFound):
            await remember_choice(asked.id, HOUR, other, world.desk)
    approved = await world.say(await world.ask(call_key="k2"), "frank")
    with pytest.raises(Forbidden):
        await remember_choice(approved.id, HOUR, ALICE, world.desk)
    with pytest.raises(Invalid):
        await remember_choice(asked.id, HOUR, ALICE, desk_over(world.store))


async def test_a_choice_is_revoked_by_its_person_and_then_people_are_asked(world: World) -> None:
    choice = await remember_choice((await confirmed(world)).id, HOUR, ALICE, world.desk)
    with pytest.raises(NotFound):
        await revoke_choice(choice.id, User("https://other.example", "alice", frozenset()), world.desk)
    await revoke_choice(choice.id, ALICE, world.desk)
    assert (await world.ask(Approval.CONFIRM, call_key="k2")).state is ApprovalState.PENDING
    with pytest.raises(NotFound):
        await revoke_choice(choice.id, ALICE, world.desk)
    assert not await world.choices.end(choice.id, world.choices.facts[-1], 0.0)  # type: ignore[arg-type]


async def test_a_choice_that_ends_while_it_is_revoked_is_told(world: World) -> None:
    class Late(MemoryChoices):
        async def end(self, choice_id: str, fact: Any, at: float) -> bool:
            return False

    late = Late()
    world.desk = replace(world.desk, choices=ChoiceBook(late, world.clock, MemoryIds()))
    choice = await remember_choice((await confirmed(world)).id, HOUR, ALICE, world.desk)
    with pytest.raises(Conflict):
        await revoke_choice(choice.id, ALICE, world.desk)


async def test_without_a_book_nothing_is_remembered(world: World) -> None:
    bare = desk_over(world.store).choices
    assert await bare.held("alice") == ()
    await remember_choice((await confirmed(world)).id, HOUR, ALICE, world.desk)
    assert not await bare.drop(next(iter(world.choices.kept.values())), "why", "alice")


def reason(record: ApprovalRecord, **changes: Any) -> Answer:
    return replace(Answer("", "it burns", "web", record.proposal.digest, "sign-in 5 s old"), **changes)


async def test_a_broken_glass_is_an_alarm_at_once_and_is_reviewed_the_day_after(world: World) -> None:
    asked = await world.ask(Approval.FOUR_EYES)
    broken = await break_glass(asked.id, reason(asked), person("gina"), world.desk)
    assert (broken.required, broken.state) == (1, ApprovalState.PENDING)
    assert "another person" in ticket_of(broken, "").sentence or "two others" not in ticket_of(broken, "").sentence
    alarm, reminder = world.store.notices[-2:]
    assert (alarm.kind, alarm.next_at) == ("approval.glass-broken", world.clock.now())
    assert alarm.readers == Readers(groups=("platform-admin", "auditors"), but=("gina",))
    assert (reminder.id, reminder.next_at) == (f"{asked.id}.glass-review", world.clock.now() + 86_400)
    assert world.counts.glass_broken == {"warehouse": 1}
    await world.say(broken, "frank")
    waiting = ApprovalFilter(Everyone(), to_review=True)
    assert [each.id for each in await world.store.listed(waiting)] == [asked.id]
    auditors = frozenset({"ads"})
    with pytest.raises(Forbidden):
        await review_glass(asked.id, reason(asked), person("frank"), ADMINS, world.desk)
    world.clock.seconds = asked.expires_at + 1
    await review_glass(asked.id, reason(asked), person("bob"), auditors, world.desk)
    assert await world.store.listed(waiting) == []
    assert [fact.kind for fact in world.store.facts][-2:] == ["approval-decided", "approval-moved"]
    (taken_back,) = [each for each in world.store.notices if each.kind == "approval.glass-review"][1:]
    assert (taken_back.id, taken_back.next_at) == (reminder.id, None)
    with pytest.raises(Forbidden):
        await review_glass(asked.id, reason(asked), person("bob"), auditors, world.desk)


async def test_a_glass_is_broken_with_a_recent_sign_in_alone(world: World) -> None:
    asked = await world.ask(Approval.FOUR_EYES)
    with pytest.raises(Unauthenticated):
        await break_glass(asked.id, reason(asked), person("gina", world.clock.now() - 901), world.desk)
    assert world.counts.glass_broken == {}


async def test_a_review_in_time_moves_nothing(world: World) -> None:
    asked = await world.ask(Approval.FOUR_EYES)
    await world.say(asked, "frank")
    broken = await break_glass(asked.id, reason(asked), person("gina"), world.desk)
    assert broken.state is ApprovalState.APPROVED
    assert [fact.kind for fact in world.store.facts][-2:] == ["glass-broken", "approval-moved"]
    reviewed = await review_glass(asked.id, reason(asked), person("bob"), frozenset({"ads"}), world.desk)
    assert reviewed.state is ApprovalState.APPROVED


@pytest.mark.parametrize(
    ("name", "approval", "changes", "error"),
    [
        ("gina", Approval.FOUR_EYES, {"comment": ""}, Invalid),
        ("gina", Approval.FOUR_EYES, {"comment": "x" * 2001}, Invalid),
        ("gina", Approval.FOUR_EYES, {"digest": "0" * 64}, Conflict),
        ("gina", Approval.APPROVE, {}, Forbidden),
        ("frank", Approval.FOUR_EYES, {}, Forbidden),
        ("alice", Approval.FOUR_EYES, {}, Forbidden),
    ],
)
async def test_a_glass_that_stays_whole(
    world: World, name: str, approval: Approval, changes: dict[str, Any], error: type[Exception]
) -> None:
    asked = await world.ask(approval)
    with pytest.raises(error):
        await break_glass(asked.id, reason(asked, **changes), person(name), world.desk)
    assert [fact.kind for fact in world.store.facts] == ["approval-asked"]
    assert world.counts.glass_broken == {}


async def test_decisions_are_counted_by_server_channel_and_verdict(world: World) -> None:
    await world.say(await world.ask(), "frank")
    assert world.counts.decided == {("warehouse", "web", "approve"): 1}


async def test_habits_are_shown_to_auditors_for_the_last_month(world: World) -> None:
    await world.say(await world.ask(), "frank")
    desk = FatigueDesk(world.store, ADMINS, Thresholds())
    assert (await measure_fatigue(person("frank"), world.clock.now(), desk)).records == 1
    assert (await measure_fatigue(person("frank"), world.clock.now() + 31 * 86_400, desk)).records == 0
    with pytest.raises(Forbidden):
        await measure_fatigue(person("alice"), world.clock.now(), desk)
