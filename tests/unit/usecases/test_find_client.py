"""Clients that describe themselves at an address, clients of the operator, clients that registered."""

from typing import Any

import pytest

from pierhead.core.errors import UpstreamUnreachable
from pierhead.usecases.find_client import PRELOADED, Clients
from pierhead.usecases.memory import MemoryClock
from pierhead.usecases.memory_sign_in import MemoryDocuments, MemorySignIn
from pierhead.usecases.ports_sign_in import Client, ClientDocument
from pierhead.usecases.register_client import NotGranted

pytestmark = pytest.mark.anyio

ADDRESS = "https://ide.example/oauth/client.json"
GOOD: dict[str, Any] = {
    "client_id": ADDRESS,
    "client_name": "An IDE",
    "redirect_uris": ["http://127.0.0.1/callback", "https://ide.example/back"],
}
OWN = Client("my-ide", "My IDE", ("http://127.0.0.1/callback",), "none", "", 0)


class World:
    def __init__(self, content: dict[str, Any] | None = None, fresh_s: float = 0) -> None:
        self.clock, self.store = MemoryClock(), MemorySignIn()
        self.documents = MemoryDocuments({ADDRESS: ClientDocument(GOOD if content is None else content, fresh_s)})
        self.clients = Clients(
            self.store, self.documents, self.clock, {"my-ide": OWN}, frozenset({"ide.example", "gone.example"})
        )

    async def refusal(self, client_id: str = ADDRESS) -> str:
        with pytest.raises(NotGranted) as caught:
            await self.clients.client(client_id)
        assert caught.value.code == "invalid_client_metadata"
        return caught.value.message


async def test_a_client_is_what_its_address_says() -> None:
    client = await World().clients.client(ADDRESS)
    assert client == Client(ADDRESS, "An IDE", tuple(GOOD["redirect_uris"]), "none", "", 0)


async def test_the_operators_clients_go_first_and_registered_ones_are_found() -> None:
    world = World()
    other = Client("c-1", "Other", ("http://127.0.0.1/",), "none", "", 1)
    for client in (other, Client("my-ide", "Not mine", ("http://127.0.0.1/",), "none", "", 1)):
        await world.store.add_client(client)
    assert await world.clients.client("my-ide") == OWN
    assert await world.clients.client("c-1") == other
    assert await world.clients.client("nobody") is None
    assert await world.clients.client("http://ide.example/client.json") is None


@pytest.mark.parametrize("address", PRELOADED)
async def test_what_people_use_most_needs_no_way_out(address: str) -> None:
    world = World()
    client = await world.clients.client(address)
    assert client is not None
    assert (client.id, client.authentication, client.redirect_uris) == (address, "none", PRELOADED[address][1])
    assert world.documents.read_addresses == []


@pytest.mark.parametrize(("stated", "kept"), [(0, 60), (600, 600), (10**9, 24 * 3600)])
async def test_a_description_is_kept_as_long_as_it_says_within_bounds(stated: float, kept: float) -> None:
    world = World(fresh_s=stated)
    await world.clients.client(ADDRESS)
    world.clock.seconds += kept - 1
    await world.clients.client(ADDRESS)
    assert len(world.documents.read_addresses) == 1
    world.clock.seconds += 1
    await world.clients.client(ADDRESS)
    assert len(world.documents.read_addresses) == 2


async def test_what_is_kept_is_bounded() -> None:
    world = World()
    for number in range(201):
        address = f"https://ide.example/{number}"
        world.documents.documents[address] = ClientDocument({**GOOD, "client_id": address}, 600)
        await world.clients.client(address)
    assert len(world.clients._kept) == 1


@pytest.mark.parametrize(
    "address",
    [
        "https://ide.example",
        "https://ide.example/",
        "https://me@ide.example/client.json",
        "https://ide.example/a#b",
        "https://ide.example/a/../client.json",
        "https://ide.example/a/.",
        "https://IDE.example/client.json",
        "https://[::1]/client.json",
        "https://ide.example/a b",
        "https://ide.example\\.evil.example/x",
        f"https://ide.example/{'x' * 401}",
        "https://other.example/client.json",
        "https://ide.example.evil.example/client.json",
        "https://127.0.0.1/client.json",
    ],
)
async def test_an_address_of_another_form_or_host_is_never_asked(address: str) -> None:
    world = World()
    await world.refusal(address)
    assert world.documents.read_addresses == []


DOCUMENTS: dict[str, dict[str, Any]] = {
    "another client": {**GOOD, "client_id": "https://ide.example/other.json"},
    "no client": {name: value for name, value in GOOD.items() if name != "client_id"},
    "no name": {**GOOD, "client_name": " "},
    "a name that is no text": {**GOOD, "client_name": 7},
    "no redirects": {**GOOD, "redirect_uris": []},
    "redirects that are a text": {**GOOD, "redirect_uris": "http://127.0.0.1/"},
    "a redirect that is no text": {**GOOD, "redirect_uris": ["http://127.0.0.1/", 1]},
    "too many redirects": {**GOOD, "redirect_uris": ["http://127.0.0.1/"] * 11},
    "another host": {**GOOD, "redirect_uris": ["https://evil.example/back"]},
    "another port": {**GOOD, "redirect_uris": ["https://ide.example:444/back"]},
    "a script": {**GOOD, "redirect_uris": ["javascript:alert(1)"]},
    "plain http at home": {**GOOD, "redirect_uris": ["http://ide.example/back"]},
    "a fragment": {**GOOD, "redirect_uris": ["https://ide.example/back#x"]},
    "a secret": {**GOOD, "client_secret": "s"},
    "a way with a secret": {**GOOD, "token_endpoint_auth_method": "client_secret_post"},
}


@pytest.mark.parametrize("content", DOCUMENTS.values(), ids=DOCUMENTS.keys())
async def test_a_description_that_is_not_right_describes_nobody(content: dict[str, Any]) -> None:
    world = World(content)
    assert await world.refusal()
    assert world.clients._kept == {}


async def test_a_description_that_cannot_be_had_describes_nobody() -> None:
    with pytest.raises(UpstreamUnreachable):
        await World().clients.client("https://gone.example/client.json")
