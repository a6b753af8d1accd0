"""Whose a server is, by the policy in force."""

from dataclasses import replace

from tests.unit.samples import ALICE, ISSUER, ROW, SERVER, TOOL, caller

from pierhead.core.catalog import Discovery, Server, Stage
from pierhead.core.identity import User
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.tell_owners import NoOwners, OwnedServer, OwnersInForce
from pierhead.usecases.wire_forms import server_from_form, server_to_form

STRANGER = User(ISSUER, "zoe", frozenset({"guests"}))
NIGHT = replace(SERVER, title="The Warehouse", on_call="oncall:data")
TOLD = [OwnedServer("warehouse", "data-platform", SERVER.support, "oncall:data")]


def owners(server: Server) -> OwnersInForce:
    return OwnersInForce(MemorySnapshots(snapshot_of([server], [ROW])))


def test_a_server_is_known_by_its_name_its_title_and_its_tools_however_they_are_spelt() -> None:
    known = owners(NIGHT)
    for thing in ("warehouse", "WAREHOUSE", "the warehouse", TOOL.name):
        assert known.of(thing, caller(ALICE)) == TOLD
    for thing in ("ware", "data-platform"):
        assert known.of(thing, caller(ALICE)) == []
    assert owners(replace(NIGHT, title="")).of("", caller(ALICE)) == []


def test_what_is_withheld_or_not_live_names_nobody() -> None:
    withheld = replace(NIGHT, tools={TOOL.name: replace(TOOL, withheld="it changed")})
    assert owners(withheld).of(TOOL.name, caller(ALICE)) == []
    assert owners(replace(NIGHT, stage=Stage.SUSPENDED)).of("warehouse", caller(ALICE)) == []


def test_a_gated_server_has_no_owner_for_those_who_may_not_know_of_it() -> None:
    gated = owners(replace(NIGHT, discovery=Discovery.GATED))
    assert gated.of("warehouse", caller(ALICE)) == TOLD
    assert gated.of("warehouse", caller(STRANGER)) == gated.of("nothing", caller(STRANGER)) == []


def test_whom_to_call_at_night_goes_with_the_policy() -> None:
    assert server_from_form(server_to_form(NIGHT)) == NIGHT


def test_where_nobody_knows_of_servers_nobody_is_named() -> None:
    assert NoOwners().of("warehouse", caller(ALICE)) == ()
