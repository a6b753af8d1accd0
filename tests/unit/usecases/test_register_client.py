"""Clients that register themselves: where they may send people back to, and what is kept of them."""

from dataclasses import replace

import pytest

from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_sign_in import MemorySignIn
from pierhead.usecases.register_client import (
    IDLE_S,
    NotGranted,
    Registration,
    fingerprint,
    is_loopback,
    is_registered_redirect,
    may_redirect_to,
    redirect_host,
    register_client,
)

pytestmark = pytest.mark.anyio

LOOPBACK = "http://127.0.0.1:33418/callback"
WANTED = Registration("A client", (LOOPBACK,), "none")


async def test_a_public_client_is_kept_without_a_secret() -> None:
    store = MemorySignIn()
    client, secret = await register_client(WANTED, store, MemoryClock(1000))
    assert secret == client.secret_digest == ""
    assert (client.redirect_uris, client.registered_at, store.clients) == ((LOOPBACK,), 1000, {client.id: client})


async def test_a_secret_is_told_once_and_kept_only_as_its_fingerprint() -> None:
    store = MemorySignIn()
    client, secret = await register_client(replace(WANTED, authentication="client_secret_post"), store, MemoryClock())
    assert len(secret) >= 43
    assert client.secret_digest == fingerprint(secret)
    assert secret not in repr(store)


async def test_clients_that_nobody_used_make_room_for_new_ones() -> None:
    store, clock = MemorySignIn(), MemoryClock(1000)
    idle, _ = await register_client(WANTED, store, clock)
    clock.seconds += IDLE_S + 1
    client, _ = await register_client(WANTED, store, clock)
    assert idle.id != client.id
    assert list(store.clients) == [client.id]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"redirect_uris": ()}, "invalid_redirect_uri"),
        ({"redirect_uris": (LOOPBACK,) * 11}, "invalid_redirect_uri"),
        ({"redirect_uris": (LOOPBACK, "https://evil.example/")}, "invalid_redirect_uri"),
        ({"authentication": "private_key_jwt"}, "invalid_client_metadata"),
    ],
)
async def test_a_registration_with_a_fault_is_refused_and_not_kept(changes: dict[str, object], code: str) -> None:
    store = MemorySignIn()
    with pytest.raises(NotGranted) as refused:
        await register_client(replace(WANTED, **changes), store, MemoryClock())
    assert (refused.value.code, store.clients) == (code, {})


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("  two\n\twords ", "two words"),
        ("a" * 200, "a" * 80),
        ("\u202e\x00", "A client without a name"),
        ("", "A client without a name"),
    ],
)
async def test_what_a_client_calls_itself_is_one_short_printable_line(said: str, shown: str) -> None:
    client, _ = await register_client(replace(WANTED, name=said), MemorySignIn(), MemoryClock())
    assert client.name == shown


@pytest.mark.parametrize(
    ("uri", "is_allowed"),
    [
        (LOOPBACK, True),
        ("http://localhost", True),
        ("http://[::1]:1/cb", True),
        ("https://claude.ai/api/mcp/auth_callback", True),
        ("vscode://vendor.extension/did-authenticate", True),
        ("https://127.0.0.1/cb", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://127.0.0.1@evil.example/", False),
        ("http://127.0.0.1:1/cb#fragment", False),
        ("http://127.0.0.1/" + "a" * 512, False),
        ("https://claude.ai/api/mcp/auth_callback/more", False),
        ("javascript:alert(1)", False),
    ],
)
def test_people_are_sent_back_only_to_this_machine_or_to_a_client_that_is_listed(uri: str, *, is_allowed: bool) -> None:
    assert may_redirect_to(uri) is is_allowed


@pytest.mark.parametrize(
    ("uri", "is_registered"),
    [
        (LOOPBACK, True),
        ("http://127.0.0.1:9/callback", True),
        ("http://127.0.0.1/callback", True),
        ("http://localhost:33418/callback", False),
        ("http://127.0.0.1:33418/else", False),
        ("http://127.0.0.1:33418/callback#x", False),
        ("https://claude.ai/api/mcp/auth_callback", False),
    ],
)
async def test_a_redirect_is_the_registered_one_but_for_a_loopback_port(uri: str, *, is_registered: bool) -> None:
    client, _ = await register_client(WANTED, MemorySignIn(), MemoryClock())
    assert is_registered_redirect(uri, client) is is_registered


def test_a_page_shows_where_a_redirect_leads() -> None:
    assert redirect_host("https://claude.ai/api/mcp/auth_callback") == "claude.ai"
    assert redirect_host(LOOPBACK) == "127.0.0.1:33418"
    assert [is_loopback(LOOPBACK), is_loopback("https://claude.ai/api/mcp/auth_callback")] == [True, False]
