"""Each known client of MCP registries before a real listener with 120 servers: it finds every one, once."""

import httpx2
import pytest
from tests.official_site import World, many, world
from tests.registry_clients import copilot, toolhive, vscode
from tests.rigs.gateway import serving

pytestmark = pytest.mark.anyio

COUNT = 120


@pytest.fixture(scope="module")
def crowd() -> World:
    versions, servers, rows = many(COUNT)
    made = world(versions)
    made.move_policy(servers, rows)
    return made


@pytest.mark.parametrize("end", ["", "/", "/r/ads", "/r/ads/"])
async def test_vscode_pages_through_the_whole_list_whatever_stands_at_the_end_of_its_address(
    crowd: World, end: str
) -> None:
    async with serving(crowd.app) as url, httpx2.AsyncClient() as http:
        names = await vscode(http, url + end)
    assert len(names) == len(set(names)) == COUNT


async def test_vscode_keeps_its_search_though_it_forgets_to_send_it(crowd: World) -> None:
    async with serving(crowd.app) as url, httpx2.AsyncClient() as http:
        names = await vscode(http, url, search="server-00")
        assert len(names) == 100
        assert all("server-00" in name for name in names)
        assert await vscode(http, url, search="nothing of the kind") == []


async def test_vscode_takes_the_older_address_where_the_newer_is_not_there() -> None:
    async with serving(world(has_alias=True).app) as url, httpx2.AsyncClient() as http:
        assert (await http.get(f"{url}/v0/servers?limit=1")).is_success


async def test_copilot_reads_without_sign_in_from_another_origin(crowd: World) -> None:
    async with serving(crowd.app) as url, httpx2.AsyncClient() as http:
        assert len(await copilot(http, url)) == 30


@pytest.mark.parametrize("end", ["", "/r/ads"])
async def test_toolhive_knows_it_for_an_api_and_reads_all_of_it(crowd: World, end: str) -> None:
    async with serving(crowd.app) as url, httpx2.AsyncClient() as http:
        names = await toolhive(http, url + end)
    assert len(names) == len(set(names)) == COUNT


async def test_toolhive_reads_a_refusal_as_an_api_that_asks_for_sign_in(crowd: World) -> None:
    async with serving(crowd.app) as url, httpx2.AsyncClient() as http:
        assert (await http.get(f"{url}/r/me/v0.1/servers?limit=1&version=latest")).status_code == 401
