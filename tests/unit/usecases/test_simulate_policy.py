"""A proposed policy against the one in force: recorded calls, people, and what the record cannot tell."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.registry_in_memory import Kept, desk_in_memory, manifest_of
from tests.unit.samples import ALICE, ROBOT, TOOL, caller

from pierhead.adapters.cedar import CedarPolicies
from pierhead.bootstrap.entries import EntryDeclarations
from pierhead.core.catalog import Step
from pierhead.core.errors import Invalid
from pierhead.core.identity import Caller, User
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import NO_POLICIES, Age, PolicyText, Snapshot
from pierhead.core.workload import Registration
from pierhead.usecases import simulate_policy
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.memory_records import MemoryRecords
from pierhead.usecases.ports_records import CallRow, KeptFact
from pierhead.usecases.propose_policy import Proposal, propose_policy
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_policy import PolicySource, publish_policy
from pierhead.usecases.simulate_policy import Known, Moved, Progress, Sides, Simulation, recorded, simulate
from pierhead.usecases.trust_fleet import enter_fleet

pytestmark = pytest.mark.anyio

NOW = 1_795_000_000.0
WAREHOUSE: dict[str, Any] = {
    "kind": "sql",
    "url": "sqlite:///w.db",
    "owner": "data-platform",
    "support": "#data-help",
    "access": {"groups": ["data-eng"], "workloads": [ROBOT]},
    "roles": {"analyst": {"tables": ["flights"], "operations": ["read"]}},
}
CLOCK: dict[str, Any] = {
    "kind": "stdio",
    "command": ["sh"],
    "owner": "platform",
    "support": "#help",
    "access": "everyone",
    "tools": {"now": {"policy": "everyone", "effect": "read", "minutes_saved": 1}},
}
TAKES = {"type": "object", "properties": {"limit": {"type": "integer"}}}
OPEN = replace(TOOL, policy=parse_who(f"everyone or workload:{ROBOT}"), input_schema=TAKES)
PEOPLE = {"alice": frozenset({"data-eng"}), "bob": frozenset({"ads"})}
AT = caller(ALICE)
REGISTERED = {ROBOT: Registration("agent", "production")}


async def in_force(*, stops_the_clock: bool = False) -> PolicySource:
    """Two servers of a fleet, deployed: a warehouse with one tool, a guest with one."""
    desk = desk_in_memory(Kept())
    desk = replace(desk, source=replace(desk.source, declarations=EntryDeclarations()))
    await enter_fleet({"warehouse": WAREHOUSE, "clock": CLOCK}, desk)
    await publish_policy(desk.source, "fleet")
    await publish_manifest("warehouse", manifest_of(OPEN), desk)
    await publish_manifest("clock", manifest_of(replace(OPEN, name="now", policy=parse_who("everyone"))), desk)
    if stops_the_clock:
        frank = caller(User("https://issuer.example", "frank", frozenset({"platform-admin"})))
        await take_step(StepAsked("clock", "1", Step.SUSPEND, "it errs"), frank, desk)
    return desk.source


def row(principal: str = "alice", server: str = "warehouse", tool: str = "run_query", **changes: Any) -> CallRow:
    plain: dict[str, Any] = {"at": NOW, "effect": "read", "client": "c", "decision": "permit", "outcome": "ok"}
    plain |= {"sentence": "", "duration_ms": 1.0, "minutes": 6, "call_id": f"{principal}-{server}-{tool}"}
    return CallRow(principal=principal, server=server, tool=tool, **{**plain, **changes})


def known(after: Mapping[str, frozenset[str]] = PEOPLE, *workloads: str) -> Known:
    return Known(PEOPLE, after, frozenset(workloads), REGISTERED)


async def simulated(
    documents: Mapping[str, Any],
    *rows: CallRow,
    who: Known | None = None,
    kept: Mapping[str, tuple[KeptFact, ...]] | None = None,
    at: Caller = AT,
) -> Simulation:
    source, people = await in_force(), who or known()
    proposal = await propose_policy(documents, source)
    replay = await recorded(MemoryRecords(list(rows), dict(kept or {})), NOW - 60, documents, people)
    return simulate(replay, people, Sides(source.served, proposal, at))


def told(found: Simulation) -> list[tuple[str, Moved, int]]:
    return [(each.who, each.moved, each.calls) for each in found.changes]


async def test_a_policy_that_says_the_same_changes_nothing() -> None:
    found = await simulated({"warehouse": WAREHOUSE}, row(), row("bob"), row(ROBOT))
    assert (found.judged, found.changes, found.reach, found.unjudged, found.is_cut) == (3, (), (), (), False)


async def test_who_called_and_could_no_longer_is_told_with_their_calls() -> None:
    found = await simulated({"warehouse": {**WAREHOUSE, "access": "group:ads"}}, row(), row(call_id="2"), row(ROBOT))
    assert told(found) == [("alice", Moved.LOSES, 2), (ROBOT, Moved.LOSES, 1)]
    assert found.changes[0].why == "no rule lets alice reach it as a person"
    assert found.changes[0].last_at == NOW


async def test_who_was_refused_and_would_be_let_through_gains() -> None:
    found = await simulated({"warehouse": {**WAREHOUSE, "access": "everyone"}}, row("bob", decision="refuse"))
    assert told(found) == [("bob", Moved.GAINS, 1)]


async def test_whoever_would_newly_reach_a_tool_is_told_though_they_never_called() -> None:
    found = await simulated({"warehouse": {**WAREHOUSE, "access": "everyone"}})
    assert [(each.who, each.tool, each.moved, each.calls) for each in found.reach] == [
        ("bob", "run_query", Moved.GAINS, 0)
    ]


async def test_a_workload_that_loses_its_row_is_told() -> None:
    documents = {"warehouse": {**WAREHOUSE, "access": {"groups": ["data-eng"]}}}
    found = await simulated(documents, who=known(PEOPLE, ROBOT))
    assert [(each.who, each.moved) for each in found.reach] == [(ROBOT, Moved.LOSES)]


PRODUCTION = {"warehouse": {**WAREHOUSE, "access": {"workloads": [ROBOT], "environments": ["production"]}}}


@pytest.mark.parametrize(("environment", "moved"), [("production", []), ("experimental", [Moved.LOSES])])
async def test_a_workload_stands_in_its_own_environment_and_not_in_the_askers(
    environment: str, moved: list[Moved]
) -> None:
    who = replace(known(PEOPLE, ROBOT), registered={ROBOT: Registration("agent", environment)})
    found = await simulated(PRODUCTION, row(ROBOT), row(f"alice via {ROBOT}"), who=who)
    assert [each.moved for each in found.changes if each.who == ROBOT] == moved
    assert [each.moved for each in found.reach if each.who == ROBOT] == moved
    assert [(each.who, each.moved) for each in found.changes if "via" in each.who] == [
        (f"alice via {ROBOT}", Moved.LOSES)
    ]


async def test_a_workload_that_nobody_registered_is_not_judged() -> None:
    who = replace(known(PEOPLE, ROBOT), registered={})
    found = await simulated(PRODUCTION, row(ROBOT), row(f"alice via {ROBOT}"), row(), who=who)
    assert (found.judged, {each.who for each in (*found.changes, *found.reach)}) == (1, {"alice"})
    assert [(each.what, each.calls) for each in found.unjudged] == [(ROBOT, 2), (ROBOT, 0)]
    assert all("not registered" in each.why for each in found.unjudged)


async def test_what_widens_stands_first_and_then_the_busiest() -> None:
    rows = (row(), row("bob", decision="refuse"), row("bob", decision="refuse", call_id="2"), row(ROBOT))
    found = await simulated({"warehouse": {**WAREHOUSE, "access": "group:ads"}}, *rows, row(ROBOT, call_id="3"))
    assert told(found) == [("bob", Moved.GAINS, 2), (ROBOT, Moved.LOSES, 2), ("alice", Moved.LOSES, 1)]
    assert [each.moved for each in found.reach] == [Moved.GAINS, Moved.LOSES]


async def test_its_progress_can_be_seen_while_it_runs() -> None:
    source, progress = await in_force(), Progress()
    proposal = await propose_policy({"warehouse": {**WAREHOUSE, "access": "everyone"}}, source)
    seen: list[tuple[int, int]] = []

    class Watched:
        def current(self) -> Snapshot:
            return source.served.current()

        def age(self) -> Age:
            seen.append((progress.done, progress.total))
            return source.served.age()

    replay = await recorded(MemoryRecords([row()]), NOW - 60, ["warehouse"], known())
    simulate(replay, known(), Sides(Watched(), proposal, AT), progress)
    assert (progress.done, progress.total) == (3, 3)
    assert {(0, 3), (1, 3), (2, 3)} <= set(seen)


async def test_a_person_through_a_workload_is_judged_as_both() -> None:
    documents = {"warehouse": {**WAREHOUSE, "access": {"groups": ["data-eng"]}}}
    found = await simulated(documents, row(f"alice via {ROBOT}"))
    assert told(found) == [(f"alice via {ROBOT}", Moved.LOSES, 1)]


async def test_a_tool_that_would_ask_and_one_that_would_ask_no_more_are_told_apart() -> None:
    tool = {"policy": "everyone", "effect": "read", "minutes_saved": 1, "approval": "approve"}
    asking = {"clock": {**CLOCK, "tools": {"now": tool}}}
    found = await simulated(asking, row(server="clock", tool="now"))
    assert told(found) == [("alice", Moved.ASKS, 1)]
    source, uses = await in_force(), MemoryRecords([row(server="clock", tool="now")])
    asks = await propose_policy(asking, source)
    as_it_is = replace(asks, snapshot=source.served.current())
    found = simulate(await recorded(uses, 0, asking, known()), known(), Sides(asks, as_it_is, AT))
    assert told(found) == [("alice", Moved.ASKS_NO_MORE, 1)]


async def test_a_tool_that_would_ask_somebody_else_is_told_apart() -> None:
    def asking(whom: str) -> dict[str, Any]:
        tool = {"policy": "everyone", "effect": "read", "minutes_saved": 1, "approval": whom}
        return {"clock": {**CLOCK, "tools": {"now": tool}}}

    source, uses = await in_force(), MemoryRecords([row(server="clock", tool="now")])
    own, others = await propose_policy(asking("confirm"), source), await propose_policy(asking("approve"), source)
    replay = await recorded(uses, 0, asking("approve"), known())
    assert told(simulate(replay, known(), Sides(own, others, AT))) == [("alice", Moved.ASKS_MORE, 1)]
    less = simulate(replay, known(), Sides(others, own, AT))
    assert told(less) == [("alice", Moved.ASKS_LESS, 1)]
    assert (less.changes[0].before, less.changes[0].after) == ("approval (approve)", "approval (confirm)")


async def test_a_tool_that_a_guests_entry_no_longer_names_is_lost_and_a_new_one_gained() -> None:
    tools = {"later": {"policy": "group:ads", "effect": "read", "minutes_saved": 1}}
    found = await simulated({"clock": {**CLOCK, "tools": tools}}, row(server="clock", tool="now"))
    assert told(found) == [("alice", Moved.LOSES, 1)]
    assert ("bob", "later", Moved.GAINS) in [(each.who, each.tool, each.moved) for each in found.reach]


async def test_people_who_change_groups_are_judged_on_every_server() -> None:
    after = {**PEOPLE, "bob": frozenset({"data-eng"}), "zoe": frozenset({"ads"})}
    found = await simulated({}, row("bob"), who=known(after))
    assert told(found) == [("bob", Moved.GAINS, 1)]
    assert {(each.who, each.server) for each in found.reach} == {("bob", "warehouse")}


async def test_a_stranger_has_the_groups_of_their_last_call() -> None:
    actor = {"actor": {"person": "zoe", "groups": ["data-eng"]}}
    facts = (KeptFact("w", 1, NOW, "h", {"kind": "other"}), KeptFact("w", 2, NOW, "h", actor))
    documents = {"warehouse": {**WAREHOUSE, "access": "group:ads"}}
    found = await simulated(documents, row("zoe"), kept={"zoe-warehouse-run_query": facts})
    assert told(found) == [("zoe", Moved.LOSES, 1)]


async def test_calls_of_a_person_whose_groups_nobody_knows_are_not_judged() -> None:
    found = await simulated({"warehouse": WAREHOUSE}, row("zoe"), row("zoe", tool="other"), row("alice"))
    assert [(each.what, each.calls) for each in found.unjudged] == [("zoe", 2)]
    assert found.judged == 1


async def test_a_person_who_is_no_longer_listed_loses_everything() -> None:
    gone = known({"bob": frozenset({"ads"})})
    found = await simulated({}, row(), row(f"alice via {ROBOT}"), row(server="clock", tool="now"), who=gone)
    assert [each.moved for each in found.changes] == [Moved.LOSES] * 3
    assert {each.why for each in found.changes} == {"nobody is signed in"}
    assert [(each.who, each.server) for each in found.reach] == [("alice", "clock"), ("alice", "warehouse")]


async def test_what_is_decided_on_arguments_is_said_to_be_unknown() -> None:
    roles = {"analyst": {"tables": [], "operations": ["read"]}}
    found = await simulated({"warehouse": {**WAREHOUSE, "roles": roles}}, row(), row("bob"))
    assert [(each.what, each.calls) for each in found.unjudged] == [("warehouse", 2)]
    assert "its roles differ" in found.unjudged[0].why


async def test_conditions_on_arguments_are_not_judged_and_make_nobody_ask() -> None:
    narrowed = {"run_query": {"when": "limit <= 100"}}
    found = await simulated({"warehouse": {**WAREHOUSE, "tools": narrowed}}, row(), row(tool="gone"))
    assert (found.changes, found.reach) == ((), ())
    assert [(each.what, each.calls) for each in found.unjudged] == [("warehouse.run_query", 1)]
    assert "limit <= 100" in found.unjudged[0].why


async def test_calls_of_a_server_that_is_no_longer_there_are_absent_on_both_sides() -> None:
    found = await simulated({}, row(server="gone"), who=known({**PEOPLE, "zoe": frozenset()}))
    assert (found.judged, found.changes) == (1, ())


async def test_a_server_that_is_not_there_yet_is_judged_by_its_access_alone() -> None:
    found = await simulated({"shop": {**WAREHOUSE, "access": "group:ads"}})
    assert [(each.who, each.server, each.tool) for each in found.reach] == [("bob", "shop", "")]
    assert [each.what for each in found.unjudged] == ["shop"]


async def test_a_server_that_was_stopped_stays_stopped() -> None:
    source = await in_force(stops_the_clock=True)
    proposal = await propose_policy({"clock": CLOCK}, source)
    replay = await recorded(MemoryRecords([row(server="clock", tool="now")]), 0, ["clock"], known())
    found = simulate(replay, known(), Sides(source.served, proposal, AT))
    assert (found.changes, found.reach, proposal.untold) == ((), (), ())


async def test_a_narrowing_that_fits_no_tool_is_refused() -> None:
    with pytest.raises(Invalid, match="run_qery"):
        await simulated({"warehouse": {**WAREHOUSE, "tools": {"run_qery": {"policy": "everyone"}}}})


async def test_an_entry_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(Invalid, match="shop"):
        await simulated({"shop": {"kind": "sql"}})


async def test_what_is_too_much_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate_policy, "MOST_DECISIONS", 1)
    found = await simulated({"warehouse": {**WAREHOUSE, "access": "everyone"}})
    assert (found.is_cut, found.reach) == (True, ())
    monkeypatch.setattr(simulate_policy, "MOST_USES", 1)
    replay = await recorded(MemoryRecords([row(), row("bob")]), NOW - 60, ["warehouse"], known())
    assert replay.is_cut
    assert len(replay.uses) == 1


async def test_calls_of_other_servers_and_of_earlier_days_are_not_replayed() -> None:
    rows = [row(server="clock", tool="now"), row(at=NOW - 3600)]
    replay = await recorded(MemoryRecords(rows), NOW - 60, ["warehouse"], known())
    assert replay.uses == ()


async def test_nothing_of_a_simulation_is_in_force_or_kept() -> None:
    source = await in_force()
    before, revision = source.served.current(), await source.policies.latest()
    proposal: Proposal = await propose_policy({"warehouse": {**WAREHOUSE, "access": "nobody"}}, source)
    assert str(proposal.current().rows["warehouse"][0].who) == "nobody"
    assert source.served.current() is before
    assert await source.policies.latest() == revision


FREEZE = '@id("freeze") @sentence("clocks are frozen") forbid (principal, action, resource in Server::"clock");'


async def test_other_company_policies_are_judged_on_every_server_and_kept_nowhere() -> None:
    source = await in_force()
    company = CedarPolicies.read((PolicyText("company.cedar", FREEZE),))
    proposal = await propose_policy({}, source, company)
    assert proposal.servers == ("clock", "warehouse")
    known = Known(PEOPLE, PEOPLE, frozenset())
    replay = await recorded(MemoryRecords([row(server="clock", tool="now"), row()]), NOW - 60, proposal.servers, known)
    found = simulate(replay, known, Sides(source.served, proposal, AT))
    assert [(each.who, each.server, each.moved, each.why) for each in found.changes] == [
        ("alice", "clock", Moved.LOSES, "clocks are frozen")
    ]
    assert {(each.who, each.server, each.moved) for each in found.reach} == {
        ("alice", "clock", Moved.LOSES),
        ("bob", "clock", Moved.LOSES),
    }
    assert source.company is NO_POLICIES
    unchanged = await propose_policy({}, source)
    assert (unchanged.servers, unchanged.current().policies) == ((), NO_POLICIES)
