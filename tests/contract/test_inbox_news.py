"""Whoever looks at approvals hears of every change of what they see: on SQLite and on a real PostgreSQL."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy import text
from tests.approving import desk_over, person, proposal

from pierhead.adapters.db import Database, DatabaseApprovals, DatabaseAudit, DatabaseInboxNews, open_database
from pierhead.adapters.system import SystemClock
from pierhead.core.audit import CallLost
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.ports_approvals import Everyone, Seer

FRANK, BOB = Seer("frank", frozenset({"platform-admin"})), Seer("bob", frozenset({"ads"}))
Story = Callable[[DatabaseInboxNews, ApprovalDesk, Database], Awaitable[None]]


class Looks:
    """Sleeps until it is let on, so that a test says when is looked, and knows when it was."""

    def __init__(self) -> None:
        self.may_look = asyncio.Semaphore(0)
        self.looked = asyncio.Semaphore(0)
        self.begun = 0

    async def sleep(self, seconds: float) -> None:
        assert seconds == 1.0
        if self.begun:
            self.looked.release()
        self.begun += 1
        await self.may_look.acquire()

    async def once(self) -> None:
        self.may_look.release()
        await asyncio.wait_for(self.looked.acquire(), 20)


def run(url: str, story: Story) -> None:
    async def main() -> None:
        database = await open_database(url)
        news = DatabaseInboxNews(database)
        try:
            await story(news, desk_over(DatabaseApprovals(database), limit=200), database)
        finally:
            await news.close()
            await database.close()

    asyncio.run(main())


def test_a_request_and_its_answer_are_heard_by_those_who_see_them(url: str) -> None:
    async def story(news: DatabaseInboxNews, desk: ApprovalDesk, database: Database) -> None:
        looks = Looks()
        news.looking.sleep = looks.sleep
        await ask_approval(proposal({"n": 0}), desk)
        async with news.listening(FRANK) as frank, news.listening(BOB) as bob, news.listening(Everyone()) as auditor:
            await looks.once()
            assert not frank.is_set(), "what was there before is no news"
            asked = await ask_approval(proposal({"n": 1}), desk)
            await looks.once()
            assert (frank.is_set(), bob.is_set(), auditor.is_set()) == (True, False, True)
            frank.clear()
            answer = Answer("deny", "no", "web", asked.proposal.digest)
            await decide_approval(asked.id, answer, person("gina"), desk)
            await looks.once()
            assert (frank.is_set(), bob.is_set()) == (True, False)
            frank.clear()
            await DatabaseAudit(database, SystemClock()).record(CallLost("call-1"))
            await looks.once()
            assert not frank.is_set(), "the record went on, and with nothing of theirs"

    run(url, story)


def test_while_nobody_looks_nothing_is_asked_and_a_database_that_is_away_is_asked_again(url: str) -> None:
    async def story(news: DatabaseInboxNews, desk: ApprovalDesk, database: Database) -> None:
        looks = Looks()
        news.looking.sleep = looks.sleep
        async with news.listening(FRANK) as frank:
            async with database.writing() as connection:
                await connection.execute(text("ALTER TABLE heads RENAME TO elsewhere"))
            await looks.once()
            async with database.writing() as connection:
                await connection.execute(text("ALTER TABLE elsewhere RENAME TO heads"))
            await ask_approval(proposal(), desk)
            await looks.once()
            assert frank.is_set()
        looks.may_look.release()
        assert news.looking._task is not None
        await asyncio.wait_for(news.looking._task, 20)
        async with news.listening(FRANK) as frank:
            await looks.once()
            assert not frank.is_set()

    run(url, story)


def test_what_a_look_asks_is_found_by_key(url: str) -> None:
    """However long the record is: the end of one chain, and what follows a place in it."""

    async def story(news: DatabaseInboxNews, desk: ApprovalDesk, database: Database) -> None:
        del news
        await ask_approval(proposal(), desk)
        plan = "EXPLAIN QUERY PLAN" if database.engine.dialect.name == "sqlite" else "EXPLAIN"
        queries = (
            "SELECT sequence FROM heads WHERE writer = 'registry'",
            "SELECT sequence, line FROM facts WHERE writer = 'registry' AND sequence > 5 ORDER BY sequence LIMIT 500",
            "SELECT people, approvers FROM approvals WHERE id IN ('a', 'b')",
            "SELECT id FROM browsers WHERE issuer = 'i' AND person IN ('a', 'b')",
        )
        async with database.reading() as connection:
            if plan == "EXPLAIN":
                await connection.execute(text("SET enable_seqscan = off"))
            for query in queries:
                lines = (await connection.execute(text(f"{plan} {query}"))).all()
                said = " ".join(str(cell) for line in lines for cell in line)
                assert "SCAN heads" not in said
                assert "Seq Scan" not in said
                assert ("USING" in said and "INDEX" in said) or "Index" in said, said

    run(url, story)
