"""TLS that the gateway terminates itself: real certificates, real handshakes, new files without a new start."""

import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.rigs.gateway import Rig, WallClock, gateway, headers, message, serving
from tests.rigs.mesh import CHAT, DOMAIN, FOREIGN, STRANGER, TRIAGE, forwarded, mesh, svid

from pierhead.adapters.local_authority import Authority, Svid, replace_file
from pierhead.adapters.own_tls import OwnTls, TlsFiles
from pierhead.bootstrap.settings import read_settings
from pierhead.bootstrap.tls_settings import TlsSettings
from pierhead.core.errors import Misconfigured
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.usecases.memory import MemoryClock

pytestmark = pytest.mark.anyio
GATEWAY = f"spiffe://{DOMAIN}/pierhead/gateway"
ROWS = (
    Row("warehouse", parse_who("group:data-eng"), EVERY, EVERY, EVERY),
    Row("warehouse", parse_who(f"workload:{TRIAGE}"), EVERY, EVERY, EVERY),
    Row("warehouse", parse_who(f"workload:{CHAT}"), EVERY, EVERY, EVERY),
)


@dataclass
class Place:
    """A gateway with TLS of its own, and who signs."""

    rig: Rig
    folder: Path
    authority: Authority

    async def call(self, shown: Svid | None, trusted: str = "", **sent: str) -> httpx2.Response:
        """One call on a connection of its own, with that certificate."""
        context = ssl.create_default_context(cadata=trusted or self.authority.bundle)
        if shown is not None:
            for name, text in (("shown.pem", shown.certificate), ("shown.key", shown.key)):
                replace_file(self.folder / name, text)
            context.load_cert_chain(self.folder / "shown.pem", self.folder / "shown.key")
        body = message("tools/call", {"name": "echo", "arguments": {}})
        async with httpx2.AsyncClient(verify=context, timeout=10, trust_env=False) as client:
            fields = {**headers("tools/call", "echo"), **sent}
            return await client.post(f"{self.rig.url}/mcp/warehouse", content=body, headers=fields)

    def write(self, authority: Authority, bundle: str) -> None:
        own = authority.svid(GATEWAY, ["127.0.0.1"])
        for name, text in (("own.key", own.key), ("own.pem", own.certificate), ("bundle.pem", bundle)):
            replace_file(self.folder / name, text)


def files(folder: Path) -> TlsSettings:
    return TlsSettings(certificate=folder / "own.pem", key=folder / "own.key", bundle=folder / "bundle.pem")


async def answers(scope: dict[str, str], receive: object, send: object) -> None:
    """A server that takes every call."""
    if scope["type"] == "http":
        body = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
        kind = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": kind})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": body})  # type: ignore[operator]


@asynccontextmanager
async def placed(folder: Path) -> AsyncGenerator[Place]:
    authority = Authority.new(DOMAIN, WallClock())
    place = Place(None, folder, authority)  # type: ignore[arg-type]
    place.write(authority, authority.bundle)
    async with (
        serving(answers) as upstream,
        gateway(f"{upstream}/mcp", rows=ROWS, mesh=mesh(folder), tls=files(folder)) as rig,
    ):
        place.rig = rig
        yield place


async def test_a_registered_workload_calls_with_its_certificate_and_a_person_through_it(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        alone = await place.call(place.authority.svid(TRIAGE))
        assert (alone.status_code, alone.json()["result"]) == (200, {"content": []})
        both = await place.call(place.authority.svid(CHAT), authorization=f"Bearer {place.rig.token()}")
        assert both.status_code == 200
        actors = [fact.actor for fact in place.rig.audit.facts if fact.kind == "call-started"]
        assert [(actor.person, actor.workload, actor.surface) for actor in actors] == [
            ("", TRIAGE, "agent"),
            ("alice", CHAT, "chat"),
        ]


async def test_without_a_certificate_one_is_who_the_token_says_or_nobody(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        person = await place.call(None, authorization=f"Bearer {place.rig.token()}")
        assert person.status_code == 200
        assert (await place.call(None)).status_code == 401
        spoofed = await place.call(None, **{"x-forwarded-client-cert": forwarded(TRIAGE)})
        assert spoofed.status_code == 401


@pytest.mark.parametrize(
    ("spiffe_id", "code"),
    [(FOREIGN, "foreign-workload"), (STRANGER, "unknown-workload"), (f"spiffe://{DOMAIN}", "bad-svid")],
)
async def test_a_certificate_of_the_bundle_for_a_strange_name_refuses_the_whole(
    tmp_path: Path, spiffe_id: str, code: str
) -> None:
    async with placed(tmp_path) as place:
        refused = await place.call(place.authority.svid(spiffe_id), authorization=f"Bearer {place.rig.token()}")
        assert refused.status_code == 401
        failed = [fact.reason for fact in place.rig.audit.facts if fact.kind == "sign-in-failed"]
        assert failed == [code]


async def test_two_workloads_never_share_a_request(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        token = svid(TRIAGE, f"{place.rig.url}/mcp/warehouse")
        refused = await place.call(place.authority.svid(CHAT), **{"pierhead-workload-token": token})
        assert refused.status_code == 401
        same = await place.call(place.authority.svid(TRIAGE), **{"pierhead-workload-token": token})
        assert same.status_code == 200


async def test_a_foreign_authority_and_an_expired_certificate_do_not_get_through_the_handshake(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        foreign = Authority.new(DOMAIN, WallClock())
        old = Authority(MemoryClock(time.time() - 7200), place.authority.certificate, place.authority.key)
        for shown in (foreign.svid(TRIAGE), old.svid(TRIAGE)):
            with pytest.raises(httpx2.TransportError):
                await place.call(shown)
        assert place.rig.audit.kinds() == []


async def test_new_files_serve_without_a_new_start_and_an_old_bundle_lets_nobody_in(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        assert (await place.call(place.authority.svid(TRIAGE))).status_code == 200
        later = Authority.new(DOMAIN, WallClock())
        place.write(later, later.bundle)
        assert place.rig.outside.tls is not None
        place.rig.outside.tls.followed.clock = MemoryClock(time.monotonic() + 2)
        assert (await place.call(later.svid(TRIAGE), later.bundle)).status_code == 200
        with pytest.raises(httpx2.TransportError):
            await place.call(place.authority.svid(TRIAGE), later.bundle)
        (tmp_path / "own.key").write_text("half of a new key")
        place.rig.outside.tls.followed.clock = MemoryClock(time.monotonic() + 4)
        assert (await place.call(later.svid(TRIAGE), later.bundle)).status_code == 200
        assert place.rig.outside.tls.problem


async def test_a_connection_that_outlives_its_certificate_is_nobody(tmp_path: Path) -> None:
    async with placed(tmp_path) as place:
        workloads = place.rig.outside.workloads
        assert workloads is not None
        workloads.clock = MemoryClock(time.time() + 3700)
        refused = await place.call(place.authority.svid(TRIAGE))
        assert refused.status_code == 401
        assert [fact.reason for fact in place.rig.audit.facts] == ["svid-expired"]


def test_a_certificate_that_cannot_be_read_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("no certificate")
    tls = OwnTls(TlsFiles(tmp_path / "own.pem", tmp_path / "own.key", None), WallClock())
    with pytest.raises(Misconfigured, match="cannot be used"):
        tls.listening()


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"certificate": "/c.pem"}, "belong together"),
        ({"bundle": "/b.pem"}, "tls.certificate is not"),
        ({"certificate": "/c.pem", "key": "/c.key"}, "no https URL"),
        ({"certificate": "/c.pem", "key": "/c.key", "bundle": "/b.pem"}, "mesh.trust_domain is not"),
    ],
)
def test_half_of_tls_does_not_start(given: dict[str, str], fault: str, tmp_path: Path) -> None:
    (tmp_path / "none.toml").write_text("")
    with pytest.raises(Misconfigured, match=fault):
        read_settings({("tls", name): value for name, value in given.items()}, tmp_path / "none.toml", {})
