"""A tool whose live definition is not the signed one: hidden, refused, and told to whoever would be permitted."""

from dataclasses import replace

import pytest
from tests.unit.registry_in_memory import DOCUMENT, FLEET_SNAPSHOT, GUEST, TOOLS, Kept, fleet_in_memory, manifest_of

from pierhead.core.call import Call, Opaque
from pierhead.core.catalog import Stage
from pierhead.core.definitions import ChangeClass
from pierhead.core.errors import Forbidden, NotFound
from pierhead.core.identity import Caller, User
from pierhead.core.policy import decide
from pierhead.usecases.call_tool import approve
from pierhead.usecases.compose_policy import notice
from pierhead.usecases.explain_decision import explain_decision, explain_to_caller
from pierhead.usecases.list_tools import list_tools
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, NoApprovals
from pierhead.usecases.ports_catalogue import Origin
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.read_reviews import changes_between, difference, entry_changes
from pierhead.usecases.registry_desk import version_of
from pierhead.usecases.resolve import resolve

pytestmark = pytest.mark.anyio
MAJOR, MINOR, WORDING, PATCH = ChangeClass.MAJOR, ChangeClass.MINOR, ChangeClass.WORDING, ChangeClass.PATCH


def somebody(name: str, group: str) -> Caller:
    return Caller(User("https://sign-in", name, frozenset({group})), "ide", "local", "")


ALICE = somebody("alice", "data-eng")
WAREHOUSE = FLEET_SNAPSHOT.servers["warehouse"]
HELD = replace(WAREHOUSE.tools["read"], withheld="its definition changed after it was reviewed")
BARRED = replace(WAREHOUSE.tools["narrow"], withheld="nobody has reviewed this tool yet")
TOLD = {**WAREHOUSE.tools, "read": HELD, "narrow": BARRED}
SNAPSHOTS = MemorySnapshots(replace(FLEET_SNAPSHOT, servers={"warehouse": replace(WAREHOUSE, tools=TOLD)}))
RULES = SnapshotRules(SNAPSHOTS, REACH_AND_USE)


async def called(tool: str, caller: Caller = ALICE) -> None:
    call = Call("1", "warehouse", tool, Opaque("", 0), "", "")
    request = resolve(call, caller, SNAPSHOTS.current(), SNAPSHOTS.age())
    await approve(decide(request, RULES.matches(request), REACH_AND_USE), call, SNAPSHOTS.current(), NoApprovals())


async def test_a_withheld_tool_is_listed_for_nobody_and_refused_with_its_reason() -> None:
    assert [tool.name for tool in list_tools("warehouse", ALICE, SNAPSHOTS, RULES)] == ["ask"]
    with pytest.raises(Forbidden) as refused:
        await called("read")
    assert (refused.value.code, refused.value.message, refused.value.hint) == (
        "definition_drift",
        "read is withheld: its definition changed after it was reviewed",
        "ask data-platform in #help",
    )


async def test_who_could_not_use_it_anyway_reads_that_it_is_not_there() -> None:
    with pytest.raises(NotFound):
        await called("narrow")
    with pytest.raises(NotFound):
        explain_to_caller(ALICE, "warehouse", "narrow", SNAPSHOTS)


async def test_who_may_not_reach_the_server_reads_only_that() -> None:
    with pytest.raises(Forbidden) as refused:
        await called("read", somebody("bob", "ads"))
    assert refused.value.code == "cannot-reach"


def test_an_explanation_names_the_rule_that_withholds() -> None:
    explained = explain_to_caller(ALICE, "warehouse", "read", SNAPSHOTS)
    assert (explained.decision, explained.code) == ("refuse", "definition_drift")
    assert "warehouse.read.withheld" in [reason.rule for reason in explained.reasons]
    assert explain_decision(ALICE, "warehouse", "ask", SNAPSHOTS).code == ""


@pytest.mark.parametrize(
    ("members", "classes"),
    [
        ({}, set()),
        ({"owner": "x", "support": "y"}, {PATCH}),
        ({"title": "x"}, {WORDING}),
        ({"access": "everyone"}, {MAJOR}),
        ({"command": ["other"], "title": "x", "owner": "y"}, {MAJOR, WORDING, PATCH}),
    ],
)
def test_each_difference_of_an_entry_has_its_class(members: dict[str, object], classes: set[ChangeClass]) -> None:
    assert entry_changes(GUEST, {**GUEST, **members}) == classes  # type: ignore[dict-item]


async def test_a_difference_names_what_was_added_removed_and_changed() -> None:
    before, after = manifest_of(TOOLS[0], TOOLS[1]), manifest_of(replace(TOOLS[0], title="x"), TOOLS[2])
    found = difference(before, after)
    assert ([tool.name for tool in found.added], [tool.name for tool in found.removed]) == (["narrow"], ["ask"])
    assert [(each.name, each.members) for each in found.changed] == [("read", ("title",))]
    assert (found.change, found.before["read"].title, found.after["read"].title) == (MAJOR, "", "x")
    first = difference(None, after)
    assert (first.change, len(first.added), first.instructions) == (ChangeClass.FIRST, 2, ("", ""))


async def test_versions_differ_in_definitions_and_in_what_is_declared() -> None:
    desk = await fleet_in_memory(Kept())
    await publish_manifest("warehouse", manifest_of(*TOOLS), desk)
    version = await version_of("warehouse", "1", desk)
    assert changes_between(None, version) == {ChangeClass.FIRST}
    other = replace(version, manifest=manifest_of(*TOOLS, instructions="x"), document={**DOCUMENT, "url": "x"})
    assert changes_between(version, other) == {WORDING, MAJOR}
    entry = await desk.catalogue.entry("warehouse")
    assert entry is not None
    assert entry.origin is Origin.FLEET


@pytest.mark.parametrize(
    ("message", "successor", "sunset_at", "told"),
    [
        ("", "", None, "deprecated"),
        ("it is old", "", None, "deprecated: it is old"),
        ("", "new", None, "deprecated; use new instead"),
        ("", "", 86_400.0, "deprecated; it ends on 1970-01-02"),
    ],
)
async def test_a_deprecation_is_told_in_one_sentence(
    message: str, successor: str, sunset_at: float | None, told: str
) -> None:
    desk = await fleet_in_memory(Kept())
    await publish_manifest("warehouse", manifest_of(*TOOLS), desk)
    version = await version_of("warehouse", "1", desk)
    ended = replace(version, stage=Stage.DEPRECATED, message=message, successor=successor, sunset_at=sunset_at)
    assert (notice(ended), notice(version)) == (told, "")
