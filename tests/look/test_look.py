"""Every page in a real browser: light and dark, narrow and wide, by axe, without sideways scroll or script.

Pictures go to tests/look/output, which is not kept. Not here: that of the README (`test_pictures`).
"""

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browsing import sign_in, violations
from tests.components import ROOT
from tests.web_registry import SPARK_REVIEW, WAREHOUSE_REVIEW

pytestmark = pytest.mark.slow

OUTPUT = ROOT / "tests" / "look" / "output"
PAGES = {
    "servers": "/servers",
    "servers-none": "/servers?search=nothing-like-it",
    "server": "/servers/warehouse",
    "data": "/servers/warehouse/data",
    "data-rows": "/servers/warehouse/data?table=flights&c1=carrier&o1=eq&v1=UA&order=dep_delay&down=yes",
    "data-refused": "/servers/warehouse/data?table=airlines&c1=nope&o1=eq&v1=1",
    "server-restarting": "/servers/airflow",
    "server-unreachable": "/servers/presto",
    "server-in-review": "/servers/spark",
    "server-quarantined": "/servers/knowledge",
    "register": "/servers/register",
    "reviews": "/reviews",
    "review-first": f"/reviews/{SPARK_REVIEW}",
    "review-changed": f"/reviews/{WAREHOUSE_REVIEW}",
    "approvals": "/approvals",
    "approval-waiting": "/approvals/apr_waits",
    "approval-denied": "/approvals/apr_no",
    "you": "/you",
    "approval-planned": "/approvals/apr_planned",
    "approval-by-two": "/approvals/apr_by_two",
    "audit": "/audit",
    "audit-empty": "/audit?server=spark",
    "call": "/calls/0199-00-02",
    "access": "/access",
    "simulate-not-yours": "/access/simulate",
    "simulation": "/access/simulations/sim_done",
    "simulation-running": "/access/simulations/sim_running",
    "why": "/why",
    "why-permit": "/why?server=warehouse&tool=run_query",
    "why-ask": "/why?server=airflow&tool=clear_task",
    "why-refuse": "/why?server=presto&tool=run_query",
    "impact": "/impact",
    "connect": "/connect",
    "docs": "/docs",
    "parts": "/-/parts",
    "not-found": "/servers/nothing-here",
}
WHY_BOB = "/why?server=warehouse&tool=run_query&person=bob"
SIZES = {400: 900, 1200: 900}


@pytest.fixture(params=[(width, look) for width in SIZES for look in ("light", "dark")], ids=str, scope="module")
def room(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[tuple[Page, str]]:
    """A signed-in page of one width and one look, and the suffix of its pictures."""
    width, look = request.param
    context = browser.new_context(
        viewport={"width": width, "height": SIZES[width]}, color_scheme=look, device_scale_factor=1
    )
    page = context.new_page()
    sign_in(page, url, "alice")
    yield page, f"{look}-{width}"
    context.close()


def see(page: Page, name: str, suffix: str) -> None:
    """A picture of the whole page, and nothing that axe minds or that is wider than the window."""
    OUTPUT.mkdir(exist_ok=True)
    page.screenshot(path=OUTPUT / f"{name}-{suffix}.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0, f"{name} scrolls sideways by {wide} px"
    assert violations(page) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_for_everyone(room: tuple[Page, str], url: str, name: str) -> None:
    page, suffix = room
    page.goto(f"{url}{PAGES[name]}")

    see(page, name, suffix)


@pytest.mark.parametrize(("width", "look"), [(400, "dark"), (1200, "light")])
def test_what_auditors_alone_see_is_for_everyone_too(browser: Browser, url: str, width: int, look: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=look)  # pyright: ignore[reportArgumentType] - one of two words
    page = context.new_page()
    sign_in(page, url, "carol")
    seen = {
        "access-all": "/access",
        "access-table": "/access?table=flights",
        "simulate": "/access/simulate",
        "why-other": WHY_BOB,
        "fatigue": "/approvals/fatigue",
        "fleet-health": "/fleet-health",
    }
    for name, path in seen.items():
        page.goto(f"{url}{path}")
        see(page, name, f"{look}-{width}")
    context.close()


@pytest.mark.parametrize(("width", "look"), [(400, "dark"), (400, "light"), (1200, "light"), (1200, "dark")])
def test_what_people_decide_on_is_for_everyone(browser: Browser, url: str, width: int, look: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=look)  # pyright: ignore[reportArgumentType] - one of two words
    page = context.new_page()
    sign_in(page, url, "frank")
    decide = {
        "decide-planned": "/approvals/apr_planned",
        "decide-by-two": "/approvals/apr_by_two",
        "decide-confirming": "/approvals/apr_by_two/approve",
        "decide-batch": "/approvals/batch",
    }
    for name, path in decide.items():
        page.goto(f"{url}{path}")
        page.get_by_text(" s left").first.wait_for()
        page.evaluate("document.querySelectorAll('details:not(.menu)').forEach(part => { part.open = true })")
        see(page, name, f"{look}-{width}")
    context.close()


def test_the_buttons_end_with_the_time(browser: Browser, url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    sign_in(page, url, "frank")
    page.goto(f"{url}/approvals/apr_planned")
    yes = page.get_by_role("button", name="Approve once")
    expect(yes).to_be_enabled()
    page.clock.fast_forward("14:00")
    expect(yes).to_be_enabled()
    page.clock.fast_forward("02:00")
    expect(yes).to_be_disabled()
    expect(page.get_by_text("its time is over")).to_be_visible()
    expect(page.get_by_role("button", name="Deny")).to_be_disabled()
    context.close()


def test_what_is_folded_and_the_menu_are_for_everyone_too(room: tuple[Page, str], url: str) -> None:
    page, suffix = room
    page.goto(f"{url}/servers/warehouse")
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")

    see(page, "server-unfolded", suffix)


def test_a_statement_and_what_is_said_of_it_are_for_everyone(room: tuple[Page, str], url: str) -> None:
    page, suffix = room
    page.goto(f"{url}/servers/warehouse/data")
    page.get_by_label("One SELECT over the tables you may read").fill(
        "SELECT carrier, count(*) FROM flights GROUP BY 1"
    )
    page.get_by_role("button", name="Run the statement").click()
    page.get_by_text("What runs in its place").wait_for()
    page.evaluate("document.querySelectorAll('details:not(.menu)').forEach(part => { part.open = true })")

    see(page, "data-statement", suffix)


def question(url: str) -> str:
    answer = httpx2.post(
        f"{url}/oauth/register",
        json={
            "redirect_uris": ["http://127.0.0.1:33418/callback"],
            "client_name": "Claude Code",
            "token_endpoint_auth_method": "none",
        },
    )
    members = {
        "response_type": "code",
        "client_id": answer.json()["client_id"],
        "redirect_uri": "http://127.0.0.1:33418/callback",
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
        "resource": f"{url}/mcp/warehouse",
        "state": "s",
    }
    return str(httpx2.URL(f"{url}/oauth/authorize", params=members))


def test_the_pages_of_sign_in_are_for_everyone(room: tuple[Page, str], url: str) -> None:
    page, suffix = room
    page.goto(question(url))
    see(page, "consent", suffix)
    page.goto(f"{url}/sign-in")
    see(page, "sign-in", suffix)


@pytest.fixture
def window(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
    yield context
    context.close()


def test_a_browser_follows_sign_in_and_consent_all_the_way_to_the_client(window: BrowserContext, url: str) -> None:
    page = window.new_page()
    arrived: list[str] = []
    page.route("http://127.0.0.1:33418/**", lambda route: (arrived.append(route.request.url), route.fulfill(body="ok")))
    page.goto(question(url))
    page.get_by_role("button", name="alice").click()
    page.get_by_role("link", name="Continue as alice").click()
    page.wait_for_url("http://127.0.0.1:33418/**")

    assert "code=" in arrived[0]
    assert "state=s" in arrived[0]


def test_the_person_menu_overrides_the_system(window: BrowserContext, url: str) -> None:
    page = window.new_page()
    sign_in(page, url, "alice")
    page.get_by_text("alice", exact=True).first.click()
    page.get_by_role("button", name="Dark").click()
    page.wait_for_load_state()

    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(17, 17, 19)"


def test_the_keyboard_reaches_content_first_and_focus_shows(window: BrowserContext, url: str) -> None:
    page = window.new_page()
    sign_in(page, url, "alice")
    page.goto(f"{url}/audit")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")

    assert outline == "solid"
    assert page.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways_at_320_px(browser: Browser, url: str, name: str) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 700})
    page = context.new_page()
    sign_in(page, url, "alice")
    page.goto(f"{url}{PAGES[name]}")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()

    assert wide == 0


def test_print_is_light_and_writes_links_out(window: BrowserContext, url: str) -> None:
    page = window.new_page()
    sign_in(page, url, "alice")
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(f"{url}/audit")
    page.screenshot(path=OUTPUT / "audit-print.png")

    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(252, 252, 253)"
    assert page.evaluate("getComputedStyle(document.querySelector('.bar')).display") == "none"
    assert "/calls/" in page.evaluate("getComputedStyle(document.querySelector('tbody a'), '::after').content")


def test_nothing_on_a_page_is_stopped_by_its_own_content_policy(window: BrowserContext, url: str) -> None:
    page = window.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    sign_in(page, url, "frank")
    for path in PAGES.values():
        page.goto(f"{url}{path}")
    fonts = page.evaluate("document.fonts.ready.then(fonts => [...fonts].filter(f => f.status == 'loaded').length)")

    assert [text for text in said if "404" not in text] == []
    assert fonts == 2
