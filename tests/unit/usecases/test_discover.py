"""Who may know that a server exists."""

from dataclasses import replace

import pytest
from tests.unit.samples import AGENT, ALICE, ISSUER, ROW, SERVER, caller

from pierhead.core.call import Call, Opaque
from pierhead.core.catalog import Discovery
from pierhead.core.errors import Forbidden, NotFound
from pierhead.core.identity import ANONYMOUS, Both, User
from pierhead.core.policy import Refusal, decide
from pierhead.usecases.call_tool import unreachable
from pierhead.usecases.discover import may_know
from pierhead.usecases.explain_decision import explain_to_caller
from pierhead.usecases.list_tools import reachable_server
from pierhead.usecases.match_rules import REACH, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.resolve import live_server, resolve

GATED = replace(SERVER, discovery=Discovery.GATED)
BOB = User(ISSUER, "bob", frozenset({"ads"}))
OWNER = User(ISSUER, "olga", frozenset({"data-platform"}))
SNAPSHOTS = MemorySnapshots(snapshot_of([GATED], [replace(ROW, channels=frozenset({"help"}))]))


def test_an_open_server_is_everyones_to_know() -> None:
    assert may_know(SERVER, caller(BOB), SNAPSHOTS)
    assert may_know(SERVER, caller(AGENT), SNAPSHOTS)


def test_a_gated_server_is_known_to_its_members_wherever_they_ask_and_to_its_owners() -> None:
    assert may_know(GATED, caller(ALICE), SNAPSHOTS)
    assert may_know(GATED, caller(OWNER), SNAPSHOTS)
    for stranger in (BOB, AGENT, Both(ALICE, AGENT), ANONYMOUS):
        assert not may_know(GATED, caller(stranger), SNAPSHOTS)


def test_a_gated_server_reads_as_one_that_is_not_there() -> None:
    with pytest.raises(NotFound) as absent:
        live_server("warehouse", snapshot_of([], []), SNAPSHOTS.age())
    with pytest.raises(NotFound) as hidden:
        reachable_server("warehouse", caller(BOB), SNAPSHOTS, SnapshotRules(SNAPSHOTS, REACH))
    with pytest.raises(NotFound) as explained:
        explain_to_caller(caller(BOB), "warehouse", "", SNAPSHOTS)
    for refused in (hidden, explained):
        assert (refused.value.message, refused.value.hint, refused.value.code) == (
            absent.value.message,
            absent.value.hint,
            absent.value.code,
        )


def test_an_open_server_says_why_it_is_not_reached() -> None:
    for server, kind in ((SERVER, Forbidden), (GATED, NotFound)):
        snapshot = snapshot_of([server], [])
        call = Call("1", "warehouse", "run_query", Opaque("", 0), "", "")
        request = resolve(call, caller(BOB), snapshot, SNAPSHOTS.age())
        refusal = decide(request, (), REACH)
        assert isinstance(refusal, Refusal)
        assert type(unreachable("warehouse", refusal, snapshot)) is kind
