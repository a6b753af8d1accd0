"""Whoever is asked hears of it, whoever asked hears what became of it; each once, and no message holds an argument."""

from dataclasses import replace

import orjson
import pytest
from tests.approving import GROUPS, desk_over, person, proposal

from pierhead.core.approval import Approval
from pierhead.core.approval_record import ApprovalRecord
from pierhead.usecases.address_notices import AddressBook, MailBook
from pierhead.usecases.answer_approval import Answer, cancel_approval, decide_approval
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.memory import MemoryClock, MemoryIds
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.memory_sign_in import KnownPeople
from pierhead.usecases.ports_notices import PEOPLE, Readers
from pierhead.usecases.spend_approval import expire_approvals, finish_approval, spend_approval
from pierhead.usecases.tell_approvals import ApprovalNews

pytestmark = pytest.mark.anyio

ADMINS = Readers(groups=("platform-admin",), but=("alice",))
ALICE = Readers(people=("alice",))


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def store(clock: MemoryClock) -> MemoryApprovals:
    return MemoryApprovals(clock, tell=ApprovalNews(MemoryIds(), "https://pierhead.example"))


@pytest.fixture
def desk(store: MemoryApprovals) -> ApprovalDesk:
    return desk_over(store)


def told(store: MemoryApprovals) -> list[tuple[str, Readers]]:
    return [(each.kind, each.readers) for each in store.notices]


async def answered(record: ApprovalRecord, desk: ApprovalDesk, name: str, verdict: str = "approve") -> ApprovalRecord:
    return await decide_approval(record.id, Answer(verdict, "x", "web", record.proposal.digest), person(name), desk)


async def test_the_group_is_told_once_and_then_whoever_asked(store: MemoryApprovals, desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal({"table": "flights", "note": "hunter2"}), desk)
    await ask_approval(proposal({"table": "flights", "note": "hunter2"}), desk)
    await answered(asked, desk, "frank")
    assert told(store) == [("approval.asked", ADMINS), ("approval.approved", ALICE)]
    first = store.notices[0]
    assert (first.channel, first.content["url"]) == (PEOPLE, f"https://pierhead.example/approvals/{asked.id}")
    assert first.content["expires_at"] == asked.expires_at
    assert first.content["title"] == "drop_rows on warehouse in local, asked by alice"
    assert first.content["sentence"] == f"{first.content['title']} waits for an approval."


async def test_no_message_holds_an_argument_or_what_an_agent_wrote(store: MemoryApprovals, desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal({"note": "hunter2"}, summary="drop hunter2 for hunter2"), desk)
    await answered(asked, desk, "frank", "deny")
    assert b"hunter2" not in orjson.dumps([each.content for each in store.notices])


async def test_two_people_are_asked_and_only_the_end_is_told(store: MemoryApprovals, desk: ApprovalDesk) -> None:
    asked = await ask_approval(proposal(approval=Approval.FOUR_EYES), desk)
    await answered(asked, desk, "frank")
    assert [each.kind for each in store.notices] == ["approval.asked"]
    assert str(store.notices[0].content["sentence"]).endswith("waits for the approval of two people.")
    await answered(asked, desk, "gina")
    assert [each.kind for each in store.notices] == ["approval.asked", "approval.approved"]


async def test_a_confirmation_is_asked_of_whoever_called(store: MemoryApprovals, desk: ApprovalDesk) -> None:
    await ask_approval(proposal(approval=Approval.CONFIRM), desk)
    assert told(store) == [("approval.asked", ALICE)]


async def test_what_expired_is_told_and_what_one_withdrew_oneself_is_not(
    store: MemoryApprovals, desk: ApprovalDesk, clock: MemoryClock
) -> None:
    asked = await ask_approval(proposal(), desk)
    withdrawn = await ask_approval(proposal({"table": "other"}), desk)
    await cancel_approval(withdrawn.id, person("alice"), desk)
    clock.seconds = asked.expires_at
    await expire_approvals(store)
    await expire_approvals(store)
    assert [each.kind for each in store.notices] == ["approval.asked", "approval.asked", "approval.expired"]


async def test_a_call_that_was_lost_is_told_to_those_who_can_settle_it(
    store: MemoryApprovals, desk: ApprovalDesk
) -> None:
    asked = await ask_approval(proposal(), desk)
    await answered(asked, desk, "frank")
    await spend_approval(asked.id, asked.proposal.digest, "call-1", desk)
    await finish_approval(asked.id, "call-1", "unknown", desk)
    assert told(store)[-1] == ("approval.lost", Readers(groups=("platform-admin",)))


MAIL = MailBook({"frank": "f@corp.example", "ops": "ops@lists.example"}, "corp.example")


@pytest.mark.parametrize(
    ("readers", "mail", "places"),
    [
        (ADMINS, MAIL, {"f@corp.example", "gina@corp.example", "henry@corp.example"}),
        (Readers(groups=("platform-admin",), but=("gina",)), MAIL, {"f@corp.example", "henry@corp.example"}),
        (Readers(groups=("ops",)), MAIL, {"ops@lists.example"}),
        (Readers(people=("alice", "x@y.example")), replace(MAIL, domain=""), {"x@y.example"}),
        (Readers(groups=("nobody",)), MAIL, set[str]()),
    ],
)
async def test_who_is_in_the_group_now_is_written_to(readers: Readers, mail: MailBook, places: set[str]) -> None:
    found = await AddressBook(KnownPeople(GROUPS), mail, webhook=False).places(readers, 0.0)
    assert sorted(found) == sorted(("mail", place) for place in places)


async def test_the_webhook_hears_of_everything_once_and_nobody_is_written_to_without_mail() -> None:
    assert await AddressBook(KnownPeople(GROUPS), None, webhook=True).places(ADMINS, 0.0) == (("webhook", ""),)
    assert await AddressBook(KnownPeople(GROUPS), None, webhook=False, slack=True).places(ADMINS, 0.0) == (
        ("slack", ""),
    )
