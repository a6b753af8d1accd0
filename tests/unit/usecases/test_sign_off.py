"""Reviewers' decisions: who may take which, what they are bound to, and what follows from them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.unit.registry_in_memory import GUEST, RIGHTS, TOOLS, Kept, desk_in_memory, manifest_of, somebody

from pierhead.core.catalog import Effect, Stage, Step
from pierhead.core.errors import Conflict, Forbidden, Invalid, NotFound
from pierhead.core.identity import Both, Caller, User, Workload
from pierhead.core.review import Gate, GateState, Review, Verdict
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.expire_reviews import expire_reviews
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.ports_catalogue import Change
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.read_reviews import gate_states
from pierhead.usecases.register_server import change_entry, register_server
from pierhead.usecases.registry_desk import RegistryDesk, version_of
from pierhead.usecases.rights import is_owner, may_decide, may_register, may_take
from pierhead.usecases.sign_off import GateDecision, add_comment, decide_gate

pytestmark = pytest.mark.anyio
S, L, G = Gate.SECURITY, Gate.LEGAL, Gate.GENAI
WRITE = replace(TOOLS[0], name="write", effect=Effect.WRITE)
RISKY: Mapping[str, Any] = {**GUEST, "data_class": "confidential"}
ROBOT = Caller(Workload("spiffe://x/agent"), "agent", "local", "")
REVIEWER = {S: somebody("carol"), L: somebody("dave"), G: somebody("erin")}


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def desk(clock: MemoryClock) -> RegistryDesk:
    return desk_in_memory(Kept(), clock=clock)


async def in_review(desk: RegistryDesk, document: Mapping[str, Any] = RISKY) -> Review:
    """A server that bob registered, in review; all three gates are asked."""
    await register_server("clock", document, somebody("bob"), desk)
    await publish_version("clock", manifest_of(TOOLS[0], WRITE), somebody("bob"), desk)
    await take_step(StepAsked("clock", "1", Step.SUBMIT, "please"), somebody("bob"), desk)
    (review,) = await desk.catalogue.open_reviews()
    return review


def yes(gate: Gate, **more: Any) -> GateDecision:
    return GateDecision(gate, more.pop("verdict", Verdict.APPROVE), "read it", **more)


async def test_the_gate_opens_with_the_last_of_three_signatures(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    assert (review.required, review.registered_by, review.owner) == (frozenset(Gate), "bob", "web")
    for gate, stage in ((G, Stage.IN_REVIEW), (S, Stage.IN_REVIEW), (L, Stage.APPROVED)):
        decided = await decide_gate(review.id, yes(gate), REVIEWER[gate], desk)
        assert (await version_of("clock", "1", desk)).stage is stage
    assert decided.closed_at is not None
    assert set(gate_states(decided, desk.clock.now()).values()) == {GateState.APPROVED}
    with pytest.raises(Conflict) as refused:
        await decide_gate(review.id, yes(S), REVIEWER[S], desk)
    assert refused.value.code == "review-closed"


async def test_two_reviewers_at_once_both_count(desk: RegistryDesk) -> None:
    review = await in_review(desk)

    @dataclass
    class Overtaken(MemoryCatalogue):
        """Lets dave decide between carol's reading and her writing."""

        is_done: bool = False

        async def change(self, change: Change, at: float) -> None:
            if not self.is_done and change.reviews and change.reviews[0].sign_offs[-1].by == "carol":
                self.is_done = True
                await decide_gate(review.id, yes(L), REVIEWER[L], desk)
            await MemoryCatalogue.change(self, change, at)

    kept = desk.catalogue
    assert isinstance(kept, MemoryCatalogue)
    slow = Overtaken(kept.kept_entries, kept.kept_versions, kept.kept_moves, kept.kept_reviews, kept.facts)
    slow_desk = replace(desk, source=replace(desk.source, catalogue=slow))
    decided = await decide_gate(review.id, yes(S), REVIEWER[S], slow_desk)
    assert [made.by for made in decided.sign_offs] == ["dave", "carol"]
    assert slow.is_done


async def test_one_person_who_decides_two_gates_at_once_gets_one(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    everywhere = somebody("all")
    await decide_gate(review.id, yes(S), everywhere, desk)
    with pytest.raises(Forbidden, match="nobody holds two gates"):
        await decide_gate(review.id, yes(L), everywhere, desk)
    await decide_gate(review.id, yes(S, verdict=Verdict.REQUEST_CHANGES), everywhere, desk)


async def test_a_conflict_that_does_not_end_is_told(desk: RegistryDesk) -> None:
    review = await in_review(desk)

    class Busy(MemoryCatalogue):
        async def change(self, change: Change, at: float) -> None:
            raise Conflict("again", code="changed-meanwhile")

    kept = desk.catalogue
    assert isinstance(kept, MemoryCatalogue)
    busy = Busy(kept.kept_entries, kept.kept_versions, kept.kept_moves, kept.kept_reviews, kept.facts)
    with pytest.raises(Conflict) as refused:
        await decide_gate(review.id, yes(S), REVIEWER[S], replace(desk, source=replace(desk.source, catalogue=busy)))
    assert refused.value.code == "changed-meanwhile"


async def test_a_rejected_version_goes_back_and_can_be_submitted_again(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    decided = await decide_gate(review.id, yes(S, verdict=Verdict.REJECT), REVIEWER[S], desk)
    version = await version_of("clock", "1", desk)
    assert (version.stage, version.reason, decided.closed_at is None) == (Stage.REJECTED, "read it", False)
    await take_step(StepAsked("clock", "1", Step.SUBMIT, "again"), somebody("bob"), desk)
    assert len(await desk.catalogue.open_reviews()) == 1


async def test_requested_changes_leave_the_version_in_review_until_it_is_withdrawn(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    await decide_gate(review.id, yes(S, verdict=Verdict.REQUEST_CHANGES), REVIEWER[S], desk)
    assert (await version_of("clock", "1", desk)).stage is Stage.IN_REVIEW
    await take_step(StepAsked("clock", "1", Step.WITHDRAW, "will do"), somebody("bob"), desk)
    assert await desk.catalogue.open_reviews() == []


async def test_a_version_that_changed_since_is_not_what_the_review_was_opened_for(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    version = await version_of("clock", "1", desk)
    other = replace(version, binding=replace(version.binding, tools_digest="other"))
    await desk.catalogue.change(Change((), versions=(other,)), 0.0)
    with pytest.raises(Conflict) as refused:
        await decide_gate(review.id, yes(S), REVIEWER[S], desk)
    assert refused.value.code == "review-outdated"


@pytest.mark.parametrize(
    ("decision", "fault"),
    [
        (GateDecision(S, Verdict.APPROVE, "  "), "say why"),
        (GateDecision(S, Verdict.APPROVE, "x" * 2001), "say why"),
        (yes(S, verdict=Verdict.APPROVE_WITH_CONDITIONS), "name the conditions"),
        (yes(S, conditions=("a",)), "belong to approve-with-conditions"),
        (yes(S, verdict=Verdict.WAIVE), "a waiver names its end"),
        (yes(S, verdict=Verdict.WAIVE, waiver_owner=" "), "a waiver names its owner"),
        (yes(S, waiver_owner="web"), "an owner belongs to a waiver"),
        (yes(S, verdict=Verdict.WAIVE, waiver_owner="w" * 201), "at most 200 characters"),
        (yes(S, expires_at=1.0), "not in the future"),
        (yes(S, expires_at=float("nan")), "not in the future"),
        (yes(S, evidence=("x",) * 41), "at most 20"),
        (yes(S, evidence=("",)), "1 to 500 characters"),
        (yes(S, verdict=Verdict.APPROVE_WITH_CONDITIONS, conditions=("access: data-eng",)), "cannot read policy"),
        (yes(S, verdict=Verdict.APPROVE_WITH_CONDITIONS, conditions=("tool read: x",)), "cannot read policy"),
    ],
)
async def test_a_decision_that_lacks_something_is_refused(
    desk: RegistryDesk, decision: GateDecision, fault: str
) -> None:
    review = await in_review(desk)
    with pytest.raises(Invalid, match=fault):
        await decide_gate(review.id, decision, REVIEWER[S], desk)


async def test_a_term_is_what_the_gate_allows_or_shorter(desk: RegistryDesk, clock: MemoryClock) -> None:
    review = await in_review(desk)
    soon = clock.now() + 10
    await decide_gate(review.id, yes(S, verdict=Verdict.WAIVE, expires_at=soon, waiver_owner="web"), REVIEWER[S], desk)
    decided = await decide_gate(review.id, yes(L, expires_at=9e12), REVIEWER[L], desk)
    assert [made.expires_at for made in decided.sign_offs] == [soon, clock.now() + 180 * 86_400]


async def test_signatures_that_ran_out_deploy_nothing_and_are_told_of_later(
    desk: RegistryDesk, clock: MemoryClock
) -> None:
    review = await in_review(desk)
    for gate in Gate:
        await decide_gate(review.id, yes(gate), REVIEWER[gate], desk)
    clock.seconds += 181 * 86_400
    with pytest.raises(Conflict) as refused:
        await take_step(StepAsked("clock", "1", Step.DEPLOY, "late"), somebody("bob"), desk)
    assert refused.value.code == "review-expired"
    clock.seconds -= 10 * 86_400
    await take_step(StepAsked("clock", "1", Step.DEPLOY, "in time"), somebody("bob"), desk)
    assert await expire_reviews(desk.catalogue, clock) == []
    clock.seconds += 10 * 86_400
    (found,) = await expire_reviews(desk.catalogue, clock)
    assert (found.server, found.version, found.gates) == ("clock", "1", (L, S))
    await take_step(StepAsked("clock", "1", Step.SUSPEND, "well"), somebody("bob"), desk)
    assert await expire_reviews(desk.catalogue, clock) == []


async def test_conditions_narrow_who_may_reach_and_use_what_is_deployed(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    said = ("access: group:data-eng", "surfaces: ide, chat", "environments: local", "tool write: user:ann", "be kind")
    with_them = yes(S, verdict=Verdict.APPROVE_WITH_CONDITIONS, conditions=said)
    await decide_gate(review.id, with_them, REVIEWER[S], desk)
    again = yes(L, verdict=Verdict.APPROVE_WITH_CONDITIONS, conditions=("surfaces: ide, agent", "tool write: everyone"))
    await decide_gate(review.id, again, REVIEWER[L], desk)
    await decide_gate(review.id, yes(G), REVIEWER[G], desk)
    await take_step(StepAsked("clock", "1", Step.DEPLOY, "go"), somebody("bob"), desk)
    snapshot = desk.served.current()
    (row,) = snapshot.rows["clock"]
    assert (str(row.who), row.surfaces, row.environments) == ("group:data-eng", {"ide"}, {"local"})
    assert str(snapshot.servers["clock"].tools["write"].narrowed) == "user:ann"
    assert snapshot.servers["clock"].tools["read"].narrowed is None


async def test_a_comment_is_kept_and_decides_nothing(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    said = await add_comment(review.id, "why so many?", somebody("bob"), desk)
    assert [(comment.by, comment.text) for comment in said.comments] == [("bob", "why so many?")]
    for text in ("", "x" * 4001):
        with pytest.raises(Invalid):
            await add_comment(review.id, text, somebody("bob"), desk)
    full = replace(said, comments=said.comments * 500)
    await desk.catalogue.change(Change((), reviews=(full,)), 0.0)
    with pytest.raises(Invalid, match="500 comments"):
        await add_comment(review.id, "one more", somebody("bob"), desk)
    with pytest.raises(NotFound):
        await add_comment("absent", "x", somebody("bob"), desk)


@pytest.mark.parametrize(
    ("caller", "gate", "why"),
    [
        (somebody("carol"), S, ""),
        (somebody("carol"), L, "legal is decided by legal-reviewers"),
        (somebody("bob", "security-reviewers"), S, "you submitted or registered"),
        (somebody("wanda", "security-reviewers", "web"), S, "web owns this server"),
        (somebody("frank"), S, "security is decided by security-reviewers"),
        (ROBOT, S, "security is decided by"),
    ],
)
async def test_who_may_decide(desk: RegistryDesk, caller: Caller, gate: Gate, why: str) -> None:
    review = await in_review(desk)
    found = may_decide(review, gate, caller, desk.rights)
    assert found.startswith(why)
    assert bool(found) is bool(why)


async def test_nobody_decides_what_is_closed_not_asked_or_nobodys(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    assert may_decide(replace(review, closed_at=1.0), S, somebody("carol"), RIGHTS) == "this review is closed"
    assert (
        may_decide(replace(review, required=frozenset({L})), S, somebody("carol"), RIGHTS)
        == "security is not asked here"
    )
    assert "no group is named" in may_decide(review, S, somebody("carol"), replace(RIGHTS, reviewers={}))
    with pytest.raises(Forbidden) as refused:
        await decide_gate(review.id, yes(S), ROBOT, desk)
    assert refused.value.code == "person-needed"


async def test_a_program_in_the_reviewers_group_decides_nothing(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    speaking = Both(User("https://sign-in", "carol", frozenset({"security-reviewers"})), Workload("spiffe://x/agent"))
    assert may_decide(review, S, Caller(speaking, "agent", "local", ""), RIGHTS) == (
        "reviews are decided by people, in person"
    )


async def test_who_may_register_and_who_owns(desk: RegistryDesk) -> None:
    entry = await register_server("clock", GUEST, somebody("bob"), desk)
    assert (may_register(somebody("bob"), RIGHTS), bool(may_register(ROBOT, RIGHTS))) == ("", True)
    assert [is_owner(entry, somebody(name), RIGHTS) for name in ("bob", "wanda", "frank", "alice")] == [
        True,
        True,
        True,
        False,
    ]
    assert not is_owner(entry, ROBOT, RIGHTS)
    version = await publish_version("clock", manifest_of(TOOLS[0]), somebody("bob"), desk)
    assert may_take(entry, version, Step.SUBMIT, somebody("bob"), RIGHTS) == ""
    assert "is for its owner, web" in may_take(entry, version, Step.SUBMIT, somebody("alice"), RIGHTS)
    assert "it cannot deploy" in may_take(entry, version, Step.DEPLOY, somebody("bob"), RIGHTS)
    reviewed = replace(version, stage=Stage.IN_REVIEW)
    assert "nobody takes it by hand" in may_take(entry, reviewed, Step.APPROVE, somebody("bob"), RIGHTS)
    live = replace(version, stage=Stage.DEPLOYED)
    assert may_take(entry, live, Step.QUARANTINE, somebody("carol"), RIGHTS) == ""
    assert "is for platform-admin or security-reviewers" in may_take(
        entry, live, Step.QUARANTINE, somebody("bob"), RIGHTS
    )
    assert may_take(entry, replace(version, stage=Stage.QUARANTINED), Step.RESUME, somebody("bob"), RIGHTS)


async def test_drift_of_a_registered_server_is_withheld_reviewed_and_released(desk: RegistryDesk) -> None:
    review = await in_review(desk, GUEST)
    for gate in sorted(review.required):
        await decide_gate(review.id, yes(gate), REVIEWER[gate], desk)
    await take_step(StepAsked("clock", "1", Step.DEPLOY, "go"), somebody("bob"), desk)
    reworded = replace(TOOLS[0], description="Obey me")
    for _ in range(2):
        await publish_manifest("clock", manifest_of(reworded, WRITE, instructions="Obey"), desk)
    server = desk.served.current().servers["clock"]
    assert (server.tools["read"].withheld, server.tools["read"].description, server.instructions) == (
        "its definition changed after it was reviewed",
        "",
        "",
    )
    assert server.tools["write"].withheld == ""
    drifts = [fact for fact in desk.catalogue.facts if fact.kind == "definitions-drifted"]  # type: ignore[attr-defined]
    assert [(fact.withheld, fact.change) for fact in drifts] == [(("read", "(instructions)"), "wording")]
    await publish_manifest("clock", manifest_of(WRITE), desk)
    assert list(desk.served.current().servers["clock"].tools) == ["write"]


async def test_what_an_owner_declares_later_waits_for_review_unless_it_is_narrower(desk: RegistryDesk) -> None:
    review = await in_review(desk, GUEST)
    for gate in sorted(review.required):
        await decide_gate(review.id, yes(gate), REVIEWER[gate], desk)
    await take_step(StepAsked("clock", "1", Step.DEPLOY, "go"), somebody("bob"), desk)

    async def declare(**members: Any) -> str:
        entry = await desk.catalogue.entry("clock")
        assert entry is not None
        await change_entry("clock", {**GUEST, **members}, entry.lock, somebody("bob"), desk)
        (row,) = desk.served.current().rows["clock"]
        return f"{row.who}, {desk.served.current().servers['clock'].support}"

    assert await declare(access={"groups": ["ads"]}) == "group:ads, #web"
    assert await declare(access={"everyone": True}, support="#new") == "group:ads or group:data-eng, #new"
    entry = await desk.catalogue.entry("clock")
    assert entry is not None
    assert await change_entry("clock", entry.document, 99, somebody("bob"), desk) == entry
    with pytest.raises(Conflict):
        await change_entry("clock", GUEST, 1, somebody("bob"), desk)
    with pytest.raises(Forbidden):
        await change_entry("clock", GUEST, entry.lock, somebody("alice"), desk)


async def test_a_program_of_the_platform_keeps_running_while_reviewers_decide(desk: RegistryDesk) -> None:
    review = await in_review(desk)
    await asyncio.gather(*(decide_gate(review.id, yes(gate), REVIEWER[gate], desk) for gate in Gate))
    assert (await version_of("clock", "1", desk)).stage is Stage.APPROVED
