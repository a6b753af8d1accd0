"""People of a real identity provider: in a browser, through an MCP client, and with the provider's own tokens."""

import asyncio
import sqlite3
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult
from tests.components import free_port
from tests.identity_provider import IdentityProvider, browser, query, sign_in
from tests.pages import link
from tests.running_platform import Up, call_rows, eventually, up
from tests.signing_in import Kept, provider

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

FLEET = """
people:
  alice: {groups: [platform-admin]}
servers:
  orders:
    kind: sql
    url: sqlite:///FOLDER/orders.db
    owner: data-platform
    support: "#data-help"
    access: {groups: [data-eng]}
    roles: {reader: {tables: [orders], operations: [read]}}
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, IdentityProvider]]:
    """A platform whose people sign in at a provider, and the provider."""
    folder = tmp_path_factory.mktemp("company")
    with sqlite3.connect(folder / "orders.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    database.close()
    (folder / "fleet.yaml").write_text(FLEET.replace("FOLDER", str(folder)))
    idp = IdentityProvider("", free_port())
    given = idp.settings(groups="corp-data=data-eng\ncorp-ads=ads", lifetime_s="3600")
    with up(folder / "data", folder / "fleet.yaml", **given) as platform:
        idp.pierhead = platform.url
        idp.start()
        try:
            yield platform, idp
        finally:
            idp.stop()


def enter(visiting: httpx2.Client, platform: Up, person: str, page: str = "/servers") -> httpx2.Response:
    """Ask for a page, be led to the provider, sign in there; what Pierhead answers when the browser comes back."""
    led = visiting.get(f"{platform.url}{page}")
    start = visiting.get(str(led.url.join(led.headers["location"])))
    assert start.status_code == 303, start.text
    return visiting.get(sign_in(visiting, start.headers["location"], person))


class CompanyPerson:
    """Somebody whose browser keeps its cookies: signs in at the provider once, says yes to each client."""

    def __init__(self, platform: Up, name: str) -> None:
        self.platform = platform
        self.name = name
        self.browser = browser()
        self.question = ""
        self.signed_in = 0

    async def open(self, question: str) -> None:
        self.question = question

    async def come_back(self) -> AuthorizationCodeResult:
        return await asyncio.to_thread(self._come_back)

    def _come_back(self) -> AuthorizationCodeResult:
        page = self.browser.get(self.question)
        if page.is_redirect:
            start = self.browser.get(str(page.url.join(page.headers["location"])))
            back = self.browser.get(sign_in(self.browser, start.headers["location"], self.name))
            page = self.browser.get(str(back.url.join(back.headers["location"])))
            self.signed_in += 1
        said = self.browser.get(f"{self.platform.url}{link(page.text, '/oauth/continue')}")
        answer = query(said.headers["location"])
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer["iss"])


async def tables(platform: Up, auth: "OAuthClientProvider | None", token: str = "") -> str:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(auth=auth, headers=headers, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(platform.mcp("orders"), http_client=http)) as client,
    ):
        return str(await client.call_tool("list_tables", {}))


def test_a_person_signs_in_at_the_provider_and_lands_where_they_were_going(
    company: tuple[Up, IdentityProvider],
) -> None:
    platform, _ = company
    with browser() as visiting:
        back = enter(visiting, platform, "alice", "/servers/orders")
        assert (back.status_code, back.headers["location"]) == (303, "/servers/orders")
        assert "pierhead_sign_in" not in visiting.cookies
        page = visiting.get(f"{platform.url}/servers/orders")
        assert page.status_code == 200
        assert "alice" in page.text
        # the fleet file makes an alice administrator; the provider does not
        assert visiting.get(f"{platform.url}/admin").status_code == 403


def test_one_text_is_one_group_and_no_claim_is_none(company: tuple[Up, IdentityProvider]) -> None:
    platform, _ = company
    for person, groups in (("bob", ["ads"]), ("erin", [])):
        with browser() as visiting:
            enter(visiting, platform, person)
            assert visiting.get(f"{platform.url}/api/v1/me").json()["groups"] == groups


@pytest.mark.parametrize(("person", "code"), [("carol", "bad-groups"), ("dave", "groups-overage")])
def test_groups_that_cannot_be_read_sign_nobody_in(
    company: tuple[Up, IdentityProvider], person: str, code: str
) -> None:
    platform, _ = company
    with browser() as visiting:
        refused = enter(visiting, platform, person)
        assert refused.status_code == 401
        assert code in refused.text
        assert visiting.get(f"{platform.url}/servers").status_code == 303


def test_an_answer_is_taken_by_the_browser_that_asked_alone(company: tuple[Up, IdentityProvider]) -> None:
    platform, _ = company
    with browser() as attacker, browser() as victim:
        start = attacker.get(f"{platform.url}/sign-in/start?next=/servers")
        answer = sign_in(attacker, start.headers["location"], "bob")
        stranger = victim.get(answer)
        assert (stranger.status_code, "no-sign-in-begun" in stranger.text) == (401, True)
        victim.get(f"{platform.url}/sign-in/start?next=/servers")
        mixed = victim.get(answer)
        assert (mixed.status_code, "wrong-state" in mixed.text) == (401, True)
        assert attacker.get(answer).status_code == 303
        again = attacker.get(answer)
        assert again.status_code == 401


def test_an_answer_of_another_issuer_is_refused(company: tuple[Up, IdentityProvider]) -> None:
    platform, idp = company
    with browser() as visiting:
        start = visiting.get(f"{platform.url}/sign-in/start")
        answer = sign_in(visiting, start.headers["location"], "alice")
        for forged in (answer.replace(f"%3A{idp.port}", "%3A1"), answer.partition("&iss=")[0]):
            assert forged != answer
            assert "wrong-issuer" in visiting.get(forged).text


def test_where_to_go_on_is_never_another_site(company: tuple[Up, IdentityProvider]) -> None:
    platform, _ = company
    with browser() as visiting:
        start = visiting.get(f"{platform.url}/sign-in/start?next=https://evil.example/")
        back = visiting.get(sign_in(visiting, start.headers["location"], "alice"))
        assert back.headers["location"] == "/servers"


def test_the_built_in_sign_in_is_off(company: tuple[Up, IdentityProvider]) -> None:
    platform, idp = company
    with browser() as visiting:
        page = visiting.get(f"{platform.url}/sign-in")
        assert urlsplit(idp.issuer).netloc in page.text
        assert visiting.get(f"{platform.url}/sign-in.json").json()["people"] == []
        form = {"token": "t", "next": "/", "person": "alice"}
        entered = visiting.post(f"{platform.url}/sign-in", data=form, headers={"origin": platform.url})
        assert (entered.status_code, "built-in-sign-in-off" in entered.text) == (403, True)
    refused = platform.run("token", "--as", "alice")
    assert refused.returncode != 0
    assert "identity provider" in refused.stderr
    assert "platform-admin" not in platform.said


async def test_an_mcp_client_signs_in_once_for_every_server(company: tuple[Up, IdentityProvider]) -> None:
    platform, _ = company
    person = CompanyPerson(platform, "alice")
    with person.browser:
        first = await tables(platform, provider(platform.mcp("orders"), person, Kept()))
        second = await tables(platform, provider(platform.mcp("orders"), person, Kept()))
        assert "orders" in first
        assert "orders" in second
        assert person.signed_in == 1
        person.browser.base_url = platform.url
        made = eventually(lambda: call_rows(person.browser), "alice sees her calls")
    assert {row["principal"] for row in made} == {"alice"}


async def test_a_plain_token_of_the_provider_is_the_same_person(company: tuple[Up, IdentityProvider]) -> None:
    platform, idp = company
    token = await asyncio.to_thread(idp.access_token, "alice", platform.mcp("orders"))
    assert "orders" in await tables(platform, None, token)
    api = await asyncio.to_thread(idp.access_token, "alice", f"{platform.url}/api/v1")
    async with httpx2.AsyncClient(trust_env=False) as client:
        me = await client.get(f"{platform.url}/api/v1/me", headers={"authorization": f"Bearer {api}"})
        other = await client.get(f"{platform.url}/api/v1/me", headers={"authorization": f"Bearer {token}"})
    assert (me.json()["groups"], other.status_code) == (["data-eng"], 401)


def test_a_program_of_the_provider_is_nobody(company: tuple[Up, IdentityProvider]) -> None:
    platform, idp = company
    token = idp.robot_token(f"{platform.url}/api/v1")
    answer = httpx2.get(
        f"{platform.url}/api/v1/me", headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=30
    )
    assert answer.status_code == 401


def test_keys_are_followed_when_they_change_and_outlive_an_outage(company: tuple[Up, IdentityProvider]) -> None:
    platform, idp = company
    resource = f"{platform.url}/api/v1"

    def status(token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        return httpx2.get(f"{platform.url}/api/v1/me", headers=headers, trust_env=False, timeout=30).status_code

    earlier, kept = idp.access_token("alice", resource), idp.access_token("bob", resource)
    assert status(earlier) == 200
    idp.tell("away")
    assert status(kept) == 200  # never seen before, and nobody answers for the keys
    idp.tell("back")
    idp.tell("rotate")
    later = idp.access_token("alice", resource)
    assert eventually(lambda: status(later) == 200, "the new keys")
    with browser() as visiting:
        assert enter(visiting, platform, "alice").status_code == 303
