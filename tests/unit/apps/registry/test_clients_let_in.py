"""Clients that people let in, as a browser and a program see it: asked once, shown, taken back."""

import json
import re

import httpx2
import pytest
from tests.pages import hidden, link
from tests.unit.apps.registry.test_oauth import Browser, browser, claims, members
from tests.web_site import PUBLIC_URL

from pierhead.usecases.memory_consents import MemoryConsents

__all__ = ["browser"]

pytestmark = pytest.mark.anyio

HOSTED = "https://claude.ai/api/mcp/auth_callback"
AIRFLOW = f"{PUBLIC_URL}/mcp/airflow"


@pytest.fixture
async def client(browser: Browser) -> str:
    """The only client that alice knows: its answers go to its own host; she is at the browser."""
    kept = browser.world.site.people.consents.consents
    assert isinstance(kept, MemoryConsents)
    kept.kept.clear()
    made = await browser.register(redirect_uris=[HOSTED], client_name="Claude <b>")
    await browser.sign_in("alice")
    return str(made["client_id"])


async def asked(browser: Browser, client: str, **changes: str | None) -> httpx2.Response:
    return await browser.http.get(browser.question(client, redirect_uri=HOSTED, **changes))


async def revoked(browser: Browser, page: httpx2.Response) -> httpx2.Response:
    """After the one button of that page that lets a client in no more."""
    (path,) = set(re.findall(r'action="(/you/clients/[^"]+/revoke)"', page.text))
    form = {"token": hidden(page.text, "token")}
    return await browser.http.post(path, data=form, headers={"origin": PUBLIC_URL})


async def test_a_client_is_asked_about_once_and_not_for_each_server(browser: Browser, client: str) -> None:
    page = await asked(browser, client, scope="warehouse.read")
    assert "after 90 days, or for more than to" in page.text
    assert "use tools that only read, of every server" in page.text
    await browser.http.get(link(page.text, "/oauth/continue"))

    straight = await asked(browser, client, scope="airflow.read", resource=AIRFLOW)
    assert (straight.status_code, members(straight)["state"]) == (302, "st/ate&1")
    code = members(straight)["code"]
    answer = await browser.exchange(client, code, redirect_uri=HOSTED, resource=AIRFLOW)
    said = claims(answer.json()["access_token"])
    assert (said["aud"], said["scope"]) == (AIRFLOW, "airflow.read")

    more = await asked(browser, client, scope="airflow.write", resource=AIRFLOW)
    assert (more.status_code, "You let it in before" in more.text) == (200, True)
    again = await asked(browser, client, scope="airflow.read", resource=AIRFLOW, prompt="consent")
    assert again.status_code == 200


async def test_declining_keeps_nothing(browser: Browser, client: str) -> None:
    page = await asked(browser, client)
    await browser.http.get(link(page.text, "/oauth/decline"))
    assert (await asked(browser, client)).status_code == 200
    assert (await browser.http.get("/you.json")).json()["clients"] == []


async def test_a_program_on_this_machine_is_asked_about_each_time_and_shown_all_the_same(browser: Browser) -> None:
    made = await browser.register()
    await browser.sign_in("alice")
    await browser.code(made["client_id"])
    page = await browser.http.get(browser.question(made["client_id"]))
    assert "nothing proves that it is this client that asks" in page.text
    assert "You let it in before" in page.text
    assert "each time it signs in" in (await browser.http.get("/you")).text


async def test_what_proves_who_signs_in_comes_before_what_was_remembered(browser: Browser, client: str) -> None:
    page = await asked(browser, client)
    await browser.http.get(link(page.text, "/oauth/continue"))
    anew = await asked(browser, client, prompt="login consent")
    assert anew.headers["location"].startswith("/sign-in?fresh=1")
    assert "prompt%3Dconsent" in anew.headers["location"]
    browser.http.cookies.clear()
    assert (await asked(browser, client)).headers["location"].startswith("/sign-in")


async def test_a_person_sees_whom_they_let_in_and_takes_it_back(browser: Browser, client: str) -> None:
    page = await asked(browser, client)
    back = await browser.http.get(link(page.text, "/oauth/continue"))
    code = members(back)["code"]
    tokens = (await browser.exchange(client, code, redirect_uri=HOSTED)).json()
    you = await browser.http.get("/you")
    assert "Claude &lt;b&gt;" in you.text
    assert "claude.ai" in you.text

    assert (await revoked(browser, you)).headers["location"] == "/you"
    assert "No client signs in as you." in (await browser.http.get("/you")).text
    refused = await browser.refresh(client, tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    assert (await asked(browser, client)).status_code == 200
    assert (await revoked(browser, you)).status_code == 404


async def test_nobody_takes_back_what_another_agreed_to(browser: Browser, client: str) -> None:
    page = await asked(browser, client)
    await browser.http.get(link(page.text, "/oauth/continue"))
    (kept,) = (await browser.http.get("/you.json")).json()["clients"]
    await browser.sign_in("bob")
    yours = await browser.http.get("/you")
    form = {"token": hidden(yours.text, "token")}
    address = f"/you/clients/{kept['id']}/revoke"
    assert (await browser.http.post(address, data=form, headers={"origin": PUBLIC_URL})).status_code == 404
    assert (await browser.http.get("/you.json")).json()["clients"] == []


async def test_the_api_lists_them_and_takes_them_back(browser: Browser, client: str) -> None:
    page = await asked(browser, client, scope="warehouse.read")
    await browser.http.get(link(page.text, "/oauth/continue"))
    local = await browser.register()
    code = await browser.code(local["client_id"], resource=f"{PUBLIC_URL}/api/v1")
    token = (await browser.exchange(local["client_id"], code, resource=f"{PUBLIC_URL}/api/v1")).json()["access_token"]
    browser.http.cookies.clear()
    headers = {"authorization": f"Bearer {token}"}
    listed = (await browser.http.get("/api/v1/consents", headers=headers)).json()["consents"]
    told = {each["client"]: each for each in listed}
    assert (told["Claude <b>"]["uses"], told["Claude <b>"]["returns_to"]) == (["mcp.read"], "claude.ai")
    assert told["Test client"]["asked_again_at"] == told["Test client"]["given_at"]

    address = f"/api/v1/consents/{told['Claude <b>']['id']}/revoke"
    left = await browser.http.post(address, headers=headers, content=json.dumps({}))
    assert [each["client"] for each in left.json()["consents"]] == ["Test client"]
    assert (await browser.http.post(address, headers=headers, content=json.dumps({}))).status_code == 404
