"""What a gateway shows a server: every claim, every bound, and each way in which it is not what it should be."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from pierhead.adapters import assertion
from pierhead.adapters.assertion import HEADER, Minter, Verifier, server_key
from pierhead.core.errors import Unauthenticated
from pierhead.core.identity import ANONYMOUS, Both, Caller, Principal, User, Workload
from pierhead.usecases.memory import MemoryClock

MASTER, NOW = b"m" * 32, 1_700_000_000
BODY = hashlib.sha256(b"{}").hexdigest()
ALICE = User("https://corp.example", "alice", frozenset({"data-eng", "ads"}))
CHAT = Workload("spiffe://corp.example/chat")
EARLIEST, LATEST = NOW - 70, NOW + 60


def verifier(clock: MemoryClock | None = None) -> Verifier:
    return Verifier(server_key(MASTER, "shop"), "shop", clock or MemoryClock(NOW))


def signed(body: bytes, head: bytes = b"") -> bytes:
    """What a gateway would show, with any content."""
    head = head or json.dumps({"alg": "HS256", "typ": "pierhead+jwt"}, separators=(",", ":")).encode()
    parts = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (head, body))
    mac = hmac.digest(server_key(MASTER, "shop"), parts, "sha256")
    return parts + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")


def shown(**changes: Any) -> bytes:
    good: dict[str, Any] = {"aud": "shop", "sub": "alice", "sub_iss": "https://corp.example", "groups": ["ads"]}
    good |= {"wl": "", "sfc": "ide", "env": "local", "chn": "", "sc": "mcp", "ia": False, "cid": ""}
    good |= {"iat": NOW, "exp": NOW + 10, "jti": "c-1", "bd": BODY}
    return signed(json.dumps({k: v for k, v in {**good, **changes}.items() if v is not ...}).encode())


def refusal(header: bytes, known: Verifier | None = None, body: str = BODY) -> str:
    with pytest.raises(Unauthenticated) as refused:
        (known or verifier()).verify(header, body)
    return refused.value.code.removeprefix("assertion-")


@pytest.mark.parametrize(
    "principal", [ALICE, CHAT, Both(ALICE, CHAT), ANONYMOUS, User("i", "bob", frozenset(), (("region", "EU"),))]
)
@pytest.mark.parametrize("interactive", [True, False])
def test_what_is_minted_is_read_as_it_was(principal: Principal, interactive: bool) -> None:
    place = {"surface": "chat", "environment": "production", "correlation_id": "c-1", "channel": "C-1"}
    caller = Caller(principal, **place, scopes=frozenset({"mcp"}), interactive=interactive, client="vscode")
    made = Minter(MASTER, MemoryClock(NOW)).mint(caller, "shop", "c-1", BODY)
    read, call_id = verifier().verify(made, BODY)
    assert (read, call_id) == (caller, "c-1")
    assert (read.scopes, read.interactive, read.client) == (caller.scopes, interactive, "vscode")


def test_no_server_learns_what_else_a_token_is_good_for() -> None:
    scopes = frozenset({"shop.read", "orders.write"})
    caller = Caller(ALICE, "ide", "local", "c-1", scopes=scopes)
    read, _ = verifier().verify(Minter(MASTER, MemoryClock(NOW)).mint(caller, "shop", "c-1", BODY), BODY)
    assert read.scopes == frozenset({"shop.read"})


def test_two_calls_of_one_caller_share_their_beginning_and_so_many_callers_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assertion, "_CALLERS_KNOWN", 2)
    minter = Minter(MASTER, MemoryClock(NOW))
    callers = [Caller(User("i", name, frozenset()), "ide", "local", "") for name in ("a", "b", "c")]

    def known_after(place: int) -> int:
        minter.mint(callers[place], "shop", "c", BODY)
        return len(minter._known)

    assert [known_after(place) for place in (0, 0, 1, 0, 2, 2)] == [1, 1, 2, 2, 1, 1]
    assert verifier().header == HEADER == b"pierhead-assertion"
    assert verifier().is_bound


def test_the_key_of_one_server_or_of_one_credential_opens_no_other() -> None:
    keys = {server_key(MASTER, *names) for names in (("shop",), ("orders",), ("shop", "key-1"), ("shop", "key-2"))}
    assert len(keys) == 4
    made = Minter(MASTER, MemoryClock(NOW)).mint(Caller(ALICE, "ide", "local", ""), "shop", "c-1", BODY, "key-1")
    assert refusal(made) == "signature"
    theirs = Verifier(server_key(MASTER, "shop", "key-1"), "shop", MemoryClock(NOW))
    assert theirs.verify(made, BODY)[0].person == ALICE


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"aud": "orders"}, "audience"),
        ({"exp": NOW}, "times"),
        ({"exp": NOW - 1}, "times"),
        ({"exp": NOW + 11}, "times"),
        ({"exp": 2**60}, "times"),
        ({"exp": True}, "times"),
        ({"exp": NOW + 9.5}, "times"),
        ({"iat": str(NOW)}, "times"),
        ({"iat": ...}, "times"),
        ({"iat": LATEST + 1, "exp": LATEST + 11}, "expired"),
        ({"iat": EARLIEST, "exp": EARLIEST + 10}, "expired"),
        ({"bd": "0" * 64}, "body"),
        ({"jti": ""}, "replayed"),
        ({"groups": "ads"}, "claims"),
        ({"groups": ["ads", 1]}, "claims"),
        ({"claims": []}, "claims"),
        ({"claims": {"region": {}}}, "claims"),
        *[({name: broken}, "claims") for name in ("aud", "jti", "sub", "wl", "sc", "bd", "cid") for broken in (..., 1)],
    ],
)
def test_a_claim_that_is_not_right_is_refused(changes: dict[str, Any], check: str) -> None:
    assert refusal(shown(**changes)) == check


@pytest.mark.parametrize(
    "changes",
    [{"exp": NOW + 1}, {"iat": LATEST, "exp": LATEST + 10}, {"iat": EARLIEST + 1, "exp": EARLIEST + 11}],
)
def test_the_shortest_and_those_at_the_edge_of_what_clocks_may_differ_are_good(changes: dict[str, Any]) -> None:
    assert verifier().verify(shown(**changes), BODY)[1] == "c-1"


@pytest.mark.parametrize("said", [1, "true", None, ...])
def test_only_a_plain_yes_says_that_a_person_sits_there(said: Any) -> None:
    assert not verifier().verify(shown(ia=said), BODY)[0].interactive


@pytest.mark.parametrize(
    ("header", "check"),
    [
        (signed(b"[]"), "claims"),
        (signed(b"{"), "claims"),
        (signed(b"{}", b'{"alg":"none"}'), "type"),
        (signed(b"{}", b'{"alg":"HS256","typ":"JWT"}'), "type"),
        (b"", "signature"),
        (b"..", "signature"),
        (shown()[:-1], "signature"),
        (shown() + b"=", "signature"),
    ],
)
def test_what_is_no_assertion_is_refused(header: bytes, check: str) -> None:
    assert refusal(header) == check


def test_what_is_no_base64_is_refused_though_it_is_signed() -> None:
    parts = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"pierhead+jwt"}').rstrip(b"=") + b".*"
    mac = hmac.digest(server_key(MASTER, "shop"), parts, "sha256")
    assert refusal(parts + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")) == "claims"


def test_an_assertion_is_at_most_16_kib_long() -> None:
    assert refusal(b"x" * 16 * 1024) == "signature"
    assert refusal(b"x" * (16 * 1024 + 1)) == "size"
    assert verifier().verify(shown(cid="x" * 8000), BODY)[0].client == "x" * 8000


def test_each_is_taken_once_while_any_clock_could_take_it_and_then_forgotten() -> None:
    clock = MemoryClock(NOW)
    known = verifier(clock)
    made = [shown(jti=f"c-{each}") for each in range(4)]
    for each in made:
        known.verify(each, BODY)
    clock.seconds = NOW + 69
    assert {refusal(each, known) for each in made} == {"replayed"}
    assert len(known._seen) == 4
    clock.seconds = NOW + 70
    assert {refusal(each, known) for each in made} == {"expired"}
    known.verify(shown(jti="later-1", iat=NOW + 70, exp=NOW + 80), BODY)
    assert list(known._seen) == ["c-2", "c-3", "later-1"], "two are forgotten at each call"
    known.verify(shown(jti="later-2", iat=NOW + 70, exp=NOW + 80), BODY)
    assert list(known._seen) == ["later-1", "later-2"]


def test_what_was_forgotten_stays_spent_though_the_clock_goes_back_before_its_end() -> None:
    clock = MemoryClock(NOW)
    known = verifier(clock)
    old, younger = shown(jti="c-1"), shown(jti="c-2", iat=NOW + 1, exp=NOW + 11)
    known.verify(old, BODY)
    clock.seconds = NOW + 70
    known.verify(shown(jti="c-9", iat=NOW + 70, exp=NOW + 80), BODY)
    clock.seconds = NOW
    assert refusal(old, known) == "expired"
    assert refusal(shown(jti="c-3"), known) == "expired", "it ends when the forgotten one did: it could be that one"
    assert known.verify(younger, BODY)[1] == "c-2"
    assert refusal(younger, known) == "replayed"
