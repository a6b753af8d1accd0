"""A policy change, end to end in memory: declared, published, served, followed; and what is never accepted."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from tests.unit.registry_in_memory import (
    DOCUMENT,
    FLEET_SNAPSHOT,
    MANIFEST,
    Declared,
    Kept,
    desk_in_memory,
    fleet_in_memory,
)

from pierhead.core.bounds import read_bounds
from pierhead.core.errors import Conflict, Invalid, UpstreamUnreachable
from pierhead.core.identity import Caller, User
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import AgeLimits, Expired, Fresh, NoPolicies, PolicyText, Stale
from pierhead.core.withdrawal import NOTHING_WITHDRAWN
from pierhead.usecases.check_entry import check_entry
from pierhead.usecases.explain_decision import explain_decision, explain_to_caller
from pierhead.usecases.follow_policy import FollowedPolicy, follow_once, follow_policy
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.ports_registry import Envelope, Held
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_policy import declare_policies, publish_policy
from pierhead.usecases.trust_fleet import enter_fleet
from pierhead.usecases.wire_forms import manifest_from_form, manifest_to_form, snapshot_from_form, snapshot_to_form
from pierhead.usecases.withdrawal_forms import withdrawals_to_form

NOBODY = withdrawals_to_form(NOTHING_WITHDRAWN)


class Signed:
    def is_valid(self, envelope: Envelope) -> bool:
        return envelope.signature == "good"


@dataclass
class Disk:
    kept: Envelope | None = None
    change: Envelope | None = None

    def load(self) -> Sequence[Envelope]:
        return [each for each in (self.kept, self.change) if each is not None]

    def keep(self, envelope: Envelope) -> None:
        self.kept, self.change = envelope, None

    def keep_change(self, envelope: Envelope) -> None:
        self.change = envelope


def envelope(issued_at: float, revision: int = 1, signature: str = "good", **around: str) -> Envelope:
    content = replace(FLEET_SNAPSHOT, revision=revision)
    told = {"issued_at": issued_at, "people": NOBODY, **around, **snapshot_to_form(content)}
    return Envelope(json.dumps(told), signature)


def follower(clock: MemoryClock, disk: Disk | None = None) -> FollowedPolicy:
    return FollowedPolicy(clock, AgeLimits(60, 900), Signed(), disk or Disk())


def test_a_revision_is_published_only_when_its_content_changed() -> None:
    async def story() -> None:
        kept = Kept()
        desk = await fleet_in_memory(kept)
        numbers = [(await publish_policy(desk.source, "fleet")).number]
        manifests = (MANIFEST, MANIFEST, replace(MANIFEST, version="2"))
        numbers += [(await publish_manifest("warehouse", manifest, desk)).number for manifest in manifests]
        numbers.append((await publish_policy(desk.source, "fleet", ("warehouse", "absent"))).number)
        assert numbers == [1, 2, 2, 3, 3]
        assert len(kept.revisions) == 3
        assert await desk.policies.latest() == kept.revisions[-1]

    asyncio.run(story())


def test_a_revision_is_the_form_of_its_snapshot_and_goes_on_where_the_last_process_ended() -> None:
    async def story() -> None:
        kept = Kept()
        desk = await fleet_in_memory(kept)
        revision = await publish_manifest("warehouse", MANIFEST, desk)
        told = json.loads(desk.served.payload(7.0))
        around = {"issued_at": 7.0, "digest": revision.digest, "people": NOBODY}
        assert told == {**around, **snapshot_to_form(desk.served.current())}
        again = desk_in_memory(kept)
        again.catalogue.kept_entries.update(desk.catalogue.kept_entries)  # type: ignore[attr-defined]
        again.catalogue.kept_versions.update(desk.catalogue.kept_versions)  # type: ignore[attr-defined]
        assert await publish_policy(again.source, "fleet") == revision
        assert again.served.current() == desk.served.current()

    asyncio.run(story())


def test_company_policies_that_are_declared_are_in_the_next_revision_and_in_force() -> None:
    written = NoPolicies((PolicyText("company.cedar", "forbid (principal, action, resource);"),))

    async def story() -> None:
        desk = await fleet_in_memory(Kept())
        before = desk.served.current()
        revision = await declare_policies(written, desk.source, "fleet")
        assert (before.policies.texts, desk.served.current().policies) == ((), written)
        assert revision.number == before.revision + 1
        assert await declare_policies(written, desk.source, "fleet") == revision, "what did not change is not new"

    asyncio.run(story())


def test_a_number_that_another_registry_took_is_not_used_again() -> None:
    assert asyncio.run(fleet_in_memory(Kept(taken=1))).served.current().revision == 2
    with pytest.raises(Conflict):
        asyncio.run(fleet_in_memory(Kept(taken=9)))


def test_an_entry_that_cannot_be_read_any_longer_is_left_out_and_the_others_go_on() -> None:
    async def story() -> None:
        desk = await fleet_in_memory(Kept())
        await enter_fleet({"warehouse": {"owner": "x"}, "other": DOCUMENT}, desk)
        await publish_policy(desk.source, "fleet")
        assert list(desk.served.current().servers) == ["other"]
        assert desk.source.composition.unreadable == {"warehouse": "server warehouse: kind is missing"}

    asyncio.run(story())


def test_a_snapshot_survives_its_form_and_any_unknown_missing_or_repeated_member_is_refused() -> None:
    content = FLEET_SNAPSHOT
    form = json.loads(json.dumps(snapshot_to_form(content)))
    assert snapshot_from_form(form) == content
    assert snapshot_to_form(snapshot_from_form(form)) == form
    server = form["servers"][0]
    wrong = [
        [],
        {**form, "more": 1},
        {key: value for key, value in form.items() if key != "rows"},
        {**form, "revision": True},
        {**form, "servers": [server, server]},
        {**form, "servers": [{**server, "stage": "dancing"}]},
        {**form, "servers": [{**server, "tools": [server["tools"][0]] * 2}]},
        {**form, "servers": [{**server, "tools": [{**server["tools"][0], "timeout_s": "1"}]}]},
        {**form, "rows": [{**form["rows"][0], "surfaces": "all"}]},
        {**form, "rows": [{**form["rows"][0], "surfaces": None}]},
    ]
    for broken in wrong:
        with pytest.raises(Invalid) as refused:
            snapshot_from_form(broken)
        assert refused.value.code == "wire-form"


def test_a_manifest_survives_its_form_and_one_that_names_a_tool_twice_is_refused() -> None:
    form = json.loads(json.dumps(manifest_to_form(MANIFEST)))
    assert manifest_from_form(form) == MANIFEST
    for broken, why in (
        ({**form, "more": 1}, "unknown members: more"),
        ({**form, "version": 1}, "'version' is no str"),
        ({**form, "tools": [form["tools"][0]] * 2}, "named twice: read"),
    ):
        with pytest.raises(Invalid, match=why) as refused:
            manifest_from_form(broken)
        assert refused.value.code == "wire-form"


def test_a_bound_that_is_no_text_is_refused_with_its_whole_manifest() -> None:
    form = json.loads(json.dumps(manifest_to_form(MANIFEST)))
    form["tools"][0]["bounds"]["when"] = [5]
    with pytest.raises(Invalid, match="a condition is a text"):
        manifest_from_form(form)


def test_a_narrowing_that_fits_no_tool_is_refused() -> None:
    check_entry(Declared(), MANIFEST)
    with pytest.raises(Invalid, match="typo") as refused:
        check_entry(Declared(narrowed={"typo": parse_who("nobody")}), MANIFEST)
    assert "ask, narrow, read" in refused.value.hint
    with pytest.raises(Invalid, match="typo"):
        check_entry(Declared(narrowed_bounds={"typo": read_bounds([], None)}), MANIFEST)


def test_a_narrowing_by_what_a_tool_is_never_given_is_refused() -> None:
    with pytest.raises(Invalid, match=r"warehouse\.read by what it is never given: limit") as refused:
        check_entry(Declared(narrowed_bounds={"read": read_bounds(None, "limit <= 10")}), MANIFEST)
    assert refused.value.code == "unknown-narrowing"
    check_entry(Declared(narrowed_bounds={"read": read_bounds(["help"], None)}), MANIFEST)


def test_a_follower_ages_from_the_signed_time_and_a_stepped_clock_makes_nothing_young() -> None:
    clock = MemoryClock(1000)
    policy = follower(clock)
    assert isinstance(policy.age(), Expired)
    policy.take(envelope(issued_at=990))
    assert isinstance(policy.age(), Fresh)
    clock.seconds += 55
    assert isinstance(policy.age(), Stale)
    policy.take(envelope(issued_at=1050))
    assert isinstance(policy.age(), Fresh)
    clock.seconds += 1000
    assert isinstance(policy.age(), Expired)


@pytest.mark.parametrize(
    ("offered", "code"),
    [
        (envelope(2000, 5, signature="forged"), "snapshot-signature"),
        (envelope(2000, 4), "snapshot-replayed"),
        (envelope(1000, 5), "snapshot-replayed"),
        (envelope(9000, 6), "snapshot-time"),
        (envelope(2000, 6, only="warehouse"), "snapshot-audience"),
        (Envelope('{"issued_at": true}', "good"), "wire-form"),
    ],
)
def test_a_bad_snapshot_changes_and_renews_nothing(offered: Envelope, code: str) -> None:
    clock, disk = MemoryClock(2000), Disk()
    policy = follower(clock, disk)
    good = envelope(1950, 5)
    policy.take(good)
    before = policy.current()
    with pytest.raises(Invalid) as refused:
        policy.take(offered)
    assert refused.value.code == code
    clock.seconds += 20
    assert (policy.current(), disk.kept, type(policy.age())) == (before, good, Stale)


@pytest.mark.parametrize("issued_at", [True, "1950", None, [1950]])
def test_a_snapshot_that_names_no_time_of_issue_is_none(issued_at: object) -> None:
    content = json.loads(envelope(1950, 5).payload)
    odd = [Envelope(json.dumps({**content, "issued_at": issued_at}), "good")]
    odd.append(Envelope(json.dumps({name: value for name, value in content.items() if name != "issued_at"}), "good"))
    policy = follower(MemoryClock(2000))
    for each in odd:
        with pytest.raises(Invalid, match="names no time of issue"):
            policy.take(each)
    assert not policy.is_loaded


def test_a_minute_is_what_the_registrys_clock_may_be_ahead_and_a_good_answer_ends_the_problem() -> None:
    policy = follower(MemoryClock(2000))
    policy.problem = "the registry does not answer"
    with pytest.raises(Invalid, match="in the future"):
        policy.take(envelope(2060.5, 5))
    assert policy.problem == "the registry does not answer"
    policy.take(envelope(2060, 5))
    assert (policy.problem, policy.age()) == ("", Fresh())


def test_whoever_follows_one_server_takes_what_was_cut_to_it_and_nothing_whole() -> None:
    policy = replace(follower(MemoryClock(1000)), only="warehouse")
    for other in ({}, {"only": "lunch"}):
        with pytest.raises(Invalid, match="for somebody else"):
            policy.take(envelope(990, **other))
    policy.take(envelope(990, only="warehouse"))
    assert policy.is_loaded


def test_the_same_revision_renews_the_age_and_keeps_the_very_same_value() -> None:
    clock = MemoryClock(1000)
    policy = follower(clock)
    policy.take(envelope(1000))
    before = policy.current()
    policy.take(envelope(1030))
    assert policy.current() is before


def test_a_restart_loads_what_the_disk_kept_under_the_same_age_and_signature() -> None:
    restarted = follower(MemoryClock(1100), Disk(envelope(1000)))
    restarted.restore()
    assert isinstance(restarted.age(), Stale)
    for file in (Disk(), Disk(envelope(1000, signature="forged"))):
        empty = follower(MemoryClock(1100), file)
        empty.restore()
        assert not empty.is_loaded


def test_a_registry_that_is_away_lets_the_policy_age_and_names_the_problem() -> None:
    class Away:
        async def snapshot(self, held: Held, wait_s: float) -> Envelope:
            raise UpstreamUnreachable("the registry does not answer")

    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    policy = follower(MemoryClock(1000))
    asyncio.run(follow_once(policy, Away(), pause, 0))
    assert ("does not answer" in policy.problem, len(pauses)) == (True, 1)


def test_a_follower_asks_at_once_first_then_waits_with_the_registry_and_outlives_its_absence() -> None:
    class Registry:
        """Answers once, is away once, then has nothing new."""

        def __init__(self) -> None:
            self.asked: list[tuple[int, float]] = []
            self.is_quiet = asyncio.Event()

        async def snapshot(self, held: Held, wait_s: float) -> Envelope:
            self.asked.append((held.revision, wait_s))
            if len(self.asked) == 1:
                return envelope(1000, revision=7)
            if len(self.asked) == 2:
                raise UpstreamUnreachable("the registry does not answer")
            self.is_quiet.set()
            await asyncio.Event().wait()
            raise AssertionError

    async def pause(seconds: float) -> None:
        assert seconds == 0.5

    async def story(stale_s: float, waits_s: float) -> None:
        policy, registry = follower(MemoryClock(1000)), Registry()
        policy.limits = AgeLimits(stale_s, 900)
        following = asyncio.create_task(follow_policy(policy, registry, pause))
        await asyncio.wait_for(registry.is_quiet.wait(), 5)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
        assert (registry.asked, policy.current().revision) == ([(0, 0.0), (7, waits_s), (7, waits_s)], 7)

    asyncio.run(story(stale_s=300, waits_s=20.0))
    asyncio.run(story(stale_s=6, waits_s=2.0))


def test_the_registry_serves_only_later_revisions_and_wakes_who_waits() -> None:
    async def story() -> None:
        kept = Kept()
        desk = await fleet_in_memory(kept)
        served = desk.served
        waiting = asyncio.ensure_future(served.after(1, 30))
        await asyncio.sleep(0)
        await publish_manifest("warehouse", MANIFEST, desk)
        await asyncio.wait_for(waiting, 5)
        served.put(kept.revisions[0])
        assert served.current().revision == 2
        await served.after(2, 0)
        assert json.loads(served.payload(7.0))["issued_at"] == 7.0

    asyncio.run(story())


@pytest.mark.parametrize(
    ("person", "surface", "tool", "decision", "rule"),
    [
        ("alice", "ide", "", "permit", "warehouse.access[0]"),
        ("alice", "ide", "read", "permit", "warehouse.read.policy"),
        ("alice", "ide", "ask", "approval", "warehouse.ask.approval"),
        ("alice", "ide", "narrow", "refuse", "warehouse.narrow.narrowed"),
        ("bob", "ide", "narrow", "permit", "warehouse.narrow.policy"),
        ("alice", "chat", "read", "refuse", "warehouse.read.policy"),
    ],
)
def test_an_explanation_names_the_rules_of_both_layers(
    person: str, surface: str, tool: str, decision: str, rule: str
) -> None:
    policy = follower(MemoryClock(1000))
    policy.take(envelope(1000))
    caller = Caller(User("i", person, frozenset({"data-eng"})), surface, "local", "")
    told = explain_decision(caller, "warehouse", tool, policy)
    assert (told.decision, told.whom_to_ask) == (decision, "ask data-platform in #help")
    assert rule in [match.rule for match in told.reasons]


def test_a_hidden_tool_reads_as_absent_to_its_caller() -> None:
    policy = follower(MemoryClock(1000))
    policy.take(envelope(1000))
    alice = Caller(User("i", "alice", frozenset({"data-eng"})), "ide", "local", "")
    assert explain_to_caller(alice, "warehouse", "read", policy).decision == "permit"
    errors = []
    for tool in ("narrow", "no-such"):
        with pytest.raises(Exception, match="Unknown tool") as refused:
            explain_to_caller(alice, "warehouse", tool, policy)
        errors.append((type(refused.value), refused.value.code))
    assert errors[0] == errors[1]
    mallory = Caller(User("i", "mallory", frozenset()), "ide", "local", "")
    assert explain_to_caller(mallory, "warehouse", "read", policy).decision == "refuse"
