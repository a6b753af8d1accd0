"""Absences, remembered choices and broken glass, on every database: kept as they were, ended once, on record."""

import asyncio
from dataclasses import replace
from typing import Final

from tests.approving import desk_over, person, proposal
from tests.contract.conftest import Run

from pierhead.adapters.db import Database, DatabaseAbsences, DatabaseApprovals, DatabaseChoices, DatabaseFacts
from pierhead.core.absence import Absence, AbsenceDeclared, AbsenceEnded
from pierhead.core.approval import Approval
from pierhead.core.approval_record import proposed
from pierhead.core.choice import LONGEST_S, ChoiceEnded, ChoiceRemembered, choice_of
from pierhead.usecases.answer_approval import Answer
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.break_glass import break_glass, review_glass
from pierhead.usecases.memory import MemoryIds
from pierhead.usecases.ports_approvals import ApprovalFilter, ApprovalLimits, Everyone
from pierhead.usecases.tell_approvals import ApprovalNews

NOW: Final = 1_795_000_000.0
AWAY: Final = Absence("abs_1", "frank", "gina é", NOW, NOW + 3600.0, "holiday ☀")
GONE: Final = AbsenceEnded("abs_1", "frank", "gina é", "frank")


async def kinds(database: Database) -> list[str]:
    lines = await DatabaseFacts(database).lines(("", 0), 100)
    return [line.line.split(b'"kind":"')[1].split(b'"')[0].decode() for line in lines]


def test_an_absence_is_kept_until_it_is_over_and_ended_once(run: Run) -> None:
    async def story(database: Database) -> None:
        absences = DatabaseAbsences(database)
        await absences.add(AWAY, AbsenceDeclared.of(AWAY), NOW)
        later = replace(AWAY, id="abs_2", deputy="", until=NOW + 60.0)
        await absences.add(later, AbsenceDeclared.of(later), NOW)
        assert (await absences.one("abs_1"), await absences.one("none")) == (AWAY, None)
        assert await absences.open(NOW) == [later, AWAY]
        assert await absences.open(NOW + 60.0) == [AWAY]
        ended = await asyncio.gather(*(absences.end("abs_1", GONE, NOW + 5) for _ in range(3)))
        assert sorted(ended) == [False, False, True]
        assert not await absences.end("abs_2", GONE, NOW + 60.0)
        assert await absences.open(NOW + 60.0) == []
        assert await kinds(database) == ["absence-declared", "absence-declared", "absence-ended"]

    run(story)


def test_a_choice_is_kept_whole_until_it_is_over_and_ended_once(run: Run) -> None:
    async def story(database: Database) -> None:
        choices = DatabaseChoices(database)
        record = proposed("apr_1", proposal({"a": [1, None], "b": "é"}, Approval.CONFIRM), (), NOW)
        kept = choice_of(record, "cho_1", ("b",), NOW, LONGEST_S)
        newer = replace(kept, id="cho_2", created_at=NOW + 1)
        for each in (kept, newer, replace(kept, id="cho_3", person="bob")):
            await choices.add(each, ChoiceRemembered.of(each, "web"), NOW)
        assert await choices.of("alice", NOW) == [newer, kept]
        assert await choices.of("alice", NOW + LONGEST_S) == []
        fact = ChoiceEnded("cho_1", "alice", "revoked", "alice")
        ended = await asyncio.gather(*(choices.end("cho_1", fact, NOW) for _ in range(3)))
        assert sorted(ended) == [False, False, True]
        assert not await choices.end("cho_2", fact, NOW + LONGEST_S)
        assert [each.id for each in await choices.of("alice", NOW)] == ["cho_2"]
        assert await kinds(database) == [*["choice-remembered"] * 3, "choice-ended"]

    run(story)


def test_a_broken_glass_waits_for_its_review_and_its_reminder_is_taken_back(run: Run) -> None:
    async def story(database: Database) -> None:
        store = DatabaseApprovals(database, ApprovalNews(MemoryIds(), "https://p.example", ("ads",)))
        desk = replace(desk_over(store), limits=ApprovalLimits(break_glass=frozenset({"data-eng"})))
        asked = await ask_approval(proposal(approval=Approval.FOUR_EYES), desk)
        await ask_approval(proposal({"table": "other"}), desk)
        answer = Answer("", "it burns", "web", asked.proposal.digest)
        broken = await break_glass(asked.id, answer, person("gina"), desk)
        assert await store.one(asked.id) == broken
        waiting = ApprovalFilter(Everyone(), to_review=True)
        assert [each.id for each in await store.listed(waiting)] == [asked.id]
        await review_glass(asked.id, answer, person("bob"), frozenset({"ads"}), desk)
        assert await store.listed(waiting) == []
        assert len(await store.listed(ApprovalFilter(Everyone(), since=asked.created_at))) == 2
        assert await store.listed(ApprovalFilter(Everyone(), since=asked.created_at + 3600)) == []
        assert (await kinds(database))[2:] == ["glass-broken", "approval-decided"]

    run(story)
