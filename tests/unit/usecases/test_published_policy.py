"""What a registry publishes and serves, move by move: what counts as news, and what is composed of what was signed."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.registry_in_memory import DOCUMENT, FLEET_SNAPSHOT, MANIFEST, OWN, Kept, desk_in_memory

from pierhead.core.errors import Conflict, Invalid
from pierhead.core.server_key import ServerKey
from pierhead.core.snapshot import PolicyText, Snapshot
from pierhead.core.usage import Minutes
from pierhead.core.withdrawal import NOTHING_WITHDRAWN
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.memory_keys import MemoryServerKeys
from pierhead.usecases.ports_catalogue import Origin
from pierhead.usecases.ports_registry import Revision
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_policy import Composition, publish_policy
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.revision_text import Piece, RevisionText, digest_of, policies_text, whole_text
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.trust_fleet import enter_fleet
from pierhead.usecases.wire_forms import manifest_from_form, manifest_to_form, tool_from_form, tool_to_form

pytestmark = pytest.mark.anyio


def numbered(number: int, snapshot: Snapshot = FLEET_SNAPSHOT) -> tuple[Revision, Snapshot]:
    return Revision(number, f"digest-{number}", "{}"), replace(snapshot, revision=number)


def served(*numbers: int) -> ServedPolicy:
    policy = ServedPolicy()
    for number in numbers:
        policy.put(*numbered(number))
    return policy


async def test_an_earlier_revision_and_the_same_again_are_not_served() -> None:
    policy = served(5)
    now = policy.current()
    policy.put(*numbered(4))
    policy.put(*numbered(5, replace(FLEET_SNAPSHOT, servers={})))
    assert policy.current() is now
    policy.put(*numbered(6))
    assert policy.current().revision == 6


async def test_where_a_process_began_is_no_change_and_what_came_after_is() -> None:
    policy = served(5)
    assert policy.changed_since(4) is None
    assert policy.changed_since(5) == {}
    assert policy.changed_since(6) is None
    policy.put(*numbered(6, replace(FLEET_SNAPSHOT, servers={}, rows={})))
    since = policy.changed_since(5)
    assert since is not None
    assert set(since) == {"warehouse"}
    assert policy.changed_since(6) == {}
    assert policy.changed_since(7) is None


async def test_whoever_waits_is_woken_by_a_later_revision_alone() -> None:
    policy = served(5)
    async with asyncio.timeout(5):
        await policy.after(4, 60)
    waiting = asyncio.create_task(policy.after(5, 60))
    await asyncio.sleep(0)
    policy.put(*numbered(5))
    await asyncio.sleep(0)
    assert not waiting.done()
    policy.put(*numbered(6))
    async with asyncio.timeout(5):
        await waiting


async def test_a_later_withdrawal_wakes_who_waits_and_an_earlier_one_is_left_alone() -> None:
    policy = served(5)
    first, second = (replace(NOTHING_WITHDRAWN, version=number) for number in (1, 2))
    waiting = asyncio.create_task(policy.after(5, 60, 0))
    await asyncio.sleep(0)
    assert not waiting.done()
    policy.put_withdrawn(second)
    async with asyncio.timeout(5):
        await waiting
        await policy.after(5, 60, 1)
    assert policy.current().withdrawn == second
    policy.put_withdrawn(first)
    policy.put_withdrawn(replace(second))
    assert policy.current().withdrawn is second
    policy.put(*numbered(6))
    assert policy.current().withdrawn == second, "a revision brings nothing back"
    await policy.after(6, 0.001, 2)


async def test_whoever_names_no_people_is_not_woken_by_what_they_lost() -> None:
    policy = served(5)
    policy.put_withdrawn(replace(NOTHING_WITHDRAWN, version=3))
    waiting = asyncio.create_task(policy.after(5, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    policy.let_go()
    async with asyncio.timeout(5):
        await waiting


async def test_the_next_change_of_the_catalogue_is_waited_for_anew() -> None:
    policy = ServedPolicy()
    policy.note_entries()
    waiting = asyncio.create_task(policy.entries_after(1, 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    policy.note_entries()
    async with asyncio.timeout(5):
        await waiting


async def test_one_server_is_told_of_itself_and_of_company_policies_alone() -> None:
    policies = policies_text((PolicyText("company.cedar", "forbid (principal, action, resource);"),))
    pieces = {name: Piece(f'{{"name":"{name}"}}', "", name) for name in ("a", "b")}
    text = RevisionText()
    text.put(4, "whole", pieces, policies)
    own = {"a": pieces["a"]}
    assert text.of("a") == (digest_of(own, policies), whole_text(4, own, policies))
    assert text.of("c") == (digest_of({}, policies), whole_text(4, {}, policies))
    policy = ServedPolicy()
    policy.put(*numbered(4), pieces)
    told = json.loads(policy.payload_for("a", 7.0))
    assert (told["only"], [each["name"] for each in told["servers"]], told["issued_at"]) == ("a", ["a"], 7.0)


async def test_other_company_policies_are_told_whole_and_so_is_what_nobody_knows() -> None:
    pieces = {str(number): Piece("{}", "", str(number)) for number in range(20)}
    text = RevisionText()
    text.put(1, "one", pieces)
    text.put(2, "two", {**pieces, "0": Piece("{}", "", "other")})
    assert "base" in json.loads(text.since("one"))
    text.put(3, "three", pieces, policies_text((PolicyText("a.cedar", ""),)))
    assert "base" not in json.loads(text.since("two"))
    assert "base" not in json.loads(text.since("")), "nobody holds the revision without a digest"


# -- what is composed of what was signed

SIGNED: Mapping[str, Any] = {**DOCUMENT, "tools": {"narrow": {"policy": "user:bob"}, "read": {"policy": "group:ads"}}}


async def published(document: Mapping[str, Any], now: Mapping[str, Any]) -> RegistryDesk:
    """A server of a registered team: signed under one entry, declared as another since."""
    kept = Kept()
    desk = desk_in_memory(kept)
    await enter_fleet({"warehouse": document}, desk)
    await publish_policy(desk.source, "fleet")
    await publish_manifest("warehouse", MANIFEST, desk)
    catalogue = desk.catalogue
    assert isinstance(catalogue, MemoryCatalogue)
    entry = catalogue.kept_entries["warehouse"]
    catalogue.kept_entries["warehouse"] = replace(entry, document=now)
    strict = replace(desk.source, trusts_fleet=False)
    await publish_policy(strict, "fleet")
    return desk


def narrowings(desk: RegistryDesk) -> dict[str, str]:
    tools = desk.served.current().servers["warehouse"].tools
    return {name: str(tool.narrowed) for name, tool in tools.items() if tool.narrowed is not None}


@pytest.mark.parametrize(
    ("since", "holds"),
    [
        ({"narrow": "user:bob", "read": "group:ads"}, {"narrow": "user:bob", "read": "group:ads"}),
        ({"narrow": "nobody", "read": "group:ads"}, {"narrow": "nobody", "read": "group:ads"}),
        ({"narrow": "everyone", "read": "group:ads"}, {"narrow": "user:bob", "read": "group:ads"}),
        ({"narrow": "user:bob"}, {"narrow": "user:bob", "read": "group:ads"}),
        (
            {"narrow": "user:bob", "read": "group:ads", "ask": "nobody"},
            {"narrow": "user:bob", "read": "group:ads", "ask": "nobody"},
        ),
    ],
)
async def test_a_narrowing_may_be_tightened_without_a_review_and_never_loosened(
    since: Mapping[str, str], holds: Mapping[str, str]
) -> None:
    tools = {name: {"policy": who} for name, who in since.items()}
    assert narrowings(await published(SIGNED, {**SIGNED, "tools": tools})) == holds


HELP, MORE = {"channels": ["help"]}, {"channels": ["help", "more"]}


@pytest.mark.parametrize(
    ("since", "holds"),
    [
        ({"read": HELP, "ask": HELP}, {"read": ["help"], "ask": ["help"]}),
        ({"read": {"channels": []}, "ask": HELP}, {"read": [], "ask": ["help"]}),
        ({"read": MORE, "ask": HELP}, {"read": ["help"], "ask": ["help"]}),
        ({"read": HELP}, {"read": ["help"], "ask": ["help"]}),
        ({"read": HELP, "ask": HELP, "narrow": HELP}, {"read": ["help"], "ask": ["help"], "narrow": ["help"]}),
    ],
)
async def test_channels_may_be_tightened_without_a_review_and_never_widened(
    since: Mapping[str, Any], holds: Mapping[str, list[str]]
) -> None:
    signed = {**DOCUMENT, "tools": {"read": HELP, "ask": HELP}}
    desk = await published(signed, {**signed, "tools": since})
    tools = desk.served.current().servers["warehouse"].tools.values()
    bounds = {tool.name: tool.narrowed_bounds.channels for tool in tools}
    assert {name: sorted(each) for name, each in bounds.items() if isinstance(each, frozenset)} == holds


async def test_a_server_of_a_team_is_reached_where_it_was_signed_to_be_and_where_the_operator_allows() -> None:
    for hosts, upstream in ((frozenset({"lunch.example"}), OWN["url"]), (frozenset[str](), "")):
        desk = desk_in_memory(Kept())
        await enter_fleet({"lunch": OWN}, desk)
        await publish_policy(desk.source, "fleet")
        await publish_manifest("lunch", MANIFEST, desk)
        assert desk.served.current().servers["lunch"].upstream == OWN["url"], "the operator's own file is believed"
        catalogue = desk.catalogue
        assert isinstance(catalogue, MemoryCatalogue)
        entry = catalogue.kept_entries["lunch"]
        catalogue.kept_entries["lunch"] = replace(entry, origin=Origin.REGISTERED)
        await publish_policy(replace(desk.source, own_hosts=hosts), "fleet")
        assert desk.served.current().servers["lunch"].upstream == upstream


async def test_what_a_process_shows_of_itself_is_where_it_is_reached_and_nowhere_before() -> None:
    desk = desk_in_memory(Kept())
    await enter_fleet({"warehouse": DOCUMENT}, desk)
    await publish_policy(desk.source, "fleet")
    assert desk.served.current().servers["warehouse"].upstream == ""
    await publish_manifest("warehouse", MANIFEST, desk)
    assert desk.served.current().servers["warehouse"].upstream == MANIFEST.upstream


async def test_a_tool_as_signed_takes_its_times_from_the_process_and_one_that_changed_does_not() -> None:
    desk = desk_in_memory(Kept())
    await enter_fleet({"warehouse": DOCUMENT}, desk)
    await publish_policy(desk.source, "fleet")
    await publish_manifest("warehouse", MANIFEST, desk)
    slower = tuple(replace(tool, timeout_s=77.0) for tool in MANIFEST.tools)
    changed = (replace(slower[0], description="another"), *slower[1:])
    await publish_manifest("warehouse", replace(MANIFEST, tools=changed), desk)
    tools = desk.served.current().servers["warehouse"].tools
    assert tools["read"].withheld != ""
    assert (tools["read"].timeout_s, tools["ask"].timeout_s) == (MANIFEST.tools[0].timeout_s, 77.0)
    assert tools["ask"].withheld == ""


async def test_an_estimate_is_as_old_as_its_version_whatever_the_process_says() -> None:
    desk = desk_in_memory(Kept(), clock=MemoryClock(1000.0))
    await enter_fleet({"warehouse": DOCUMENT}, desk)
    await publish_policy(desk.source, "fleet")
    await publish_manifest("warehouse", MANIFEST, desk)
    younger = tuple(replace(tool, minutes=Minutes(9, 5, 20, "timed", stated_at=9e9)) for tool in MANIFEST.tools)
    await publish_manifest("warehouse", replace(MANIFEST, tools=younger), desk)
    told = desk.served.current().servers["warehouse"].tools["ask"].minutes
    assert told == Minutes(9, 5, 20, "timed", stated_at=1000.0)


def test_a_manifest_dates_no_estimate_and_a_snapshot_does() -> None:
    dated = replace(MANIFEST.tools[0], minutes=Minutes(9, 5, 20, "timed", stated_at=1000.0))
    assert tool_from_form(tool_to_form(dated)) == dated
    with pytest.raises(Invalid, match="no range from low over mode to high"):
        tool_from_form(tool_to_form(replace(dated, minutes=replace(dated.minutes, low=-1.0))))
    told = manifest_from_form(manifest_to_form(replace(MANIFEST, tools=(dated,))))
    assert told.tools[0].minutes == Minutes(9, 5, 20, "timed")


async def test_a_server_says_what_its_entry_says_and_else_what_its_process_does() -> None:
    told = replace(MANIFEST, description="what the process says")
    for declared, shown in (("Flights", "Flights"), ("", "what the process says")):
        desk = desk_in_memory(Kept())
        await enter_fleet({"warehouse": {**DOCUMENT, "description": declared}}, desk)
        await publish_policy(desk.source, "fleet")
        await publish_manifest("warehouse", told, desk)
        assert desk.served.current().servers["warehouse"].description == shown


# -- what is composed again


async def test_one_server_composed_again_leaves_when_its_entry_does_and_is_readable_once_it_is() -> None:
    desk = desk_in_memory(Kept())
    await enter_fleet({"warehouse": DOCUMENT, "other": DOCUMENT}, desk)
    await publish_policy(desk.source, "fleet")
    catalogue = desk.catalogue
    assert isinstance(catalogue, MemoryCatalogue)
    entry = catalogue.kept_entries["warehouse"]
    catalogue.kept_entries["warehouse"] = replace(entry, document={"owner": "x"})
    await publish_policy(desk.source, "fleet", ("warehouse",))
    assert set(desk.served.current().servers) == {"other"}
    assert set(desk.source.composition.unreadable) == {"warehouse"}
    catalogue.kept_entries["warehouse"] = entry
    await publish_policy(desk.source, "fleet", ("warehouse",))
    assert set(desk.served.current().servers) == {"other", "warehouse"}
    assert desk.source.composition.unreadable == {}
    del catalogue.kept_entries["warehouse"]
    await publish_policy(desk.source, "fleet", ("warehouse",))
    assert set(desk.served.current().servers) == {"other"}


async def test_a_servers_own_key_is_part_of_what_is_published() -> None:
    for servers in (None, ("warehouse",)):
        desk = desk_in_memory(Kept())
        await enter_fleet({"warehouse": DOCUMENT, "other": DOCUMENT}, desk)
        await publish_policy(desk.source, "fleet")
        await publish_manifest("warehouse", MANIFEST, desk)
        await publish_manifest("other", MANIFEST, desk)
        assert desk.served.current().servers["warehouse"].key == ""
        keys = desk.source.keys
        assert isinstance(keys, MemoryServerKeys)
        keys.kept["warehouse"] = ServerKey("warehouse", "key-1", "", 1000.0, "wanda")
        await publish_policy(desk.source, "fleet", servers)
        found = desk.served.current().servers
        assert (found["warehouse"].key, found["other"].key) == ("key-1", "")


async def test_the_first_change_of_a_process_publishes_every_server_and_not_the_one_that_changed() -> None:
    kept = Kept()
    first = desk_in_memory(kept)
    await enter_fleet({"warehouse": DOCUMENT, "other": DOCUMENT}, first)
    await publish_policy(first.source, "fleet")
    second = replace(first, source=replace(first.source, composition=Composition(), served=ServedPolicy()))
    await publish_policy(second.source, "fleet", ("warehouse",))
    assert set(second.source.served.current().servers) == {"other", "warehouse"}


async def test_two_numbers_may_be_lost_to_another_registry_and_no_more() -> None:
    desk = desk_in_memory(Kept(taken=2))
    await enter_fleet({"warehouse": DOCUMENT}, desk)
    assert (await publish_policy(desk.source, "fleet")).number == 3
    desk = desk_in_memory(Kept(taken=3))
    await enter_fleet({"warehouse": DOCUMENT}, desk)
    with pytest.raises(Conflict):
        await publish_policy(desk.source, "fleet")


async def test_after_another_registry_published_a_revision_is_kept_whole() -> None:
    """What this process published before is no ground that the other's followers stand on."""
    kept = Kept()
    desk = desk_in_memory(kept)
    await enter_fleet({"warehouse": DOCUMENT, "other": DOCUMENT}, desk)
    await publish_policy(desk.source, "fleet")
    await publish_manifest("warehouse", MANIFEST, desk)
    assert "base" in json.loads(kept.revisions[-1].document)
    kept.taken = 1
    await publish_manifest("other", MANIFEST, desk)
    assert "base" not in json.loads(kept.revisions[-1].document)
