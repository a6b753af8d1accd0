"""Pre-flight beyond one question: many at once, why an answer was as it was, who else may, what one can use."""

import gc
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.openapi_answers import validator
from tests.unit.samples import ALICE
from tests.web_site import PUBLIC_URL, TestSite, build, declare

from pierhead.apps.registry import openapi
from pierhead.core.identity import ANONYMOUS, Both, Principal, Workload
from pierhead.core.reach import EVERY, Row
from pierhead.core.rule import parse_who
from pierhead.core.workload import Registration
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.ports_registry import Revision

pytestmark = pytest.mark.anyio

DOCUMENT = openapi.document(PUBLIC_URL)
QUESTION = {"server": "warehouse", "tool": "run_query"}
BOB = replace(ALICE, subject="bob")


class Asking:
    """One site, asked by anyone; every answer is held to the document."""

    def __init__(self) -> None:
        self.world: TestSite = build()

    async def ask(self, person: str, route: str, path: str, body: object = None) -> httpx2.Response:
        token, _ = await issue(Grant(person, f"{PUBLIC_URL}/api/v1", "p", "f", 600), self.world.site.tokens)
        transport = httpx2.ASGITransport(app=self.world.app)
        async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
            headers = {"authorization": f"Bearer {token}"}
            answer = await client.request(route.partition(" ")[0], f"/api/v1{path}", json=body, headers=headers)
        validator(DOCUMENT, route, answer.status_code).validate(answer.json())
        return answer

    def move_policy(self, **changes: object) -> None:
        now = self.world.site.snapshots.current()
        snapshot = replace(now, **{"revision": now.revision + 1, **changes})
        self.world.site.registry.served.put(Revision(snapshot.revision, "", "{}"), snapshot)

    async def authorize(self, person: str, **question: object) -> Any:
        return (await self.ask(person, "POST /api/v1/authorize", "/authorize", question)).json()

    async def why(self, person: str, decision_id: str) -> httpx2.Response:
        return await self.ask(person, "GET /api/v1/decisions/{id}", f"/decisions/{decision_id}")

    async def who_can(self, person: str, query: str) -> httpx2.Response:
        return await self.ask(person, "GET /api/v1/who-can", f"/who-can?{query}")


@pytest.fixture
def site() -> Asking:
    return Asking()


# -- where a workload stands

AGENT = "spiffe://corp.example/agent"


def placed(site: Asking, **access: frozenset[str]) -> None:
    """The agent is registered in production, and the warehouse open to it and data-eng there alone."""
    registered = site.world.site.registered
    assert isinstance(registered, dict)
    registered[AGENT] = Registration("agent", "production")
    who = parse_who(f"group:data-eng or workload:{AGENT}")
    row = Row("warehouse", who, access.get("surfaces", EVERY), frozenset({"production"}), EVERY)
    snapshot = site.world.site.snapshots.current()
    server = snapshot.servers["warehouse"]
    tool = replace(server.tools["run_query"], policy=who)
    servers = {**snapshot.servers, "warehouse": replace(server, tools={**server.tools, "run_query": tool})}
    site.move_policy(servers=servers, rows={**snapshot.rows, "warehouse": (row,)})


async def test_a_workload_is_judged_in_its_own_environment_and_not_in_the_askers(site: Asking) -> None:
    placed(site, surfaces=frozenset({"agent"}))
    for who in ({"workload": AGENT}, {"workload": AGENT, "user": "alice"}):
        assert (await site.authorize("frank", **QUESTION, **who))["decision"] == "permit"
    for who in ({"user": "alice"}, {"workload": AGENT, "surface": "ide"}, {"workload": f"{AGENT}/other"}):
        assert (await site.authorize("frank", **QUESTION, **who))["decision"] == "refuse"


async def test_who_can_judges_each_workload_where_it_stands(site: Asking) -> None:
    placed(site)
    said = (await site.who_can("frank", "server=warehouse&tool=run_query")).json()
    assert [(each["name"], each["kind"]) for each in said["callers"]] == [(AGENT, "workload")]


# -- many at once


async def test_a_batch_answers_each_as_if_it_were_alone_in_its_place(site: Asking) -> None:
    questions = [
        QUESTION,
        {"server": "nothing-here"},
        {"server": "airflow", "tool": "clear_task"},
        {"server": "presto"},
    ]
    answer = await site.ask("alice", "POST /api/v1/authorize/batch", "/authorize/batch", {"questions": questions})
    said = answer.json()["decisions"]

    assert [each.get("decision", each.get("error", {}).get("code")) for each in said] == [
        "permit",
        "not-found",
        "approval",
        "refuse",
    ]
    assert len({each["decision_id"] for each in said if "decision_id" in each}) == 3


async def test_asking_for_another_is_refused_in_its_place_alone(site: Asking) -> None:
    questions = [{**QUESTION, "user": "frank"}, QUESTION]
    answer = await site.ask("alice", "POST /api/v1/authorize/batch", "/authorize/batch", {"questions": questions})

    assert answer.json()["decisions"][0]["error"]["code"] == "forbidden"
    assert answer.json()["decisions"][1]["decision"] == "permit"


@pytest.mark.parametrize("questions", [[], [QUESTION] * 101, [{"server": ""}], [{**QUESTION, "as": "frank"}], None])
async def test_a_batch_that_cannot_be_read_is_refused_whole(site: Asking, questions: object) -> None:
    answer = await site.ask("alice", "POST /api/v1/authorize/batch", "/authorize/batch", {"questions": questions})

    assert answer.status_code == 400
    assert "questions" in answer.json()["message"]


async def test_a_batch_of_a_hundred_long_questions_is_not_too_large(site: Asking) -> None:
    questions = [{**QUESTION, "arguments": {"sql": "x" * 5000}}] * 100
    answer = await site.ask("alice", "POST /api/v1/authorize/batch", "/authorize/batch", {"questions": questions})

    assert [each["decision"] for each in answer.json()["decisions"]] == ["permit"] * 100


# -- why


async def test_a_decision_is_explained_to_who_asked_and_to_auditors_alone(site: Asking) -> None:
    decided = await site.authorize("alice", **QUESTION, channel="C0123")
    own, auditors = await site.why("alice", decided["decision_id"]), await site.why("carol", decided["decision_id"])
    anothers, absent = await site.why("bob", decided["decision_id"]), await site.why("bob", "nothing-here")

    assert own.json() == auditors.json()
    assert {**decided, "subject": "alice", "server": "warehouse", "channel": "C0123"}.items() <= own.json().items()
    assert (anothers.status_code, anothers.content) == (404, absent.content)


async def test_what_an_admin_asked_of_another_is_not_told_to_the_other(site: Asking) -> None:
    decided = await site.authorize("frank", server="airflow", tool="delete_dag_run", user="alice")

    assert (await site.why("frank", decided["decision_id"])).json()["subject"] == "alice"
    assert (await site.why("alice", decided["decision_id"])).status_code == 404


async def test_a_decision_is_forgotten_after_an_hour(site: Asking) -> None:
    decided = await site.authorize("alice", **QUESTION)
    site.world.clock.seconds += 3599
    young = await site.why("alice", decided["decision_id"])
    site.world.clock.seconds += 1

    assert young.status_code == 200
    assert (await site.why("alice", decided["decision_id"])).status_code == 404


async def test_a_decision_says_when_policy_moved_on(site: Asking) -> None:
    decided = await site.authorize("alice", **QUESTION)
    before = (await site.why("alice", decided["decision_id"])).json()["is_current"]
    site.move_policy()

    assert before is True
    assert (await site.why("alice", decided["decision_id"])).json()["is_current"] is False


async def test_only_the_last_decisions_are_kept(site: Asking) -> None:
    decisions, now = site.world.site.decisions, site.world.clock.now()
    first = await site.authorize("alice", **QUESTION)
    kept = decisions.find(first["decision_id"])
    assert kept
    for number in range(30_000):
        decisions.keep(f"id-{number}", now, ALICE, kept.told)

    assert decisions.find(first["decision_id"]) is None
    oldest = decisions.find("id-0")
    assert oldest
    assert oldest.told == kept.told


async def test_decisions_that_are_kept_are_nothing_for_the_collector_of_garbage(site: Asking) -> None:
    await site.authorize("alice", **QUESTION)
    kept = site.world.site.decisions._kept  # pyright: ignore[reportPrivateUsage] - what is held is the point
    gc.collect()

    assert not any(gc.is_tracked(each) for each in kept.values())


@pytest.mark.parametrize("other", [ANONYMOUS, Workload(ALICE.subject), Both(ALICE, Workload("spiffe://x/a")), BOB])
def test_a_decision_is_for_who_asked_and_nobody_like_them(site: Asking, other: Principal) -> None:
    decisions = site.world.site.decisions
    decisions.keep("one", site.world.clock.now(), ALICE, {})
    decisions.keep("none", site.world.clock.now(), ANONYMOUS, {})
    found, nobodys = decisions.find("one"), decisions.find("none")
    assert found
    assert nobodys

    assert found.was_for(replace(ALICE, groups=frozenset()))
    assert not found.was_for(other)
    assert not nobodys.was_for(ANONYMOUS)


# -- who can


async def test_auditors_learn_who_may_use_a_tool_and_by_which_rules(site: Asking) -> None:
    found = (await site.who_can("carol", "server=airflow&tool=clear_task")).json()

    assert found["callers"] == [{"name": "alice", "kind": "person", "decision": "approval"}]
    assert [rule["policy"] for rule in found["rules"]] == ["airflow.access[0]", "airflow.clear_task.policy"]


async def test_who_reaches_a_server_is_asked_without_a_tool(site: Asking) -> None:
    found = (await site.who_can("frank", "server=time")).json()

    assert [caller["name"] for caller in found["callers"]] == ["alice", "bob", "carol", "dave", "erin", "frank"]


async def test_others_do_not_learn_who_may(site: Asking) -> None:
    seen, concealed = await site.who_can("alice", "server=airflow"), await site.who_can("alice", "server=knowledge")
    absent = await site.who_can("alice", "server=nothing-here")

    assert (seen.status_code, seen.json()["code"]) == (403, "forbidden")
    assert (concealed.status_code, concealed.content) == (404, absent.content)


async def test_nobody_may_use_what_is_not_live(site: Asking) -> None:
    assert (await site.who_can("carol", "server=knowledge")).json()["callers"] == []
    assert (await site.who_can("carol", "server=airflow&tool=nothing_here")).status_code == 404
    assert (await site.who_can("carol", "tool=clear_task")).status_code == 400


# -- what one can use


async def test_what_one_can_use_depends_on_where_one_is(site: Asking) -> None:
    rows = dict(site.world.site.snapshots.current().rows)
    site.move_policy(rows={**rows, "warehouse": (replace(rows["warehouse"][0], surfaces=frozenset({"slack"})),)})
    here = (await site.ask("alice", "GET /api/v1/me/servers", "/me/servers")).json()
    there = (await site.ask("alice", "GET /api/v1/me/servers", "/me/servers?surface=slack&channel=C1")).json()

    assert ([each["name"] for each in here["servers"]], here["surface"]) == (["airflow", "time"], "ide")
    assert [each["name"] for each in there["servers"]] == ["airflow", "time", "warehouse"]


async def test_servers_come_page_by_page_each_once(site: Asking) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await site.ask("alice", "GET /api/v1/servers", f"/servers?limit=1&cursor={cursor}")).json()
        seen += [each["name"] for each in page["servers"]]
        cursor = page["next"]

    assert seen == ["airflow", "presto", "time", "warehouse"]


@pytest.mark.parametrize(
    ("person", "search", "names"),
    [
        ("alice", "FLIGHTS", ["warehouse"]),
        ("alice", "clear_task", ["airflow"]),
        ("bob", "clear_task", []),
        ("alice", "delete_dag_run", []),
        ("carol", "delete_dag_run", ["airflow"]),
        ("alice", "handbook", []),
        ("carol", "handbook", ["knowledge"]),
        ("alice", "nothing like it", []),
    ],
)
async def test_search_finds_by_what_the_caller_is_shown_and_nothing_else(
    site: Asking, person: str, search: str, names: list[str]
) -> None:
    found = (await site.ask(person, "GET /api/v1/servers", f"/servers?search={search}")).json()

    assert [each["name"] for each in found["servers"]] == names


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "search=" + "a" * 201, "serach=x"])
async def test_a_page_that_cannot_be_asked_for_is_refused(site: Asking, query: str) -> None:
    assert (await site.ask("alice", "GET /api/v1/servers", f"/servers?{query}")).status_code == 400


# -- roles of data servers

READER = {"reader": {"tables": ["flights"], "operations": ["read"], "sql": False}}
WRITER = {"writer": {"tables": {"flights": {"operations": ["read", "create"]}}, "groups": ["ads"]}}


async def test_what_a_role_does_not_do_is_not_permitted_ahead(site: Asking) -> None:
    declare(site.world, "warehouse", roles=READER)

    hidden = await site.ask("alice", "POST /api/v1/authorize", "/authorize", QUESTION)
    read = await site.authorize("alice", server="warehouse", tool="describe_table", arguments={"table": "flights"})
    other = await site.authorize("alice", server="warehouse", tool="describe_table", arguments={"table": "pay"})

    assert hidden.status_code == 404
    assert read["decision"] == "permit"
    assert other["decision"] == "refuse"
    assert {"policy": "warehouse.roles", "effect": "forbid", "question": "use"}.items() <= other["reasons"][-1].items()
    assert other["reasons"][-1]["text"] == "your role here, reader, does not read table 'pay'"


async def test_who_holds_no_role_is_refused_ahead_also_when_asked_about(site: Asking) -> None:
    declare(site.world, "warehouse", roles=WRITER)
    told = "you hold no role on this source: ask its owner for one"

    own = await site.authorize("alice", **QUESTION)
    anothers = await site.authorize("frank", user="alice", **QUESTION)
    batch = await site.ask("alice", "POST /api/v1/authorize/batch", "/authorize/batch", {"questions": [QUESTION]})

    for answer in (own, anothers, batch.json()["decisions"][0]):
        assert (answer["decision"], answer["reasons"][-1]["text"]) == ("refuse", told)


async def test_lists_of_what_one_can_use_leave_out_what_roles_keep_back(site: Asking) -> None:
    async def usable(person: str) -> set[str]:
        answer = await site.ask(person, "GET /api/v1/me/servers", "/me/servers")
        return {
            tool["name"] for each in answer.json()["servers"] if each["name"] == "warehouse" for tool in each["tools"]
        }

    assert "run_query" in await usable("alice")
    declare(site.world, "warehouse", roles=READER)
    assert "run_query" not in await usable("alice")
    assert "list_tables" in await usable("alice")


async def test_who_can_reads_the_roles(site: Asking) -> None:
    async def names() -> set[str]:
        return {
            each["name"] for each in (await site.who_can("frank", "server=warehouse&tool=run_query")).json()["callers"]
        }

    assert "alice" in await names()
    declare(site.world, "warehouse", roles=READER)
    assert "alice" not in await names()
