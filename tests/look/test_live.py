"""An inbox that is open, in a real browser: it shows what others decide, says so, and takes nobody's place away."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browsing import sign_in
from tests.look.test_look import see

pytestmark = pytest.mark.slow


@pytest.fixture
def windows(browser: Browser, own_url: str) -> Iterator[tuple[Page, Page]]:
    """Two windows of frank's, signed in apart; whatever their consoles say fails the test."""
    contexts, pages, said = [browser.new_context() for _ in range(2)], list[Page](), list[str]()
    for context in contexts:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        sign_in(page, own_url, "frank")
        pages.append(page)
    yield pages[0], pages[1]
    for context in contexts:
        context.close()
    assert [text for text in said if "401" not in text] == []  # what a page hears that was signed out


def deny(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/approvals/{name}")
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_text("Nothing left to decide.")).to_be_visible()


def test_an_answer_elsewhere_appears_is_counted_and_announced(windows: tuple[Page, Page], own_url: str) -> None:
    open_page, other = windows
    open_page.goto(f"{own_url}/approvals")
    expect(open_page).to_have_title("Approvals (3) · Pierhead")
    open_page.get_by_text("Closed, the last").click()
    kept = open_page.get_by_role("region", name="Waiting for you").get_by_role("link").last
    kept.focus()
    where = kept.get_attribute("href")
    deny(other, own_url, "apr_waits")
    expect(open_page).to_have_title("Approvals (2) · Pierhead")
    expect(open_page.get_by_role("heading", level=1)).to_have_text("Two calls wait for your approval.")
    expect(open_page.locator("#live-said")).to_have_text("Two calls wait for your approval.")
    expect(open_page.get_by_role("navigation", name="Pages").get_by_text("Approvals (2)")).to_be_visible()
    expect(open_page.get_by_role("region", name="Closed")).to_be_visible()
    assert open_page.evaluate("document.activeElement.getAttribute('href')") == where
    see(open_page, "approvals-live", "light-1280")


def test_an_approval_that_is_being_answered_says_that_it_changed(windows: tuple[Page, Page], own_url: str) -> None:
    open_page, other = windows
    open_page.goto(f"{own_url}/approvals/apr_waits")
    open_page.get_by_label("Reason or question").fill("half a sentence")
    deny(other, own_url, "apr_waits")
    said = open_page.locator("#live-said")
    expect(said).to_contain_text("This changed since you opened it.")
    expect(open_page.get_by_label("Reason or question")).to_have_value("half a sentence")
    see(open_page, "approval-changed", "light-1280")
    said.get_by_role("link", name="Show it as it is now.").click()
    expect(open_page.get_by_text("Nothing left to decide.")).to_be_visible()


def test_a_page_that_was_signed_out_elsewhere_says_what_to_do(browser: Browser, own_url: str) -> None:
    context = browser.new_context()
    open_page, other = context.new_page(), context.new_page()
    sign_in(open_page, own_url, "frank")
    open_page.goto(f"{own_url}/approvals")
    other.goto(f"{own_url}/you")
    other.get_by_text("frank", exact=True).first.click()
    with open_page.expect_response("**/approvals/stream") as again:
        other.get_by_role("button", name="Sign out").click()
    assert again.value.status == 401
    expect(open_page.locator("#live-said")).to_have_text("Reload this page to see what changed.")
    context.close()
