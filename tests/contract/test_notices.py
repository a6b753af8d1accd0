"""Reminders and the outbox, on every database: given once, kept with their fact, sent in order."""

import asyncio
from dataclasses import replace
from typing import Final

from tests.contract.conftest import Run

from pierhead.adapters.db import Database, DatabaseCatalogue, DatabaseFacts, DatabaseNotices
from pierhead.core.audit_reviews import OwnerReminded, ReviewReminded
from pierhead.core.reminding import Reminder, Urgency
from pierhead.core.review import Gate
from pierhead.usecases.ports_catalogue import Change
from pierhead.usecases.ports_notices import MAIL, PEOPLE, Notice, Readers

NOW: Final = 1_795_000_000.0
REMINDER: Final = Reminder("r1", "clock", "2", Gate.SECURITY, Urgency.HALF, NOW + 9.0)
FACT: Final = ReviewReminded("r1", "clock", "2", "security", "half", "security-reviewers", NOW + 9.0)
NOTICE: Final = Notice("n1", "review.half", NOW, {"review": "r1", "due_at": NOW + 9.0, "group": "café ☕"}, 0, NOW)


def test_a_reminder_is_kept_once_with_its_fact_and_its_notice(run: Run) -> None:
    async def story(database: Database) -> None:
        notices = DatabaseNotices(database)
        given = await asyncio.gather(
            *(notices.keep(REMINDER, replace(NOTICE, id=f"n{n}"), FACT, NOW) for n in range(4))
        )
        assert sorted(given) == [False, False, False, True]
        (kept,) = await DatabaseFacts(database).lines(("", 0), 10)
        assert b"review-reminded" in kept.line
        (waiting,) = await notices.due(NOW, 10)
        assert replace(waiting, id="n1") == NOTICE
        assert await notices.told(["r1", "r2"]) == {("r1", "security", "half")}
        assert await notices.told([]) == frozenset()

    run(story)


def test_what_is_due_comes_the_oldest_first_and_what_is_settled_no_more(run: Run) -> None:
    async def story(database: Database) -> None:
        notices = DatabaseNotices(database)
        for number, gate in enumerate(Gate):
            notice = replace(NOTICE, id=f"n{number}", at=NOW - number)
            assert await notices.keep(replace(REMINDER, gate=gate), notice, FACT, NOW)
        assert [each.id for each in await notices.due(NOW, 2)] == ["n2", "n1"]
        await notices.settle(replace(NOTICE, id="n2", tries=1, next_at=None))
        await notices.settle(replace(NOTICE, id="n1", tries=1, next_at=NOW + 5, fault="away"))
        assert [each.id for each in await notices.due(NOW, 10)] == ["n0"]
        (later, *_) = sorted(await notices.due(NOW + 5, 10), key=lambda each: -each.tries)
        assert (later.id, later.tries, later.fault) == ("n1", 1, "away")

    run(story)


def test_a_reminder_without_a_notice_is_kept_too(run: Run) -> None:
    async def story(database: Database) -> None:
        notices = DatabaseNotices(database)
        assert await notices.keep(REMINDER, None, FACT, NOW)
        assert await notices.due(NOW, 10) == []

    run(story)


def test_one_of_many_takes_a_try_and_nobody_takes_one_that_is_settled(run: Run) -> None:
    async def story(database: Database) -> None:
        notices = DatabaseNotices(database)
        assert await notices.keep(REMINDER, NOTICE, FACT, NOW)
        taken = await asyncio.gather(*(notices.take(NOTICE, NOW + 60) for _ in range(5)))
        assert sorted(taken) == [False, False, False, False, True]
        assert await notices.due(NOW, 10) == []
        (again,) = await notices.due(NOW + 60, 10)
        assert await notices.take(again, NOW + 120)
        await notices.settle(replace(again, next_at=None))
        assert not await notices.take(again, NOW + 180)

    run(story)


def test_a_notice_for_people_is_spread_once_and_its_copies_keep_what_became_of_them(run: Run) -> None:
    async def story(database: Database) -> None:
        notices = DatabaseNotices(database)
        parent = replace(NOTICE, channel=PEOPLE, readers=Readers(("ops", "data é"), ("al\nice",), ("bob",)))
        assert await notices.keep(REMINDER, parent, FACT, NOW)
        assert await notices.due(NOW, 10) == [parent]
        copies = [replace(parent, id=f"c{n}", channel=MAIL, recipient=f"p{n}@corp.example") for n in range(2)]
        await notices.spread(replace(parent, next_at=None, tries=1), copies)
        assert await notices.due(NOW, 10) == copies
        await notices.settle(replace(copies[0], next_at=None))
        await notices.spread(replace(parent, next_at=None, tries=2), copies)
        assert await notices.due(NOW, 10) == copies[1:]

    run(story)


def test_an_announcement_is_kept_once_with_its_fact(run: Run) -> None:
    async def story(database: Database) -> None:
        notices = DatabaseNotices(database)
        told = OwnerReminded("clock", "2", "ending", "", ("data é",), NOW + 9.0)
        given = await asyncio.gather(*(notices.announce(NOTICE, told, NOW) for _ in range(4)))
        assert sorted(given) == [False, False, False, True]
        await notices.settle(replace(NOTICE, next_at=None))
        assert not await notices.announce(NOTICE, told, NOW)
        assert await notices.due(NOW, 10) == []
        (kept,) = await DatabaseFacts(database).lines(("", 0), 10)
        assert b"owner-reminded" in kept.line

    run(story)


def test_what_a_change_of_the_catalogue_tells_is_kept_with_it_and_told_once(run: Run) -> None:
    async def story(database: Database) -> None:
        catalogue, notices = DatabaseCatalogue(database), DatabaseNotices(database)
        await catalogue.change(Change((FACT,), notices=(NOTICE,)), NOW)
        assert await notices.due(NOW, 10) == [NOTICE]
        await notices.settle(replace(NOTICE, next_at=None, tries=1))
        await catalogue.change(Change((FACT,), notices=(NOTICE,)), NOW)
        assert await notices.due(NOW, 10) == []

    run(story)
