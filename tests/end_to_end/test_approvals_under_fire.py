"""Approvals while everything goes wrong: a thousand who come at once by two gateways, and `kill -9` of every part.

Real processes, on SQLite and on PostgreSQL; what ran is counted in a file outside the platform. The seed of every
random moment is printed, and `PIERHEAD_SEED` repeats it. `PIERHEAD_LONG=1` makes fifty rounds of the few.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

import pytest
from tests.postgres import fresh_database
from tests.rigs.clerks import Clerks, Gone, Said
from tests.rigs.parts import GATEWAYS, ROLES, Nursery, Parts, nursery_in, parts
from tests.running_platform import eventually

from pierhead.adapters.db import Database, DatabaseApprovals, DatabaseRecords, open_database
from pierhead.bootstrap.wire_audit import verify
from pierhead.core.approval import ApprovalState
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.audit_approvals import ApprovalMoved
from pierhead.usecases.ports_approvals import ApprovalFilter, Everyone, Written

IS_LONG = bool(os.environ.get("PIERHEAD_LONG"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200 if IS_LONG else 300)]

ATTEMPTS = 1000
ROUNDS = 50 if IS_LONG else 6
WORKERS = 4
CLERKS = 1500
#: Until the next part dies, at most; a call takes some hundredths of it.
LIFE_S = 0.15
RAN_OR_MAY_HAVE = {ApprovalState.EXECUTING, ApprovalState.CONSUMED, ApprovalState.FAILED_UNKNOWN}


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery_in(tmp_path_factory.mktemp("nursery")) as born:
        yield born


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def platform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, nursery: Nursery
) -> Iterator[Parts]:
    """One for all tests on that database: each strikes entries of its own, for clerks of its own."""
    url = fresh_database(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else ""
    with parts(tmp_path_factory.mktemp(request.param), nursery, url, CLERKS) as running:
        yield running


@asynccontextmanager
async def database(part: Parts) -> AsyncGenerator[Database]:
    """The registry's own, read beside it."""
    opened = await open_database(part.database_url or f"sqlite:///{part.data}/pierhead.db")
    try:
        yield opened
    finally:
        await opened.close()


async def records(part: Parts, prefix: str) -> list[ApprovalRecord]:
    """Every approval of the entries that begin so."""
    async with database(part) as opened:
        listed = await DatabaseApprovals(opened).listed(ApprovalFilter(Everyone(), limit=100_000))
    return [record for record in listed if str(record.proposal.shown["entry"]).startswith(prefix)]


async def is_whole(part: Parts) -> bool:
    """Whether every chain is: the journals, and the registry's copy of all of them."""
    async with database(part) as opened:
        chain = await DatabaseRecords(opened).chain()
    return not chain.broken and not (await verify(part.data)).broken


async def approved(clerks: Clerks, person: str, entry: str, **more: Any) -> str:
    """A call of that person's that waits to run."""
    ticket = (await clerks.call(person, entry, **more)).ticket
    assert (await clerks.answer(ticket)).status == 200
    return ticket


def test_of_a_thousand_calls_at_once_by_two_gateways_one_runs(platform: Parts) -> None:
    """Whoever is turned away since too many wait, here or at the registry, calls again: all get to the approval."""

    async def story() -> Counter[str]:
        clerks = Clerks(platform)
        ticket = await approved(clerks, "clerk-0", "thousand")

        async def attempt(number: int, wait_s: float = 1.0) -> Said:
            answer = await clerks.call("clerk-0", "thousand", GATEWAYS[number % 2])
            if answer.code not in {"server-busy", "approvals-away"}:
                return answer
            await asyncio.sleep(wait_s)  # in a few seconds, as the answer's hint says
            return await attempt(number, wait_s * 2)

        answers = await asyncio.gather(*(attempt(number) for number in range(ATTEMPTS)))
        (spent,) = [record for record in await records(platform, "thousand") if record.call_id]
        assert (spent.id, spent.state) == (ticket, ApprovalState.CONSUMED)
        return Counter("ran" if each.has_run else str(each.result.get("status", each)) for each in answers)

    outcomes = asyncio.run(story())
    assert (outcomes["ran"], outcomes.total()) == (1, ATTEMPTS)
    assert set(outcomes) <= {"ran", "approval_required", "executing"}, outcomes
    assert platform.effects()["thousand"] == 1


def test_a_server_that_vanishes_between_approval_and_execution_runs_it_once_when_it_is_back(platform: Parts) -> None:
    async def story() -> None:
        clerks = Clerks(platform)
        ticket = await approved(clerks, "clerk-1", "vanished")
        platform.kill("server")
        for gateway in GATEWAYS:
            assert (await clerks.call("clerk-1", "vanished", gateway)).status in {502, 503}
        assert platform.effects()["vanished"] == 0
        platform.start("server")
        assert (await clerks.call("clerk-1", "vanished", GATEWAYS[1])).has_run
        again = await clerks.call("clerk-1", "vanished")
        assert again.ticket not in {"", ticket}
        assert platform.effects()["vanished"] == 1

    asyncio.run(story())


@pytest.mark.parametrize("victim", ["server", "registry", "gateway-a"])
def test_what_was_begun_when_a_part_died_is_never_begun_again_and_a_person_settles_it(
    platform: Parts, victim: str
) -> None:
    """The call is in its tool, its effect done, when the part dies: nobody can tell the caller how it ended."""
    entry, person = f"doubt-{victim}", f"clerk-{2 + ROLES.index(victim)}"

    async def story() -> None:
        clerks = Clerks(platform)
        ticket = await approved(clerks, person, entry, hang=True)
        running = asyncio.ensure_future(clerks.call(person, entry, hang=True))
        await asyncio.to_thread(eventually, lambda: platform.effects()[entry], "the tool is in the middle of it")
        platform.kill(victim)
        platform.start(victim)
        if victim == "registry":
            running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        for gateway in GATEWAYS:
            assert (await clerks.call(person, entry, gateway, hang=True)).ticket == ticket
        await _time_is_over(platform, ticket)
        doubt = await clerks.call(person, entry, hang=True)
        assert doubt.ticket == ticket
        assert "a person has to settle it first" in doubt.result["summary"]
        settled = await clerks.api("frank", "POST", f"/approvals/{ticket}/settle", {"comment": "it was struck"})
        assert settled.document["state"] == "consumed"
        assert (await clerks.call(person, entry, hang=True)).ticket not in {"", ticket}
        assert platform.effects()[entry] == 1

    asyncio.run(story())


async def _time_is_over(part: Parts, ticket: str) -> None:
    """As if the tool's time and a minute had passed."""

    def late(record: ApprovalRecord, now: float) -> Written:
        after = replace(record, due_at=now)
        return Written((after,), (ApprovalMoved.of(record, after, "test"),))

    async with database(part) as opened:
        await DatabaseApprovals(opened).change(ticket, late)


@dataclass
class Books:
    """Clerks who strike entry after entry whatever happens to the platform, and say everything again until it answers.

    Three of five entries are approved, one is denied and one is left; all are called by both gateways at once. The
    clerk who has too many approvals waiting goes home, and the next one goes on.
    """

    clerks: Clerks
    chance: random.Random
    numbers: "count[int]" = field(default_factory=count)
    people: "count[int]" = field(default_factory=lambda: count(10))
    approved: set[str] = field(default_factory=set[str])
    done: int = 0
    repeated: int = 0
    stopping: bool = False

    async def keep(self) -> None:
        person = f"clerk-{next(self.people)}"
        while not self.stopping:
            if not await self._strike(person, f"round-{next(self.numbers)}"):
                person = f"clerk-{next(self.people)}"

    async def _strike(self, person: str, entry: str) -> bool:
        """False where the clerk cannot go on."""
        asked = await self._until_told(lambda: self.clerks.call(person, entry))
        if asked is None or not asked.ticket:
            return False
        verdict = self.chance.choice(("approve", "approve", "approve", "deny", ""))
        if verdict == "approve":
            self.approved.add(entry)
        if verdict:
            await self._until_told(lambda: self.clerks.answer(asked.ticket, verdict))
        tries = [self._until_told(partial(self.clerks.call, person, entry, gateway)) for gateway in GATEWAYS]
        ended = await asyncio.gather(*tries)
        self.done += sum(each is not None and each.has_run for each in ended)
        return True

    async def _until_told(self, say: Callable[[], Awaitable[Said]]) -> Said | None:
        """The answer, however often it takes; nothing at the end of the test."""
        while not self.stopping:
            with suppress(Gone):
                answer = await say()
                if answer.status < 500 and answer.code not in {"approvals-away", "server-busy"}:
                    return answer
            self.repeated += 1
            await asyncio.sleep(0.03)  # what dies needs the processor to come back
        return None


async def under_fire(part: Parts, chance: random.Random) -> Books:
    """Rounds of `kill -9` while the books are kept, each only once something has run again."""
    books = Books(Clerks(part), chance)
    keeping = [asyncio.ensure_future(books.keep()) for _ in range(WORKERS)]
    try:
        for _ in range(ROUNDS):
            done = books.done
            await asyncio.to_thread(eventually, lambda done=done: books.done > done, "something runs again")
            assert not any(each.done() for each in keeping)
            await asyncio.sleep(chance.uniform(0, LIFE_S))
            victim = chance.choice(ROLES)
            part.kill(victim)
            await asyncio.to_thread(part.start, victim)
    finally:
        books.stopping = True
        await asyncio.gather(*keeping)
    part.end("server")  # what its clients left behind comes to an end before anything is counted
    part.start("server")
    return books


def test_kill_9_at_random_moments_runs_nothing_twice_and_nothing_that_nobody_approved(platform: Parts) -> None:
    seed = int(os.environ.get("PIERHEAD_SEED") or random.SystemRandom().randrange(2**32))
    print(f"PIERHEAD_SEED={seed}")
    books = asyncio.run(under_fire(platform, random.Random(seed)))  # noqa: S311 - moments, no secrets
    struck = {entry: times for entry, times in platform.effects().items() if entry.startswith("round-")}
    assert set(struck.values()) == {1}
    assert set(struck) <= books.approved
    kept = asyncio.run(records(platform, "round-"))
    spent = [record for record in kept if record.call_id]
    assert Counter(str(record.proposal.shown["entry"]) for record in spent).most_common(1)[0][1] == 1
    assert set(struck) <= {str(record.proposal.shown["entry"]) for record in spent}
    assert {record.yeses for record in spent} == {("frank",)}
    assert {record.state for record in spent} <= RAN_OR_MAY_HAVE
    assert {record.state for record in kept if not record.call_id}.isdisjoint(RAN_OR_MAY_HAVE)
    sure = [record for record in spent if (record.state, record.ended) == (ApprovalState.CONSUMED, "ok")]
    assert {str(record.proposal.shown["entry"]) for record in sure} <= set(struck)
    doubts = [record.id for record in spent if record.state is not ApprovalState.CONSUMED]
    print(f"{ROUNDS} rounds: {len(struck)} ran, {len(doubts)} in doubt, {books.repeated} calls said again")
    asyncio.run(_are_left_to_people(platform, doubts))
    assert asyncio.run(is_whole(platform))


async def _are_left_to_people(part: Parts, doubts: list[str]) -> None:
    """When their time is over, nobody knows how they ended, and it says so."""
    for ticket in doubts:
        await _time_is_over(part, ticket)
    left = {record.id: record.state for record in await records(part, "round-") if record.id in doubts}
    assert set(left.values()) <= {ApprovalState.FAILED_UNKNOWN}
    assert set(left) == set(doubts)
