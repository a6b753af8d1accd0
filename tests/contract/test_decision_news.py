"""Who waits for a decision hears of it: the same on SQLite and on a real PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.approving import desk_over, person, proposal

from pierhead.adapters.db import DatabaseApprovals, DatabaseDecisionNews, open_database
from pierhead.adapters.db.decision_news import BEAT_S
from pierhead.core.approval_record import ApprovalRecord
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ask_approval import ask_approval


def run(url: str, story: Callable[[DatabaseDecisionNews, ApprovalDesk], Awaitable[None]]) -> None:
    async def main() -> None:
        database = await open_database(url)
        news = DatabaseDecisionNews(database)
        try:
            await story(news, desk_over(DatabaseApprovals(database), limit=200))
        finally:
            await news.close()
            await database.close()

    asyncio.run(main())


async def approve(record: ApprovalRecord, desk: ApprovalDesk) -> None:
    await decide_approval(record.id, Answer("approve", "", "web", record.proposal.digest), person("frank"), desk)


def test_a_decision_reaches_every_wait_with_the_next_look_but_one(url: str) -> None:
    """Counted in looks, four a second, so that a busy machine fails nobody; `make bench` measures the seconds."""

    async def story(news: DatabaseDecisionNews, desk: ApprovalDesk) -> None:
        looks = 0

        async def beat(seconds: float) -> None:
            nonlocal looks
            assert seconds == BEAT_S <= 0.25
            looks += 1
            await asyncio.sleep(0.01)

        news.looking.sleep = beat
        records = [await ask_approval(proposal({"n": n}), desk) for n in range(20)]

        async def heard(record: ApprovalRecord) -> int:
            await news.decided(record.id, 60)
            return looks

        waits = [asyncio.create_task(heard(record)) for record in records for _ in range(3)]
        await asyncio.sleep(0)
        decided: list[int] = []
        for record in records:
            await approve(record, desk)
            decided.append(looks)
        late = [end - decided[place // 3] for place, end in enumerate(await asyncio.gather(*waits))]
        assert max(late) <= 2

    run(url, story)


def test_what_was_decided_before_is_heard_and_what_is_not_ends_in_time(url: str) -> None:
    async def story(news: DatabaseDecisionNews, desk: ApprovalDesk) -> None:
        first, second = [await ask_approval(proposal({"n": n}), desk) for n in range(2)]
        await approve(first, desk)
        await asyncio.wait_for(news.decided(first.id, 30), 10)
        await asyncio.wait_for(news.decided(second.id, 0.01), 10)
        await asyncio.wait_for(news.decided("apr_nothing", 0.01), 10)

    run(url, story)


def test_while_nobody_waits_nothing_is_looked_at(url: str) -> None:
    async def story(news: DatabaseDecisionNews, desk: ApprovalDesk) -> None:
        looks: list[float] = []

        async def count(seconds: float) -> None:
            looks.append(seconds)
            await asyncio.sleep(0)

        news.looking.sleep = count
        record = await ask_approval(proposal(), desk)
        await approve(record, desk)
        await news.decided(record.id, 30)
        await asyncio.sleep(0.05)
        seen = len(looks)
        await asyncio.sleep(0.05)
        assert seen == len(looks) >= 1

    run(url, story)
