"""Alice at a real browser before the running platform, after real calls: by clicking, from sign-in to the figure."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browsing import chromium, violations
from tests.running_platform import Up, call_rows, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

LONGEST_WAIT = "select carrier, avg(dep_delay) as wait from flights where origin = 'JFK' group by 1 order by 2 desc"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def called(platform: Up) -> str:
    """The id of a call of alice's, on record with its end; bob was refused before it."""
    with platform.browsing("alice") as browser:
        before = {row["call_id"] for row in call_rows(browser)}
        assert platform.run("call", "warehouse", "list_tables", "--as", "bob").returncode == 6
        answer = platform.tell("call", "warehouse", "run_query", f"sql={LONGEST_WAIT}", "--as", "alice")
        assert json.loads(answer)["rows"]
        rows = eventually(
            lambda: [row for row in call_rows(browser) if row["call_id"] not in before and row["outcome"] == "ok"],
            "the call is on record",
        )
    return rows[0]["call_id"]


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A new window; whatever the browser's console says in it fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme=request.param)
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert [text for text in said if "404" not in text] == []  # one test looks for what it must not find


def see(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    assert violations(page) == []


def test_alice_finds_her_call_and_what_it_saved(platform: Up, called: str, page: Page) -> None:
    page.goto(platform.url)
    see(page, "Sign in")
    page.get_by_role("button", name="alice").click()

    see(page, "Two servers. Two you can call.")
    page.get_by_role("link", name="warehouse", exact=True).click()
    see(page, "warehouse")
    expect(page.get_by_text("It answers, and all it needs does too").first).to_be_visible()
    expect(page.get_by_text("#data-help").first).to_be_visible()
    page.locator("#tool-run_query summary", has_text="Why").click()
    expect(page.locator("#tool-run_query")).to_contain_text("run_query is declared for everyone")
    assert violations(page) == []

    page.get_by_role("link", name="Audit").click()
    see(page, "Audit")
    expect(page.get_by_text("Chain whole")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("bob")
    page.locator(f'a[href="/calls/{called}"]').click()
    see(page, "run_query on warehouse")
    expect(page.locator("main")).to_contain_text("10 min saved")
    expect(page.locator("main")).to_contain_text("Call started, says gateway")
    expect(page.locator("main")).to_contain_text("Call finished, says server-warehouse")

    page.get_by_role("link", name="Impact").click()
    see(page, "hours saved")
    expect(page.locator("main")).to_contain_text("run_query")
    expect(page.locator("main")).to_contain_text("hours saved = sum over tools of")


def test_bob_sees_his_refusal_and_whom_to_ask(platform: Up, called: str, page: Page) -> None:
    page.goto(f"{platform.url}/servers/warehouse")
    page.get_by_role("button", name="bob").click()
    see(page, "warehouse")
    expect(page.get_by_text("You can call no tool here. Ask data-platform in #data-help.")).to_be_visible()
    page.goto(f"{platform.url}/audit?server=warehouse")
    see(page, "Audit")
    expect(page.locator("main")).to_contain_text("you may not reach server 'warehouse'")
    answer = page.goto(f"{platform.url}/calls/{called}")
    assert answer
    assert answer.status == 404
