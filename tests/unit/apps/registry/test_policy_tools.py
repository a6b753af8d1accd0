"""The tools of whoever owns policy, over the API: what a proposal would change. Answers are held to the document."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.openapi_answers import validator
from tests.web_site import PUBLIC_URL, TestSite, build

from pierhead.apps.registry import openapi
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.memory_catalogue import MemoryCatalogue
from pierhead.usecases.ports_registry import Revision

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


async def test_other_company_policies_are_judged_by_name_for_auditors(site: Asking) -> None:
    freeze = '@id("freeze") forbid (principal, action == Action::"use", resource in Server::"presto");'
    proposed = [{"name": "company.cedar", "text": freeze}]
    said = (await site.simulate("carol", {}, policies=proposed, since="30d")).json()
    assert ("bob", "presto", "loses") in moved(said, "changes")
    assert {each["server"] for each in said["changes"]} == {"presto"}
    assert all("company.cedar#freeze" in each["why"] for each in said["changes"])
    assert (await site.simulate("alice", {}, policies=proposed)).status_code == 403
    for wrong, code in (("forbid (", "policy-syntax"), (freeze.replace("presto", "prsto"), "policy-unknown-name")):
        refused = await site.simulate("carol", {}, policies=[{"name": "company.cedar", "text": wrong}])
        assert (refused.status_code, refused.json()["code"]) == (400, code)
        assert "company.cedar, line 1, column" in refused.text


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


# -- who may reach what


async def grants(site: Asking, person: str, query: str = "") -> Any:
    return (await site.ask(person, "GET /api/v1/access", query)).json()


async def test_auditors_are_told_every_grant_with_its_owner_and_last_use(site: Asking) -> None:
    said = await grants(site, "carol")
    told = {(each["who"], each["server"], each["tool"]): each for each in said["grants"]}
    used = told["group:data-eng", "warehouse", "run_query"]
    assert (used["owner"], used["decision"]) == ("data-platform", "permit")
    assert used["last_used"] is not None
    assert told["group:data-eng", "airflow", "clear_task"]["decision"] == "approval"
    assert told["group:data-eng", "airflow", "clear_task"]["last_used"] is None
    assert told["group:data-admin and group:on-call", "airflow", "delete_dag_run"]["effect"] == "destructive"
    assert not {"spark", "knowledge"} & {each["server"] for each in said["grants"]}


async def test_a_tool_is_asked_about_through_every_server(site: Asking) -> None:
    said = await grants(site, "frank", "?tool=run_query")
    assert {each["server"] for each in said["grants"]} == {"warehouse", "presto"}
    assert {each["server"] for each in (await grants(site, "frank", "?tool=run_query&server=presto"))["grants"]} == {
        "presto"
    }


async def test_a_table_is_asked_about_through_the_roles_that_name_it(site: Asking) -> None:
    catalogue = site.world.site.registry.catalogue
    assert isinstance(catalogue, MemoryCatalogue)
    entry = catalogue.kept_entries["warehouse"]
    roles: Any = {"analyst": {"tables": ["flights"], "operations": ["read"]}}
    catalogue.kept_entries["warehouse"] = replace(entry, document={**entry.document, "roles": roles})
    said = await grants(site, "carol", "?table=flights")
    assert {(each["who"], each["role"], *each["operations"]) for each in said["grants"]} == {
        ("group:analytics", "analyst", "read"),
        ("group:data-eng", "analyst", "read"),
    }
    assert "time: it declares no tables" in said["not_judged"]


async def test_owners_are_told_of_what_they_own_and_others_of_nothing(site: Asking) -> None:
    now = site.world.site.snapshots.current()
    owned = {**now.servers, "presto": replace(now.servers["presto"], owner="ads")}
    site.world.site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99, servers=owned))
    assert {each["server"] for each in (await grants(site, "bob"))["grants"]} == {"presto"}
    assert (await site.ask("bob", "GET /api/v1/access", "?server=warehouse")).status_code == 404
    assert (await site.ask("alice", "GET /api/v1/access")).status_code == 403


async def test_the_review_is_written_as_csv_without_a_formula(site: Asking) -> None:
    now = site.world.site.snapshots.current()
    owned = {**now.servers, "presto": replace(now.servers["presto"], owner="=cmd()")}
    site.world.site.registry.served.put(Revision(99, "", "{}"), replace(now, revision=99, servers=owned))
    answer = await site.ask("carol", "GET /api/v1/access", "?format=csv&server=presto")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    head, only = answer.text.splitlines()
    assert head.startswith("who,kind,server,tool,effect,decision")
    assert only.startswith("group:ads,group,presto,run_query,read,permit,none,any,any,,,,'=cmd(),")


@pytest.mark.parametrize("query", ["?tool=a&table=b", "?format=pdf", "?tol=run_query"])
async def test_a_question_about_access_that_cannot_be_read_is_refused(site: Asking, query: str) -> None:
    assert (await site.ask("carol", "GET /api/v1/access", query)).status_code == 400
