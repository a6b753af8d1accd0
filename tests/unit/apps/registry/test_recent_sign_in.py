"""A yes to another's call needs a recent sign-in through every door; renewing a token makes none more recent."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from tests.pages import hidden
from tests.unit.apps.registry.test_oauth import Browser, claims
from tests.web_site import NOW, PUBLIC_URL, WAITING, build

from pierhead.adapters.oidc.reading import proved_at_of
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.memory_approvals import MemoryApprovals

pytestmark = pytest.mark.anyio

API = f"{PUBLIC_URL}/api/v1"
YES = {"verdict": "approve", "digest": WAITING.proposal.digest}
CARD = f"/api/v1/approvals/{WAITING.id}"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    world = build()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=world.app), base_url=PUBLIC_URL) as http:
        yield Browser(world, http)


def decisions(browser: Browser) -> list[tuple[str, str, str]]:
    store = browser.world.site.approvals.store
    assert isinstance(store, MemoryApprovals)
    return [(made.by, made.verdict, made.auth) for made in store.kept[WAITING.id].decisions]


async def said(browser: Browser, path: str, body: object, proved_at: float) -> httpx2.Response:
    """By a program of frank's, whose token says when he signed in."""
    token, _ = await issue(Grant("frank", API, "p", "f", 600, proved_at=proved_at), browser.world.site.tokens)
    return await browser.http.post(path, json=body, headers={"authorization": f"Bearer {token}"})


@pytest.mark.parametrize("proved_at", [NOW - 901, 0.0], ids=["long ago", "nobody knows"])
async def test_an_old_token_approves_nothing_and_is_told_how_recent_it_must_be(
    browser: Browser, proved_at: float
) -> None:
    answer = await said(browser, f"{CARD}/decisions", YES, proved_at)
    assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-too-old")
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_user_authentication", max_age="900"' in challenge
    assert "/.well-known/oauth-protected-resource/api/v1" in challenge
    assert "sign in anew" in answer.json()["hint"]
    broken = await said(browser, f"{CARD}/break-glass", {"reason": "x", "digest": YES["digest"]}, proved_at)
    assert broken.status_code in {401, 403}
    assert decisions(browser) == []
    assert (await said(browser, f"{CARD}/remarks", {"comment": "why?"}, proved_at)).status_code == 200
    assert (await said(browser, f"{CARD}/decisions", YES | {"verdict": "deny"}, proved_at)).status_code == 200
    proof = "access token, sign-in 901 s old" if proved_at else "access token"
    assert decisions(browser)[-1] == ("frank", "deny", proof)


async def test_of_several_answers_those_that_need_it_alone_are_refused(browser: Browser) -> None:
    body = {"answers": [{"id": WAITING.id, **YES}]}
    old = await said(browser, "/api/v1/approvals/decisions", body, NOW - 901)
    assert old.status_code == 200
    assert old.json()["answers"][0]["refused"]["code"] == "sign-in-too-old"
    new = await said(browser, "/api/v1/approvals/decisions", body, NOW - 30)
    assert new.json()["answers"][0] == {"id": WAITING.id, "state": "approved", "refused": None}
    assert decisions(browser) == [("frank", "approve", "access token, sign-in 30 s old")]


async def test_a_session_that_is_old_approves_nothing_through_the_api_either(browser: Browser) -> None:
    await browser.sign_in("frank")
    browser.world.clock.seconds += 901
    answer = await browser.http.post(f"{CARD}/decisions", json=YES, headers={"origin": PUBLIC_URL})
    assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-too-old")
    await browser.sign_in("frank")
    answer = await browser.http.post(f"{CARD}/decisions", json=YES, headers={"origin": PUBLIC_URL})
    assert answer.json()["state"] == "approved"


async def test_a_token_says_when_its_person_signed_in_and_renewing_it_makes_that_no_younger(browser: Browser) -> None:
    client = (await browser.register())["client_id"]
    await browser.sign_in("frank")
    browser.world.clock.seconds += 300
    first = (await browser.exchange(client, await browser.code(client, resource=API), resource=API)).json()
    browser.world.clock.seconds += 700
    renewed = (await browser.refresh(client, first["refresh_token"])).json()
    assert [claims(each["access_token"])["auth_time"] for each in (first, renewed)] == [NOW, NOW]
    browser.http.cookies.clear()
    headers = {"authorization": f"Bearer {renewed['access_token']}"}
    answer = await browser.http.post(f"{CARD}/decisions", json=YES, headers=headers)
    assert answer.json()["code"] == "sign-in-too-old"


@pytest.mark.parametrize("asked", [{"max_age": "60"}, {"max_age": "0"}, {"prompt": "login"}], ids=str)
async def test_a_client_that_asks_for_a_fresh_sign_in_gets_one(browser: Browser, asked: dict[str, Any]) -> None:
    client = (await browser.register())["client_id"]
    await browser.sign_in("frank")
    browser.world.clock.seconds += 901
    led = await browser.http.get(browser.question(client, resource=API, **asked))
    assert led.status_code == 303
    assert led.headers["location"].startswith("/sign-in?fresh=1&next=%2Foauth%2Fauthorize")
    page = await browser.http.get(led.headers["location"])
    choosing = page.text[page.text.index("<main") :]
    form = {"token": hidden(choosing, "token"), "next": hidden(choosing, "next"), "person": "frank"}
    back = await browser.http.post("/sign-in", data=form, headers={"origin": PUBLIC_URL})
    query = parse_qs(urlsplit(back.headers["location"]).query)
    assert (query["max_age"], query["resource"], query.get("prompt")) == (["60"], [API], None)
    browser.world.clock.seconds += 20
    assert "Let " in (await browser.http.get(back.headers["location"])).text


@pytest.mark.parametrize("asked", [{"max_age": "1000"}, {"max_age": "x"}, {"max_age": "²"}, {"prompt": "consent"}, {}])
async def test_a_client_that_asks_for_nothing_of_the_kind_is_led_nowhere(
    browser: Browser, asked: dict[str, Any]
) -> None:
    client = (await browser.register())["client_id"]
    await browser.sign_in("frank")
    browser.world.clock.seconds += 901
    assert "Let " in (await browser.http.get(browser.question(client, **asked))).text


@pytest.mark.parametrize(
    ("stated", "found"),
    [(1000, 1000), (1060, 1060), (1061, 0), (True, 0), ("1000", 0), (-1, 0), (1000.5, 0), (None, 0)],
)
def test_what_a_token_says_of_a_sign_in_is_a_time_before_it_was_issued_or_nothing(stated: object, found: int) -> None:
    assert proved_at_of({"auth_time": stated}, 1000) == found
    assert proved_at_of({}, 1000) == 0
