"""Enrolling a server that its team runs: what its owner is given, what that opens, and what ends it."""

import json
from typing import Any

import pytest
from tests.unit.registry_in_memory import DOCUMENT, GUEST, OWN, TOOLS, Kept, desk_in_memory, manifest_of, somebody

from pierhead.core.audit_enrolment import ServerEnrolled
from pierhead.core.catalog import Stage, Step
from pierhead.core.chain import START, next_line
from pierhead.core.errors import Forbidden, Invalid, NotFound, PierheadError, Unauthenticated
from pierhead.core.review import Gate, Verdict
from pierhead.core.server_key import assertion_label, new_server_key
from pierhead.usecases.advance_server import StepAsked, take_step
from pierhead.usecases.compose_policy import Standing, compose
from pierhead.usecases.enrol_server import (
    EnrolmentDesk,
    check_own_facts,
    end_enrolment,
    enrol_server,
    server_of_bearer,
)
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.publish_policy import publish_policy
from pierhead.usecases.publish_version import publish_version
from pierhead.usecases.register_server import register_server
from pierhead.usecases.registry_desk import RegistryDesk
from pierhead.usecases.sign_off import GateDecision, decide_gate
from pierhead.usecases.trust_fleet import enter_fleet

pytestmark = pytest.mark.anyio


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def desk(kept: Kept) -> RegistryDesk:
    return desk_in_memory(kept)


def at(desk: RegistryDesk) -> EnrolmentDesk:
    """Its chance is another each time."""
    drawn = iter(range(100))
    return EnrolmentDesk(desk, "https://mcp", b"p" * 32, str.encode, lambda count: bytes([next(drawn)]) * count)


async def deployed(desk: RegistryDesk) -> None:
    """The server lunch, registered, signed and deployed."""
    wanda = somebody("wanda")
    await register_server("lunch", OWN, wanda, desk)
    await publish_manifest("lunch", manifest_of(TOOLS[0]), desk)
    version = (await publish_version("lunch", None, wanda, desk)).version
    await take_step(StepAsked("lunch", version, Step.SUBMIT, "please"), wanda, desk)
    (review,) = await desk.catalogue.open_reviews()
    for gate, person in ((Gate.SECURITY, "carol"), (Gate.GENAI, "erin")):
        if gate in review.required:
            await decide_gate(review.id, GateDecision(gate, Verdict.APPROVE, "read"), somebody(person), desk)
    await take_step(StepAsked("lunch", version, Step.DEPLOY, "go"), wanda, desk)


async def test_an_owner_is_given_everything_that_the_process_needs(kept: Kept, desk: RegistryDesk) -> None:
    await deployed(desk)
    made = await enrol_server("lunch", somebody("wanda"), at(desk))
    key = desk.served.current().servers["lunch"].key
    assert (made.server, made.listens, made.platform) == ("lunch", OWN["url"], "https://mcp")
    assert bytes.fromhex(made.assertion).decode() == assertion_label("lunch", key)
    assert (await server_of_bearer(made.bearer, desk)).id == key
    assert ServerEnrolled("lunch", key, "wanda") in kept.facts


async def test_calls_go_where_it_was_signed_to_be_whatever_its_process_says(desk: RegistryDesk) -> None:
    await deployed(desk)
    assert desk.served.current().servers["lunch"].upstream == OWN["url"]
    await publish_manifest("lunch", manifest_of(TOOLS[0], version="2"), desk)
    assert desk.served.current().servers["lunch"].upstream == OWN["url"]


async def test_a_host_that_the_operator_no_longer_names_is_not_gone_to(desk: RegistryDesk) -> None:
    await deployed(desk)
    (version,) = await desk.catalogue.versions("lunch")
    entry = await desk.catalogue.entry("lunch")
    assert entry is not None
    standing = Standing(entry, version, None)
    composed = compose(standing, desk.declarations, trusts_fleet=True, own_hosts=frozenset())
    assert composed is not None
    assert composed.server.upstream == ""


async def test_the_operators_own_file_may_name_any_host(desk: RegistryDesk) -> None:
    document = {**OWN, "url": "http://anywhere.example:1/mcp"}
    await enter_fleet({"lunch": document}, desk)
    await publish_manifest("lunch", manifest_of(TOOLS[0]), desk)
    assert desk.served.current().servers["lunch"].upstream == document["url"]
    await publish_manifest("lunch", manifest_of(TOOLS[0], TOOLS[2], version="2"), desk)
    assert desk.served.current().servers["lunch"].tools["narrow"].withheld, "its version alone vouches for nothing"


async def test_a_new_credential_ends_the_one_before(desk: RegistryDesk) -> None:
    await deployed(desk)
    whole = at(desk)
    first = await enrol_server("lunch", somebody("wanda"), whole)
    second = await enrol_server("lunch", somebody("frank"), whole)
    assert first.assertion != second.assertion
    await server_of_bearer(second.bearer, desk)
    with pytest.raises(Unauthenticated):
        await server_of_bearer(first.bearer, desk)


async def test_a_credential_that_is_taken_back_opens_nothing(kept: Kept, desk: RegistryDesk) -> None:
    await deployed(desk)
    made = await enrol_server("lunch", somebody("wanda"), at(desk))
    await end_enrolment("lunch", "leaked", somebody("wanda"), desk)
    assert desk.served.current().servers["lunch"].key == ""
    with pytest.raises(Unauthenticated):
        await server_of_bearer(made.bearer, desk)
    with pytest.raises(Invalid) as refused:
        await end_enrolment("lunch", "again", somebody("wanda"), desk)
    assert refused.value.code == "nothing-to-enrol"
    assert "enrolment-ended" in [fact.kind for fact in kept.facts]


async def test_the_credential_of_a_retired_server_is_worth_nothing_and_no_other_is_made(desk: RegistryDesk) -> None:
    await deployed(desk)
    made = await enrol_server("lunch", somebody("wanda"), at(desk))
    for step in (Step.DEPRECATE, Step.RETIRE):
        moved = await take_step(StepAsked("lunch", "1", step, "end"), somebody("wanda"), desk)
    assert moved.stage is Stage.RETIRED
    with pytest.raises(Unauthenticated):
        await server_of_bearer(made.bearer, desk)
    with pytest.raises(Invalid, match="is retired"):
        await enrol_server("lunch", somebody("wanda"), at(desk))


async def test_a_key_without_its_entry_opens_nothing(desk: RegistryDesk) -> None:
    bearer, key = new_server_key("ghost", "bob", 0.0, b"c" * 37)
    await desk.source.keys.keep_key(key, ServerEnrolled("ghost", key.id, "bob"))
    with pytest.raises(Unauthenticated):
        await server_of_bearer(bearer, desk)


@pytest.mark.parametrize(
    ("name", "person", "expected"),
    [
        ("lunch", "alice", Forbidden),
        ("clock", "bob", Invalid),
        ("nothing", "bob", NotFound),
    ],
)
async def test_who_is_no_owner_and_what_the_platform_runs_is_not_enrolled(
    desk: RegistryDesk, name: str, person: str, expected: type[PierheadError]
) -> None:
    await register_server("lunch", OWN, somebody("wanda"), desk)
    await register_server("clock", GUEST, somebody("bob"), desk)
    with pytest.raises(expected):
        await enrol_server(name, somebody(person), at(desk))


async def test_only_an_owner_takes_a_credential_back(desk: RegistryDesk) -> None:
    await register_server("lunch", OWN, somebody("wanda"), desk)
    await enrol_server("lunch", somebody("wanda"), at(desk))
    with pytest.raises(Forbidden):
        await end_enrolment("lunch", "mine now", somebody("alice"), desk)


async def test_its_share_of_the_policy_is_that_server_alone(desk: RegistryDesk) -> None:
    await enter_fleet({"warehouse": DOCUMENT}, desk)
    await publish_policy(desk.source, "fleet")
    await deployed(desk)
    told = json.loads(desk.served.payload_for("lunch", 7.0))
    assert [server["name"] for server in told["servers"]] == ["lunch"]
    assert {row["server"] for row in told["rows"]} == {"lunch"}
    assert (told["only"], told["issued_at"]) == ("lunch", 7.0)
    digest = told["digest"]
    await publish_manifest("warehouse", manifest_of(*TOOLS), desk)
    later = json.loads(desk.served.payload_for("lunch", 8.0))
    assert later["revision"] > told["revision"]
    assert later["digest"] == digest, "it tells nothing of what changed elsewhere"
    assert json.loads(desk.served.payload_for("nobody", 8.0))["servers"] == []


def lines(*facts: Any) -> list[bytes]:
    head, found = START, []
    for fact in facts:
        head, line = next_line(head, 1, json.dumps(fact, separators=(",", ":")).encode())
        found.append(line)
    return found


def test_a_process_tells_of_its_own_calls() -> None:
    check_own_facts(
        "lunch",
        lines(
            {"kind": "call-started", "server": "lunch"},
            {"kind": "call-finished", "call_id": "1"},
            {"kind": "call-refused", "server": "lunch"},
            {"kind": "call-lost", "call_id": "2"},
        ),
    )
    check_own_facts("lunch", [])


@pytest.mark.parametrize(
    "fact",
    [
        {"kind": "call-started", "server": "warehouse"},
        {"kind": "call-refused"},
        {"kind": "policy-published", "server": "lunch"},
        {"kind": "review-decided", "server": "lunch"},
        {"server": "lunch"},
        {},
    ],
)
def test_a_process_tells_of_nothing_else(fact: Any) -> None:
    with pytest.raises(Forbidden) as refused:
        check_own_facts("lunch", lines(fact))
    assert refused.value.code == "not-its-own"


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        check_own_facts("lunch", [b"no record"])
    assert refused.value.code == "record-unreadable"


def test_a_record_of_broken_json_is_refused() -> None:
    _, line = next_line(START, 1, b"{broken}")
    with pytest.raises(Invalid, match="holds no fact"):
        check_own_facts("lunch", [line])
