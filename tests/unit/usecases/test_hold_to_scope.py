"""A token that is good for less: refused once policy permits, and on record; what is hidden stays hidden."""

from dataclasses import replace

import pytest
from tests.unit.samples import ALICE, ISSUER, ROW, TOOL, call, server
from tests.unit.samples import caller as somebody

from pierhead.core.audit import CallRefused
from pierhead.core.catalog import Discovery, Effect
from pierhead.core.errors import Forbidden, NotFound, PolicyExpired
from pierhead.core.identity import Caller, User
from pierhead.core.rule import parse_who
from pierhead.core.scope import WHOLE, ScopeMissing
from pierhead.core.snapshot import Stale
from pierhead.usecases.hold_to_scope import hold_call, hold_read
from pierhead.usecases.match_rules import REACH_AND_USE, SnapshotRules
from pierhead.usecases.memory import MemoryAudit, MemorySnapshots, snapshot_of

pytestmark = pytest.mark.anyio

DROP = replace(TOOL, name="drop", effect=Effect.DESTRUCTIVE)
SECRET = replace(TOOL, name="secret", effect=Effect.WRITE, policy=parse_who("group:legal"))
CHANGED = replace(TOOL, name="changed", effect=Effect.WRITE, withheld="it is not what was signed")
MALLORY = User(ISSUER, "mallory", frozenset())


class World:
    def __init__(self, **changes: object) -> None:
        on = server(TOOL, DROP, SECRET, CHANGED, **changes)
        self.snapshots = MemorySnapshots(snapshot_of([on], [ROW]))
        self.rules = SnapshotRules(self.snapshots, REACH_AND_USE)
        self.audit = MemoryAudit()

    async def called(self, tool: str, *scopes: str, by: User = ALICE) -> None:
        await hold_call(call(tool), held(by, *scopes), self.snapshots, self.rules, self.audit)

    async def read(self, *scopes: str, by: User = ALICE) -> None:
        await hold_read(call("resources/read"), held(by, *scopes), self.snapshots, self.rules, self.audit)

    def codes(self) -> list[str]:
        return [fact.code for fact in self.audit.facts if isinstance(fact, CallRefused)]


def held(user: User, *scopes: str) -> Caller:
    return replace(somebody(user), scopes=frozenset(scopes))


@pytest.mark.parametrize(
    ("tool", "scopes"),
    [
        ("run_query", ("warehouse.read",)),
        ("drop", ("warehouse.write",)),
        ("drop", ("mcp.write",)),
        ("drop", tuple(WHOLE)),
        ("secret", tuple(WHOLE)),
        ("no such tool", ()),
    ],
)
async def test_what_the_scopes_reach_goes_on_and_leaves_no_record_here(tool: str, scopes: tuple[str, ...]) -> None:
    world = World()
    await world.called(tool, *scopes)
    assert world.audit.facts == []


async def test_a_tool_beyond_the_scopes_is_refused_on_record_with_its_reasons() -> None:
    world = World()
    with pytest.raises(ScopeMissing) as refused:
        await world.called("drop", "warehouse.read", "other.write")
    assert refused.value.needed == "other.write warehouse.read warehouse.write"
    fact = world.audit.facts[0]
    assert isinstance(fact, CallRefused)
    assert (fact.code, fact.tool, fact.revision > 0) == ("insufficient-scope", "drop", True)
    assert fact.reasons


async def test_a_hidden_tool_reads_as_absent_whatever_the_token() -> None:
    world = World()
    for scopes in ((), ("warehouse.read",), ("other.write",)):
        with pytest.raises(NotFound) as refused:
            await world.called("secret", *scopes)
        assert (refused.value.code, "scope" in refused.value.message) == ("unknown-tool", False)
    assert world.codes() == ["unknown-tool"] * 3


async def test_policy_speaks_before_the_scope() -> None:
    world = World()
    with pytest.raises(Forbidden) as withheld:
        await world.called("changed", "warehouse.read")
    assert withheld.value.code == "definition_drift"
    for reading in (world.called("drop", by=MALLORY), world.read(by=MALLORY)):
        with pytest.raises(Forbidden) as refused:
            await reading
        assert refused.value.code == "cannot-reach"
    gated = World(discovery=Discovery.GATED)
    with pytest.raises(NotFound):
        await gated.called("drop", by=MALLORY)
    assert world.codes() == ["definition_drift", "cannot-reach", "cannot-reach"]


async def test_a_stale_policy_is_told_before_the_scope() -> None:
    world = World()
    world.snapshots.how_old = Stale(61)
    with pytest.raises(PolicyExpired):
        await world.called("drop")


async def test_a_server_that_is_not_there_is_left_to_the_call() -> None:
    world = World()
    await hold_call(replace(call(), server="nothing"), held(ALICE), world.snapshots, world.rules, world.audit)
    assert world.audit.facts == []


async def test_content_is_read_with_the_scope_to_read() -> None:
    world = World()
    await world.read("warehouse.read")
    with pytest.raises(ScopeMissing) as refused:
        await world.read("warehouse.write")
    assert refused.value.needed == "warehouse.read warehouse.write"
    assert world.codes() == ["insufficient-scope"]
