"""The official Python client signs in over real sockets: discovery, registration, consent, token, a second call."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from tests.pages import hidden, link
from tests.web_site import TestSite, build

pytestmark = pytest.mark.anyio


class Kept:
    """What a client keeps between runs."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Person:
    """Alice at her browser: follows the link a client opens, signs in, says yes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.questions: list[str] = []

    async def open(self, question: str) -> None:
        self.questions.append(question)

    async def come_back(self) -> AuthorizationCodeResult:
        async with httpx2.AsyncClient(base_url=self.url) as browser:
            sent = await browser.get(self.questions[-1])
            page = await browser.get(sent.headers["location"])
            form = {"token": hidden(page.text, "token"), "next": hidden(page.text, "next"), "person": "alice"}
            entered = await browser.post("/sign-in", data=form, headers={"origin": self.url})
            consent = await browser.get(entered.headers["location"])
            back = await browser.get(link(consent.text, "/oauth/continue"))
        said = {key: values[0] for key, values in parse_qs(urlsplit(back.headers["location"]).query).items()}
        return AuthorizationCodeResult(code=said["code"], state=said["state"], iss=said["iss"])


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
        provider = OAuthClientProvider(
            server_url=f"{url}/mcp/warehouse",
            client_metadata=OAuthClientMetadata(
                client_name="Official client",
                redirect_uris=["http://127.0.0.1:9/callback"],  # pyright: ignore[reportArgumentType]
                token_endpoint_auth_method="none",
            ),
            storage=kept,
            redirect_handler=person.open,
            callback_handler=person.come_back,
        )
        async with httpx2.AsyncClient(auth=provider) as client:
            first = await client.post(f"{url}/mcp/warehouse", json={})
            second = await client.post(f"{url}/mcp/warehouse", json={})

    assert first.json() == second.json() == {"caller": "alice", "groups": ["data-eng"]}
    assert len(person.questions) == 1
    assert world.facts() == ["sign-in-succeeded", "token-issued"]
