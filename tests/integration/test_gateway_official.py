"""The official registry API behind the gateway: what passes to the registry, how it is spelt then, who may ask."""

from typing import Any

import httpx2
import pytest
from tests.rigs.gateway import Rig, gateway

from pierhead.apps.gateway.edge import official_target_of

pytestmark = pytest.mark.anyio

ELSEWHERE = {"origin": "https://elsewhere.example"}


async def seen(rig: Rig, method: str, path: str, **more: Any) -> Any:
    """What reached the registry."""
    answer = await rig.client.request(method, rig.url + path, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def rig() -> Any:
    async with gateway("http://127.0.0.1:1/mcp") as made:
        yield made


@pytest.mark.parametrize(
    ("path", "carried"),
    [
        ("/v0.1/servers?limit=1", "/v0.1/servers"),
        ("//v0.1/servers?limit=1", "/v0.1/servers"),
        ("/r/ads//v0.1/servers", "/r/ads/v0.1/servers"),
        ("/v0/servers", "/v0/servers"),
        ("/v0.1/servers/com.example%2Ftime/versions/latest", "/v0.1/servers/com.example%2Ftime/versions/latest"),
        ("/r/me/v0.1/servers/a%2fb/versions/1.0.0%2B7", "/r/me/v0.1/servers/a%2fb/versions/1.0.0%2B7"),
    ],
)
async def test_every_spelling_that_clients_use_reaches_the_registry_in_one(rig: Rig, path: str, carried: str) -> None:
    assert (await seen(rig, "GET", path))["path"].partition("?")[0] == carried


async def test_pages_of_any_origin_may_ask_it_and_nothing_else(rig: Rig) -> None:
    assert (await seen(rig, "GET", "/v0.1/servers", headers=ELSEWHERE))["method"] == "GET"
    assert (await seen(rig, "OPTIONS", "/r/ads/v0.1/servers", headers=ELSEWHERE))["method"] == "OPTIONS"
    for path in ("/api/v1/servers", "/servers", "/v0.1x/servers", "/r/ads"):
        assert (await rig.client.get(rig.url + path, headers=ELSEWHERE)).status_code == 403, path
    assert (await rig.client.options(f"{rig.url}/servers")).status_code == 405


async def test_the_registry_is_told_where_the_client_is_whatever_the_client_says(rig: Rig) -> None:
    told = await seen(
        rig, "GET", "/v0.1/servers", headers={"pierhead-client": "10.0.0.1", "x-forwarded-for": "10.0.0.1"}
    )
    places = [value for name, value in told["headers"] if name == "pierhead-client"]
    assert places == ["127.0.0.1"]
    assert "x-forwarded-for" not in dict(told["headers"])


async def test_a_refusal_of_the_gateway_reads_like_one_of_the_registry(rig: Rig) -> None:
    rig.outside.upstreams.close()
    answer = await rig.client.get(f"{rig.url}/v0.1/servers", headers={"host": "evil.example", **ELSEWHERE})
    assert answer.status_code == 421
    assert answer.headers["access-control-allow-origin"] == "*"
    assert isinstance(answer.json()["error"], str)
    wrong = await rig.client.request("TRACE", f"{rig.url}/v0.1/servers")
    assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (405, "*")


@pytest.mark.parametrize(
    "path",
    [
        b"/internal/v1/snapshot",
        b"//internal/v1/snapshot",
        b"/v0.1/../internal/v1/snapshot",
        b"/v0.1/servers/%2e%2e/versions",
        b"/v0.1/servers/a%00b/versions",
        b"/v0.1/servers/a%5cb/versions",
        b"/v0.1/servers;x",
        b"/r//v0.1/servers",
        b"/r/ME/v0.1/servers",
        b"/r/a%2Fb/v0.1/servers",
        b"/v0.1%2Fservers",
        b"/v0.10/servers",
        b"/mcp/v0.1/servers",
    ],
)
def test_no_other_path_passes_for_one_of_the_official_api(path: bytes) -> None:
    assert official_target_of(path) is None


async def test_a_doubled_slash_opens_no_other_path(rig: Rig) -> None:
    for path in ("//internal/v1/snapshot", "//servers", "/servers//time"):
        assert (await rig.client.get(rig.url + path)).status_code == 404
    assert isinstance(rig.client, httpx2.AsyncClient)
