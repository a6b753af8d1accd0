"""What a provider publishes of itself: read where and how often, within which bounds. Over real HTTP."""

import asyncio
import json

import pytest
from tests.rigs.company import KEYS, METADATA, TOKEN, company, unreachable
from tests.rigs.gateway import eventually

from pierhead.adapters.oidc import documents
from pierhead.adapters.oidc.documents import Provider, Web, is_safe, keys_of, read_object
from pierhead.core.errors import UpstreamUnreachable

pytestmark = pytest.mark.anyio


async def test_metadata_are_kept_for_an_hour_and_the_last_good_ones_beyond() -> None:
    async with company() as world:
        provider = Provider(world.place.url, world.clock)
        first = await provider.metadata()
        assert (first.token, first.keys, first.userinfo) == (world.place.url + TOKEN, world.place.url + KEYS, "")
        world.clock.seconds += 3599
        assert await provider.metadata() is first
        world.place.metadata = {"token_endpoint": f"{world.place.url}/token-2"}
        world.clock.seconds += 1
        assert (await provider.metadata()).token == f"{world.place.url}/token-2"
        assert len(world.place.of(METADATA)) == 2
        world.place.answers[METADATA] = 500, b"{}"
        world.clock.seconds += 3600
        assert (await provider.metadata()).token == f"{world.place.url}/token-2"
        assert "it answers 500" in await unreachable(Provider(world.place.url, world.clock).metadata())


@pytest.mark.parametrize("issuer_ends", ["", "/"])
async def test_metadata_lie_at_one_place_however_the_issuer_ends(issuer_ends: str) -> None:
    async with company() as world:
        issuer = world.place.url + issuer_ends
        world.place.metadata = {"issuer": issuer}
        await Provider(issuer, world.clock).metadata()
        assert [each.path for each in world.place.asked] == [METADATA]


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"issuer": ...},
        {"token_endpoint": ...},
        {"authorization_endpoint": "http://evil.example/"},
        {"jwks_uri": "ftp://127.0.0.1/"},
        {"jwks_uri": "https://"},
        {"userinfo_endpoint": 7},
    ],
)
async def test_metadata_that_are_odd_in_one_place_are_none(changes: dict[str, object]) -> None:
    async with company() as world:
        world.place.metadata = changes
        assert "metadata" in await unreachable(Provider(world.place.url, world.clock).metadata())


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("https://login.example/", True),
        ("http://127.0.0.1:9/", True),
        ("http://localhost/", True),
        ("http://[::1]:9/", True),
        ("http://login.example/", False),
        ("http://127.0.0.1.evil.example/", False),
        ("ftp://localhost/", False),
        ("https:///path", False),
        ("", False),
    ],
)
def test_a_place_is_https_or_this_machine(url: str, verdict: bool) -> None:
    assert is_safe(url) is verdict


@pytest.mark.parametrize("text", [b"[]", b"7", b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_no_document(text: bytes) -> None:
    with pytest.raises(UpstreamUnreachable, match=r"login\.example cannot be used: it answers with something else"):
        read_object("https://login.example/keys", text)


async def test_a_document_is_at_most_256_kib_and_what_answers_elsewhere_is_not_followed() -> None:
    async with company() as world:
        web, url = Web(world.clock), f"{world.place.url}/x"
        world.place.answers["/x"] = 200, b" " * 256 * 1024
        assert len(await web.fetch(url)) == 256 * 1024
        world.place.answers["/x"] = 200, b" " * (256 * 1024 + 1)
        assert "more than 262144 bytes" in await unreachable(web.fetch(url))
        world.place.answers["/x"] = 302, b"{}"
        assert "it answers 302" in await unreachable(web.fetch(url))
        for nowhere in ("http://127.0.0.1:1/", "http://[bad/"):
            with pytest.raises((UpstreamUnreachable, ValueError)):
                await web.fetch(nowhere)


async def test_keys_are_asked_for_where_the_metadata_say() -> None:
    async with company() as world:
        assert json.loads(await keys_of(world.place.url, world.clock)()) == world.place.document(KEYS)
        assert [each.path for each in world.place.asked] == [METADATA, KEYS]


async def test_the_systems_certificates_are_read_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    read, real = list[str](), documents.ssl.create_default_context

    def counted() -> object:
        read.append("")
        return real()

    async with company() as world:
        web = Web(world.clock)
        monkeypatch.setattr("pierhead.adapters.oidc.documents.ssl.create_default_context", counted)
        for later_s, times in ((0, 1), (3599, 1), (1, 2), (3599, 2), (1, 3)):
            world.clock.seconds += later_s
            await web.fetch(world.place.url + KEYS)
            assert len(read) == times


async def test_so_many_questions_go_at_once_and_the_next_waits_its_turn_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with company() as world:
        world.place.hold, web = asyncio.Event(), Web(world.clock)
        asking = [asyncio.ensure_future(web.fetch(world.place.url + KEYS)) for _ in range(40)]
        await eventually(lambda: len(world.place.asked) == 32)
        monkeypatch.setattr(documents, "_WHOLE_S", 0.01)
        await unreachable(web.fetch(world.place.url + KEYS))
        assert len(world.place.asked) == 32
        world.place.hold.set()
        assert len(await asyncio.gather(*asking)) == 40
