"""A client that a person lets in, in a real browser: asked about once, seen on their page, let in no more."""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browsing import sign_in
from tests.look.test_look import see

pytestmark = pytest.mark.slow


@pytest.fixture
def page(browser: Browser, own_url: str) -> Iterator[Page]:
    """Alice's window."""
    context = browser.new_context(viewport={"width": 400, "height": 900}, color_scheme="light")
    shown = context.new_page()
    sign_in(shown, own_url, "alice")
    yield shown
    context.close()


def client_of(url: str) -> str:
    """One that proves itself by a secret; it lives at a page of the site, to have a place to come back to."""
    home = f"{url}/servers"
    wanted = {"redirect_uris": [home], "client_name": "Notes", "token_endpoint_auth_method": "client_secret_post"}
    return str(httpx2.post(f"{url}/oauth/register", json=wanted).json()["client_id"])


def question(url: str, client: str, server: str) -> str:
    members = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": f"{url}/servers",
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
        "resource": f"{url}/mcp/{server}",
        "scope": f"{server}.read",
    }
    return str(httpx2.URL(f"{url}/oauth/authorize", params=members))


def test_a_client_is_let_in_once_and_let_in_no_more(page: Page, own_url: str) -> None:
    client = client_of(own_url)
    page.goto(question(own_url, client, "warehouse"))
    see(page, "consent-kept", "light-400")
    page.get_by_role("link", name="Continue as alice").click()
    page.wait_for_url(f"{own_url}/servers?code=*")

    page.goto(question(own_url, client, "airflow"))
    assert page.url.startswith(f"{own_url}/servers?code="), "nobody is asked about another server"

    page.goto(f"{own_url}/you")
    expect(page.locator("#clients")).to_contain_text("Notes")
    page.locator("#clients").get_by_role("button", name="Let it in no more").first.click()
    expect(page.locator("#clients")).not_to_contain_text("Notes")
    page.goto(question(own_url, client, "airflow"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("use airflow as alice?")
