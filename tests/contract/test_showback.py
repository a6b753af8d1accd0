"""Who called with which groups, and what was answered: the database and the memory tell the same."""

from dataclasses import replace

from tests.contract.conftest import Run
from tests.contract.test_database import NOW, Writer, finished
from tests.contract.test_time_saved import ROBOT, begun

from pierhead.adapters.db import Database, DatabaseFacts, DatabaseRecords
from pierhead.core.audit import Actor, CallRefused
from pierhead.core.showback import CallerCost, Share, TeamCost, showback
from pierhead.usecases.memory_records import MemoryRecords
from pierhead.usecases.ports_records import Filter
from pierhead.usecases.ship_facts import take_facts


def person(name: str, *groups: str) -> Actor:
    return Actor(name, name, "", groups, "ide", "local")


CALLS = (
    begun("a1", actor=person("alice", "data-eng", "staff")),
    begun("a2", actor=person("alice", "data-eng", "staff")),
    begun("a3", actor=person("alice", "naïve team", "staff")),
    begun("b1", actor=person("bob")),
    begun("r1", actor=replace(ROBOT, groups=())),
    begun("e1", actor=person("alice", "data-eng"), server="elsewhere"),
)
REFUSED = CallRefused("x1", person("carol", "data-eng"), "warehouse", "run_query", "", "", "d", "cannot-use", "no", ())
TOLD = {
    CallerCost("alice", frozenset({"data-eng", "staff"}), 2, 6),
    CallerCost("alice", frozenset({"naïve team", "staff"}), 1, 3),
    CallerCost("bob", frozenset(), 1, 3),
    CallerCost("", frozenset(), 1, 3),
}


def test_callers_are_told_by_their_groups_when_they_called(run: Run) -> None:
    async def story(database: Database) -> None:
        lines = Writer().lines(*(fact for each in CALLS for fact in (each, finished(each.call_id))), REFUSED, at=NOW)
        await take_facts("server-warehouse", lines, DatabaseFacts(database))
        kept = DatabaseRecords(database)
        rows = list(await kept.calls(Filter(since=0)))
        assert {row.call_id: row.groups for row in rows if row.call_id in {"a1", "x1"}} == {
            "a1": ("data-eng", "staff"),
            "x1": (),
        }
        for records in (kept, MemoryRecords(rows)):
            found = await records.callers_of("warehouse", 0)
            assert (len(found), set(found)) == (4, TOLD)
            assert await records.callers_of("warehouse", NOW + 1) == []
            assert showback(found, ["data-eng"]) == (TeamCost(Share.EVERYONE, "", 5, None, 15),)
            assert sum(each.result_tokens for each in found) == (await records.use_of("warehouse", 0)).result_tokens

    run(story)
