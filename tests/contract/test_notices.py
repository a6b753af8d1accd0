"""Reminders and the outbox, on every database: given once, kept with their fact, sent in order."""

import asyncio
from dataclasses import replace
from typing import Final

from tests.contract.conftest import Run

from pierhead.adapters.db import Database, DatabaseFacts, DatabaseNotices
from pierhead.core.audit import ReviewReminded
from pierhead.core.reminding import Reminder, Urgency
from pierhead.core.review import Gate
from pierhead.usecases.ports_notices import Notice

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
