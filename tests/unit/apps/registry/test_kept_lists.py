"""What lists keep from one policy to the next: always what they would say if they kept nothing."""

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.searching import examples
from tests.unit.registry_in_memory import FLEET_SNAPSHOT, somebody

from pierhead.apps.registry.web.known_servers import KnownServers
from pierhead.apps.registry.web.may_call import CallableTools
from pierhead.core.catalog import Server, Stage, Tool
from pierhead.core.identity import Caller, parties
from pierhead.core.policy import Match, Question, RuleEffect
from pierhead.core.reach import Row
from pierhead.core.rule import NOBODY, parse_who
from pierhead.core.snapshot import EMPTY, PolicyText, Snapshot
from pierhead.usecases.memory import MemorySnapshots
from pierhead.usecases.memory_catalogue import MemoryCatalogue

WAREHOUSE = FLEET_SNAPSHOT.servers["warehouse"]
TOOLS = list(WAREHOUSE.tools.values())
ROW = replace(FLEET_SNAPSHOT.rows["warehouse"][0], surfaces=frozenset({"web"}))
NAMES = ["a", "b", "c"]
PEOPLE = [somebody("alice"), somebody("bob"), somebody("frank")]


def server(name: str, tools: int, stage: Stage) -> Server:
    return replace(WAREHOUSE, name=name, stage=stage, tools={tool.name: tool for tool in TOOLS[:tools]})


def row(name: str, group: str) -> Row:
    return replace(ROW, server=name, who=parse_who(f"group:{group}"))


def moved(before: Snapshot, name: str, asked: tuple[str, int, Stage]) -> Snapshot:
    """The next revision, in which one server is another, or gone; the others are the very same values."""
    group, tools, stage = asked
    servers = {key: value for key, value in before.servers.items() if key != name}
    rows = {key: value for key, value in before.rows.items() if key != name}
    if tools:
        servers[name] = server(name, tools, stage)
        rows[name] = (row(name, group),)
    return Snapshot(before.revision + 1, servers, rows)


class NothingForAnybody:
    """Company policies that forbid all use."""

    texts = (PolicyText("nothing.cedar", "forbid (principal, action, resource);"),)
    named = NOBODY

    def matches(self, caller: Caller, question: Question, server: Server, tool: Tool | None) -> tuple[Match, ...]:
        return tuple(
            Match(RuleEffect.FORBID, question, party, "nothing", "nobody may do anything")
            for party in parties(caller.principal)
        )


@examples(60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.tuples(
                st.sampled_from(["data-eng", "ads"]),
                st.integers(0, len(TOOLS)),
                st.sampled_from([Stage.DEPLOYED, Stage.SUSPENDED]),
            ),
            st.sampled_from(PEOPLE),
        ),
        min_size=1,
        max_size=10,
    )
)
def test_what_is_kept_of_a_list_is_what_it_would_be_afresh(
    steps: list[tuple[str, tuple[str, int, Stage], object]],
) -> None:
    async def story() -> None:
        kept_tools, kept_servers, snapshot = CallableTools(), KnownServers(), EMPTY
        for name, asked, viewer in steps:
            snapshot = moved(snapshot, name, asked)
            snapshots = MemorySnapshots(snapshot)
            for person in PEOPLE:
                if person is viewer:  # the others look later, over several changes at once
                    assert kept_tools.counts(person, snapshots) == CallableTools().counts(person, snapshots)
            known = await kept_servers.all(snapshot, MemoryCatalogue(), now=0)
            assert known == await KnownServers().all(snapshot, MemoryCatalogue(), now=0)
        last = MemorySnapshots(snapshot)
        for person in PEOPLE:
            assert kept_tools.counts(person, last) == CallableTools().counts(person, last)

    asyncio.run(story())


def test_a_right_that_was_taken_away_is_not_counted_any_longer() -> None:
    kept, alice = CallableTools(), somebody("alice")
    before = moved(moved(EMPTY, "a", ("data-eng", 1, Stage.DEPLOYED)), "b", ("data-eng", 1, Stage.DEPLOYED))
    assert kept.counts(alice, MemorySnapshots(before)) == {"a": 1, "b": 1}
    after = Snapshot(before.revision + 1, before.servers, {**before.rows, "a": (row("a", "ads"),)})
    assert kept.counts(alice, MemorySnapshots(after)) == {"b": 1}
    closed = replace(after, policies=NothingForAnybody())
    assert kept.counts(alice, MemorySnapshots(closed)) == {}
