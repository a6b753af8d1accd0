"""Both ends of a client's sign-in: what the official Python client keeps, and a person at a browser without scripts."""

from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from tests.pages import hidden, link


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
    """Somebody at a browser: follows the link a client opens, signs in, says yes."""

    def __init__(self, url: str, name: str = "alice") -> None:
        self.url = url
        self.name = name
        self.questions: list[str] = []

    async def open(self, question: str) -> None:
        self.questions.append(question)

    async def come_back(self) -> AuthorizationCodeResult:
        async with httpx2.AsyncClient(base_url=self.url) as browser:
            sent = await browser.get(self.questions[-1])
            page = await browser.get(sent.headers["location"])
            form = {"token": hidden(page.text, "token"), "next": hidden(page.text, "next"), "person": self.name}
            entered = await browser.post("/sign-in", data=form, headers={"origin": self.url})
            consent = await browser.get(entered.headers["location"])
            back = await browser.get(link(consent.text, "/oauth/continue"))
        said = {key: values[0] for key, values in parse_qs(urlsplit(back.headers["location"]).query).items()}
        return AuthorizationCodeResult(code=said["code"], state=said["state"], iss=said["iss"])


def provider(server_url: str, person: Person, kept: Kept) -> OAuthClientProvider:
    """The official client's own sign-in for one server, with dynamic registration."""
    return OAuthClientProvider(
        server_url=server_url,
        client_metadata=OAuthClientMetadata(
            client_name="Official client",
            redirect_uris=["http://127.0.0.1:9/callback"],  # pyright: ignore[reportArgumentType]
            token_endpoint_auth_method="none",
        ),
        storage=kept,
        redirect_handler=person.open,
        callback_handler=person.come_back,
    )
