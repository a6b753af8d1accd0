"""Clocks that are wrong: the gateway's, an issuer's, the registry's, a server's. Never a yes, always a reason."""

import hashlib
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.rigs.gateway import Rig, gateway, headers, message, serving, tool
from tests.rigs.mesh import TRIAGE, forwarded, mesh, svid

from pierhead.adapters.assertion import LIFETIME_S, SKEW_S, Minter, Verifier, server_key
from pierhead.core.catalog import Effect
from pierhead.core.errors import Invalid, Unauthenticated
from pierhead.core.identity import Caller, User
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.snapshot import AgeLimits, Expired
from pierhead.core.withdrawal import NOTHING_WITHDRAWN
from pierhead.usecases.follow_policy import FollowedPolicy
from pierhead.usecases.memory import MemoryClock, snapshot_of
from pierhead.usecases.ports_registry import Envelope
from pierhead.usecases.wire_forms import snapshot_to_form
from pierhead.usecases.withdrawal_forms import withdrawals_to_form

pytestmark = pytest.mark.anyio

YEARS = 10 * 365 * 86_400
ROWS = [Row("warehouse", parse_who(f"group:data-eng or workload:{TRIAGE}"), EVERY, EVERY, EVERY)]
TOOLS = (tool("echo"), tool("wipe", effect=Effect.DESTRUCTIVE))


@dataclass
class SteppedClock:
    """The machine's time, so many seconds away from it. Its monotonic time is nobody's to set."""

    away_s: float = 0.0

    def now(self) -> float:
        return time.time() + self.away_s

    def monotonic(self) -> float:
        return time.monotonic()


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """A server that takes every call."""
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'})


@asynccontextmanager
async def placed(folder: Path) -> AsyncGenerator[tuple[Rig, SteppedClock]]:
    """A gateway whose clock can be set, with a sidecar that has a socket of its own."""
    setting = mesh(folder, sidecar=f"unix:{folder}/sidecar.sock")
    async with serving(answers) as upstream, gateway(f"{upstream}/mcp", *TOOLS, rows=ROWS, mesh=setting) as rig:
        clock = SteppedClock()
        assert rig.outside.workloads is not None
        rig.outside.tokens.clock = rig.outside.workloads.clock = clock
        yield rig, clock


async def ask(rig: Rig, way: httpx2.AsyncClient, **proofs: str) -> str:
    """What came of a call: nothing, or the code of its refusal."""
    sent = {**headers("tools/call", "echo"), **{name.replace("_", "-"): value for name, value in proofs.items()}}
    body = message("tools/call", {"name": "echo", "arguments": {}})
    answer = await way.post(f"{rig.url}/mcp/warehouse", content=body, headers=sent)
    assert answer.status_code in {200, 401}
    return "" if answer.status_code == 200 else answer.json()["error"]["data"]["code"]


def reasons(rig: Rig) -> list[str]:
    return [fact.reason for fact in rig.audit.facts if fact.kind == "sign-in-failed"]


@pytest.mark.parametrize(
    ("away_s", "of_a_person", "of_a_workload"),
    [
        (YEARS, "expired", "svid-expired"),
        (601, "expired", "svid-expired"),
        (-120, "not-yet-valid", "svid-not-yet"),
        (-YEARS, "not-yet-valid", "svid-not-yet"),
        (-1_790_000_000, "not-yet-valid", "svid-not-yet"),
    ],
)
async def test_a_gateway_whose_clock_jumps_lets_nobody_in_who_was_in_and_says_why(
    tmp_path: Path, away_s: float, of_a_person: str, of_a_workload: str
) -> None:
    async with placed(tmp_path) as (rig, clock):
        person = {"authorization": f"Bearer {rig.token()}"}
        program = {"authorization": f"Bearer {svid(TRIAGE, f'{rig.url}/mcp/warehouse')}"}
        assert [await ask(rig, rig.client, **each) for each in (person, program)] == ["", ""]
        clock.away_s = away_s
        refused = [await ask(rig, rig.client, **each) for each in (person, program)]
        assert refused == reasons(rig) == [of_a_person, of_a_workload]
        clock.away_s = 0
        assert [await ask(rig, rig.client, **each) for each in (person, program)] == ["", ""]


async def test_an_issuer_whose_clock_is_wrong_issues_nothing_that_counts(tmp_path: Path) -> None:
    async with placed(tmp_path) as (rig, _):
        now = int(time.time())
        issued = {
            "not-yet-valid": {"iat": now + YEARS, "exp": now + YEARS + 600},
            "expired": {"iat": now - YEARS, "exp": now - YEARS + 600},
            "too-old": {"iat": now - YEARS, "exp": now + 600},
            "bad-times": {"iat": -1, "exp": now + 600},
        }
        for code, times in issued.items():
            assert await ask(rig, rig.client, authorization=f"Bearer {rig.token(**times)}") == code
        audience = f"{rig.url}/mcp/warehouse"
        of_workloads = {"svid-not-yet": now + YEARS, "svid-expired": now - YEARS}
        for code, at in of_workloads.items():
            assert await ask(rig, rig.client, authorization=f"Bearer {svid(TRIAGE, audience, now=at)}") == code
        assert reasons(rig) == [*issued, *of_workloads]


async def test_the_sidecars_word_counts_at_its_moment_whatever_the_gateways_clock_says(tmp_path: Path) -> None:
    async with placed(tmp_path) as (rig, clock):
        for away_s in (0, YEARS, -YEARS):
            clock.away_s = away_s
            proof = {"x_forwarded_client_cert": forwarded(TRIAGE)}
            assert await ask(rig, rig.sidecar, **proof) == ""  # Envoy saw the certificate by its own clock just now
            assert await ask(rig, rig.client, **proof) == "no-credentials"


# A server, which believes the gateway for seconds.

KEY = b"k" * 32
BODY = hashlib.sha256(b"{}").hexdigest()
ALICE = Caller(User("https://corp.example", "alice", frozenset({"data-eng"})), "ide", "local", "c-1")
LAST_S = LIFETIME_S + SKEW_S


def pair(at: MemoryClock, of_server: MemoryClock) -> tuple[Minter, Verifier]:
    return Minter(KEY, at), Verifier(server_key(KEY, "warehouse"), "warehouse", of_server)


def refusal(verifier: Verifier, shown: bytes) -> str:
    with pytest.raises(Unauthenticated) as refused:
        verifier.verify(shown, BODY)
    return refused.value.code


@pytest.mark.parametrize("away_s", [LAST_S, YEARS, -SKEW_S - 1, -YEARS])
async def test_a_server_whose_clock_is_another_believes_nothing(away_s: float) -> None:
    minter, verifier = pair(MemoryClock(), MemoryClock(MemoryClock().seconds + away_s))
    assert refusal(verifier, minter.mint(ALICE, "warehouse", "c-1", BODY)) == "assertion-expired"


async def test_a_clock_that_jumps_ahead_and_back_makes_nothing_good_that_was_spent() -> None:
    clock = MemoryClock()
    minter, verifier = pair(clock, clock)
    spent = [minter.mint(ALICE, "warehouse", f"c-{each}", BODY) for each in range(3)]
    for each in spent:
        verifier.verify(each, BODY)
    began = clock.seconds
    clock.seconds = began + YEARS
    for each in range(3):  # the server forgets two of the old ones at each call
        verifier.verify(minter.mint(ALICE, "warehouse", f"later-{each}", BODY), BODY)
    clock.seconds = began
    assert {refusal(verifier, each) for each in spent} <= {"assertion-expired", "assertion-replayed"}
    clock.seconds = began + 1
    assert verifier.verify(minter.mint(ALICE, "warehouse", "c-9", BODY), BODY)[1] == "c-9"


# Whoever follows the registry's policy.


class Signed:
    def is_valid(self, envelope: Envelope) -> bool:
        return envelope.signature == "good"


class Disk:
    def __init__(self) -> None:
        self.kept: list[Envelope] = []

    def load(self) -> Sequence[Envelope]:
        return self.kept

    def keep(self, envelope: Envelope) -> None:
        self.kept = [envelope]

    def keep_change(self, envelope: Envelope) -> None:
        self.kept.append(envelope)


class TwoClocks(MemoryClock):
    """One that can be set while the other goes on."""

    passed: float = 0.0

    def monotonic(self) -> float:
        return self.passed


def envelope(issued_at: float) -> Envelope:
    content = snapshot_to_form(snapshot_of([], ROWS))
    people = withdrawals_to_form(NOTHING_WITHDRAWN)
    return Envelope(json.dumps({**content, "digest": "d", "issued_at": issued_at, "people": people}), "good")


def follower(clock: MemoryClock, disk: Disk | None = None) -> FollowedPolicy:
    return FollowedPolicy(clock, AgeLimits(60, 900), Signed(), disk or Disk())


@pytest.mark.parametrize("away_s", [YEARS, 61.0])
async def test_a_registry_whose_clock_is_ahead_puts_nothing_in_force_and_what_was_ages(away_s: float) -> None:
    clock = TwoClocks()
    policy = follower(clock)
    policy.take(envelope(clock.seconds))
    clock.passed += 900
    clock.seconds += 900
    with pytest.raises(Invalid) as refused:
        policy.take(envelope(clock.seconds + away_s))
    assert (refused.value.code, policy.age()) == ("snapshot-time", Expired(900))


@pytest.mark.parametrize("away_s", [YEARS, 900.0])
async def test_a_registry_whose_clock_is_behind_makes_no_policy_young(away_s: float) -> None:
    clock = TwoClocks()
    policy = follower(clock)
    policy.take(envelope(clock.seconds - away_s))
    assert policy.age() == Expired(away_s)


async def test_a_clock_that_is_set_back_makes_no_policy_younger_and_a_restart_takes_none_of_the_future() -> None:
    clock, disk = TwoClocks(), Disk()
    policy = follower(clock, disk)
    policy.take(envelope(clock.seconds))
    clock.passed, clock.seconds = 899, clock.seconds - YEARS
    assert not isinstance(policy.age(), Expired)
    clock.passed = 900
    assert policy.age() == Expired(900)
    again = follower(clock, disk)
    again.restore()
    assert (again.age(), again.problem) == (Expired(float("inf")), "the snapshot was issued in the future")
