"""A policy simulated in a real browser: a fault with its place, the text mended, who gains, and the file of it."""

import csv
import io

import pytest
from playwright.sync_api import Browser, expect
from tests.browsing import sign_in, violations
from tests.look.test_look import see

pytestmark = pytest.mark.slow

PEOPLE = "people:\n  alice: {groups: [data-eng]}\n  bob: {groups: [data-eng]}\n"


@pytest.mark.parametrize(("width", "look"), [(400, "dark"), (1200, "light")])
def test_an_auditor_mends_a_proposal_and_takes_the_result_along(
    browser: Browser, own_url: str, width: int, look: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if look == "dark" else "light"
    )
    page = context.new_page()
    sign_in(page, own_url, "carol")
    page.goto(f"{own_url}/access")
    page.get_by_role("link", name="What would another policy change?").click()
    fleet = page.get_by_label("A fleet file, or the part of it that changes (YAML)")
    fleet.fill(PEOPLE.replace("bob: {groups", "bob: {group"))
    page.get_by_role("button", name="Simulate").click()
    expect(page.locator("#fault-fleet")).to_contain_text("line 3, column 9: unknown key people.bob.group")
    see(page, "simulate-fault", f"{look}-{width}")
    fleet.fill(PEOPLE)
    page.get_by_role("button", name="Simulate").click()
    expect(page.get_by_text("1 caller gains:")).to_be_visible(timeout=60_000)
    assert page.locator("tbody tr").first.locator(".badge").first.text_content() == "Gains"
    see(page, "simulate-result", f"{look}-{width}")
    with page.expect_download() as taken:
        page.get_by_role("link", name="As CSV").click()
    rows = list(csv.DictReader(io.StringIO(taken.value.path().read_text(encoding="utf-8"))))
    assert (taken.value.suggested_filename, rows[0]["moved"]) == ("policy-simulation.csv", "gains")
    context.close()


def test_one_that_runs_shows_itself_when_it_is_done(browser: Browser, own_url: str) -> None:
    page = browser.new_page()
    sign_in(page, own_url, "alice")
    done = page.request.get(f"{own_url}/access/simulations/sim_done.json").json()
    page.goto(f"{own_url}/access/simulations/sim_running")
    expect(page.get_by_text("41250 of 100000 decisions")).to_be_visible()
    assert violations(page) == []
    page.route("**/sim_running.json", lambda route: route.fulfill(json={**done, "id": "sim_running"}))
    with page.expect_navigation():  # the page itself, again
        page.evaluate("undefined")
    page.close()
