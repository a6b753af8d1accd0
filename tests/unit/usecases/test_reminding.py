"""Reminders are given once, with their fact; notices leave until they were taken."""

from dataclasses import replace
from typing import Final

import pytest
from tests.unit.core.test_reminding import DAY, REVIEW, START

from pierhead.core.audit_reviews import ReviewReminded
from pierhead.core.errors import Invalid, UpstreamUnreachable
from pierhead.core.review import Gate
from pierhead.core.rule import parse_who
from pierhead.usecases.check_guest import GuestRules
from pierhead.usecases.deliver_notices import (
    FIRST_PAUSE_S,
    GIVE_UP_S,
    LONGEST_PAUSE_S,
    TURN_S,
    NoticeDesk,
    deliver_notices,
)
from pierhead.usecases.memory import MemoryClock, MemoryIds
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.memory_notices import MemoryNotices
from pierhead.usecases.ports_notices import PEOPLE, Notice, Readers
from pierhead.usecases.remind_reviewers import ReminderDesk, remind_reviewers
from pierhead.usecases.rights import Rights

pytestmark = pytest.mark.anyio

RIGHTS: Final = Rights(
    registrars=parse_who("everyone"),
    reviewers={Gate.SECURITY: "security-reviewers"},
    admins=frozenset({"platform-admin", "ops"}),
    guests=GuestRules((), frozenset()),
)


class Taker:
    """Takes notices, or refuses them as it is told to."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.fault: Exception | None = None

    async def send(self, notice: Notice, now: float) -> None:
        del now
        if self.fault is not None:
            raise self.fault
        self.taken.append(notice)


def desk(notices: MemoryNotices, clock: MemoryClock, *, sends: bool = True) -> ReminderDesk:
    catalogue = MemoryCatalogue()
    catalogue.kept_reviews["r1"] = REVIEW
    return ReminderDesk(catalogue, notices, RIGHTS, clock, MemoryIds(), "https://mcp.example", sends=sends)


async def test_a_reminder_is_given_once_to_whom_it_concerns() -> None:
    notices, clock = MemoryNotices(), MemoryClock(START + 7 * DAY)
    given = desk(notices, clock)
    assert await remind_reviewers(given) == 2
    assert await remind_reviewers(given) == 0
    facts = [fact for fact in notices.facts if isinstance(fact, ReviewReminded)]
    assert [(fact.gate, fact.urgency, fact.group) for fact in facts] == [
        ("legal", "half", ""),
        ("security", "escalated", "ops, platform-admin"),
    ]
    told = [dict(each.content) for each in notices.notices.values()]
    assert [each.kind for each in notices.notices.values()] == ["review.half", "review.escalated"]
    assert told[1]["url"] == "https://mcp.example/reviews/r1"


async def test_each_urgency_is_told_as_it_is_reached() -> None:
    notices, clock = MemoryNotices(), MemoryClock(START)
    given = desk(notices, clock)
    told: list[int] = []
    for days in (0.0, 2.0, 4.0, 6.0, 60.0):
        clock.seconds = START + days * DAY
        told.append(await remind_reviewers(given))
    assert told == [0, 1, 1, 2, 1]  # at six days half the time of legal has passed too
    facts = [fact for fact in notices.facts if isinstance(fact, ReviewReminded) and fact.gate == "security"]
    assert [(fact.urgency, fact.group) for fact in facts] == [
        ("half", "security-reviewers"),
        ("due", "security-reviewers"),
        ("escalated", "ops, platform-admin"),
    ]


async def test_somebody_who_was_quicker_leaves_nothing_to_give() -> None:
    class Late(MemoryNotices):
        async def told(self, reviews: object) -> frozenset[tuple[str, str, str]]:
            del reviews
            return frozenset()

    notices = Late(given={("r1", "security", "half")})
    assert await remind_reviewers(desk(notices, MemoryClock(START + 2 * DAY))) == 0
    assert notices.facts == []


async def test_without_an_address_a_reminder_is_a_fact_and_a_mark_only() -> None:
    notices = MemoryNotices()
    assert await remind_reviewers(desk(notices, MemoryClock(START + 2 * DAY), sends=False)) == 1
    assert (len(notices.facts), notices.notices) == (1, {})


NOTICE: Final = Notice("n1", "review.half", START, {"review": "r1"}, tries=0, next_at=START)


class Places:
    """Everybody is reached at the same places."""

    def __init__(self, *places: tuple[str, str]) -> None:
        self.found = places

    async def places(self, readers: Readers, now: float) -> tuple[tuple[str, str], ...]:
        assert readers == FOR_ADMINS
        assert now
        return self.found


FOR_ADMINS: Final = Readers(groups=("platform-admin",), but=("alice",))


def notice_desk(outbox: MemoryNotices, taker: Taker, clock: MemoryClock, *places: tuple[str, str]) -> NoticeDesk:
    return NoticeDesk(outbox, {"webhook": taker, "mail": taker}, Places(*places), clock)


async def test_a_notice_for_people_becomes_one_copy_a_place_however_often_that_is_done() -> None:
    for_people = replace(NOTICE, channel=PEOPLE, readers=FOR_ADMINS)
    outbox, taker, clock = MemoryNotices(notices={"n1": for_people}), Taker(), MemoryClock(START)
    places = (("webhook", ""), ("mail", "frank@corp.example"), ("mail", "gina@corp.example"), ("fax", "1"))
    delivery = notice_desk(outbox, taker, clock, *places)
    assert await deliver_notices(delivery) == 0
    outbox.notices["n1"] = for_people  # as after a crash in between
    assert await deliver_notices(delivery) == 3
    assert await deliver_notices(delivery) == 0
    assert sorted((each.channel, each.recipient) for each in taker.taken) == sorted(places[:3])
    assert (len({each.id for each in taker.taken}), len(outbox.notices)) == (3, 4)
    assert outbox.notices["n1"].next_at is None


async def test_a_notice_that_reaches_nobody_says_so_and_is_done_with() -> None:
    outbox, clock = (
        MemoryNotices(notices={"n1": replace(NOTICE, channel=PEOPLE, readers=FOR_ADMINS)}),
        MemoryClock(START),
    )
    await deliver_notices(notice_desk(outbox, Taker(), clock))
    assert (outbox.notices["n1"].next_at, outbox.notices["n1"].fault) == (None, "nobody of these can be reached")


async def test_a_channel_that_is_no_more_ends_its_notices() -> None:
    outbox = MemoryNotices(notices={"n1": replace(NOTICE, channel="fax")})
    assert await deliver_notices(notice_desk(outbox, Taker(), MemoryClock(START))) == 0
    assert (outbox.notices["n1"].next_at, outbox.notices["n1"].fault) == (None, "fax is not set up any more")


async def test_two_registries_never_send_the_same_try() -> None:
    class Other(MemoryNotices):
        """Another registry takes it between reading and sending."""

        async def take(self, notice: Notice, until: float) -> bool:
            return await super().take(notice, until + 1) and await super().take(notice, until)

    outbox, taker = Other(notices={"n1": NOTICE}), Taker()
    assert await deliver_notices(notice_desk(outbox, taker, MemoryClock(START))) == 0
    assert (taker.taken, outbox.notices["n1"].next_at) == ([], START + TURN_S + 1)


async def test_a_notice_that_was_taken_is_sent_no_more() -> None:
    outbox, taker = MemoryNotices(notices={"n1": NOTICE}), Taker()
    delivery = notice_desk(outbox, taker, MemoryClock(START))
    assert (await deliver_notices(delivery), await deliver_notices(delivery)) == (1, 0)
    assert taker.taken == [NOTICE]
    assert outbox.notices["n1"] == replace(NOTICE, tries=1, next_at=None)


async def test_tries_stand_further_and_further_apart_until_they_are_given_up() -> None:
    outbox, taker, clock = MemoryNotices(notices={"n1": NOTICE}), Taker(), MemoryClock(START)
    taker.fault = UpstreamUnreachable("nobody there", hint="")
    delivery, pauses = notice_desk(outbox, taker, clock), list[float]()
    while (at := outbox.notices["n1"].next_at) is not None:
        pauses.append(at - clock.seconds)
        clock.seconds = at
        assert await deliver_notices(delivery) == 0
    assert pauses[:4] == [0.0, FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert max(pauses) == LONGEST_PAUSE_S
    assert GIVE_UP_S - LONGEST_PAUSE_S < clock.seconds - START <= GIVE_UP_S
    assert outbox.notices["n1"].fault == "nobody there"


async def test_what_nobody_will_ever_take_is_not_tried_again_and_holds_up_no_other() -> None:
    other = replace(NOTICE, id="n2", at=START + 1)
    outbox, taker = MemoryNotices(notices={"n1": NOTICE, "n2": other}), Taker()
    taker.fault = Invalid("gone", hint="")
    assert await deliver_notices(notice_desk(outbox, taker, MemoryClock(START + 2))) == 0
    assert [(each.next_at, each.fault) for each in outbox.notices.values()] == [(None, "gone")] * 2
