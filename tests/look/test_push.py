"""Notifications in a real browser: turned on by the button, shown by the worker, on the page and by axe.

Chromium's own push service is its maker's and cannot be had here, so the address that it would give is made in the
page; all else is the browser's: permission, worker, message, notification. What is sealed for an address, and how it
gets there, is in `tests/integration/test_web_push.py`.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect
from tests.browsing import sign_in
from tests.look.test_look import see

pytestmark = pytest.mark.slow

#: An address as a push service gives it, bound to a key that the browser made.
SERVICE = """
PushManager.prototype.getSubscription = async () => null;
PushManager.prototype.subscribe = async function (wish) {
  window.asked = wish;
  const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
  const keys = { p256dh: await crypto.subtle.exportKey("raw", pair.publicKey), auth: new Uint8Array(16).buffer };
  return { endpoint: "https://push.example/send/one", getKey: (name) => keys[name] };
};
"""
#: What becomes of the worker, looked at until there is something to see.
WITHIN = """async (look) => {
  for (let looks = 0; looks < 200; looks += 1) {
    const found = await look(await navigator.serviceWorker.getRegistration('/-/static/'));
    if (found) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  return null;
}"""


@pytest.fixture(params=[(1200, "light"), (400, "dark")], ids=str)
def page(request: pytest.FixtureRequest, browser: Browser, own_url: str) -> Iterator[Page]:
    """Frank's window, in which notifications are allowed; whatever its console says fails the test."""
    width, look = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=look)
    context.grant_permissions(["notifications"], origin=own_url)
    context.add_init_script(SERVICE)
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    sign_in(page, own_url, "frank")
    page.goto(f"{own_url}/you")
    yield page
    context.close()
    assert said == []


def turned_on(page: Page) -> None:
    page.get_by_role("button", name="Tell me in this browser").click()
    expect(page.get_by_text("Chrome on Linux, this one")).to_be_visible()


def test_a_browser_is_turned_on_and_off_by_its_buttons(page: Page) -> None:
    wide = (page.viewport_size or {"width": 0})["width"]
    see(page, "you-browsers-none", str(wide))
    turned_on(page)
    see(page, "you-browsers", str(wide))
    page.get_by_role("button", name="Tell me no more").click()
    expect(page.get_by_text("No browser tells you of approvals while it is closed.")).to_be_visible()


def test_a_message_becomes_a_notification_that_leads_to_the_inbox(page: Page, own_url: str) -> None:
    turned_on(page)
    tools: CDPSession = page.context.new_cdp_session(page)
    registrations: list[str] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(each["registrationId"] for each in event["registrations"]),
    )
    tools.send("ServiceWorker.enable")
    page.evaluate(f"({WITHIN})(async (worker) => worker?.active)")
    assert registrations
    told = '{"body": "2 calls wait for you.", "path": "/approvals", "tag": "approvals"}'
    tools.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": own_url, "registrationId": registrations[0], "data": told},
    )
    shown = page.evaluate(f"""({WITHIN})(async (worker) => {{
      const [one] = await worker.getNotifications();
      return one && {{ title: one.title, body: one.body, data: one.data, tag: one.tag }};
    }})""")
    assert shown == {"title": "Pierhead", "body": "2 calls wait for you.", "data": "/approvals", "tag": "approvals"}
    assert page.evaluate("navigator.serviceWorker.controller") is None, "the worker sees no page"


def test_whoever_does_not_allow_it_is_told_so(browser: Browser, own_url: str) -> None:
    context = browser.new_context()
    context.add_init_script("Notification.requestPermission = async () => 'denied';")
    page = context.new_page()
    sign_in(page, own_url, "frank")
    page.goto(f"{own_url}/you")
    page.get_by_role("button", name="Tell me in this browser").click()
    expect(page.get_by_role("status")).to_have_text("This browser cannot be told: your browser does not allow it.")
    context.close()
