"""Tokens that ended before their end: too old, withdrawn, or of a program where a person is meant."""

import pytest
from tests.attacks.test_tokens import AUDIENCE, NOW, URL, Rig, good
from tests.rigs.gateway import sign, signing_key

from pierhead.adapters.oidc import Issuer, Tokens
from pierhead.core.errors import Unauthenticated
from pierhead.core.federation import ClaimMapping
from pierhead.core.identity import User, Workload
from pierhead.core.snapshot import Snapshot
from pierhead.core.withdrawal import TOKEN_LIFE_S, Withdrawal, Withdrawals
from pierhead.usecases.memory import MemorySnapshots

pytestmark = pytest.mark.anyio

ROBOT = "spiffe://corp.example/job/nightly"
COMPANY = "https://login.example"


def withdrawn(rig: Rig, *each: Withdrawal) -> None:
    rig.tokens.snapshots = MemorySnapshots(Snapshot(7, {}, {}, withdrawn=Withdrawals.of(1, each)))


def of_company(rig: Rig) -> Rig:
    """The same, but its people come from the company's own issuer."""
    theirs = Issuer(COMPANY, frozenset({"RS256"}), rig.fetch, mapping=ClaimMapping("sub", "groups", {}))
    rig.tokens = Tokens(Issuer(URL, frozenset({"RS256"}), rig.fetch), rig.clock, rig.snapshots, theirs)
    return rig


async def test_a_token_counts_for_a_day_whatever_it_says() -> None:
    edge = {"iat": NOW - TOKEN_LIFE_S, "exp": NOW + 600}
    assert (await Rig().tokens.verify(sign(good(**edge)).encode(), AUDIENCE)).issued_at == NOW - TOKEN_LIFE_S
    assert await Rig().refusal(sign(good(**{**edge, "iat": NOW - TOKEN_LIFE_S - 1}))) == "too-old"


async def test_what_was_issued_before_somebody_was_withdrawn_is_void_and_what_was_after_is_good() -> None:
    for issued, code in ((NOW - 1, "withdrawn"), (NOW, "")):
        rig = Rig()
        withdrawn(rig, Withdrawal(URL, "alice", NOW, frozenset()))
        token = sign(good(iat=issued))
        if code:
            assert await rig.refusal(token) == code
        else:
            assert (await rig.tokens.verify(token.encode(), AUDIENCE)).user.subject == "alice"
        assert (await rig.tokens.verify(sign(good(iat=issued, sub="bob")).encode(), AUDIENCE)).user.subject == "bob"


async def test_a_verdict_ends_with_the_revision_that_it_was_reached_under() -> None:
    rig, token = Rig(), sign(good(iat=NOW - 1))
    assert await rig.tokens.verify(token.encode(), AUDIENCE)
    withdrawn(rig, Withdrawal(URL, "alice", NOW, frozenset()))
    assert await rig.refusal(token) == "withdrawn"


async def test_a_group_that_was_withdrawn_is_in_no_token() -> None:
    rig = Rig()
    withdrawn(rig, Withdrawal(URL, "alice", 0, frozenset({"data-eng"})))
    identity = await rig.tokens.verify(sign(good(groups=["data-eng", "ads"])).encode(), AUDIENCE)
    assert identity.user == User(URL, "alice", frozenset({"ads"}))


async def test_the_companys_clock_may_be_a_minute_ahead_and_wins_nobody_anything() -> None:
    for issued, code in ((NOW + 59, "withdrawn"), (NOW + 60, "")):
        rig = of_company(Rig())
        withdrawn(rig, Withdrawal(COMPANY, "alice", NOW, frozenset()))
        token = sign(good(iss=COMPANY, iat=issued, exp=NOW + 900))
        if code:
            assert await rig.refusal(token) == code
        else:
            assert (await rig.tokens.verify(token.encode(), AUDIENCE)).user.issuer == COMPANY


async def test_a_program_is_its_workload_and_nobodys_person() -> None:
    rig = Rig()
    token = sign(good(wl=ROBOT, groups=..., sub="nightly", client_id="nightly")).encode()
    identity = await rig.tokens.verify(token, AUDIENCE)
    assert (identity.principal, identity.client) == (Workload(ROBOT), "nightly")
    assert (identity.scopes, identity.expires_at) == (frozenset({"mcp"}), NOW + 600)
    with pytest.raises(Unauthenticated) as refused:
        _ = identity.user
    assert refused.value.code == "not-a-person"
    withdrawn(rig, Withdrawal(URL, "nightly", NOW + 1, frozenset()))
    assert (await rig.tokens.verify(token, AUDIENCE)).principal == Workload(ROBOT), "withdrawals are of people"


@pytest.mark.parametrize("named", ["", "nightly", "spiffe://corp.example", 7, None, [ROBOT], "https://corp.example/x"])
async def test_a_program_without_a_workloads_name_is_nobody(named: object) -> None:
    assert await Rig().refusal(sign(good(wl=named))) == "no-subject"


async def test_a_verdict_is_remembered_for_a_minute_and_no_clock_makes_it_older_or_younger() -> None:
    rig = Rig()
    token = sign(good(exp=NOW + 6000, iat=NOW - 600)).encode()
    await rig.tokens.verify(token, AUDIENCE)
    rig.keys = [type(signing_key()).generate_key(2048, {"kid": "rig-1"})]
    rig.tokens._issuers[URL][1]._keys.clear()
    rig.tokens._issuers[URL][1]._asked_at = float("-inf")
    for moved, is_known in ((0, True), (59, True), (-60, True), (60, False), (-61, False)):
        rig.clock.seconds = NOW + moved
        if is_known:
            assert await rig.tokens.verify(token, AUDIENCE)
        else:
            with pytest.raises(Unauthenticated):
                await rig.tokens.verify(token, AUDIENCE)


@pytest.mark.parametrize(
    ("named", "client"),
    [
        ({"client_id": ...}, ""),
        ({"client_id": ..., "azp": "vscode"}, "vscode"),
        ({"client_id": ..., "appid": "a"}, "a"),
    ],
)
async def test_the_client_of_the_companys_token_is_named_in_one_of_three_ways_or_not(
    named: dict[str, object], client: str
) -> None:
    rig = of_company(Rig())
    identity = await rig.tokens.verify(sign(good(iss=COMPANY, **named)).encode(), AUDIENCE)
    assert (identity.client, identity.proved_at) == (client, 0)


@pytest.mark.parametrize("issuer", [URL, COMPANY])
async def test_when_its_person_proved_themselves_is_carried_by_either_issuers_token(issuer: str) -> None:
    rig = of_company(Rig())
    identity = await rig.tokens.verify(sign(good(iss=issuer, auth_time=NOW - 90)).encode(), AUDIENCE)
    assert identity.proved_at == NOW - 90


@pytest.mark.parametrize(
    ("said", "believed"), [(NOW + 60, NOW + 60), (NOW + 61, 0), (10**12, 0), ("1", 0), (True, 0), (-1, 0), (1.5, 0)]
)
async def test_a_time_after_the_tokens_own_or_that_is_none_proves_nothing(said: object, believed: int) -> None:
    identity = await Rig().tokens.verify(sign(good(iat=NOW, auth_time=said)).encode(), AUDIENCE)
    assert identity.proved_at == believed
