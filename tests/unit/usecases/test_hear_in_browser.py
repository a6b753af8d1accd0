"""A person hears of approvals in a browser: turned on and off by them alone, told a number and a link, nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.approving import GROUPS, desk_over, person, proposal
from tests.pushing import Pushable
from tests.unit.samples import ISSUER

from pierhead.core.absence import Absence
from pierhead.core.approval import Approval
from pierhead.core.browser import MOST_OF_PERSON, Browser, BrowserEnded
from pierhead.core.errors import Conflict, Invalid, NotFound, UpstreamUnreachable
from pierhead.core.identity import User
from pierhead.core.rule import parse_who
from pierhead.usecases.address_notices import AddressBook, BrowserBook, MailBook
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.declare_absence import DutyDesk
from pierhead.usecases.hear_in_browser import PushDesk, hear_in_browser, hear_no_more, heard_in
from pierhead.usecases.memory import MemoryClock, MemoryIds
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.memory_duty import MemoryAbsences
from pierhead.usecases.memory_push import MemoryBrowsers, MemoryPush
from pierhead.usecases.memory_sign_in import KnownPeople
from pierhead.usecases.ports_notices import BROWSER, Notice, Readers
from pierhead.usecases.push_notice import BrowserNotices
from pierhead.usecases.tell_approvals import ApprovalNews
from pierhead.usecases.waiting_for import COUNTED, waiting_for

pytestmark = pytest.mark.anyio

SERVICES = ("push.example",)
ALICE, FRANK = User(ISSUER, "alice", GROUPS["alice"]), User(ISSUER, "frank", GROUPS["frank"])


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def browsers() -> MemoryBrowsers:
    return MemoryBrowsers()


@pytest.fixture
def desk(browsers: MemoryBrowsers, clock: MemoryClock) -> PushDesk:
    return PushDesk(browsers, clock, "our key", SERVICES)


@pytest.fixture
def store(clock: MemoryClock) -> MemoryApprovals:
    return MemoryApprovals(clock, tell=ApprovalNews(MemoryIds(), "https://pierhead.example"))


@pytest.fixture
def approvals(store: MemoryApprovals) -> ApprovalDesk:
    return desk_over(store, limit=COUNTED + 10)


@pytest.fixture
def push() -> MemoryPush:
    return MemoryPush()


@pytest.fixture
def notices(browsers: MemoryBrowsers, push: MemoryPush, approvals: ApprovalDesk) -> BrowserNotices:
    return BrowserNotices(browsers, push, approvals, SERVICES)


def said(push: MemoryPush) -> list[Any]:
    return [json.loads(message.content) for _, message in push.sent]


def copies(store: MemoryApprovals, browser: Browser) -> list[Notice]:
    return [replace(each, channel=BROWSER, recipient=browser.id) for each in store.notices]


async def test_a_browser_is_turned_on_listed_and_turned_off_each_on_record(
    desk: PushDesk, browsers: MemoryBrowsers
) -> None:
    made = await hear_in_browser(Pushable().browser(), FRANK, desk)
    assert await heard_in(FRANK, desk) == [made]
    assert await heard_in(ALICE, desk) == []
    await hear_no_more(made.id, "removed", FRANK, desk)
    assert await heard_in(FRANK, desk) == []
    assert [fact.kind for fact in browsers.facts] == ["browser-added", "browser-ended"]


async def test_nobody_turns_off_the_browser_of_another(desk: PushDesk) -> None:
    made = await hear_in_browser(Pushable().browser(), FRANK, desk)
    for who in (ALICE, replace(FRANK, issuer="https://other.example")):
        with pytest.raises(NotFound):
            await hear_no_more(made.id, "removed", who, desk)
    with pytest.raises(NotFound):
        await hear_no_more("brw_none", "removed", FRANK, desk)
    assert await heard_in(FRANK, desk) == [made]


async def test_what_is_gone_meanwhile_is_gone_once(desk: PushDesk, browsers: MemoryBrowsers) -> None:
    made = await hear_in_browser(Pushable().browser(), FRANK, desk)

    class Late(MemoryBrowsers):
        async def end(self, browser_id: str, fact: BrowserEnded, at: float) -> bool:
            self.kept.pop(browser_id)
            return await MemoryBrowsers.end(self, browser_id, fact, at)

    with pytest.raises(NotFound):
        await hear_no_more(made.id, "removed", FRANK, replace(desk, browsers=Late(dict(browsers.kept))))


async def test_a_machine_that_people_share_tells_whoever_turned_it_on_last(
    desk: PushDesk, browsers: MemoryBrowsers
) -> None:
    await hear_in_browser(Pushable().browser(), FRANK, desk)
    await hear_in_browser(Pushable().browser(), FRANK, desk)
    taken = await hear_in_browser(Pushable().browser(), ALICE, desk)
    assert (await heard_in(FRANK, desk), await heard_in(ALICE, desk)) == ([], [taken])
    assert [fact.kind for fact in browsers.facts] == ["browser-added"] * 2 + ["browser-ended", "browser-added"]
    ended = browsers.facts[2]
    assert isinstance(ended, BrowserEnded)
    assert (ended.person, ended.by) == ("frank", "alice")


async def test_a_person_has_ten_browsers_and_renews_any_of_them(desk: PushDesk) -> None:
    for number in range(MOST_OF_PERSON):
        await hear_in_browser(Pushable(f"https://push.example/{number}").browser(), FRANK, desk)
    with pytest.raises(Conflict) as refused:
        await hear_in_browser(Pushable("https://push.example/more").browser(), FRANK, desk)
    assert refused.value.code == "too-many-browsers"
    await hear_in_browser(Pushable("https://push.example/3").browser(), FRANK, desk)
    assert len(await heard_in(FRANK, desk)) == MOST_OF_PERSON


async def test_what_no_message_may_go_to_is_never_kept(desk: PushDesk, browsers: MemoryBrowsers) -> None:
    with pytest.raises(Invalid):
        await hear_in_browser(Pushable("https://169.254.169.254/x").browser(), FRANK, desk)
    assert browsers.kept == {}


async def test_a_browser_is_told_how_much_waits_and_nothing_of_it(
    desk: PushDesk, store: MemoryApprovals, approvals: ApprovalDesk, notices: BrowserNotices, push: MemoryPush
) -> None:
    browser = await hear_in_browser(Pushable().browser(), FRANK, desk)
    asked = await ask_approval(proposal({"table": "flights", "note": "hunter2"}), approvals)
    await notices.send(copies(store, browser)[0], asked.created_at)
    await ask_approval(proposal({"table": "weather"}), approvals)
    await notices.send(copies(store, browser)[1], asked.created_at)
    assert said(push) == [
        {"body": "1 call waits for you.", "path": "/approvals", "tag": "approvals"},
        {"body": "2 calls wait for you.", "path": "/approvals", "tag": "approvals"},
    ]
    first = push.sent[0][1]
    assert (first.topic, first.is_urgent, first.life_s) == ("approvals", True, 3600)


async def test_of_what_was_answered_meanwhile_nothing_is_said(
    desk: PushDesk, store: MemoryApprovals, approvals: ApprovalDesk, notices: BrowserNotices, push: MemoryPush
) -> None:
    browser = await hear_in_browser(Pushable().browser(), FRANK, desk)
    asked = await ask_approval(proposal(), approvals)
    answer = Answer("approve", "", "web", asked.proposal.digest)
    await decide_approval(asked.id, answer, person("gina"), approvals)
    await notices.send(copies(store, browser)[0], asked.created_at)
    assert push.sent == []
    theirs = await hear_in_browser(Pushable("https://push.example/2").browser(), ALICE, desk)
    await notices.send(copies(store, theirs)[1], asked.created_at + 90_000)
    assert said(push)[0] | {"tag": ""} == {
        "body": "A call you asked for was approved.",
        "path": f"/approvals/{asked.id}",
        "tag": "",
    }
    told = push.sent[0][1]
    assert (told.topic, told.is_urgent, told.life_s) == ("", False, 60)
    await notices.send(replace(copies(store, theirs)[1], content={"approval": asked.id}), asked.created_at)
    assert push.sent[1][1].life_s == 86_400


async def test_what_a_browser_is_not_told_of_is_not_sent(
    desk: PushDesk, store: MemoryApprovals, approvals: ApprovalDesk, notices: BrowserNotices, push: MemoryPush
) -> None:
    gone = await hear_in_browser(Pushable().browser(), User(ISSUER, "zed", frozenset()), desk)
    await ask_approval(proposal(), approvals)
    (notice,) = copies(store, gone)
    await notices.send(notice, 0.0)
    await notices.send(replace(notice, kind="approval.unheard-of"), 0.0)
    assert push.sent == []


async def test_a_browser_that_is_gone_is_forgotten_and_what_may_pass_is_tried_again(
    desk: PushDesk,
    browsers: MemoryBrowsers,
    store: MemoryApprovals,
    approvals: ApprovalDesk,
    notices: BrowserNotices,
    push: MemoryPush,
) -> None:
    browser = await hear_in_browser(Pushable().browser(), FRANK, desk)
    await ask_approval(proposal(), approvals)
    (notice,) = copies(store, browser)
    push.refuses = UpstreamUnreachable("busy")
    with pytest.raises(UpstreamUnreachable):
        await notices.send(notice, 0.0)
    assert browsers.kept
    push.refuses = NotFound("its push service says that it is gone (410)")
    with pytest.raises(Invalid):
        await notices.send(notice, 0.0)
    assert browsers.kept == {}
    assert (browsers.facts[-1].kind, browsers.facts[-1].reason) == (  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - the kind says which
        "browser-ended",
        "its push service says that it is gone (410)",
    )
    push.refuses = None
    with pytest.raises(Invalid, match="removed meanwhile"):
        await notices.send(notice, 0.0)


async def test_a_service_that_is_let_in_no_more_is_sent_nothing(
    desk: PushDesk, store: MemoryApprovals, approvals: ApprovalDesk, notices: BrowserNotices, push: MemoryPush
) -> None:
    browser = await hear_in_browser(Pushable().browser(), FRANK, desk)
    await ask_approval(proposal(), approvals)
    with pytest.raises(Invalid):
        await replace(notices, services=("other.example",)).send(copies(store, browser)[0], 0.0)
    assert push.sent == []


async def test_more_than_anybody_counts_is_told_as_such(
    desk: PushDesk, store: MemoryApprovals, approvals: ApprovalDesk, notices: BrowserNotices, push: MemoryPush
) -> None:
    browser = await hear_in_browser(Pushable().browser(), FRANK, desk)
    for number in range(COUNTED):
        await ask_approval(proposal({"n": number}, run=f"r{number}", call_key=f"k{number}"), approvals)
    await notices.send(copies(store, browser)[0], 0.0)
    assert said(push)[0]["body"] == f"{COUNTED} or more calls wait for you."


async def test_what_waits_is_counted_in_ones_own_name_and_in_anothers(
    store: MemoryApprovals, approvals: ApprovalDesk, clock: MemoryClock
) -> None:
    people = KnownPeople({**GROUPS, "dora": frozenset({"ads"})})
    away = Absence("abs_1", "frank", "dora", clock.now() - 1, clock.now() + 3600, "")
    duty = DutyDesk(MemoryAbsences({"abs_1": away}), people, parse_who("group:ads"), clock, MemoryIds())
    lent = replace(approvals, duties=duty)
    await ask_approval(proposal(), lent)
    await ask_approval(proposal({"n": 1}, Approval.CONFIRM), lent)
    counts = [await waiting_for(name, people.groups(name) or frozenset(), lent) for name in ("frank", "dora", "alice")]
    assert counts == [1, 1, 1]
    assert await waiting_for("bob", GROUPS["bob"], lent) == 0


async def test_a_notice_reaches_the_browsers_of_whoever_is_asked_and_is_still_here(
    desk: PushDesk, browsers: MemoryBrowsers
) -> None:
    frank = await hear_in_browser(Pushable().browser(), FRANK, desk)
    await hear_in_browser(Pushable("https://push.example/2").browser(), ALICE, desk)
    await hear_in_browser(
        Pushable("https://push.example/3").browser(), replace(FRANK, issuer="https://o.example"), desk
    )
    zed = await hear_in_browser(Pushable("https://push.example/4").browser(), User(ISSUER, "zed", frozenset()), desk)
    people, book = KnownPeople(GROUPS), BrowserBook(browsers, ISSUER)
    asked = Readers(groups=("platform-admin",), but=("alice",))
    whole = AddressBook(people, MailBook({"platform-admin": "ops@lists.example"}), webhook=False, browsers=book)
    assert await whole.places(asked, 0.0) == (("mail", "ops@lists.example"), (BROWSER, frank.id))
    alone = AddressBook(people, None, webhook=False, browsers=book)
    assert await alone.places(asked, 0.0) == ((BROWSER, frank.id),)
    assert await alone.places(Readers(people=(zed.person,)), 0.0) == ()


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("server.drifted", {"server": "warehouse"}, [("A server of your group needs somebody.", "/servers/warehouse")]),
        ("review.due", {"review": "r1", "server": "x"}, [("A review waits for your group.", "/reviews/r1")]),
        ("news.other", {}, []),
    ],
)
async def test_a_browser_is_told_of_servers_and_reviews_without_a_name(
    desk: PushDesk, notices: BrowserNotices, push: MemoryPush, kind: str, content: dict[str, str], told: list[object]
) -> None:
    made = await hear_in_browser(Pushable().browser(), FRANK, desk)
    notice = Notice("n1", kind, 0.0, content, 0, 0.0, channel=BROWSER, recipient=made.id)
    await notices.send(notice, 0.0)
    assert [(each["body"], each["path"]) for each in said(push)] == told
