"""The tools of whoever owns policy, over the API: what a proposal would change. Answers are held to the document."""

from typing import Any

import httpx2
import pytest
from tests.openapi_answers import validator
from tests.web_site import PUBLIC_URL, TestSite, build

from pierhead.apps.registry import openapi
from pierhead.usecases.grant_tokens import Grant, issue

pytestmark = pytest.mark.anyio

DOCUMENT = openapi.document(PUBLIC_URL)
PRESTO = {"kind": "presto", "owner": "data-platform", "support": "#help", "access": "group:data-eng"}


class Asking:
    """One site, asked by anyone; every answer is held to the document."""

    def __init__(self) -> None:
        self.world: TestSite = build()

    async def ask(self, person: str, route: str, path: str = "", body: object = None) -> httpx2.Response:
        token, _ = await issue(Grant(person, f"{PUBLIC_URL}/api/v1", "p", "f", 600), self.world.site.tokens)
        transport = httpx2.ASGITransport(app=self.world.app)
        method, _, place = route.partition(" ")
        async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
            headers = {"authorization": f"Bearer {token}"}
            answer = await client.request(method, f"{place}{path}", json=body, headers=headers)
        if answer.headers["content-type"] == "application/json":
            validator(DOCUMENT, route, answer.status_code).validate(answer.json())
        return answer

    async def simulate(self, person: str, servers: object, **more: object) -> httpx2.Response:
        return await self.ask(person, "POST /api/v1/policy/simulate", "", {"servers": servers, **more})


@pytest.fixture
def site() -> Asking:
    return Asking()


# -- what would change


def moved(said: Any, member: str) -> set[tuple[str, str, str]]:
    return {(each["who"], each["server"], each["moved"]) for each in said[member]}


async def test_a_proposal_is_told_by_calls_and_by_people(site: Asking) -> None:
    said = (await site.simulate("carol", {"presto": PRESTO}, since="30d")).json()
    assert moved(said, "changes") == {("bob", "presto", "loses")}
    assert moved(said, "reach") == {("bob", "presto", "loses")}
    assert all(each["calls"] > 0 and each["last_at"] for each in said["changes"])
    assert all(each["calls"] == 0 and each["last_at"] is None for each in said["reach"])


async def test_people_as_they_might_be_are_judged_too(site: Asking) -> None:
    people = {"alice": ["data-eng"], "bob": ["data-eng"], "frank": ["platform-admin"]}
    said = (await site.simulate("frank", {}, people=people)).json()
    assert ("bob", "warehouse", "gains") in moved(said, "reach")
    assert ("carol", "time", "loses") in moved(said, "reach")


async def test_nothing_is_changed_by_asking(site: Asking) -> None:
    before = site.world.site.snapshots.current()
    await site.simulate("carol", {"presto": PRESTO})
    assert site.world.site.snapshots.current() is before
    assert site.world.facts() == ["token-issued"]


async def test_only_owners_and_auditors_may_ask(site: Asking) -> None:
    refused = await site.simulate("alice", {"presto": PRESTO, "new-server": PRESTO})
    assert (refused.status_code, refused.json()["message"]) == (403, "you may not simulate new-server, presto")
    people = await site.simulate("alice", {}, people={"alice": []})
    assert people.json()["message"] == "you may not simulate other groups of people"


@pytest.mark.parametrize(
    ("servers", "more"), [({"presto": {"kind": "presto"}}, {}), ({}, {"since": "soon"}), ("all", {})]
)
async def test_what_cannot_be_read_is_refused(site: Asking, servers: object, more: dict[str, object]) -> None:
    assert (await site.simulate("carol", servers, **more)).status_code == 400
