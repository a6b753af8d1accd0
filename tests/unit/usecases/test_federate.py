"""Signing in elsewhere: whose answer is taken, who is known then, and for how long."""

from dataclasses import dataclass, field, replace

import pytest
from tests.unit.sign_in_only import SignInOnly

from pierhead.core.errors import Unauthenticated, UpstreamUnreachable
from pierhead.core.federation import Stated
from pierhead.usecases.federate import Arrived, FederatedPeople, Federation, sign_in_elsewhere
from pierhead.usecases.memory import MemoryAudit, MemoryClock
from pierhead.usecases.memory_sign_in import MemoryPeople, MemorySeal
from pierhead.usecases.ports_sign_in import Attempt, SignedIn, Vouched

pytestmark = pytest.mark.anyio

ISSUER = "https://login.example"
ATTEMPT = Attempt("state-1", "nonce-1", "v" * 43, "https://mcp.example/sign-in/callback")
GOOD = {"state": "state-1", "code": "code-1", "iss": ISSUER}


@dataclass
class Provider(SignInOnly):
    """Says yes to one code."""

    issuer: str = ISSUER
    names_itself: bool = True
    is_away: bool = False
    proved_at: float = 0.0
    asked: list[str] = field(default_factory=list[str])

    async def question(self, attempt: Attempt) -> str:
        return f"{self.issuer}/auth?state={attempt.state}"

    async def states_issuer(self) -> bool:
        return self.names_itself

    async def person(self, code: str, attempt: Attempt) -> Vouched:
        assert replace(attempt, is_fresh=False) == ATTEMPT
        self.asked.append(code)
        if self.is_away:
            raise UpstreamUnreachable("away", code="identity-provider-unreachable")
        return Vouched(Stated("u-1", frozenset({"data-eng"})), "sub-1", "", self.proved_at)


class World:
    def __init__(self) -> None:
        self.clock, self.audit, self.store, self.provider = MemoryClock(), MemoryAudit(), MemoryPeople(), Provider()
        self.people = FederatedPeople(self.store, self.clock, ISSUER, 100, 50)
        self.at = Federation(self.provider, self.people, self.audit, MemorySeal())

    async def refusal(self, answer: dict[str, str]) -> str:
        with pytest.raises(Unauthenticated) as caught:
            await sign_in_elsewhere(answer, ATTEMPT, self.at)
        assert self.audit.kinds() == ["sign-in-failed"]
        assert self.people.names() == ()
        return caught.value.code


async def test_whom_the_provider_proves_is_known_with_their_groups_until_they_are_due() -> None:
    world = World()
    assert await sign_in_elsewhere(GOOD, ATTEMPT, world.at) == Arrived("u-1", 0.0)
    assert world.audit.kinds() == ["sign-in-succeeded"]
    assert (world.people.names(), world.people.groups("u-1")) == (("u-1",), frozenset({"data-eng"}))
    assert world.people.claims("u-1") == ()
    assert world.people.groups("u-2") is None
    world.clock.seconds += 99
    assert world.people.groups("u-1") is not None
    world.clock.seconds += 1
    assert (world.people.names(), world.people.groups("u-1")) == ((), None)


async def test_another_replica_and_a_restart_know_the_people_of_this_provider_alone() -> None:
    world = World()
    await sign_in_elsewhere(GOOD, ATTEMPT, world.at)
    await world.store.keep(SignedIn("other", "https://elsewhere.example", frozenset(), world.clock.now()), 0)
    later = FederatedPeople(world.store, world.clock, ISSUER, 100, 50)
    assert later.names() == ()
    await later.load()
    assert later.names() == ("u-1",)


async def test_who_is_due_is_forgotten_when_somebody_signs_in() -> None:
    world = World()
    await world.store.keep(SignedIn("gone", ISSUER, frozenset(), world.clock.now() - 101), 0)
    await sign_in_elsewhere(GOOD, ATTEMPT, world.at)
    assert set(world.store.people) == {(ISSUER, "u-1")}


ANSWERS = {
    "another state": ({**GOOD, "state": "state-2"}, "wrong-state"),
    "no state": ({"code": "code-1", "iss": ISSUER}, "wrong-state"),
    "a state beyond ascii": ({**GOOD, "state": "é"}, "wrong-state"),
    "another issuer": ({**GOOD, "iss": "https://evil.example"}, "wrong-issuer"),
    "no issuer": ({"state": "state-1", "code": "code-1"}, "wrong-issuer"),
    "no code": ({"state": "state-1", "iss": ISSUER}, "no-code"),
    "a no": ({**GOOD, "error": "access_denied"}, "provider-refused"),
}


@pytest.mark.parametrize(("answer", "code"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_answer_that_is_not_right_signs_nobody_in(answer: dict[str, str], code: str) -> None:
    world = World()
    assert await world.refusal(answer) == code
    assert world.provider.asked == []


async def test_a_provider_that_never_names_itself_need_not() -> None:
    world = World()
    world.provider.names_itself = False
    assert await sign_in_elsewhere({"state": "state-1", "code": "code-1"}, ATTEMPT, world.at) == Arrived("u-1", 0.0)
    other = World()
    other.provider.names_itself = False
    assert await other.refusal({**GOOD, "iss": "https://evil.example"}) == "wrong-issuer"


async def test_a_reason_in_strange_words_is_not_repeated() -> None:
    world = World()
    with pytest.raises(Unauthenticated) as caught:
        await sign_in_elsewhere({**GOOD, "error": "<script>"}, ATTEMPT, world.at)
    assert "script" not in caught.value.message


async def test_a_provider_that_is_away_is_on_record() -> None:
    world = World()
    world.provider.is_away = True
    with pytest.raises(UpstreamUnreachable):
        await sign_in_elsewhere(GOOD, ATTEMPT, world.at)
    assert world.audit.kinds() == ["sign-in-failed"]


def test_the_challenge_is_that_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert Attempt("s", "n", verifier, "r").challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_whoever_must_prove_themselves_anew_did_so_just_now_by_the_providers_own_word() -> None:
    world = World()
    anew, now = replace(ATTEMPT, is_fresh=True), world.clock.now()
    world.provider.proved_at = now - 5
    assert await sign_in_elsewhere(GOOD, anew, world.at) == Arrived("u-1", now - 5)
    for long_ago in (0.0, now - 661, now + 61, now + 10**9):
        world.provider.proved_at = long_ago
        with pytest.raises(Unauthenticated) as refused:
            await sign_in_elsewhere(GOOD, anew, world.at)
        assert refused.value.code == "not-fresh"
    world.provider.proved_at = now - 661
    assert await sign_in_elsewhere(GOOD, ATTEMPT, world.at) == Arrived("u-1", now - 661)


async def test_a_provider_whose_clock_is_ahead_makes_no_proof_younger_than_it_is() -> None:
    world = World()
    world.provider.proved_at = world.clock.now() + 600
    assert (await sign_in_elsewhere(GOOD, ATTEMPT, world.at)).proved_at == world.clock.now()


async def test_who_signed_in_by_a_clock_that_was_set_back_since_signs_in_again() -> None:
    world = World()
    await sign_in_elsewhere(GOOD, ATTEMPT, world.at)
    world.clock.seconds -= 60
    assert world.people.names() == ("u-1",)
    world.clock.seconds -= 1
    assert (world.people.names(), world.people.groups("u-1")) == ((), None)
    now = world.clock.now()
    asked = SignedIn("u-1", ISSUER, frozenset(), now, "sub-1", "grant", confirmed_at=now + 61)
    await world.people.remember(asked)
    assert world.people.names() == ()
    await world.people.remember(replace(asked, confirmed_at=now + 60))
    assert world.people.names() == ("u-1",)
