"""Gateway, server and registry speak mTLS: who proves no role gets nowhere, and certificates change while calls run."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from tests.rigs.gateway import WallClock
from tests.rigs.parts import nursery_in
from tests.rigs.peers import DOMAIN, IDS, Peered, peered, until

from pierhead.adapters.local_authority import Authority, Svid
from pierhead.core.peer import role_of_server
from pierhead.usecases.memory import MemoryClock

pytestmark = pytest.mark.slow
SHOP = role_of_server("shop")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Generator[Peered]:
    folder = tmp_path_factory.mktemp("peers")
    with nursery_in(folder / "plugins") as nursery, peered(folder / "platform", nursery) as running:
        yield running


def test_a_call_goes_from_the_gateway_to_the_server_over_mtls_and_onto_the_record(platform: Peered) -> None:
    status, answer = platform.query(platform.token())
    assert (status, "7" in str(answer["result"])) == (200, True)
    gateway = platform.authority.svid(IDS.gateway)

    def recorded() -> set[str]:
        _, told = platform.ask("registry", gateway, "/internal/v1/audit?server=shop")
        return {call["decision"] for call in told["calls"]}

    until(lambda: "permit" in recorded(), lambda: str(recorded()))


@pytest.mark.parametrize("listener", ["registry", SHOP])
@pytest.mark.parametrize(
    ("who", "code"),
    [
        (lambda own: None, "no-certificate"),
        (lambda own: own.svid(f"spiffe://{DOMAIN}/ns/agents/sa/triage"), "not-a-peer"),
        (lambda own: own.svid("spiffe://evil.example/pierhead/gateway"), "not-a-peer"),
        (lambda own: own.svid(IDS.registry), "wrong-peer"),
    ],
)
def test_who_is_none_of_the_programs_with_business_there_is_refused_on_record(
    platform: Peered, listener: str, who: Callable[[Authority], Svid | None], code: str
) -> None:
    status, answer = platform.ask(
        listener, who(platform.authority), "/mcp" if listener == SHOP else "/internal/v1/entries"
    )
    assert (status, answer["code"]) == (401, code)
    until(lambda: code in _reasons(platform), lambda: str(_reasons(platform)))


def _reasons(platform: Peered) -> set[str]:
    """Why somebody was refused at any door, as the registry has it on record."""
    gateway, found = platform.authority.svid(IDS.gateway), set[str]()
    _, told = platform.ask("registry", gateway, "/internal/v1/audit/export")
    for line in told["lines"]:
        for code in ("no-certificate", "not-a-peer", "wrong-peer"):
            if f'"{code}"' in line["line"] and "sign-in-failed" in line["line"]:
                found.add(code)
    return found


@pytest.mark.parametrize("listener", ["registry", SHOP])
@pytest.mark.parametrize("kind", ["of another authority", "expired"])
def test_a_certificate_that_the_bundle_does_not_vouch_for_gets_no_connection(
    platform: Peered, listener: str, kind: str
) -> None:
    own = platform.authority
    old = Authority(MemoryClock(time.time() - 7200), own.certificate, own.key)
    signed_by = old if kind == "expired" else Authority.new(DOMAIN, WallClock())
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        platform.ask(listener, signed_by.svid(IDS.gateway), "/mcp")


def test_only_the_gateway_calls_a_server_and_its_neighbour_does_not(platform: Peered) -> None:
    neighbour = platform.authority.svid(IDS.id_of(role_of_server("stock")))
    assert platform.ask(SHOP, neighbour, "/mcp")[1]["code"] == "wrong-peer"
    assert platform.ask(SHOP, platform.authority.svid(IDS.gateway), "/healthz")[1]["server"] == "shop"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/internal/v1/snapshot", None, 200),
        ("/internal/v1/entries/shop", None, 403),
        ("/internal/v1/entries", None, 404),
        ("/internal/v1/audit", None, 404),
        ("/internal/v1/tokens", {"person": "alice", "server": "shop", "ttl_s": 60}, 404),
        ("/internal/v1/facts", {"writer": "gateway", "records": []}, 403),
        ("/internal/v1/facts", {"writer": "server-shop", "records": []}, 403),
        ("/internal/v1/servers/shop/state", {"state": "down", "reason": ""}, 403),
        ("/internal/v1/exchange", {"server": "shop", "issuer": "i", "person": "alice", "call_id": "c"}, 403),
    ],
)
def test_a_server_with_the_internal_key_still_speaks_for_itself_alone(
    platform: Peered, path: str, body: Any, status: int
) -> None:
    stock = platform.authority.svid(IDS.id_of(role_of_server("stock")))
    answer = platform.ask("registry", stock, path, body)
    assert answer[0] == status, answer
    assert status != 403 or answer[1]["code"] == "not-its-own"


def test_a_certificate_does_not_stand_for_the_internal_key(platform: Peered) -> None:
    gateway = platform.authority.svid(IDS.gateway)
    assert platform.ask("registry", gateway, "/internal/v1/entries", bearer=False)[0] == 401


def test_certificates_and_the_authority_change_under_load_and_no_call_fails(platform: Peered) -> None:
    token, failures, calls = platform.token(), list[Any](), [0]
    stopping = threading.Event()

    def load() -> None:
        while not stopping.is_set():
            answer = platform.query(token)
            calls[0] += 1
            if answer[0] != 200:
                failures.append(answer)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        later = Authority.new(DOMAIN, WallClock())
        before = {role: platform.presented(role) for role in ("registry", SHOP)}
        platform.trust(platform.authority, later)
        _until_trusted(platform, later, calls)
        platform.issue(later, platform.authority, later)
        until(lambda: all(platform.presented(role) != old for role, old in before.items()), lambda: "old ones")
        _until_more(calls, 20)
        platform.trust(later)
        until(lambda: not _lets_in(platform, platform.authority), lambda: "the old authority is still trusted")
        platform.authority = later
        _until_more(calls, 20)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert platform.query(platform.token())[0] == 200


def _until_trusted(platform: Peered, authority: Authority, calls: list[int]) -> None:
    """Listeners say so themselves; the gateway and the server look at their files once a second while they connect."""
    until(lambda: _lets_in(platform, authority), lambda: "the new authority is not trusted yet")
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 1.5, lambda: str(calls))


def _until_more(calls: list[int], number: int) -> None:
    wanted = calls[0] + number
    until(lambda: calls[0] >= wanted, lambda: f"{calls} of {wanted}")


def _lets_in(platform: Peered, authority: Authority) -> bool:
    gateway = authority.svid(IDS.gateway)
    try:
        return all(platform.ask(role, gateway, "/healthz")[0] == 200 for role in ("registry", SHOP))
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize("listener", ["registry", SHOP])
def test_who_shows_no_certificate_cannot_send_a_head_without_end(platform: Peered, listener: str) -> None:
    with (
        socket.create_connection(("127.0.0.1", platform.ports[listener]), timeout=30) as plain,
        platform.client(None).wrap_socket(plain) as connection,
        contextlib.suppress(OSError),
    ):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: here\r\nx-long: " + b"x" * 100_000 + b"\r\n\r\n")
        said = connection.recv(1000)
        assert said == b"" or said.startswith(b"HTTP/1.1 400")
