"""A review in a real browser: three reviewers sign, the owner deploys; their pages are for everyone too."""

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browsing import sign_in, violations
from tests.web_registry import SPARK_REVIEW

pytestmark = pytest.mark.slow

GATES = {"carol": "Security", "dave": "Legal/Privacy", "erin": "GenAI"}


def sign(page: Page, url: str, person: str) -> None:
    sign_in(page, url, person)
    page.goto(f"{url}/reviews")
    assert violations(page) == []
    page.locator(f'a[href="/reviews/{SPARK_REVIEW}"]').first.click()
    page.get_by_label("Approve", exact=True).check()
    page.get_by_label("Reason, for the record").fill(f"{person} read all of it")
    assert violations(page) == []
    page.get_by_role("button", name=f"Sign for {GATES[person]}").click()
    expect(page.get_by_text(f"{person} read all of it").first).to_be_visible()


@pytest.mark.parametrize(("width", "look"), [(400, "dark"), (1200, "light")])
def test_three_people_sign_and_the_owner_deploys(browser: Browser, own_url: str, width: int, look: str) -> None:
    for person in GATES:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if look == "dark" else "light"
        )
        sign(context.new_page(), own_url, person)
        context.close()
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if look == "dark" else "light"
    )
    page = context.new_page()
    sign_in(page, own_url, "alice")
    page.goto(f"{own_url}/servers/spark")
    page.locator("summary", has_text="Change version 1.4.0").click()
    deploy = page.locator("form", has=page.get_by_role("button", name="Deploy: version 1.4.0"))
    deploy.get_by_label("Reason, for the record").fill("signed by all three")
    assert violations(page) == []
    deploy.get_by_role("button").click()
    expect(page.locator(".badge", has_text="Deployed").first).to_be_visible()
    sign_in(page, own_url, "frank")
    page.goto(f"{own_url}/admin")

    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert violations(page) == []
    context.close()
