"""Notifications on a person's own page: turned on and off by them alone, browser by browser, ended by signing out."""

from dataclasses import replace

import httpx2
import pytest
from starlette.applications import Starlette
from tests.pushing import Pushable
from tests.visiting import Visit
from tests.web_site import PUBLIC_URL

from pierhead.apps.registry.web.page_browsers import label_of
from pierhead.apps.registry.web.pages import Web
from pierhead.usecases.memory_push import MemoryBrowsers

pytestmark = pytest.mark.anyio
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def browsers(visit: Visit) -> MemoryBrowsers:
    assert visit.world.site.push is not None
    kept = visit.world.site.push.browsers
    assert isinstance(kept, MemoryBrowsers)
    return kept


async def turned_on(visit: Visit, **changed: str) -> str:
    """Where that leads, or the code of why not."""
    visit.http.headers["user-agent"] = FIREFOX
    sent = await visit.send("/you", "/you/browsers", **(Pushable().form() | changed))
    return sent.headers.get("location", "") or sent.text.split("Code: <code>")[1].split("<")[0]


async def test_a_browser_is_turned_on_listed_as_this_one_and_taken_back(visit: Visit) -> None:
    await visit.sign_in("frank")
    page = (await visit.http.get("/you")).text
    assert "No browser tells you of approvals while it is closed." in page
    assert '<script src="/-/static/push.js" defer>' in page
    assert await turned_on(visit) == "/you#browsers"
    (known,) = (await visit.json("/you"))["browsers"]
    assert {name: known[name] for name in ("label", "service", "is_this")} == {
        "label": "Firefox on Linux",
        "service": "push.example",
        "is_this": True,
    }
    page = (await visit.http.get("/you")).text
    assert "Firefox on Linux, this one" in page
    assert "send/1" not in page
    await visit.send("/you", f"/you/browsers/{known['id']}/end")
    assert (await visit.json("/you"))["browsers"] == []


async def test_what_no_message_may_go_to_is_refused_with_what_to_do(visit: Visit) -> None:
    await visit.sign_in("frank")
    assert await turned_on(visit, address="https://169.254.169.254/x") == "bad-browser"
    assert await turned_on(visit, key="") == "bad-browser"
    assert browsers(visit).kept == {}


async def test_signing_out_ends_it_in_this_browser_alone(visit: Visit) -> None:
    await visit.sign_in("frank")
    await turned_on(visit)
    visit.http.cookies.delete("pierhead_browser")
    await turned_on(visit, address="https://push.example/other")
    await visit.send("/you", "/sign-out")
    assert [each.address for each in browsers(visit).kept.values()] == ["https://push.example/send/1"]
    assert "pierhead_browser" not in visit.http.cookies


async def test_signing_out_ends_nothing_of_whoever_turned_it_on_since(visit: Visit) -> None:
    await visit.sign_in("frank")
    await turned_on(visit)
    here = visit.http.cookies["pierhead_browser"]
    await visit.send("/you", "/sign-out")
    await visit.sign_in("alice")
    await turned_on(visit)
    await visit.sign_in("frank")
    visit.http.cookies.set("pierhead_browser", here)
    await visit.send("/you", "/sign-out")
    assert [each.person for each in browsers(visit).kept.values()] == ["alice"]


async def test_nobody_else_takes_a_browser_back_and_no_other_site_turns_one_on(visit: Visit) -> None:
    await visit.sign_in("frank")
    await turned_on(visit)
    (known,) = browsers(visit).kept
    await visit.sign_in("alice")
    assert (await visit.send("/you", f"/you/browsers/{known}/end")).status_code == 404
    away = await visit.http.post("/you/browsers", data=Pushable().form(), headers={"origin": "https://evil.example"})
    assert away.status_code == 403
    assert [each.person for each in browsers(visit).kept.values()] == ["frank"]
    visit.http.cookies.clear()
    assert (await visit.http.post("/you/browsers", data={}, headers={"origin": PUBLIC_URL})).status_code == 401


async def test_where_browsers_are_told_nothing_there_is_nothing_to_turn_on(visit: Visit) -> None:
    quiet = replace(visit.world.site, push=None)
    visit.http._transport = httpx2.ASGITransport(app=Starlette(routes=list(Web(quiet).routes())))
    await visit.sign_in("frank")
    page = (await visit.http.get("/you")).text
    assert "Where you hear of approvals" not in page
    assert (await visit.send("/you", "/you/browsers", **Pushable().form())).status_code == 404
    assert (await visit.send("/you", "/you/browsers/brw_1/end")).status_code == 404
    assert (await visit.json("/you"))["browsers"] == []
    await visit.send("/you", "/sign-out")


@pytest.mark.parametrize(
    ("said", "label"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36 Edg/142.0",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iOS"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/19.0 Safari/605.1.15", "Safari on macOS"),
        ("<script>alert(1)</script>", "A browser"),
        ("", "A browser"),
    ],
)
def test_what_a_browser_says_of_itself_becomes_one_of_few_words(said: str, label: str) -> None:
    assert label_of(said) == label


async def test_the_script_that_shows_messages_is_served_under_the_pages_policy(visit: Visit) -> None:
    answer = await visit.http.get("/-/static/worker.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "service-worker-allowed" not in answer.headers
