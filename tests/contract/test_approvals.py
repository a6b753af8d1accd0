"""The approvals that are kept: the same in memory, on SQLite and on a real PostgreSQL; races and a model included."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from tests.approving import GROUPS, Named, SameApprovers, desk_over, person, proposal

from pierhead.adapters.db import Database, DatabaseApprovals, open_database
from pierhead.adapters.db.schema import APPROVALS, FACTS
from pierhead.core.approval import OPEN_STATES, Approval, ApprovalState
from pierhead.core.approval_record import ApprovalRecord, superseded
from pierhead.core.audit_approvals import ApprovalMoved
from pierhead.core.errors import Conflict, LimitExceeded, NotFound, PierheadError
from pierhead.usecases.answer_approval import Answer, cancel_approval, decide_approval, settle_approval
from pierhead.usecases.approval_desk import ApprovalDesk
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.ports_approvals import ApprovalFilter, ApprovalLimits, ApprovalStore, Everyone, Seer, Written
from pierhead.usecases.spend_approval import expire_approvals, finish_approval, spend_approval

ANYONE = ApprovalFilter(Everyone())


def run(url: str, story: Callable[[ApprovalStore], Awaitable[None]]) -> None:
    async def main() -> None:
        if not url:
            await story(MemoryApprovals(MemoryClock()))
            return
        database = await open_database(url)
        try:
            await story(DatabaseApprovals(database))
        finally:
            await database.close()

    asyncio.run(main())


def yes(record: ApprovalRecord) -> Answer:
    return Answer("approve", "", "web", record.proposal.digest)


async def approved(desk: ApprovalDesk, **values: Any) -> ApprovalRecord:
    asked = await ask_approval(proposal(values or None), desk)
    return await decide_approval(asked.id, yes(asked), person("frank"), desk)


def late(record: ApprovalRecord, now: float) -> Written:
    """The record, its time over."""
    after = replace(record, expires_at=now, due_at=now)
    return Written((after,), (ApprovalMoved.of(record, after, "test"),))


def test_what_was_asked_comes_back_as_it_was(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        odd = {"sql": "DELETE FROM t WHERE n = 'é\u202e😀'", "n": 2.5, "deep": {"list": [None, True, {}]}}
        asked = await ask_approval(proposal(odd), desk_over(store))
        assert asked.proposal == proposal(odd)
        assert await store.one(asked.id) == asked
        assert await store.one("apr_nobody") is None
        assert list(await store.listed(ANYONE)) == [asked]

    run(url_or_memory, story)


def test_the_same_call_gets_the_same_record_however_many_ask_at_once(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        desk = desk_over(store)
        asked = await asyncio.gather(*(ask_approval(proposal(), desk) for _ in range(20)))
        assert len({record.id for record in asked}) == 1
        assert len(await store.listed(ANYONE)) == 1

    run(url_or_memory, story)


def test_a_run_holds_at_most_three_open_even_if_it_asks_for_all_at_once(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        desk = desk_over(store)
        asking = (ask_approval(proposal({"n": n}), desk) for n in range(8))
        found = await asyncio.gather(*asking, return_exceptions=True)
        opened = [each for each in found if isinstance(each, ApprovalRecord)]
        assert (len(opened), {type(each) for each in found} - {ApprovalRecord}) == (3, {LimitExceeded})
        await cancel_approval(opened[0].id, person("alice"), desk)
        await store.change(opened[1].id, late)
        assert (await ask_approval(proposal({"n": 100}), desk)).state is ApprovalState.PENDING
        assert (await ask_approval(proposal({"n": 101}), desk)).state is ApprovalState.PENDING
        with pytest.raises(LimitExceeded):
            await ask_approval(proposal({"n": 102}), desk)

    run(url_or_memory, story)


@pytest.mark.slow
def test_of_a_thousand_who_spend_one_approval_at_once_exactly_one_does(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        other = DatabaseApprovals(store.database) if isinstance(store, DatabaseApprovals) else store
        desks = [desk_over(store), desk_over(other)]
        record = await approved(desks[0])
        turns = asyncio.Semaphore(40)
        outcomes: Counter[str] = Counter()

        async def spend(number: int) -> None:
            async with turns:
                try:
                    await spend_approval(record.id, record.proposal.digest, f"call-{number}", desks[number % 2])
                except Conflict as refused:
                    outcomes[refused.code] += 1
                else:
                    outcomes["spent"] += 1

        await asyncio.gather(*(spend(number) for number in range(1000)))
        assert outcomes["spent"] == 1
        assert outcomes.total() == 1000
        spent = await store.one(record.id)
        assert spent is not None
        assert spent.state is ApprovalState.EXECUTING
        if isinstance(store, DatabaseApprovals):
            assert await _kinds(store.database, "approval-spent") == 1

    run(url_or_memory, story)


async def _kinds(database: Database, kind: str) -> int:
    async with database.reading() as connection:
        return len((await connection.execute(select(FACTS.c.sequence).where(FACTS.c.kind == kind))).all())


def test_two_who_approve_at_once_are_two_and_one_who_clicks_twice_is_one(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        desk = desk_over(store)
        asked = await ask_approval(proposal(approval=Approval.FOUR_EYES), desk)
        clicks = [decide_approval(asked.id, yes(asked), person("frank"), desk) for _ in range(5)]
        await asyncio.gather(*clicks, return_exceptions=True)
        once = await store.one(asked.id)
        assert once is not None
        assert (once.state, once.yeses) == (ApprovalState.PENDING, ("frank",))
        both = await asyncio.gather(
            *(decide_approval(asked.id, yes(asked), person(name), desk) for name in ("gina", "henry")),
            return_exceptions=True,
        )
        assert sum(isinstance(each, ApprovalRecord) for each in both) == 1

    run(url_or_memory, story)


def test_a_change_that_fails_leaves_no_record_and_no_fact(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        desk = desk_over(store)
        record = await approved(desk)

        def failing(found: ApprovalRecord, _now: float) -> Written:
            raise Conflict(f"no: {found.id}")

        with pytest.raises(Conflict):
            await store.change(record.id, failing)
        with pytest.raises(NotFound):
            await store.change("apr_nobody", failing)
        assert await store.one(record.id) == record

    run(url_or_memory, story)


def test_a_record_that_changed_meanwhile_is_not_overwritten(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        if isinstance(store, MemoryApprovals):
            return  # nothing comes between in one event loop
        desk = desk_over(store)
        before = await ask_approval(proposal(), desk)
        await decide_approval(before.id, yes(before), person("frank"), desk)
        stale = superseded(before, "stale")

        def older(_found: ApprovalRecord, _now: float) -> Written:
            return Written((stale,), (ApprovalMoved.of(before, stale, ""),))

        with pytest.raises(Conflict) as refused:
            await store.change(before.id, older)
        assert refused.value.code == "changed-meanwhile"

    run(url_or_memory, story)


def test_the_database_itself_holds_one_open_record_a_call(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        if not isinstance(store, DatabaseApprovals):
            return
        desk = desk_over(store)
        first = await ask_approval(proposal(), desk)
        twin = replace(first, id="apr_twin", lock=0)
        with pytest.raises(Conflict):
            await store.propose(
                replace(first.proposal, call_key="another"),
                lambda _known: Written((twin,), (ApprovalMoved.of(first, twin, ""),)),
            )
        async with store.database.reading() as connection:
            assert len((await connection.execute(select(APPROVALS.c.id))).all()) == 1

    run(url_or_memory, story)


def test_time_alone_moves_records_and_the_sweep_writes_it_down(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        desk = desk_over(store, limit=9)
        waits = await ask_approval(proposal({"n": 1}), desk)
        runs = await approved(desk, n=2)
        await spend_approval(runs.id, runs.proposal.digest, "call-9", desk)
        await approved(desk, n=3)
        await store.change(waits.id, late)
        await store.change(runs.id, late)
        assert await _states(store, ApprovalState.PENDING) == []
        assert await _states(store, ApprovalState.EXPIRED) == [waits.id]
        assert await _states(store, ApprovalState.FAILED_UNKNOWN) == [runs.id]
        assert set(await expire_approvals(store)) == {waits.id, runs.id}
        assert await expire_approvals(store) == []
        assert await _states(store, ApprovalState.EXPIRED, ApprovalState.FAILED_UNKNOWN) == [runs.id, waits.id]
        with pytest.raises(Conflict):
            await finish_approval(runs.id, "call-9", "ok", desk)

    run(url_or_memory, story)


@pytest.mark.parametrize("clock", [0.0, 4_000_000_000.0])
def test_the_clock_of_no_process_counts_only_the_databases(
    url_or_memory: str, monkeypatch: pytest.MonkeyPatch, clock: float
) -> None:
    """A registry whose clock is decades off asks, approves, spends and expires like any other."""

    async def story(store: ApprovalStore) -> None:
        if isinstance(store, MemoryApprovals):
            return  # its clock is the test's
        before = time.time()
        with monkeypatch.context() as wrong:
            wrong.setattr(time, "time", lambda: clock)
            desk = desk_over(store)
            record = await approved(desk)
            assert before - 60 < record.created_at < before + 60
            assert record.expires_at - record.created_at == pytest.approx(3600)
            assert record.decisions[0].at == pytest.approx(record.created_at, abs=60)
            spent = await spend_approval(record.id, record.proposal.digest, "call-1", desk)
            assert spent.spent_at == pytest.approx(record.created_at, abs=60)
            assert list(await expire_approvals(store)) == []

    run(url_or_memory, story)


async def _states(store: ApprovalStore, *states: ApprovalState) -> list[str]:
    found = await store.listed(ApprovalFilter(Everyone(), frozenset(states)))
    return sorted((record.id for record in found), reverse=True)


def test_lists_show_each_their_own_page_by_page(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        desk = desk_over(store, limit=99)
        for number in range(5):
            await ask_approval(proposal({"n": number}), desk)
        other = replace(desk, approvers=SameApprovers(("data%eng",)))
        await ask_approval(proposal({"n": 7}, person="bob", server="pages", call_key="b"), other)
        assert len(await store.listed(ANYONE)) == 6
        assert len(await store.listed(ApprovalFilter(Seer("frank", GROUPS["frank"])))) == 5
        assert len(await store.listed(ApprovalFilter(Seer("alice", frozenset())))) == 5
        assert len(await store.listed(ApprovalFilter(Seer("x", frozenset({"data%eng"}))))) == 1
        assert await store.listed(ApprovalFilter(Seer("x", frozenset({"dataXeng", "data", "platform"})))) == []
        for nobody in (Seer("ALICE", frozenset()), Seer("x", frozenset({"Platform-Admin"})), Seer("", frozenset({""}))):
            assert await store.listed(ApprovalFilter(nobody)) == [], "names that differ by a letter are others"
        assert len(await store.listed(ApprovalFilter(Everyone(), requester="bob"))) == 1
        assert len(await store.listed(ApprovalFilter(Everyone(), server="warehouse"))) == 5
        first = await store.listed(replace(ANYONE, limit=4))
        rest = await store.listed(replace(ANYONE, limit=4, before=(first[-1].created_at, first[-1].id)))
        assert len({record.id for record in (*first, *rest)}) == 6

    run(url_or_memory, story)


_NAMES = st.sampled_from(("alice", "bob", "frank", "gina", "henry"))
_CALLS = st.integers(0, 3)


class _Model(RuleBasedStateMachine):
    """Approvals against the smallest model of them: of each call its state, who said yes, and how often it ran.

    Two registries on one database take turns; approvers leave their group and come back, and time passes.
    """

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.state: dict[int, ApprovalState] = {}
        self.yeses: dict[int, set[str]] = {}
        self.ids: dict[int, str] = {}
        self.numbers = count()
        self.calls = count()

    def do(self, work: Awaitable[Any]) -> Any:
        """The result, or the error's kind."""
        try:
            return self.loop.run_until_complete(_awaited(work))
        except PierheadError as refused:
            return type(refused)

    @initialize()
    def open(self) -> None:
        self.databases = [self.loop.run_until_complete(open_database(self.url)) for _ in range(2)]
        self.people = Named()
        self.desks = [
            replace(desk_over(DatabaseApprovals(database), limit=4), ids=_Random(), people=self.people)
            for database in self.databases
        ]
        tag = os.urandom(6).hex()
        self.asked = {
            n: proposal(
                {"n": n, "tag": tag},
                Approval.FOUR_EYES if n == 0 else Approval.APPROVE,
                run=tag,
                call_key=f"{tag}-{n}",
                digest=f"{tag}-{n}",
            )
            for n in range(4)
        }

    def teardown(self) -> None:
        for database in getattr(self, "databases", ()):
            self.loop.run_until_complete(database.close())
        self.loop.close()

    @property
    def desk(self) -> ApprovalDesk:
        """The one registry and the other, in turn."""
        return self.desks[next(self.numbers) % 2]

    @rule(name=st.sampled_from(("frank", "gina", "henry")))
    def leave_or_come_back(self, name: str) -> None:
        has_it = "platform-admin" in self.people.by_name[name]
        self.people.by_name[name] = frozenset() if has_it else GROUPS[name]

    @rule(n=_CALLS)
    def let_time_pass(self, n: int) -> None:
        after = {
            ApprovalState.PENDING: ApprovalState.EXPIRED,
            ApprovalState.APPROVED: ApprovalState.EXPIRED,
            ApprovalState.EXECUTING: ApprovalState.FAILED_UNKNOWN,
        }.get(self.state.get(n, ApprovalState.DENIED))
        if after is not None:
            self.do(self.desk.store.change(self.ids[n], late))
            self.state[n] = after

    @rule()
    def sweep(self) -> None:
        self.do(expire_approvals(self.desk.store))

    @rule(n=_CALLS)
    def settle(self, n: int) -> None:
        if n not in self.ids:
            return
        done = self.do(settle_approval(self.ids[n], "looked", person("frank"), self.desk))
        if self.state[n] is ApprovalState.FAILED_UNKNOWN and self.people.by_name["frank"]:
            self.state[n] = ApprovalState.CONSUMED
            assert done.state is self.state[n]
        else:
            assert isinstance(done, type)

    @rule(n=_CALLS)
    def ask(self, n: int) -> None:
        record = self.do(ask_approval(self.asked[n], self.desk))
        state = self.state.get(n)
        if state in OPEN_STATES or state is ApprovalState.DENIED:
            assert record.id == self.ids[n]
        else:
            assert record.id != self.ids.get(n)
            self.ids[n], self.yeses[n], state = record.id, set(), ApprovalState.PENDING
        self.state[n] = state
        assert record.state is state

    @rule(n=_CALLS, name=_NAMES, verdict=st.sampled_from(("approve", "approve", "deny")))
    def decide(self, n: int, name: str, verdict: str) -> None:
        if n not in self.ids:
            return
        answer = Answer(verdict, "", "web", self.asked[n].digest)
        done = self.do(decide_approval(self.ids[n], answer, person(name), self.desk))
        is_theirs = "platform-admin" in self.people.by_name[name] and name not in self.yeses[n]
        if self.state[n] is not ApprovalState.PENDING or not is_theirs:
            assert isinstance(done, type)
            return
        if verdict == "deny":
            self.state[n] = ApprovalState.DENIED
        else:
            self.yeses[n].add(name)
            if len(self.yeses[n]) == (2 if n == 0 else 1):
                self.state[n] = ApprovalState.APPROVED
        assert done.state is self.state[n]

    @rule(n=_CALLS, at_once=st.integers(1, 3))
    def spend(self, n: int, at_once: int) -> None:
        if n not in self.ids:
            return
        tries = [
            self._tried(spend_approval(self.ids[n], self.asked[n].digest, f"c{next(self.calls)}", self.desk))
            for _ in range(at_once)
        ]
        spent = sum(self.loop.run_until_complete(_all(tries)))
        is_good = all("platform-admin" in self.people.by_name[name] for name in self.yeses[n])
        assert spent == (1 if self.state[n] is ApprovalState.APPROVED and is_good else 0)
        if self.state[n] is ApprovalState.APPROVED:
            self.state[n] = ApprovalState.EXECUTING if is_good else ApprovalState.SUPERSEDED

    async def _tried(self, work: Awaitable[ApprovalRecord]) -> bool:
        try:
            return bool(await work)
        except Conflict:
            return False

    @rule(n=_CALLS, ended=st.sampled_from(("ok", "unknown")))
    def finish(self, n: int, ended: str) -> None:
        if n not in self.ids:
            return
        kept = self.do(self.desk.store.one(self.ids[n]))
        done = self.do(finish_approval(self.ids[n], kept.call_id, ended, self.desk))
        if self.state[n] is ApprovalState.EXECUTING:
            self.state[n] = ApprovalState.FAILED_UNKNOWN if ended == "unknown" else ApprovalState.CONSUMED
            assert done.state is self.state[n]
        else:
            assert isinstance(done, type)

    @rule(n=_CALLS)
    def cancel(self, n: int) -> None:
        if n not in self.ids:
            return
        done = self.do(cancel_approval(self.ids[n], person("alice"), self.desk))
        if self.state[n] in {ApprovalState.PENDING, ApprovalState.APPROVED}:
            self.state[n] = ApprovalState.CANCELLED
        else:
            assert isinstance(done, type)

    @invariant()
    def agrees(self) -> None:
        for n, record_id in self.ids.items():
            assert self.do(self.desk.store.one(record_id)).state is self.state[n]


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


async def _all(tries: list[Any]) -> list[bool]:
    return await asyncio.gather(*tries)


class _Random:
    def new(self) -> str:
        return f"apr_{os.urandom(8).hex()}"


def test_the_store_and_a_small_model_of_it_never_differ(url: str) -> None:
    """2,000 steps nightly (`PIERHEAD_LONG=1`), 200 in every run."""
    examples = 40 if os.environ.get("PIERHEAD_LONG") else 4
    machine = type("_Machine", (_Model,), {"url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_person_has_a_bound_above_every_run_that_a_client_declares(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        desk = replace(desk_over(store), limits=ApprovalLimits(open_of_run=3, open_of_person=4))
        for number in range(4):
            await ask_approval(proposal({"n": number}, run=f"run-{number}"), desk)
        with pytest.raises(LimitExceeded, match="4 approvals of yours on warehouse"):
            await ask_approval(proposal({"n": 9}, run="run-9"), desk)
        assert (await ask_approval(proposal({"n": 0}, run="run-9"), desk)).proposal.run == "run-0"
        await ask_approval(proposal({"n": 9}, run="run-9", server="pages", call_key="elsewhere"), desk)

    run(url_or_memory, story)


def test_a_server_that_vanishes_between_yes_and_run_leaves_what_nobody_repeats(url_or_memory: str) -> None:
    async def story(store: ApprovalStore) -> None:
        desk = desk_over(store)
        never = await approved(desk, n=1)  # its server is gone before it came to spend the yes
        began = await approved(desk, n=2)  # and here after that
        await spend_approval(began.id, began.proposal.digest, "call-9", desk)
        for record in (never, began):
            await store.change(record.id, late)
        assert sorted(await expire_approvals(store)) == sorted([never.id, began.id])
        assert await _states(store, ApprovalState.EXPIRED) == [never.id]
        assert await _states(store, ApprovalState.FAILED_UNKNOWN) == [began.id]
        again = await ask_approval(proposal({"n": 2}), desk)
        assert (again.id, again.state) == (began.id, ApprovalState.FAILED_UNKNOWN)
        for record in (never, began):
            with pytest.raises(Conflict):
                await spend_approval(record.id, record.proposal.digest, "call-10", desk)

    run(url_or_memory, story)
