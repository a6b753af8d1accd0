"""The official Python client signs in over real sockets: discovery, registration, consent, token, a second call."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import OAuthClientMetadata
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from tests.signing_in import Kept, Person, provider
from tests.web_site import TestSite, build

pytestmark = pytest.mark.anyio


def protected(world: TestSite, url: str) -> Route:
    """A resource that takes nothing but a token of this issuer for itself."""

    async def resource(request: Request) -> Response:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        audience = f"{url}/mcp/warehouse"
        if kind != "Bearer":
            metadata = f"{url}/.well-known/oauth-protected-resource/mcp/warehouse"
            return Response(status_code=401, headers={"www-authenticate": f'Bearer resource_metadata="{metadata}"'})
        keys = KeySet.import_key_set(dict(world.site.tokens.signer.public_keys()))  # pyright: ignore[reportArgumentType]
        said = jwt.decode(token, keys, algorithms=["RS256"])
        assert said.claims["aud"] == audience
        return JSONResponse({"caller": said.claims["sub"], "groups": said.claims["groups"]})

    return Route("/mcp/warehouse", resource, methods=["POST"])


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[TestSite, str]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        world = build(url)
        app = Starlette(routes=[protected(world, url), Mount("/", world.app)])
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield world, url
        finally:
            server.should_exit = True
            await task


async def test_the_official_client_signs_in_and_calls_again_without_asking() -> None:
    async with serving() as (world, url):
        person, kept = Person(url), Kept()
        async with httpx2.AsyncClient(auth=provider(f"{url}/mcp/warehouse", person, kept)) as client:
            first = await client.post(f"{url}/mcp/warehouse", json={})
            second = await client.post(f"{url}/mcp/warehouse", json={})

    assert first.json() == second.json() == {"caller": "alice", "groups": ["data-eng"]}
    assert len(person.questions) == 1
    assert world.facts() == ["sign-in-succeeded", "token-issued"]


async def test_the_official_client_is_known_by_its_address_and_registers_nowhere() -> None:
    async with serving() as (world, url):
        person, kept = Person(url), Kept()
        described = OAuthClientProvider(
            server_url=f"{url}/mcp/warehouse",
            client_metadata=OAuthClientMetadata(
                redirect_uris=["http://localhost:9/callback"],  # pyright: ignore[reportArgumentType]
                token_endpoint_auth_method="none",
            ),
            storage=kept,
            redirect_handler=person.open,
            callback_handler=person.come_back,
            client_metadata_url="https://claude.ai/oauth/claude-code-client-metadata",
        )
        async with httpx2.AsyncClient(auth=described) as client:
            answer = await client.post(f"{url}/mcp/warehouse", json={})

    assert answer.json()["caller"] == "alice"
    assert world.store.clients == {}
