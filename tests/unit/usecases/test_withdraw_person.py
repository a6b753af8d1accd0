"""Taking something from a person: on record, served at once, and nothing of theirs goes on."""

import asyncio
import json
from dataclasses import replace

import pytest
from tests.unit.registry_in_memory import Kept, fleet_in_memory
from tests.unit.usecases.test_policy_changes import follower
from tests.unit.usecases.test_told_changes import told

from pierhead.core.audit_people import PersonRestored, PersonWithdrawn, TokenExchanged
from pierhead.core.audit_sign_in import TokenRevoked
from pierhead.core.errors import Forbidden, Invalid, NotFound, Unauthenticated, UpstreamUnreachable
from pierhead.core.federation import Stated
from pierhead.core.identity import ANONYMOUS, Caller
from pierhead.core.withdrawal import KEPT_S, Withdrawal, Withdrawals
from pierhead.usecases.exchange_token import ExchangeDesk, Wanted
from pierhead.usecases.federate import FederatedPeople, Federation
from pierhead.usecases.grant_tokens import Grant, Terms, TokenDesk, issue
from pierhead.usecases.memory import MemoryAudit, MemoryClock
from pierhead.usecases.memory_consents import MemoryConsents
from pierhead.usecases.memory_sign_in import KnownPeople, MemoryPeople, MemorySeal, MemorySignIn
from pierhead.usecases.ports_exchange import Credential, NoExchanges
from pierhead.usecases.ports_registry import Envelope
from pierhead.usecases.ports_sign_in import Attempt, Code, RefreshToken, SignedIn, Vouched
from pierhead.usecases.reconfirm_people import Reconfirming, told_of_logout
from pierhead.usecases.remember_consent import ConsentDesk
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.withdraw_person import (
    CurrentPeople,
    PeopleDesk,
    catch_up,
    end_everything,
    end_tokens,
    restore_groups,
    withdraw_groups,
)
from pierhead.usecases.withdrawal_forms import withdrawals_from_form, withdrawals_to_form

pytestmark = pytest.mark.anyio
URL, ISSUER = "http://127.0.0.1:8420", "https://login.example"
BOTH = frozenset({"ads", "data-eng"})


class Signer:
    """Shows what it was given to sign."""

    def sign(self, claims: object) -> str:
        return json.dumps(claims)


class Provider:
    """Says what it is told to say of alice; `rounds` counts the questions."""

    def __init__(self) -> None:
        self.issuer, self.groups, self.rounds = ISSUER, BOTH, 0
        self.fails: Exception | None = None
        self.name, self.exchanges = "alice", 0
        self.token, self.ends = "token", 1_700_000_300.0

    async def again(self, grant: str, subject: str) -> Vouched:
        assert (grant, subject) == (f"grant-{self.rounds}", "sub-1")
        if self.fails:
            raise self.fails
        self.rounds += 1
        kept = f"grant-{self.rounds}"
        return Vouched(Stated(self.name, self.groups), subject, kept, token=self.token, token_until=self.ends)

    async def exchanged(self, token: str, audience: str) -> Credential:
        if audience == "refused":
            raise Unauthenticated("no", code="exchange-refused")
        self.exchanges += 1
        return Credential(f"Bearer {token} for {audience}", self.ends)

    async def logged_out(self, token: str) -> str:
        if token != "good":
            raise Unauthenticated("not ours", code="bad-signature")
        return "sub-1"

    def name_of(self, subject: str) -> str:
        assert subject == "sub-1"
        return "somebody"

    async def question(self, attempt: Attempt) -> str:
        raise AssertionError

    async def states_issuer(self) -> bool:
        raise AssertionError

    async def person(self, code: str, attempt: Attempt) -> Vouched:
        raise AssertionError


class World:
    """One registry: people of the fleet file, or of a provider."""

    def __init__(self, store: MemoryPeople | None = None, *, elsewhere: bool = False) -> None:
        self.clock, self.audit, self.store = MemoryClock(), MemoryAudit(), store or MemoryPeople()
        self.served, self.tokens = ServedPolicy(), MemorySignIn()
        self.federated = FederatedPeople(self.store, self.clock, ISSUER, 3600, 600) if elsewhere else None
        stated = self.federated or KnownPeople({"alice": BOTH})
        terms = Terms(URL, provider=ISSUER if elsewhere else "")
        people = CurrentPeople(stated, self.served, terms.people_of)
        self.desk = TokenDesk(self.tokens, self.tokens, Signer(), people, self.audit, self.clock, terms)  # type: ignore[arg-type]
        self.consents = ConsentDesk(MemoryConsents(self.tokens), self.desk)
        self.people = PeopleDesk(self.store, self.served, self.desk, self.federated, self.consents)
        self.provider = Provider()

    @property
    def federation(self) -> Federation:
        assert self.federated is not None
        return Federation(self.provider, self.federated, self.audit, MemorySeal())

    @property
    def reconfirming(self) -> Reconfirming:
        return Reconfirming(self.federation, self.people, 100)

    async def sign_in(self, grant: str = "grant-0") -> None:
        assert self.federated is not None
        vouched = Vouched(Stated("alice", BOTH), "sub-1", grant)
        await self.federated.remember(self.federation.signed_in(vouched, self.clock.now()))

    @property
    def withdrawn(self) -> Withdrawals:
        return self.served.current().withdrawn

    def facts(self) -> list[str]:
        return [fact.kind for fact in self.store.facts]


async def test_a_group_is_gone_at_once_for_good_and_counts_again_when_it_is_restored() -> None:
    world = World()
    await withdraw_groups("alice", frozenset({"ads"}), "frank", "moved", world.people)
    assert world.desk.people.groups("alice") == frozenset({"data-eng"})
    assert world.store.facts == [PersonWithdrawn("alice", URL, 0.0, ("ads",), "frank", "moved")]
    with pytest.raises(NotFound, match="none of these groups"):
        await restore_groups("alice", frozenset({"data-eng"}), "frank", "back", world.people)
    with pytest.raises(NotFound, match="none of these groups"):
        await restore_groups("bob", frozenset({"ads"}), "frank", "back", world.people)
    await restore_groups("alice", frozenset({"ads"}), "frank", "back", world.people)
    assert world.desk.people.groups("alice") == BOTH
    assert world.store.facts[1:] == [PersonRestored("alice", URL, ("ads",), "frank", "back")]
    assert world.desk.people.groups("nobody") is None
    assert (world.desk.people.names(), world.desk.people.claims("alice")) == (("alice",), ())


async def test_an_end_voids_what_was_issued_and_families_and_codes_but_nothing_that_comes_later() -> None:
    world = World()
    now = world.clock.now()
    await world.tokens.add_refresh_token(RefreshToken("r", "f-1", "c", "alice", URL, now + 9))
    await world.tokens.add_refresh_token(RefreshToken("s", "f-2", "c", "bob", URL, now + 9))
    await world.tokens.add_code(Code("d", "f-3", "c", URL, "x", "alice", URL, now + 9))
    world.clock.seconds += 0.4
    assert await end_everything("alice", "frank", "left", world.people) == now + 0.4
    assert world.desk.people.void_before("alice") == now + 0.4
    assert (world.tokens.revoked, world.tokens.codes) == ({"f-1"}, {})
    assert world.audit.facts == [TokenRevoked("f-1", "alice", "left")]
    token, _ = await issue(Grant("alice", URL, "c", "f-4", 60), world.desk)
    assert json.loads(token)["iat"] == now + 1  # not before the moment, though made in the same second


async def test_what_another_registry_took_or_learned_holds_here_after_a_look() -> None:
    here = World(elsewhere=True)
    there = World(here.store, elsewhere=True)
    await there.sign_in()
    await withdraw_groups("alice", frozenset({"ads"}), "frank", "moved", there.people)
    await catch_up(here.people)
    assert here.desk.people.groups("alice") == frozenset({"data-eng"})
    await end_everything("alice", "frank", "left", there.people)
    await catch_up(here.people)
    assert here.desk.people.groups("alice") is None
    same = here.served.current()
    await catch_up(here.people)
    assert here.served.current() is same
    assert (here.federation.people.claims("alice"), here.federation.people.void_before("alice")) == ((), 0)
    alone = World()
    await catch_up(alone.people)
    assert alone.withdrawn.version == 0


async def test_moments_are_forgotten_once_no_token_is_that_old_and_groups_never() -> None:
    world = World()
    await end_everything("alice", "frank", "left", world.people)
    await withdraw_groups("bob", frozenset({"ads"}), "frank", "moved", world.people)
    world.clock.seconds += KEPT_S + 1
    await withdraw_groups("carol", frozenset({"ads"}), "frank", "moved", world.people)
    assert {subject for _, subject in world.withdrawn.people} == {"bob", "carol"}


async def test_a_group_that_the_provider_takes_away_voids_tokens_and_lets_the_client_go_on() -> None:
    world = World(elsewhere=True)
    await world.sign_in()
    await world.tokens.add_refresh_token(RefreshToken("r", "f-1", "c", "alice", URL, world.clock.now() + 9999))
    await world.reconfirming.reconfirm()
    assert world.provider.rounds == 0  # not due yet
    world.clock.seconds += 100
    await world.reconfirming.reconfirm()
    assert (world.provider.rounds, world.facts()) == (1, [])
    world.clock.seconds += 100
    world.provider.groups = frozenset({"data-eng"})
    await world.reconfirming.reconfirm()
    assert world.desk.people.groups("alice") == frozenset({"data-eng"})
    assert world.desk.people.void_before("alice") == world.clock.now()
    assert (world.facts(), world.tokens.revoked) == (["person-withdrawn"], set())


@pytest.mark.parametrize("wrong", ["refused", "renamed", "unreadable"])
async def test_whom_the_provider_does_not_vouch_for_any_more_is_nobody(wrong: str) -> None:
    world = World(elsewhere=True)
    await world.sign_in()
    if wrong == "refused":
        world.provider.fails = Unauthenticated("gone", code="provider-withdrew")
    elif wrong == "renamed":
        world.provider.name = "mallory"
    else:
        known = next(person for _, person in world.store.people.values())
        assert world.federated is not None
        await world.federated.remember(replace(known, grant="sealed for another|grant-0"))
    world.clock.seconds += 100
    await world.reconfirming.reconfirm()
    assert world.desk.people.groups("alice") is None
    assert world.facts() == ["person-withdrawn"]


async def test_a_provider_that_is_away_changes_nothing_until_its_last_word_is_too_old() -> None:
    world = World(elsewhere=True)
    await world.sign_in()
    world.provider.fails = UpstreamUnreachable("away")
    for _ in range(5):
        world.clock.seconds += 100
        await world.reconfirming.reconfirm()
        assert world.desk.people.groups("alice") == BOTH
    world.clock.seconds += 100
    assert world.desk.people.groups("alice") is None
    without = World(elsewhere=True)
    await without.sign_in(grant="")
    without.clock.seconds += 3599
    await without.reconfirming.reconfirm()
    assert without.desk.people.groups("alice") == BOTH


async def test_of_two_registries_one_asks() -> None:
    here = World(elsewhere=True)
    there = World(here.store, elsewhere=True)
    await here.sign_in()
    await catch_up(there.people)
    for world in (here, there):
        world.clock.seconds += 100
        await world.reconfirming.reconfirm()
    assert (here.provider.rounds, there.provider.rounds) == (1, 0)


async def test_a_logout_is_for_whom_it_names_here_or_as_the_provider_names_people() -> None:
    world = World(elsewhere=True)
    with pytest.raises(Unauthenticated):
        await told_of_logout("forged", world.federation, world.people)
    await told_of_logout("good", world.federation, world.people)
    assert set(world.withdrawn.people) == {(ISSUER, "somebody")}
    await world.sign_in()
    await told_of_logout("good", world.federation, world.people)
    assert (ISSUER, "alice") in world.withdrawn.people
    world.provider.name_of = lambda subject: ""  # type: ignore[method-assign]
    await told_of_logout("good", world.federation, world.people)
    assert len(world.withdrawn.people) == 2


def test_what_people_lost_reaches_a_follower_with_a_change_and_survives_its_restart() -> None:
    async def story() -> None:
        desk, policy = await fleet_in_memory(Kept()), follower(MemoryClock(1000))
        policy.take(told(desk.served, ""))
        waiting = asyncio.ensure_future(desk.served.after(1, 60, policy.people))
        await asyncio.sleep(0)
        lost = Withdrawals.of(3, [Withdrawal(ISSUER, "alice", 12.5, frozenset({"é"}))])
        desk.served.put_withdrawn(lost)
        desk.served.put_withdrawn(Withdrawals.of(2, []))  # earlier: not taken
        async with asyncio.timeout(5):
            await waiting
        policy.take(told(desk.served, policy.base))
        assert policy.current().withdrawn == lost
        assert policy.people == 3
        again = follower(MemoryClock(1000), policy.file)  # type: ignore[arg-type]
        again.restore()
        assert again.current().withdrawn == lost
        for earlier in (Withdrawals.of(2, []),):
            form = {**json.loads(told(desk.served, "").payload), "people": withdrawals_to_form(earlier)}
            with pytest.raises(Invalid, match="older than what is in force"):
                policy.take(Envelope(json.dumps(form), "good"))
        assert policy.current().withdrawn == lost

    asyncio.run(story())


GOOD = {"issuer": "i", "subject": "s", "before": 1.5, "groups": ["a"]}


@pytest.mark.parametrize(
    "form",
    [
        None,
        {},
        {"version": True, "everyone_before": 0, "withdrawn": []},
        {"version": 1, "everyone_before": "0", "withdrawn": []},
        {"version": 1, "everyone_before": False, "withdrawn": []},
        {"version": 1, "everyone_before": 0, "withdrawn": {}},
        {"version": 1, "everyone_before": 0, "withdrawn": [], "more": 1},
        *(
            {"version": 1, "everyone_before": 0, "withdrawn": [{**GOOD, **wrong}]}
            for wrong in ({"issuer": 1}, {"subject": None}, {"groups": "a"}, {"groups": [1]}, {"before": None})
        ),
    ],
)
def test_what_cannot_be_read_of_it_is_refused_and_never_taken_for_nothing(form: object) -> None:
    with pytest.raises(Invalid, match="cannot read what people no longer have"):
        withdrawals_from_form(form)


def test_it_survives_its_form() -> None:
    lost = Withdrawals.of(3, [Withdrawal(ISSUER, "alice", 12.5, frozenset({"é", "b"}))])
    assert withdrawals_from_form(json.loads(json.dumps(withdrawals_to_form(lost)))) == lost


async def test_memory_keeps_people_as_the_database_does() -> None:
    store = MemoryPeople()
    await store.forget(ISSUER, "nobody")
    alice = SignedIn("alice", ISSUER, BOTH, 5.0)
    assert not await store.change(alice, alice)
    await store.keep(alice, 0)
    assert await store.signed_in(ISSUER, 0) == (1, [alice])
    assert await store.signed_in(ISSUER, 1) == (1, [])
    seal = MemorySeal()
    assert seal.opened(seal.closed("s", "a"), "b") is None


def exchanging(world: World) -> ExchangeDesk:
    audiences = {"orders": "https://orders.corp.example", "closed": "refused"}
    return ExchangeDesk(world.reconfirming, world.desk.people, audiences, world.audit, world.clock)


def wanted(server: str = "orders", person: str = "alice", issuer: str = ISSUER) -> Wanted:
    return Wanted(server, issuer, person, "call-1")


async def test_a_credential_is_made_on_record_and_kept_until_it_ends_or_something_is_withdrawn() -> None:
    world = World(elsewhere=True)
    await world.sign_in()
    desk = exchanging(world)
    first = await desk.exchange(wanted())
    assert first.authorization == "Bearer token for https://orders.corp.example"
    assert "token" not in repr(first)
    assert await desk.exchange(wanted()) is first
    assert world.audit.facts == [TokenExchanged("alice", "orders", "https://orders.corp.example", "call-1")]
    assert (world.provider.rounds, world.provider.exchanges) == (1, 1)
    world.clock.seconds += 10
    await end_tokens("alice", "frank", "groups", world.people)
    await desk.exchange(wanted())
    assert (world.provider.rounds, world.provider.exchanges) == (1, 2)
    world.clock.seconds += 265  # shortly before its end, and that of what it is made of
    world.provider.ends += 300
    await desk.exchange(wanted())
    assert (world.provider.rounds, world.provider.exchanges) == (2, 3)


async def test_what_cannot_be_exchanged_is_refused_with_the_reason() -> None:
    world = World(elsewhere=True)
    desk = exchanging(world)
    for asked, why in (
        (wanted("warehouse"), "no credential of the caller"),
        (wanted(), "nobody of that name"),
        (wanted(issuer=URL), "nobody of that name"),
    ):
        with pytest.raises(Forbidden, match=why):
            await desk.exchange(asked)
    await world.sign_in()
    with pytest.raises(Forbidden, match="the identity provider refused: exchange-refused"):
        await desk.exchange(wanted("closed"))
    world.provider.token = ""
    world.clock.seconds += 300
    with pytest.raises(Forbidden, match="gave nothing that could be exchanged"):
        await desk.exchange(wanted())
    await world.sign_in(grant="")
    with pytest.raises(Forbidden, match="gave nothing that could be exchanged"):
        await desk.exchange(wanted())
    with pytest.raises(Forbidden, match="no credential of the caller"):
        await NoExchanges().exchanged("orders", Caller(ANONYMOUS, "ide", "local", ""))
    assert world.audit.facts == []


async def test_an_exchange_waits_for_nobody_that_asks_the_provider_just_now_or_finds_it_away() -> None:
    world = World(elsewhere=True)
    await world.sign_in()
    world.provider.fails = UpstreamUnreachable("away")
    world.clock.seconds += 1
    with pytest.raises(UpstreamUnreachable):
        await exchanging(world).exchange(wanted())
    world.provider.fails = None
    with pytest.raises(UpstreamUnreachable, match="is being asked about"):
        await exchanging(world).exchange(wanted())  # another registry may wait for the answer still
    world.clock.seconds += 15
    assert await exchanging(world).exchange(wanted())


async def test_an_exchange_for_somebody_who_is_gone_at_the_provider_ends_everything() -> None:
    world = World(elsewhere=True)
    await world.sign_in()
    world.provider.fails = Unauthenticated("gone", code="provider-withdrew")
    with pytest.raises(Forbidden, match="gave nothing"):
        await exchanging(world).exchange(wanted())
    assert world.desk.people.groups("alice") is None


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pierhead.usecases.exchange_token._MOST", 1)
    world = World(elsewhere=True)
    await world.sign_in()
    desk = ExchangeDesk(world.reconfirming, world.desk.people, {"a": "a", "b": "b"}, world.audit, world.clock)
    for server in ("a", "b", "a"):
        await desk.exchange(wanted(server))
    assert world.provider.exchanges == 3
