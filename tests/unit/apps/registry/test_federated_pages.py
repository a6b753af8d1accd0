"""Signing in elsewhere, as the pages do it: the sealed cookie, the ways out and back, what is off meanwhile."""

from dataclasses import dataclass, replace

import httpx2
import pytest
from starlette.applications import Starlette
from tests.approving import APPROVERS, proposal
from tests.pages import hidden
from tests.unit.sign_in_only import SignInOnly
from tests.web_site import build

from pierhead.apps.registry.web.attempts import Attempts
from pierhead.apps.registry.web.pages import Web
from pierhead.core.approval import ApprovalState
from pierhead.core.approval_record import proposed
from pierhead.core.federation import Stated
from pierhead.usecases.federate import FederatedPeople, Federation
from pierhead.usecases.grant_tokens import Terms
from pierhead.usecases.memory_approvals import MemoryApprovals
from pierhead.usecases.memory_sign_in import MemoryPeople, MemorySeal
from pierhead.usecases.ports_sign_in import Attempt, Vouched

pytestmark = pytest.mark.anyio

URL = "https://mcp.example"
ISSUER = "https://login.example"


@dataclass
class Provider(SignInOnly):
    """Answers every question with alice."""

    issuer: str = ISSUER
    proved_at: float = 0.0
    asked: Attempt | None = None
    proved: Attempt | None = None

    async def question(self, attempt: Attempt) -> str:
        self.asked = attempt
        return f"{ISSUER}/auth?state={attempt.state}"

    async def states_issuer(self) -> bool:
        return True

    async def person(self, code: str, attempt: Attempt) -> Vouched:
        assert code == "code-1"
        self.proved = attempt
        return Vouched(Stated("alice", frozenset({"data-eng"})), "alice", "", self.proved_at)


class Company:
    """The site with a provider, and a browser at it."""

    def __init__(self) -> None:
        world = build(URL)
        self.clock = world.clock
        self.provider = Provider()
        people = FederatedPeople(MemoryPeople(), world.clock, ISSUER, 3600, 3600)
        site = replace(
            world.site,
            federation=Federation(self.provider, people, world.audit, MemorySeal()),
            attempts=Attempts(b"k" * 32, world.clock, URL),
            tokens=replace(world.site.tokens, people=people, terms=Terms(URL, provider=ISSUER)),
        )
        self.site = site
        app = Starlette(routes=Web(site).routes())
        self.browser = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=URL)

    async def leave(self, wanted: str = "/servers/warehouse") -> httpx2.Response:
        return await self.browser.get("/sign-in/start", params={"next": wanted})

    async def come_back(self, **changes: str) -> httpx2.Response:
        assert self.provider.asked is not None
        answer = {"state": self.provider.asked.state, "iss": ISSUER, "code": "code-1"}
        return await self.browser.get("/sign-in/callback", params={**answer, **changes})


async def test_whoever_must_sign_in_is_led_to_the_provider_and_back() -> None:
    company = Company()
    led = await company.browser.get("/servers/warehouse")
    assert led.headers["location"] == "/sign-in/start?next=%2Fservers%2Fwarehouse"
    out = await company.leave()
    assert out.headers["location"].startswith(f"{ISSUER}/auth?state=")
    kept = out.headers["set-cookie"]
    assert kept.startswith("__Host-pierhead_sign_in=")
    assert all(word in kept for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/;", "Max-Age=600"))
    back = await company.come_back()
    assert (back.status_code, back.headers["location"]) == (303, "/servers/warehouse")
    assert company.provider.proved == company.provider.asked
    assert (await company.browser.get("/servers")).status_code == 200


async def test_each_try_has_a_state_a_nonce_and_a_verifier_of_its_own() -> None:
    company = Company()
    tries: list[Attempt] = []
    for _ in range(2):
        await company.leave()
        assert company.provider.asked is not None
        tries.append(company.provider.asked)
    words = [word for each in tries for word in (each.state, each.nonce, each.verifier)]
    assert len(set(words)) == 6
    assert all(len(word) == 43 for word in words)
    assert {each.redirect_uri for each in tries} == {f"{URL}/sign-in/callback"}


async def test_a_try_ends_after_ten_minutes_with_its_use_and_when_it_is_changed() -> None:
    company = Company()
    await company.leave()
    company.clock.seconds += 600
    assert (await company.come_back()).status_code == 401
    await company.leave()
    assert (await company.come_back()).status_code == 303
    assert (await company.come_back()).status_code == 401
    await company.leave()
    cookie = company.browser.cookies["__Host-pierhead_sign_in"]
    company.browser.cookies.clear()
    company.browser.cookies.set("__Host-pierhead_sign_in", cookie[:-1] + ("A" if cookie[-1] != "A" else "B"))
    assert (await company.come_back()).status_code == 401


async def test_a_place_that_is_too_long_to_keep_is_the_start_page() -> None:
    company = Company()
    await company.leave(f"/servers/{'x' * 2000}")
    assert (await company.come_back()).headers["location"] == "/servers"


async def test_an_answer_that_says_a_thing_twice_is_refused() -> None:
    company = Company()
    await company.leave()
    twice = await company.browser.get("/sign-in/callback?code=code-1&code=code-2")
    assert twice.status_code == 400


async def test_nobody_is_chosen_from_a_list() -> None:
    company = Company()
    page = await company.browser.get("/sign-in?next=/audit")
    assert "login.example" in page.text
    assert "/sign-in/start?next=%2Faudit" in page.text
    assert "bob" not in page.text
    entered = await company.browser.post("/sign-in", data={"person": "alice"}, headers={"origin": URL})
    assert (entered.status_code, "built-in-sign-in-off" in entered.text) == (403, True)


async def test_without_a_provider_there_is_no_way_to_one() -> None:
    world = build()
    browser = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=world.app), base_url="http://127.0.0.1:8420")
    for path in ("/sign-in/start", "/sign-in/callback"):
        assert (await browser.get(path)).status_code == 404


async def test_the_companys_people_withdraw_what_they_asked_for_and_nothing_of_their_namesakes() -> None:
    company = Company()
    kept = company.site.approvals.store
    assert isinstance(kept, MemoryApprovals)
    for name, issuer in (("apr_hers", ISSUER), ("apr_namesake", URL)):
        asked = proposal({"n": name}, issuer=issuer, call_key=name)
        kept.kept[name] = proposed(name, asked, APPROVERS, company.clock.now())
    await company.leave()
    await company.come_back()
    for name in kept.kept:
        token = hidden((await company.browser.get("/servers")).text, "token")
        form, headers = {"token": token}, {"origin": URL}
        await company.browser.post(f"/approvals/{name}/cancel", data=form, headers=headers)
    assert kept.kept["apr_hers"].state is ApprovalState.CANCELLED
    assert kept.kept["apr_namesake"].state is ApprovalState.PENDING


async def test_who_must_prove_themselves_anew_is_asked_by_the_provider_and_not_believed_without_its_word() -> None:
    company = Company()
    await company.browser.get("/sign-in/start", params={"next": "/approvals", "fresh": "1"})
    assert company.provider.asked is not None
    assert company.provider.asked.is_fresh
    assert (await company.come_back()).status_code == 401
    company.provider.proved_at = company.clock.now() - 3
    assert (await company.come_back()).headers["location"] == "/approvals"
