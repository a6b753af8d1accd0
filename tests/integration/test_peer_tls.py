"""TLS between the platform's own programs, piece by piece: whom they speak with, let in, and what does not start."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from tests.rigs.gateway import WallClock, bound, serving
from tests.rigs.peers import DOMAIN, IDS, put

from pierhead.adapters.internal_client import InternalClient
from pierhead.adapters.local_authority import Authority, replace_file
from pierhead.adapters.own_tls import TlsFiles
from pierhead.adapters.remote import Registry
from pierhead.adapters.spiffe import Certificates, Peers
from pierhead.adapters.upstream import Pools
from pierhead.apps.serving import secured as secured_for_uvicorn
from pierhead.bootstrap.settings import Settings, read_settings
from pierhead.bootstrap.wire_peers import Secured, require_secured_host, require_secured_url, secured
from pierhead.bootstrap.wire_platform import platform
from pierhead.core.errors import Misconfigured, Unauthenticated, UpstreamUnreachable
from pierhead.core.peer import GATEWAY, REGISTRY, role_of_server
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.ports_registry import Held

pytestmark = pytest.mark.anyio
SHOP = role_of_server("shop")
REQUEST = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"


def peered(folder: Path, role: str, authority: Authority) -> Secured:
    """One program's TLS, with files of its own."""
    put(folder / role.replace("/", "-"), authority.svid(IDS.id_of(role)))
    here = folder / role.replace("/", "-")
    replace_file(here / "bundle.pem", authority.bundle)
    clock = WallClock()
    peers = Peers(IDS, Certificates(3600), clock)
    return Secured.of(TlsFiles(here / "svid.pem", here / "svid.key", here / "bundle.pem"), peers, clock)


@pytest.fixture
def authority() -> Authority:
    return Authority.new(DOMAIN, WallClock())


class Heard:
    """A listener that remembers what reached it."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.paths.append(scope["path"])
            headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})


@contextlib.asynccontextmanager
async def listening(own: Secured, application: Heard) -> AsyncGenerator[int]:
    listener, port = bound()
    tls = secured_for_uvicorn(own.listening())
    config = uvicorn.Config(application, log_config=None, access_log=False, ws="none", lifespan="off", **tls)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))
    try:
        yield port
    finally:
        server.should_exit = True
        await task


async def test_the_gateway_sends_nothing_to_another_program_at_a_servers_address(
    tmp_path: Path, authority: Authority
) -> None:
    heard, gateway = Heard(), Pools(secured=peered(tmp_path, GATEWAY, authority))
    async with listening(peered(tmp_path, role_of_server("stock"), authority), heard) as port:
        with pytest.raises(UpstreamUnreachable) as refused:
            await gateway.send(("127.0.0.1", port, SHOP), REQUEST, first_byte_s=5, repeatable=True)
        assert (refused.value.code, heard.paths) == ("upstream-impostor", [])
        answer = await gateway.send(
            ("127.0.0.1", port, role_of_server("stock")), REQUEST, first_byte_s=5, repeatable=True
        )
        assert (answer.status, heard.paths) == (200, ["/"])
        gateway.close()


async def test_a_kept_connection_is_used_again_until_our_certificate_is_another(
    tmp_path: Path, authority: Authority
) -> None:
    own, heard = peered(tmp_path, GATEWAY, authority), Heard()
    gateway = Pools(secured=own)
    async with listening(peered(tmp_path, SHOP, authority), heard) as port:
        origin = ("127.0.0.1", port, SHOP)

        async def sent() -> int:
            answer = await gateway.send(origin, REQUEST, first_byte_s=5, repeatable=False)
            while not answer.complete:
                await answer.more()
            return gateway.open_connections(origin)

        assert [await sent(), await sent()] == [1, 1]
        (kept,) = gateway._pools[origin]._idle
        put(tmp_path / GATEWAY, authority.svid(IDS.gateway))
        own._towards.followed.clock = MemoryClock(time.monotonic() + 2)
        assert await sent() == 1
        assert not kept.is_usable
        gateway.close()


async def test_neither_end_speaks_in_the_clear_with_one_that_is_secured(tmp_path: Path, authority: Authority) -> None:
    async with serving(Heard()) as url:
        port = int(url.rpartition(":")[2])
        for pools, role in ((Pools(secured=peered(tmp_path, GATEWAY, authority)), ""), (Pools(), SHOP)):
            with pytest.raises(UpstreamUnreachable) as refused:
                await pools.send(("127.0.0.1", port, role), REQUEST, first_byte_s=5, repeatable=True)
            assert refused.value.code == "upstream-unsecured"


async def test_a_servers_clients_speak_with_the_registry_alone(tmp_path: Path, authority: Authority) -> None:
    own, heard = peered(tmp_path, SHOP, authority), Heard()
    async with listening(peered(tmp_path, role_of_server("stock"), authority), heard) as port:
        url = f"https://127.0.0.1:{port}"
        following = Registry.at(url, b"key", tls=own.towards_registry())
        with pytest.raises(UpstreamUnreachable):
            await following.snapshot(Held(0, "", 0), 0)
        with pytest.raises(UpstreamUnreachable):
            await asyncio.to_thread(InternalClient(url, b"key", own.towards_registry()).get, "/entries")
        await following.close()
        assert heard.paths == []


async def test_the_registrys_client_changes_its_certificate_and_lets_go_of_older_ways(
    tmp_path: Path, authority: Authority
) -> None:
    own, heard = peered(tmp_path, SHOP, authority), Heard()
    contexts = [own.towards_registry()() for _ in range(4)]
    async with listening(peered(tmp_path, REGISTRY, authority), heard) as port:
        following = Registry.at(f"https://127.0.0.1:{port}", b"key", tls=lambda: contexts[min(3, len(heard.paths))])
        for _ in range(4):
            await following.report_state("shop", "up", "")
        assert len(heard.paths) == 4
        await following.close()


def test_a_peer_is_judged_at_each_request_and_ends_with_its_certificate(authority: Authority) -> None:
    clock = MemoryClock(time.time())
    peers = Peers(IDS, Certificates(3600), clock)
    shown = ssl.PEM_cert_to_DER_cert(authority.svid(IDS.gateway).certificate)
    assert [peers.role(shown), peers.role(shown)] == [GATEWAY, GATEWAY]
    clock.seconds += 3700
    with pytest.raises(Unauthenticated) as refused:
        peers.role(shown)
    assert (refused.value.code, peers.is_role(shown, GATEWAY)) == ("svid-expired", False)
    strange = ssl.PEM_cert_to_DER_cert(Authority.new(DOMAIN, clock).svid(f"spiffe://{DOMAIN}/other").certificate)
    assert not peers.is_role(strange, "")


def settings(folder: Path, **changes: str) -> Settings:
    """The section `peers`, whole but for `changes`; an empty one is left out."""
    given = {
        "mesh.trust_domain": DOMAIN,
        "mesh.gateway_id": IDS.gateway,
        "peers.registry_id": IDS.registry,
        "peers.server_id": IDS.servers,
        "peers.certificate": str(folder / "svid.pem"),
        "peers.key": str(folder / "svid.key"),
        "peers.bundle": str(folder / "bundle.pem"),
        **{name.replace("__", "."): value for name, value in changes.items()},
    }
    (folder / "none.toml").write_text("")
    flags: dict[tuple[str, str], object] = {tuple(name.split(".")): value for name, value in given.items() if value}  # type: ignore[misc]
    return read_settings(flags, folder / "none.toml", {}).settings


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"peers__key": ""}, "peers.key is not"),
        ({"peers__bundle": ""}, "peers.bundle is not"),
        ({"peers__registry_id": ""}, "peers.registry_id is not"),
        ({"mesh__gateway_id": ""}, "mesh.gateway_id is not"),
        ({"peers__server_id": f"spiffe://{DOMAIN}/server"}, "has not one"),
        ({"peers__server_id": f"spiffe://{DOMAIN}/{{server}}/{{server}}"}, "has not one"),
        ({"peers__server_id": "spiffe://evil.example/{server}"}, "not of the trust domain"),
        ({"peers__registry_id": "registry"}, "no SPIFFE ID"),
        ({"peers__registry_id": IDS.gateway}, "of two programs"),
        ({"peers__server_id": f"spiffe://{DOMAIN}/pierhead/{{server}}"}, "of two programs"),
    ],
)
def test_half_of_it_does_not_start(tmp_path: Path, changes: dict[str, str], fault: str) -> None:
    with pytest.raises(Misconfigured, match=fault):
        settings(tmp_path, **changes)


def test_a_program_starts_with_its_own_certificate_alone(tmp_path: Path, authority: Authority) -> None:
    replace_file(tmp_path / "bundle.pem", authority.bundle)
    put(tmp_path, authority.svid(IDS.gateway))
    assert secured(settings(tmp_path), GATEWAY) is not None
    with pytest.raises(Misconfigured, match="this program is"):
        secured(settings(tmp_path), SHOP)
    old = Authority(MemoryClock(time.time() - 7200), authority.certificate, authority.key)
    put(tmp_path, old.svid(IDS.gateway))
    with pytest.raises(Misconfigured, match="expired"):
        secured(settings(tmp_path), GATEWAY)
    (tmp_path / "svid.key").write_text("no key")
    with pytest.raises(Misconfigured, match="cannot be used"):
        secured(settings(tmp_path), GATEWAY)


def test_nothing_goes_over_a_network_in_the_clear(tmp_path: Path, authority: Authority) -> None:
    own = peered(tmp_path, GATEWAY, authority)
    require_secured_url("http://127.0.0.1:8421", None)
    require_secured_url("https://registry.corp.example:8421", own)
    require_secured_host("127.0.0.1", None)
    require_secured_host("10.0.0.7", own)
    for url, given in (("http://10.0.0.7:8421", None), ("https://127.0.0.1:8421", None), ("http://127.0.0.1:1", own)):
        with pytest.raises(Misconfigured) as refused:
            require_secured_url(url, given)
        assert refused.value.code == "half-secured"
    with pytest.raises(Misconfigured):
        require_secured_host("10.0.0.7", None)


def test_up_does_not_start_with_certificates_that_it_would_not_use(tmp_path: Path) -> None:
    settings(tmp_path)
    flags = {("peers", name): getattr(settings(tmp_path).peers, name) for name in ("certificate", "key", "bundle")}
    more: dict[tuple[str, str], object] = {
        ("peers", "registry_id"): IDS.registry,
        ("peers", "server_id"): IDS.servers,
        ("mesh", "gateway_id"): IDS.gateway,
        ("mesh", "trust_domain"): DOMAIN,
        ("platform", "data"): tmp_path,
    }
    with pytest.raises(Misconfigured, match="loopback"):
        platform(read_settings({**flags, **more}, tmp_path / "none.toml", {}), None, lambda *_: None, mesh=False)
