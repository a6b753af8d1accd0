"""Forged, stolen and odd access tokens and assertions, at the verifiers themselves."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from tests.rigs.gateway import claims, sign, signing_key

from pierhead.adapters.assertion import Minter, Verifier, server_key
from pierhead.adapters.oidc import Issuer, Tokens
from pierhead.core.errors import Unauthenticated, UpstreamUnreachable
from pierhead.core.identity import Both, Caller, User, Workload
from pierhead.core.snapshot import EMPTY, Snapshot
from pierhead.usecases.memory import MemoryClock, MemorySnapshots

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:8420"
AUDIENCE = f"{URL}/mcp/warehouse"
NOW = 1_700_000_000


class Rig:
    """A verifier of tokens, and a count of how often it asked for keys."""

    def __init__(self, *keys: Any, algorithms: frozenset[str] = frozenset({"RS256"})) -> None:
        self.asked = 0
        self.keys = list(keys) or [signing_key()]
        self.clock = MemoryClock(NOW)
        self.snapshots = MemorySnapshots(EMPTY)
        self.away = False
        self.tokens = Tokens(Issuer(URL, algorithms, self.fetch), self.clock, self.snapshots)

    async def fetch(self) -> bytes:
        self.asked += 1
        if self.away:
            raise UpstreamUnreachable("away")
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()

    async def refusal(self, token: str | bytes, audience: str = AUDIENCE) -> str:
        with pytest.raises(Unauthenticated) as caught:
            await self.tokens.verify(token.encode() if isinstance(token, str) else token, audience)
        return caught.value.code


def good(**changes: Any) -> dict[str, Any]:
    return claims(URL, **{"iat": NOW, "exp": NOW + 600, **changes})


def part(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


async def test_a_good_token_is_its_person() -> None:
    identity = await Rig().tokens.verify(sign(good()).encode(), AUDIENCE)
    assert identity.user == User(URL, "alice", frozenset({"data-eng"}))
    assert identity.expires_at == NOW + 600


async def test_a_token_carries_what_is_stated_of_its_person() -> None:
    identity = await Rig().tokens.verify(sign(good(claims={"region": "EU"})).encode(), AUDIENCE)
    assert identity.user.claims == (("region", "EU"),)


CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "http://evil"}, "wrong-issuer"),
    "no issuer": ({"iss": ...}, "wrong-issuer"),
    "another audience": ({"aud": f"{URL}/mcp/other"}, "wrong-audience"),
    "an audience with a slash": ({"aud": f"{AUDIENCE}/"}, "wrong-audience"),
    "the platform as audience": ({"aud": URL}, "wrong-audience"),
    "no audience": ({"aud": ...}, "wrong-audience"),
    "an empty audience": ({"aud": []}, "wrong-audience"),
    "an odd audience": ({"aud": {"a": AUDIENCE}}, "wrong-audience"),
    "expired": ({"exp": NOW}, "expired"),
    "long expired": ({"iat": NOW - 900, "exp": NOW - 61}, "expired"),
    "no expiry": ({"exp": ...}, "bad-times"),
    "expiry as text": ({"exp": str(NOW + 600)}, "bad-times"),
    "expiry as a fraction": ({"exp": NOW + 600.5}, "bad-times"),
    "expiry in another age": ({"exp": 10**30}, "bad-times"),
    "expiry as a boolean": ({"exp": True}, "bad-times"),
    "no time of issue": ({"iat": ...}, "bad-times"),
    "from the future": ({"iat": NOW + 61}, "not-yet-valid"),
    "not yet valid": ({"nbf": NOW + 61}, "not-yet-valid"),
    "no subject": ({"sub": ...}, "no-subject"),
    "an empty subject": ({"sub": ""}, "no-subject"),
    "a subject that is a number": ({"sub": 1}, "no-subject"),
    "no groups": ({"groups": ...}, "bad-groups"),
    "groups as a text": ({"groups": "data-eng"}, "bad-groups"),
    "a group that is no text": ({"groups": ["data-eng", 1]}, "bad-groups"),
    "claims that are a list": ({"claims": ["x"]}, "bad-claims"),
    "a claim that is no value": ({"claims": {"region": {"in": ["EU"]}}}, "bad-claims"),
    "a claim that poses as the subject": ({"claims": {"subject": "root"}}, "bad-claims"),
}


@pytest.mark.parametrize(("change", "reason"), CLAIMS.values(), ids=CLAIMS.keys())
async def test_a_claim_that_is_not_right_is_refused(change: dict[str, Any], reason: str) -> None:
    assert await Rig().refusal(sign(good(**change))) == reason


async def test_a_token_for_two_servers_opens_both_and_no_third() -> None:
    rig = Rig()
    token = sign(good(aud=[AUDIENCE, f"{URL}/mcp/time"]))
    assert await rig.tokens.verify(token.encode(), f"{URL}/mcp/time")
    assert await rig.tokens.verify(token.encode(), AUDIENCE)
    assert await rig.refusal(token, f"{URL}/mcp/other") == "wrong-audience"


def unsigned(header: dict[str, Any]) -> str:
    return f"{part(header)}.{part(good())}."


def by_public_key(header: dict[str, Any]) -> str:
    """HMAC with the public key as its secret: works against who lets the header choose."""
    signed = f"{part(header)}.{part(good())}".encode()
    secret = signing_key().as_pem(private=False)
    return f"{signed.decode()}.{part(hmac.digest(secret, signed, 'sha256'))}"


def own(**header: Any) -> str:
    """Signed by a key of the attacker's."""
    mine = RSAKey.generate_key(2048, private=True)
    found = {"alg": "RS256", "kid": "rig-1", "typ": "at+jwt", **header}
    if found.get("jwk") == "mine":
        found["jwk"] = mine.as_dict(private=False)
    return sign(good(), {name: value for name, value in found.items() if value is not ...}, mine)


HEADERS: dict[str, tuple[Callable[[], str], str]] = {
    "no algorithm": (lambda: unsigned({"alg": "none", "kid": "rig-1", "typ": "at+jwt"}), "wrong-algorithm"),
    "None": (lambda: unsigned({"alg": "None", "kid": "rig-1", "typ": "at+jwt"}), "wrong-algorithm"),
    "algorithm missing": (lambda: unsigned({"kid": "rig-1", "typ": "at+jwt"}), "wrong-algorithm"),
    "hmac": (lambda: by_public_key({"alg": "HS256", "kid": "rig-1", "typ": "at+jwt"}), "wrong-algorithm"),
    "hmac that calls itself rsa": (
        lambda: by_public_key({"alg": "RS256", "kid": "rig-1", "typ": "at+jwt"}),
        "bad-signature",
    ),
    "another key under our name": (own, "bad-signature"),
    "a key id nobody has": (lambda: own(kid="mine"), "unknown-key"),
    "no key id": (lambda: unsigned({"alg": "RS256", "typ": "at+jwt"}), "no-key-id"),
    "an empty key id": (lambda: own(kid=""), "no-key-id"),
    "its own key": (lambda: own(jwk="mine"), "unknown-header"),
    "a key elsewhere": (lambda: own(jku="http://evil/jwks"), "unknown-header"),
    "a certificate elsewhere": (lambda: own(x5u="http://evil/x"), "unknown-header"),
    "a certificate's fingerprint": (lambda: own(x5t="AAAA"), "unknown-header"),
    "an identity token": (lambda: own(typ="JWT"), "wrong-type"),
    "no type": (lambda: own(typ=...), "wrong-type"),
}


@pytest.mark.parametrize(("make", "reason"), HEADERS.values(), ids=HEADERS.keys())
async def test_a_header_chooses_neither_algorithm_nor_key(make: Callable[[], str], reason: str) -> None:
    assert await Rig().refusal(make()) == reason


async def test_critical_extensions_are_refused() -> None:
    header = {"alg": "RS256", "kid": "rig-1", "typ": "at+jwt", "crit": ["exp"], "exp": 1}
    assert await Rig().refusal(f"{part(header)}.{part(good())}.AAAA") == "unknown-header"


@pytest.mark.parametrize("text", [b"", b".", b"..", b"a.b.c", b"\xff\xfe", b"x" * 100, b"{}.{}.{}", b"e30.e30."])
async def test_what_is_no_token_is_refused(text: bytes) -> None:
    assert await Rig().refusal(text) in {"malformed", "wrong-issuer"}


async def test_a_huge_token_is_refused_unread() -> None:
    rig = Rig()
    assert await rig.refusal("x" * (16 * 1024 + 1)) == "token-too-long"
    assert rig.asked == 0


async def test_a_claim_named_twice_is_refused() -> None:
    from joserfc import jws  # noqa: PLC0415

    text = json.dumps(good()).replace('"sub"', '"sub": "root", "sub"').encode()
    header = {"alg": "RS256", "kid": "rig-1", "typ": "at+jwt"}
    assert await Rig().refusal(jws.serialize_compact(header, text, signing_key())) == "malformed"


async def test_a_changed_token_is_refused() -> None:
    head, _, signature = sign(good()).split(".")
    assert await Rig().refusal(f"{head}.{part(good(sub='root'))}.{signature}") == "bad-signature"


async def test_a_key_of_another_kind_or_too_small_is_no_key() -> None:
    curve = ECKey.generate_key("P-256", {"kid": "rig-1"}, private=True)
    assert await Rig(curve).refusal(sign(good())) == "wrong-key-type"


async def test_strange_key_ids_make_one_question_in_a_while() -> None:
    rig = Rig()
    await rig.tokens.verify(sign(good()).encode(), AUDIENCE)
    for number in range(50):
        await rig.refusal(
            own(kid=f"k{number}") if number == 0 else unsigned({"alg": "RS256", "kid": f"k{number}", "typ": "at+jwt"})
        )
    assert rig.asked == 1
    rig.clock.seconds += 2
    await rig.refusal(own(kid="k"))
    assert rig.asked == 2


async def test_known_keys_outlive_the_sign_in_for_a_day_and_no_longer() -> None:
    rig = Rig()
    await rig.tokens.verify(sign(good()).encode(), AUDIENCE)
    rig.away = True
    rig.clock.seconds += 23 * 3600
    later = int(rig.clock.seconds)
    assert await rig.tokens.verify(sign(good(iat=later, exp=later + 600)).encode(), AUDIENCE)
    rig.clock.seconds += 3600
    later = int(rig.clock.seconds)
    with pytest.raises(UpstreamUnreachable):
        await rig.tokens.verify(sign(good(iat=later, exp=later + 601)).encode(), AUDIENCE)


async def test_a_remembered_token_ends_when_it_expires_and_with_its_snapshot() -> None:
    rig = Rig()
    token = sign(good(exp=NOW + 30))
    await rig.tokens.verify(token.encode(), AUDIENCE)
    rig.keys = [RSAKey.generate_key(2048, {"kid": "rig-1", "use": "sig"}, private=True)]
    assert await rig.tokens.verify(token.encode(), AUDIENCE)
    rig.clock.seconds += 30
    assert await rig.refusal(token) == "expired"


async def test_remembering_never_changes_an_audience() -> None:
    rig = Rig()
    token = sign(good())
    await rig.tokens.verify(token.encode(), AUDIENCE)
    assert await rig.refusal(token, f"{URL}/mcp/other") == "wrong-audience"


async def test_a_new_snapshot_empties_the_memory() -> None:
    rig = Rig()
    await rig.tokens.verify(sign(good()).encode(), AUDIENCE)
    assert len(rig.tokens._kept) == 1
    rig.snapshots.snapshot = Snapshot(2, {}, {})
    await rig.refusal("a.b.c")
    assert rig.tokens._kept == {}


# the gateway's own assertion

BODY = hashlib.sha256(b"body").hexdigest()
ALICE = Caller(Both(User(URL, "alice", frozenset({"a", "b"})), Workload("spiffe://x/y")), "ide", "local", "call-1")


def minted(clock: MemoryClock, server: str = "warehouse") -> bytes:
    return Minter(b"m" * 32, clock).mint(ALICE, server, "call-1", BODY)


def verifier(clock: MemoryClock, server: str = "warehouse") -> Verifier:
    return Verifier(server_key(b"m" * 32, server), server, clock)


def refusal(of: Verifier, header: bytes, body: str = BODY) -> str:
    with pytest.raises(Unauthenticated) as caught:
        of.verify(header, body)
    return caught.value.code


def test_an_assertion_is_its_caller_once() -> None:
    clock = MemoryClock()
    server, header = verifier(clock), minted(clock)
    caller, call_id = server.verify(header, BODY)
    assert (caller, call_id) == (ALICE, "call-1")
    assert refusal(server, header) == "assertion-replayed"
    clock.seconds += 69
    assert refusal(server, header) == "assertion-replayed"
    clock.seconds += 1
    assert refusal(server, header) == "assertion-expired"


def test_the_client_of_the_token_travels_with_each_caller_apart() -> None:
    clock = MemoryClock()
    minter, server = Minter(b"m" * 32, clock), verifier(clock)
    for number, client in enumerate(("https://vscode.dev/oauth/client-metadata.json", "", "dyn-1")):
        header = minter.mint(replace(ALICE, client=client), "warehouse", f"call-{number}", BODY)
        assert server.verify(header, BODY)[0].client == client


def test_claims_travel_with_the_person_alone() -> None:
    clock = MemoryClock()
    lead = Caller(User(URL, "alice", frozenset(), (("level", 3), ("teams", ("a", "b")))), "ide", "local", "call-1")
    header = Minter(b"m" * 32, clock).mint(lead, "warehouse", "call-1", BODY)
    assert verifier(clock).verify(header, BODY)[0] == lead
    assert b"claims" not in base64.urlsafe_b64decode(minted(clock).split(b".")[1] + b"==")


@pytest.mark.parametrize("interactive", [True, False])
def test_that_a_person_sits_there_travels_with_each_caller_apart(interactive: bool) -> None:
    clock, minter = MemoryClock(), Minter(b"m" * 32, MemoryClock())
    minter.mint(replace(ALICE, interactive=not interactive), "warehouse", "call-0", BODY)
    sits = replace(ALICE, interactive=interactive)
    assert verifier(clock).verify(minter.mint(sits, "warehouse", "call-1", BODY), BODY)[0] == sits


@pytest.mark.parametrize(
    ("scopes", "told"),
    [
        ({"mcp"}, {"mcp"}),
        ({"mcp", "payroll.read"}, {"mcp"}),
        ({"warehouse.read", "payroll.write", "registry:admin"}, {"warehouse.read"}),
        ({"mcp.read", "warehouse.write"}, {"warehouse.read", "warehouse.write"}),
        ({"payroll.write"}, set[str]()),
        (set[str](), set[str]()),
    ],
)
def test_a_server_learns_of_a_tokens_scopes_what_concerns_it_alone(scopes: set[str], told: set[str]) -> None:
    clock, minter = MemoryClock(), Minter(b"m" * 32, MemoryClock())
    minter.mint(replace(ALICE, scopes=frozenset({"mcp"})), "warehouse", "call-0", BODY)
    header = minter.mint(replace(ALICE, scopes=frozenset(scopes)), "warehouse", "call-1", BODY)
    assert verifier(clock).verify(header, BODY)[0].scopes == told


def test_an_assertion_is_for_one_server_one_body_and_a_short_time() -> None:
    clock = MemoryClock()
    header = minted(clock)
    assert refusal(verifier(clock, "other"), header) == "assertion-signature"
    borrowed = Verifier(server_key(b"m" * 32, "warehouse"), "other", clock)
    assert refusal(borrowed, header) == "assertion-audience"
    assert refusal(verifier(clock), header, hashlib.sha256(b"another").hexdigest()) == "assertion-body"
    clock.seconds -= 61
    assert refusal(verifier(clock), header) == "assertion-expired"


def forged(claims: Any, key: bytes = server_key(b"m" * 32, "warehouse"), header: Any = None) -> bytes:
    signed = f"{part(header or {'alg': 'HS256', 'typ': 'pierhead+jwt'})}.{part(claims)}".encode()
    return signed + b"." + part(hmac.digest(key, signed, "sha256")).encode()


FORGERIES: dict[str, bytes] = {
    "nothing": b"",
    "dots": b"..",
    "text": b"alice",
    "huge": b"x" * 20_000,
    "another key": forged({}, b"k" * 32),
    "no algorithm": forged({}, header={"alg": "none", "typ": "pierhead+jwt"}),
    "another type": forged({}, header={"alg": "HS256", "typ": "at+jwt"}),
    "no claims": forged({}),
    "a list": forged([]),
    "no json": forged(b"{"),
    "an access token": sign(claims(URL)).encode(),
}


@pytest.mark.parametrize("header", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_assertion_is_refused(header: bytes) -> None:
    assert refusal(verifier(MemoryClock()), header).startswith("assertion-")


def test_even_with_the_key_an_assertion_must_be_whole() -> None:
    clock = MemoryClock()
    now = int(clock.now())
    whole: dict[str, Any] = {
        "aud": "warehouse",
        "iat": now,
        "exp": now + 10,
        "jti": "1",
        "sub": "a",
        "sub_iss": URL,
        "groups": [],
        "wl": "",
        "sfc": "ide",
        "env": "local",
        "chn": "",
        "sc": "mcp",
        "cid": "client-1",
        "bd": BODY,
    }
    assert verifier(clock).verify(forged(whole), BODY)
    for stated in ({"subject": "root"}, {"x": 1.5}, {"x": None}, 7):
        assert refusal(verifier(clock), forged({**whole, "claims": stated})) == "assertion-claims"
    for change in (
        {"exp": now + 3600},
        {"exp": True},
        {"groups": "a"},
        {"groups": [1]},
        {"jti": ""},
        {"sub": None},
        {"claims": []},
    ):
        assert refusal(verifier(clock), forged({**whole, **change}))
    for name in whole:
        assert refusal(verifier(clock), forged({key: value for key, value in whole.items() if key != name}))


async def test_a_token_of_the_greatest_length_is_read() -> None:
    assert await Rig().refusal("x" * (16 * 1024)) == "malformed"


async def test_a_time_is_a_whole_number_that_every_reader_holds_exactly() -> None:
    rig = Rig()
    assert (await rig.tokens.verify(sign(good(exp=2**53 - 1)).encode(), AUDIENCE)).expires_at == 2**53 - 1
    assert await rig.refusal(sign(good(exp=2**53))) == "bad-times"
    assert await rig.refusal(sign(good(iat=-1))) == "bad-times"


async def test_a_token_is_remembered_for_a_minute_and_then_proved_again() -> None:
    rig = Rig()
    token = sign(good()).encode()
    await rig.tokens.verify(token, AUDIENCE)
    rig.tokens._issuers[URL][1]._keys.clear()
    rig.keys, rig.away = [], True
    rig.clock.seconds += 59
    assert await rig.tokens.verify(token, AUDIENCE)
    rig.clock.seconds += 1
    assert await rig.refusal(token) == "unknown-key"


async def test_the_memory_of_tokens_is_bounded() -> None:
    rig = Rig()
    kept = await rig.tokens.verify(sign(good()).encode(), AUDIENCE)
    rig.tokens._kept.update({str(number).encode(): (kept, NOW + 60.0) for number in range(4094)})
    await rig.tokens.verify(sign(good(jti="t-2")).encode(), AUDIENCE)
    assert len(rig.tokens._kept) == 4096
    await rig.tokens.verify(sign(good(jti="t-3")).encode(), AUDIENCE)
    assert len(rig.tokens._kept) == 1
