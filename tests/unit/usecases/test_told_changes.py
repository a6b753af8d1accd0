"""A policy told as changes: what a follower holds then is what the registry serves, whatever happened in between."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.searching import examples
from tests.unit.registry_in_memory import DOCUMENT, FLEET_SNAPSHOT, MANIFEST, Kept, desk_in_memory
from tests.unit.usecases.test_policy_changes import Disk, follower

from pierhead.core.errors import Invalid
from pierhead.core.json import Json
from pierhead.core.snapshot import Expired, Snapshot, SnapshotChange
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.ports_registry import Envelope, Revision
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_policy import publish_policy
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.revision_text import Piece, RevisionText, digest_of, whole_text
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.trust_fleet import enter_fleet
from pierhead.usecases.wire_forms import SnapshotReader, change_from_form, row_to_form, server_to_form

NAMES = [f"server-{number}" for number in range(24)]
GROUPS = ["data-eng", "ads", "web"]
WAREHOUSE = FLEET_SNAPSHOT.servers["warehouse"]
ROW = FLEET_SNAPSHOT.rows["warehouse"][0]


def documents(**more: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    return {**dict.fromkeys(NAMES, DOCUMENT), **more}


def open_to(group: str) -> Mapping[str, Json]:
    return {**DOCUMENT, "access": {"groups": [group]}}


async def fleet(kept: Kept) -> RegistryDesk:
    desk = desk_in_memory(kept)
    await enter_fleet(documents(), desk)
    await publish_policy(desk.source, "fleet")
    return desk


def told(served: ServedPolicy, base: str, at: float = 1000) -> Envelope:
    return Envelope(served.payload(at, base), "good")


def is_whole(envelope: Envelope) -> bool:
    return "base" not in json.loads(envelope.payload)


@examples(30)
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([*GROUPS, "unreadable", ""]), st.booleans()), max_size=8)
)
def test_a_follower_holds_what_the_registry_serves_however_many_answers_it_missed(
    changes: list[tuple[str, str, bool]],
) -> None:
    async def story() -> None:
        desk = await fleet(Kept())
        policy = follower(MemoryClock(1000))
        policy.take(told(desk.served, ""))
        for name, group, is_heard in changes:
            document = {"owner": "x"} if group == "unreadable" else open_to(group) if group else DOCUMENT
            await enter_fleet(documents(**{name: document}), desk)
            await publish_policy(desk.source, "fleet", NAMES)
            if is_heard:
                policy.take(told(desk.served, policy.base))
                assert policy.current() == desk.served.current()
                assert list(policy.current().servers) == list(desk.served.current().servers)
        policy.take(told(desk.served, policy.base))
        assert policy.current() == desk.served.current()

    asyncio.run(story())


def test_one_server_that_changed_is_all_that_is_told_and_kept_and_the_others_stay_the_very_same_values() -> None:
    async def story() -> None:
        kept = Kept()
        desk = await fleet(kept)
        disk = Disk()
        policy = follower(MemoryClock(1000), disk)
        policy.take(told(desk.served, ""))
        before = policy.current().servers["server-2"]
        await publish_manifest("server-1", MANIFEST, desk)
        change = told(desk.served, policy.base)
        assert [server["name"] for server in json.loads(change.payload)["servers"]] == ["server-1"]
        assert json.loads(kept.revisions[-1].document)["base"] == kept.revisions[-2].digest
        policy.take(change)
        assert policy.current().servers["server-2"] is before
        changed = policy.current().servers["server-1"]
        policy.take(told(desk.served, policy.base, at=1010))
        assert policy.current().servers["server-1"] is changed
        restarted = follower(MemoryClock(1020), disk)
        restarted.restore()
        assert (restarted.current(), restarted.base, restarted.problem) == (desk.served.current(), policy.base, "")

    asyncio.run(story())


def test_a_right_that_was_taken_away_is_not_held_by_who_hears_only_the_change() -> None:
    change = SnapshotChange(2, {"warehouse": replace(WAREHOUSE, tools={})}, {}, frozenset())
    after = change.on(FLEET_SNAPSHOT)
    assert (after.revision, after.servers["warehouse"].tools, after.rows) == (2, {}, {})
    gone = SnapshotChange(3, {}, {}, frozenset({"warehouse"})).on(FLEET_SNAPSHOT)
    assert (gone.servers, gone.rows) == ({}, {})


def test_a_change_tells_every_part_that_a_snapshot_has() -> None:
    """A part that only snapshots had would stay as it was with whoever hears the changes."""
    told_whole = {"policies"}  # revisions with others are never told as changes (`revision_text.digest_of`)
    told_whole |= {"withdrawn"}  # stands beside each answer, and changes without a revision
    parts = {each.name for each in fields(Snapshot)} - told_whole
    assert {each.name for each in fields(SnapshotChange)} - {"gone"} == parts


def test_a_change_of_more_than_an_eighth_of_all_servers_is_told_whole() -> None:
    async def story() -> None:
        desk = await fleet(Kept())
        policy = follower(MemoryClock(1000))
        policy.take(told(desk.served, ""))
        base = policy.base
        for number, is_all in ((3, False), (4, True)):
            await enter_fleet(documents(**dict.fromkeys(NAMES[:number], open_to("ads"))), desk)
            await publish_policy(desk.source, "fleet", NAMES)
            envelope = told(desk.served, policy.base)
            assert is_whole(envelope) == is_all
            policy.take(envelope)
        assert policy.base != base

    asyncio.run(story())


def test_a_registry_that_began_anew_tells_all_to_who_holds_another_revision_than_its_own() -> None:
    text = RevisionText()
    pieces = {"a": Piece('{"name":"a"}', "", "1")}
    text.put(4, digest_of(pieces), pieces)
    assert text.since("another") == text.since("") == whole_text(4, pieces)
    assert json.loads(text.since(text.digest)) == {
        "base": text.digest,
        "revision": 4,
        "servers": [],
        "rows": [],
        "gone": [],
    }
    text.put_whole(5, "", '{"revision":5}')
    assert text.since("") == text.since(digest_of(pieces)) == '{"revision":5}'


def test_a_change_against_another_revision_is_refused_and_all_is_asked_for_next() -> None:
    async def story() -> None:
        desk, other = await fleet(Kept()), desk_in_memory(Kept())
        await enter_fleet({"warehouse": DOCUMENT}, other)
        await publish_policy(other.source, "fleet")
        policy = follower(MemoryClock(1000))
        policy.take(told(desk.served, ""))
        before = policy.current()
        with pytest.raises(Invalid) as refused:
            policy.take(told(other.served, other.served.digest))
        assert (refused.value.code, policy.current(), policy.base) == ("snapshot-base", before, "")
        policy.take(told(desk.served, policy.base))
        assert policy.base != ""

    asyncio.run(story())


def test_a_change_kept_for_another_whole_revision_is_left_alone_after_a_restart() -> None:
    async def story() -> None:
        desk = await fleet(Kept())
        whole = told(desk.served, "")
        disk = Disk(Envelope(whole.payload.replace(desk.served.digest, "another"), "good"))
        disk.keep_change(told(desk.served, desk.served.digest))
        restarted = follower(MemoryClock(1000), disk)
        restarted.restore()
        assert (restarted.is_loaded, restarted.base) == (True, "")
        assert "not held" in restarted.problem
        empty = follower(MemoryClock(1000), Disk(None, disk.change))
        empty.restore()
        assert isinstance(empty.age(), Expired)

    asyncio.run(story())


def test_a_change_that_adds_rows_to_a_server_it_does_not_tell_or_names_odd_servers_is_refused() -> None:
    good: dict[str, Any] = {
        "revision": 2,
        "servers": [server_to_form(WAREHOUSE)],
        "rows": [row_to_form(ROW)],
        "gone": ["x"],
    }
    assert SnapshotReader().read_change(good) == change_from_form(good)
    wrong: list[dict[str, Any]] = [
        {**good, "servers": []},
        {**good, "rows": [row_to_form(replace(ROW, server="other"))]},
        {**good, "gone": [1]},
        {**good, "gone": ["x", "x"]},
        {**good, "more": 1},
        {name: value for name, value in good.items() if name != "rows"},
        {name: value for name, value in good.items() if name != "gone"},
    ]
    for form in wrong:
        with pytest.raises(Invalid) as refused:
            change_from_form(form)
        assert refused.value.code == "wire-form"


def test_a_revision_without_its_pieces_is_served_whole() -> None:
    served = ServedPolicy()
    served.put(Revision(3, "d", '{"revision":3,"servers":[],"rows":[],"policies":[]}'))
    assert json.loads(served.payload(7.0, "d"))["revision"] == 3
    assert served.current().revision == 3
