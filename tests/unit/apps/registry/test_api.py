"""The REST API: what each caller is told, what nobody is told, and that every answer is as its document says."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from jsonschema.protocols import Validator
from mcp_types.version import SUPPORTED_PROTOCOL_VERSIONS
from starlette.applications import Starlette
from tests.openapi_answers import validator
from tests.pages import hidden
from tests.web_registry import SPARK_REVIEW
from tests.web_site import PUBLIC_URL, WAITING, TestSite, build, called_by_teams, callers, declare
from tools.openapi import check_openapi, compare

from pierhead.apps.registry import openapi
from pierhead.apps.registry.api.routes import ROUTES, Api
from pierhead.apps.registry.web.pages import Web
from pierhead.core.cost import Price
from pierhead.core.identity import Caller, User
from pierhead.usecases.explain_decision import explain_decision
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.memory import snapshot_of
from pierhead.usecases.memory_sign_in import KnownPeople
from pierhead.usecases.ports_registry import Revision

pytestmark = pytest.mark.anyio

API = f"{PUBLIC_URL}/api/v1"
OF_ALICE, OF_BOB = "0199-00-02", "0199-00-01"
FILLED = {"{name}": "warehouse", "{id}": OF_ALICE, "{version}": "1.4.0", "{step}": "suspend", "{part}": "tests"}
QUESTION = {"server": "warehouse", "tool": "run_query"}
BODIES: Mapping[str, object] = {
    "POST /api/v1/authorize": QUESTION,
    "POST /api/v1/authorize/batch": {"questions": [QUESTION]},
    "POST /api/v1/servers": {"name": "clock", "entry": {"kind": "stdio", "owner": "web", "support": "#web"}},
    "PUT /api/v1/servers/{name}": {"entry": {"kind": "sql", "owner": "web", "support": "#web"}},
    "POST /api/v1/servers/{name}/versions": {},
    "POST /api/v1/servers/{name}/versions/{version}/{step}": {"reason": "it is wrong"},
    "POST /api/v1/servers/{name}/rollback": {"version": "1.4.0", "reason": "it was better"},
    "POST /api/v1/reviews/{id}/decisions": {"gate": "security", "verdict": "approve", "reason": "read it"},
    "POST /api/v1/reviews/{id}/comments": {"text": "why?"},
    "POST /api/v1/approvals/{id}/decisions": {"verdict": "approve", "digest": WAITING.proposal.digest},
    "POST /api/v1/approvals/{id}/settle": {"comment": "nothing is gone"},
    "POST /api/v1/approvals/{id}/break-glass": {"reason": "it burns", "digest": WAITING.proposal.digest},
    "POST /api/v1/approvals/{id}/review": {"comment": "it did"},
    "POST /api/v1/absences": {"until": "2026-11-25T00:00:00Z"},
    "POST /api/v1/approvals/{id}/remarks": {"comment": "which ticket?"},
    "POST /api/v1/approvals/decisions": {
        "answers": [{"id": WAITING.id, "verdict": "approve", "digest": WAITING.proposal.digest}]
    },
}
STREAM = "GET /api/v1/changes/stream"
DOCUMENT = openapi.document(PUBLIC_URL)


def filled(route: str) -> tuple[str, str]:
    """A method and an address that exists, for alice."""
    method, _, path = route.partition(" ")
    ids = {"/reviews/": SPARK_REVIEW, "/approvals/": WAITING.id, "/absences/": "abs_1", "/choices/": "cho_1"}
    ids |= {"/consents/": "cns_1"}
    filling = {**FILLED, "{id}": next((known for part, known in ids.items() if part in path), OF_ALICE)}
    return method, re.sub(r"\{\w+\}", lambda found: filling[found[0]], path)


INVENTORY = [filled(route) for route in ROUTES]


@dataclass
class Program:
    """A program that holds access tokens, before one site."""

    world: TestSite
    http: httpx2.AsyncClient

    proved_at: float | None = None
    """When whoever holds the token signed in; None: just now."""

    async def token(self, person: str, audience: str = API) -> str:
        proved_at = self.world.clock.now() if self.proved_at is None else self.proved_at
        grant = Grant(person, audience, "a-program", "family", 600, proved_at=proved_at)
        token, _ = await issue(grant, self.world.site.tokens)
        return token

    async def ask(self, person: str, method: str, path: str, body: object = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {await self.token(person)}"}
        return await self.http.request(method, path, json=body, headers=headers)

    async def get(self, person: str, path: str) -> Any:
        answer = await self.ask(person, "GET", f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def authorize(self, person: str, **question: object) -> Any:
        """What is decided; each answer has a name of its own, which is looked at elsewhere."""
        answer = await self.ask(person, "POST", "/api/v1/authorize", question)
        assert answer.status_code == 200, answer.text
        return {member: value for member, value in answer.json().items() if member != "decision_id"}

    async def sign_in(self, person: str) -> None:
        page = await self.http.get("/sign-in")
        form = {"token": hidden(page.text, "token"), "next": "/servers", "person": person}
        await self.http.post("/sign-in", data=form, headers={"origin": PUBLIC_URL})

    def move_policy(self, **changes: object) -> None:
        """Serve the same site under another snapshot."""
        now = self.world.site.snapshots.current()
        snapshot = replace(now, **{"revision": now.revision + 1, **changes})
        self.world.site.registry.served.put(Revision(snapshot.revision, "", "{}"), snapshot)


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    world = build()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=world.app), base_url=PUBLIC_URL) as http:
        yield Program(world, http)


def schema_of(route: str, status: int) -> Validator:
    return validator(DOCUMENT, route, status)


# -- what is documented is what is served


def test_the_document_is_valid_and_names_every_route_and_no_other() -> None:
    assert check_openapi() == []
    assert [str(finding).partition(": ")[2] for finding in compare({"GET /a", "GET /b"}, {"GET /b", "GET /c"})] == [
        "route `GET /c` is not documented",
        "route `GET /a` is not in the code",
    ]


@pytest.mark.parametrize("person", ["alice", "bob", "carol", "frank"])
@pytest.mark.parametrize("route", [route for route in ROUTES if route != STREAM])
async def test_every_answer_to_everyone_is_as_the_document_says(program: Program, route: str, person: str) -> None:
    method, address = filled(route)
    answer = await program.ask(person, method, address, BODIES.get(route))
    path = route.partition(" ")[2]

    assert str(answer.status_code) in DOCUMENT["paths"][path][method.lower()]["responses"]
    schema_of(route, answer.status_code).validate(answer.json())


async def test_a_document_that_said_less_would_be_noticed(program: Program) -> None:
    call = await program.get("alice", f"/calls/{OF_ALICE}")
    document = schema_of("GET /api/v1/calls/{id}", 200)

    assert document.is_valid(call)
    assert not document.is_valid({**call, "surprise": 1})
    assert not document.is_valid({key: value for key, value in call.items() if key != "records"})


async def test_the_document_is_served_with_this_platforms_address(program: Program) -> None:
    served = await program.http.get("/openapi.json")

    assert served.json() == DOCUMENT
    assert served.json()["servers"] == [{"url": PUBLIC_URL}]


async def test_the_page_shows_every_operation_and_every_shape(program: Program) -> None:
    page = (await program.http.get("/docs")).text

    for operation in openapi.operations(DOCUMENT):
        assert f"<code>{operation.method} {operation.path}</code>" in page
        assert operation.content["summary"].replace("'", "&#39;") in page
    for name in DOCUMENT["components"]["schemas"]:
        assert f'id="shape-{name}"' in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


# -- who asks


@pytest.mark.parametrize(("method", "path"), [*INVENTORY, ("GET", "/api/v1/nothing"), ("DELETE", "/api/v2/x")])
async def test_without_credentials_nothing_is_told_but_where_to_sign_in(
    program: Program, method: str, path: str
) -> None:
    answer = await program.http.request(method, path, json=QUESTION if method == "POST" else None)

    assert (answer.status_code, answer.json()["code"]) == (401, "no-credentials")
    assert answer.headers["www-authenticate"] == (
        f'Bearer resource_metadata="{PUBLIC_URL}/.well-known/oauth-protected-resource/api/v1"'
    )
    schema_of("GET /api/v1/me", 401).validate(answer.json())


@pytest.mark.parametrize(("method", "path"), INVENTORY)
@pytest.mark.parametrize("audience", [f"{PUBLIC_URL}/mcp/warehouse", f"{PUBLIC_URL}/mcp", f"{API}/", "https://else"])
async def test_a_token_for_anything_else_is_not_accepted(
    program: Program, method: str, path: str, audience: str
) -> None:
    headers = {"authorization": f"Bearer {await program.token('alice', audience)}"}
    answer = await program.http.request(method, path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "wrong-audience")
    assert answer.headers["www-authenticate"].endswith(', error="invalid_token"')
    assert program.world.facts() == ["token-issued", "sign-in-failed"]


async def test_the_token_of_the_command_line_opens_the_api_too(program: Program) -> None:
    both = f"{PUBLIC_URL}/mcp/warehouse {API}"
    headers = {"authorization": f"Bearer {await program.token('alice', both)}"}

    assert (await program.http.get("/api/v1/me", headers=headers)).status_code == 200


async def test_a_token_that_has_lapsed_is_not_accepted(program: Program) -> None:
    headers = {"authorization": f"Bearer {await program.token('alice')}"}
    program.world.clock.seconds += 601
    answer = await program.http.get("/api/v1/me", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "expired")


async def test_a_session_reads_and_a_bad_token_is_not_made_good_by_it(program: Program) -> None:
    await program.sign_in("alice")
    by_session = await program.http.get("/api/v1/me")
    bad = await program.http.get("/api/v1/me", headers={"authorization": "Bearer nonsense"})

    assert by_session.json() == await program.get("alice", "/me")
    assert bad.status_code == 401


async def test_a_session_serves_under_our_own_host_alone(program: Program) -> None:
    await program.sign_in("alice")
    answer = await program.http.get("/api/v1/me", headers={"host": "rebound.example"})

    assert (answer.status_code, answer.json()["code"]) == (421, "wrong-host")


@pytest.mark.parametrize(
    ("origin", "status"),
    [(PUBLIC_URL, 200), (None, 403), ("null", 403), ("http://evil.example", 403), ("http://127.0.0.1:8421", 403)],
)
async def test_a_session_asks_from_our_own_pages_alone(program: Program, origin: str | None, status: int) -> None:
    await program.sign_in("alice")
    headers = {"origin": origin} if origin else {}
    answer = await program.http.post("/api/v1/authorize", json=QUESTION, headers=headers)

    assert answer.status_code == status


async def test_a_person_who_left_is_out_with_their_session(program: Program) -> None:
    await program.sign_in("alice")
    people = KnownPeople({})
    emptied = replace(program.world.site, tokens=replace(program.world.site.tokens, people=people))
    app = Starlette(routes=[*Api(callers(emptied)).routes(), *Web(emptied).routes()])
    transport, cookies = httpx2.ASGITransport(app=app), program.http.cookies
    async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL, cookies=cookies) as http:
        answer = await http.get("/api/v1/me")

    assert answer.status_code == 401


async def test_what_is_no_route_or_no_method_of_it_is_refused_as_json(program: Program) -> None:
    absent = await program.ask("alice", "GET", "/api/v1/nothing")
    wrong = await program.ask("alice", "DELETE", "/api/v1/me")
    reading = await program.ask("alice", "GET", "/api/v1/authorize")

    assert (absent.status_code, absent.json()["code"]) == (404, "not-found")
    assert (wrong.status_code, wrong.json()["code"], wrong.headers["allow"]) == (405, "method-not-allowed", "GET, HEAD")
    assert (reading.status_code, reading.headers["allow"]) == (405, "POST")


async def test_no_answer_is_kept_or_framed(program: Program) -> None:
    headers = (await program.ask("alice", "GET", "/api/v1/me")).headers

    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


# -- servers and tools


async def test_the_list_says_what_each_may_reach_and_why(program: Program) -> None:
    of_alice = {each["name"]: each for each in (await program.get("alice", "/servers"))["servers"]}
    of_bob = {each["name"]: each for each in (await program.get("bob", "/servers"))["servers"]}

    assert list(of_alice) == ["airflow", "presto", "time", "warehouse"]
    assert [name for name, each in of_alice.items() if each["may_reach"]] == ["airflow", "time", "warehouse"]
    assert [name for name, each in of_bob.items() if each["may_reach"]] == ["presto", "time"]
    assert of_bob["warehouse"]["why"] == "no rule lets bob reach it as a person"
    assert of_bob["warehouse"]["whom_to_ask"] == "ask data-platform in #warehouse-help"
    assert (of_bob["warehouse"]["tool_count"], of_alice["warehouse"]["tool_count"]) == (0, 3)
    assert of_alice["airflow"]["process"] == {
        "state": "restarting",
        "reason": "exit code 137, next try in 4 s",
        "since": "2026-11-18T11:06:37.000Z",
    }
    assert of_alice["warehouse"]["stage"] == "deployed"


async def test_a_server_shows_its_tools_as_a_call_would_meet_them(program: Program) -> None:
    tools = {each["name"]: each for each in (await program.get("alice", "/servers/airflow"))["tools"]}

    assert list(tools) == ["get_task_log", "clear_task"]
    assert {name: (each["may_use"], each["decision"]) for name, each in tools.items()} == {
        "get_task_log": (True, "permit"),
        "clear_task": (True, "approval"),
    }
    assert [each["policy"] for each in tools["get_task_log"]["reasons"]] == [
        "airflow.access[0]",
        "airflow.get_task_log.policy",
    ]
    assert tools["clear_task"]["approval"] == "approve"
    assert tools["get_task_log"]["input_schema"]["required"] == ["sql"]
    assert len(tools["get_task_log"]["digest"]) == 64
    assert 50 < tools["get_task_log"]["token_weight"] < 200
    assert tools["get_task_log"]["examples"] == []


async def test_a_server_out_of_reach_shows_no_tool(program: Program) -> None:
    found = await program.get("bob", "/servers/warehouse")

    assert (found["may_reach"], found["tools"]) == (False, [])


async def test_auditors_see_every_tool_and_why_it_may_not_be_used(program: Program) -> None:
    tools = {each["name"]: each for each in (await program.get("carol", "/servers/airflow"))["tools"]}

    assert (tools["delete_dag_run"]["may_use"], tools["delete_dag_run"]["decision"]) == (False, "refuse")
    assert tools["delete_dag_run"]["reasons"][-1] == {
        "policy": "",
        "effect": "refuse",
        "question": "reach",
        "text": "no rule lets carol reach it as a person; ask data-platform in #airflow-help",
    }


@pytest.mark.parametrize("hidden_one", ["spark", "knowledge"])
async def test_a_server_that_is_not_live_reads_as_one_that_is_not_there(program: Program, hidden_one: str) -> None:
    concealed = await program.ask("bob", "GET", f"/api/v1/servers/{hidden_one}")
    absent = await program.ask("bob", "GET", "/api/v1/servers/nothing-here")
    audited = await program.get("carol", f"/servers/{hidden_one}")

    assert (concealed.status_code, concealed.content) == (absent.status_code, absent.content) == (404, absent.content)
    assert audited["may_reach"] is False
    assert "nobody can call it" in audited["why"]


async def test_me_tells_who_and_what_they_can_use(program: Program) -> None:
    found = await program.get("alice", "/me")

    assert (found["person"], found["groups"], found["policy_version"]) == ("alice", ["data-eng"], 7)
    assert {each["name"]: [tool["name"] for tool in each["tools"]] for each in found["servers"]} == {
        "airflow": ["get_task_log", "clear_task"],
        "time": ["get_current_time", "convert_time"],
        "warehouse": ["list_tables", "describe_table", "run_query"],
    }


async def test_a_policy_change_shows_at_once(program: Program) -> None:
    program.move_policy(rows={}, revision=8)
    found = await program.get("alice", "/me")

    assert (found["servers"], found["policy_version"]) == ([], 8)


# -- the record


async def test_calls_come_page_by_page_each_once(program: Program) -> None:
    mine = [row for row in program.world.records.rows if row.principal == "alice"]
    seen: list[str] = []
    page = await program.get("alice", "/calls?limit=50&since=9w")
    while True:
        seen += [call["id"] for call in page["calls"]]
        if page["next"] is None:
            break
        page = await program.get("alice", f"/calls?limit=50&since=9w&cursor={page['next']}")

    assert seen == [row.call_id for row in sorted(mine, key=lambda row: (row.at, row.call_id), reverse=True)]
    assert len(seen) > 100


async def test_a_cursor_of_anothers_page_shows_only_ones_own(program: Program) -> None:
    of_alice = await program.get("alice", "/calls?limit=1")
    found = await program.get("bob", f"/calls?cursor={of_alice['next']}")

    assert {call["principal"] for call in found["calls"]} == {"bob"}


async def test_filters_narrow_ones_calls(program: Program) -> None:
    found = await program.get("bob", "/calls?decision=refuse&server=warehouse&tool=run_query&since=30d")
    recent = await program.get("bob", "/calls?since=1d")

    assert {(call["decision"], call["server"], call["tool"]) for call in found["calls"]} == {
        ("refuse", "warehouse", "run_query")
    }
    assert 0 < len(recent["calls"]) < 50


@pytest.mark.parametrize(
    "query",
    [
        "since=30",
        "since=-1d",
        "since=99999d",
        "limit=0",
        "limit=201",
        "limit=ten",
        "limit=²",
        "decision=any",
        "decision=",
        "cursor=",
        "cursor=%F0%9F",
        "cursor=bm9uZQ",
        "sever=warehouse",
        "server=a&server=b",
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(program: Program, query: str) -> None:
    answer = await program.ask("alice", "GET", f"/api/v1/calls?{query}")

    assert answer.status_code == 400
    schema_of("GET /api/v1/calls", 400).validate(answer.json())


@pytest.mark.parametrize("person", ["bob", "carol", "frank"])
async def test_anothers_call_reads_as_one_that_is_not_there(program: Program, person: str) -> None:
    own = await program.ask("alice", "GET", f"/api/v1/calls/{OF_ALICE}")
    anothers = await program.ask(person, "GET", f"/api/v1/calls/{OF_ALICE}")
    absent = await program.ask(person, "GET", "/api/v1/calls/nothing-here")

    assert (own.status_code, own.json()["principal"]) == (200, "alice")
    assert [each["writer"] for each in own.json()["records"]] == ["gateway", "server-warehouse", "server-warehouse"]
    assert (anothers.status_code, anothers.content) == (absent.status_code, absent.content) == (404, absent.content)


async def test_impact_is_the_sum_of_its_rows(program: Program) -> None:
    found = await program.get("bob", "/impact?since=7d")
    every = await program.get("bob", "/impact?since=30d")

    assert found["hours"] == pytest.approx(sum(each["hours"] for each in found["tools"]))
    assert found["hours"] == pytest.approx(sum(use["succeeded"] * use["minutes"] for use in found["tools"]) / 60)
    assert 0 < found["hours"] < every["hours"]
    assert 0 < found["hours_low"] < found["hours_high"]
    assert found["hours_high"] == pytest.approx(sum(use["covered"] * use["high"] for use in found["tools"]) / 60)
    assert 0 < found["coverage"] < 1
    assert found["expired"] == sum(use["expired"] for use in found["tools"]) > 0
    assert found["since"] == "2026-11-11T11:06:40.000Z"


# -- pre-flight


async def test_a_permit_names_every_rule_that_took_part(program: Program) -> None:
    assert await program.authorize("alice", **QUESTION) == {
        "decision": "permit",
        "reasons": [
            {
                "policy": "warehouse.access[0]",
                "effect": "permit",
                "question": "reach",
                "text": "access admits group:analytics or group:data-eng",
            },
            {
                "policy": "warehouse.run_query.policy",
                "effect": "permit",
                "question": "use",
                "text": "run_query is declared for group:data-eng",
            },
        ],
        "policy_version": 7,
        "valid_until": "2026-11-18T11:07:40.000Z",
    }


async def test_what_waits_for_a_person_says_for_how_much(program: Program) -> None:
    found = await program.authorize("alice", server="airflow", tool="clear_task")

    assert (found["decision"], found["approval"]) == ("approval", {"class": "approve"})
    assert [rule["policy"] for rule in found["reasons"] if rule["effect"] == "ask"] == ["airflow.clear_task.approval"]


async def test_a_refusal_says_what_is_missing_and_whom_to_ask(program: Program) -> None:
    found = await program.authorize("bob", **QUESTION)

    assert found["decision"] == "refuse"
    assert [rule["text"] for rule in found["reasons"]] == [
        "no rule lets bob reach it as a person; ask data-platform in #warehouse-help"
    ]


async def test_without_a_tool_only_reach_is_asked(program: Program) -> None:
    assert (await program.authorize("alice", server="airflow"))["decision"] == "permit"
    assert (await program.authorize("alice", server="presto"))["decision"] == "refuse"


@pytest.mark.parametrize(
    "question",
    [
        {"server": "nothing-here"},
        {"server": "knowledge"},
        {"server": "spark", "tool": "anything"},
        {"server": "airflow", "tool": "delete_dag_run"},
        {"server": "airflow", "tool": "nothing_here"},
    ],
)
async def test_unknown_hidden_and_not_live_read_alike(program: Program, question: Mapping[str, str]) -> None:
    answer = await program.ask("alice", "POST", "/api/v1/authorize", question)
    absent = await program.ask("alice", "POST", "/api/v1/authorize", {"server": "x", "tool": "y"})

    assert (answer.status_code, answer.content) == (404, absent.content)


async def test_out_of_reach_a_tool_that_exists_reads_as_one_that_does_not(program: Program) -> None:
    real = await program.authorize("bob", server="warehouse", tool="run_query")
    invented = await program.authorize("bob", server="warehouse", tool="nothing_here")

    assert real == invented


@pytest.mark.parametrize("other", [{"user": "alice"}, {"workload": "spiffe://demo.example/agent"}, {"user": "nobody"}])
@pytest.mark.parametrize("person", ["bob", "carol"])
async def test_asking_for_another_takes_the_right(program: Program, person: str, other: Mapping[str, str]) -> None:
    answer = await program.ask(person, "POST", "/api/v1/authorize", {**QUESTION, **other})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    schema_of("POST /api/v1/authorize", 403).validate(answer.json())


async def test_naming_oneself_is_asking_for_oneself(program: Program) -> None:
    assert await program.authorize("alice", **QUESTION, user="alice") == await program.authorize("alice", **QUESTION)


async def test_a_platform_admin_asks_for_anyone_and_is_told_everything(program: Program) -> None:
    for_alice = await program.authorize("frank", **QUESTION, user="alice")
    hidden_tool = await program.authorize("frank", server="airflow", tool="delete_dag_run", user="alice")
    agent = await program.authorize("frank", **QUESTION, workload="spiffe://demo.example/agent")
    through = await program.authorize("frank", **QUESTION, user="alice", workload="spiffe://demo.example/agent")
    unknown = await program.ask("frank", "POST", "/api/v1/authorize", {**QUESTION, "user": "nobody"})

    assert for_alice == await program.authorize("alice", **QUESTION)
    assert (hidden_tool["decision"], hidden_tool["reasons"][-1]["text"]) == (
        "refuse",
        "no rule lets alice use it as a person; ask data-platform in #airflow-help",
    )
    assert agent["decision"] == through["decision"] == "refuse"
    assert "as a workload" in through["reasons"][-1]["text"]
    assert unknown.status_code == 404


async def test_the_surface_asked_about_is_the_one_that_is_judged(program: Program) -> None:
    snapshot = program.world.site.snapshots.current()
    [row] = snapshot.rows["warehouse"]
    narrowed = snapshot_of(snapshot.servers.values(), [replace(row, surfaces=frozenset({"ide"}))], revision=8)
    program.move_policy(rows=narrowed.rows)

    assert (await program.authorize("alice", **QUESTION))["decision"] == "permit"
    assert (await program.authorize("alice", **QUESTION, surface="slack"))["decision"] == "refuse"


@pytest.mark.parametrize("person", ["alice", "bob", "carol", "frank"])
async def test_the_answer_is_the_decision_of_a_call_for_every_tool(program: Program, person: str) -> None:
    site = program.world.site
    groups = site.tokens.people.groups(person)
    assert groups is not None
    caller = Caller(User(PUBLIC_URL, person, groups), site.surface, site.environment, "")
    for each in site.snapshots.current().servers.values():
        for name in each.tools if each.is_callable else ():
            decided = explain_decision(caller, each.name, name, site.snapshots)
            answer = await program.ask(person, "POST", "/api/v1/authorize", {"server": each.name, "tool": name})
            told = answer.json()["decision"] if answer.status_code == 200 else "refuse"
            assert told == decided.decision


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"nonsense",
        b"\xff",
        b"{}",
        b'{"server": 1}',
        b'{"server": ""}',
        b'{"server": "warehouse", "user": null}',
        b'{"server": "warehouse", "user": ""}',
        b'{"server": "warehouse", "workload": "agent"}',
        b'{"server": "warehouse", "arguments": []}',
        b'{"server": "warehouse", "as": "frank"}',
        b'{"server": "warehouse", "server": "time"}',
        b'{"server": "warehouse", "arguments": {"a": 1, "a": 2}}',
        b'{"server": "warehouse", "arguments": ' + b'{"a":' * 30_000 + b"1" + b"}" * 30_000 + b"}",
        b'{"server": "' + b"a" * 70_000 + b'"}',
    ],
)
async def test_a_question_that_cannot_be_read_is_refused(program: Program, body: bytes) -> None:
    headers = {"authorization": f"Bearer {await program.token('frank')}"}
    answer = await program.http.post("/api/v1/authorize", content=body, headers=headers)

    assert answer.status_code == 400
    schema_of("POST /api/v1/authorize", 400).validate(answer.json())


async def test_the_message_names_every_fault_at_once(program: Program) -> None:
    answer = await program.ask("alice", "POST", "/api/v1/authorize", {"tool": 1, "as": "frank"})

    assert all(name in answer.json()["message"] for name in ("server", "tool", "as"))


# -- health


async def test_health_tells_the_last_looks_and_what_a_server_needs(program: Program) -> None:
    told = await program.get("alice", "/servers/warehouse/health?limit=2")
    assert (told["condition"], len(told["looks"]), len(told["spans"])) == ("up", 2, 2)
    assert told["dependencies"] == [{"name": "engine", "condition": "up", "reason": "answers in 3 ms"}]
    assert told["versions"][0]["looks"] == 180
    assert (await program.get("alice", "/servers/airflow"))["health"]["condition"] == "flapping"
    unseen = await program.get("frank", "/servers/spark/health")
    assert (unseen["condition"], unseen["last"], unseen["looks"]) == ("unknown", None, [])


@pytest.mark.parametrize("limit", ["0", "241", "x", "9" * 30, ""])
async def test_a_number_of_looks_that_is_none_is_refused(program: Program, limit: str) -> None:
    answer = await program.ask("alice", "GET", f"/api/v1/servers/warehouse/health?limit={limit}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


async def test_the_health_of_a_hidden_server_reads_as_one_that_is_not_there(program: Program) -> None:
    hidden_one = await program.ask("bob", "GET", "/api/v1/servers/knowledge/health")
    absent = await program.ask("bob", "GET", "/api/v1/servers/nothing/health")
    assert (hidden_one.status_code, hidden_one.json()) == (404, absent.json())


async def test_what_a_role_on_the_source_keeps_back_is_not_shown_as_yours(program: Program) -> None:
    declare(
        program.world, "warehouse", roles={"planner": {"tables": ["flights"], "operations": ["read"], "sql": False}}
    )
    alices = (await program.ask("alice", "GET", "/api/v1/servers/warehouse")).json()
    assert "run_query" not in {tool["name"] for tool in alices["tools"]}
    assert alices["tool_count"] == len(alices["tools"]) > 0
    auditors = (await program.ask("frank", "GET", "/api/v1/servers/warehouse")).json()
    assert "run_query" in {tool["name"] for tool in auditors["tools"]}


async def test_a_server_tells_its_review_and_what_was_made_of_it(program: Program) -> None:
    spark = (await program.ask("carol", "GET", "/api/v1/servers/spark")).json()
    gates = {gate["gate"]: gate for gate in spark["review"]["gates"]}
    assert spark["review"]["id"] == SPARK_REVIEW
    assert gates["security"]["state"] == "pending"
    assert gates["security"]["due_at"] is not None
    assert gates["security"]["expires_at"] is None
    assert (spark["use"]["calls"], spark["use"]["last_call_at"]) == (0, None)
    warehouse = (await program.ask("alice", "GET", "/api/v1/servers/warehouse")).json()
    assert warehouse["use"]["days"] == 30
    assert warehouse["use"]["calls"] >= warehouse["use"]["succeeded"] > 0
    assert warehouse["use"]["people"] >= 1
    assert warehouse["use"]["minutes_saved"] > 0
    assert warehouse["use"]["minutes_low"] == pytest.approx(warehouse["use"]["minutes_saved"] / 2)
    assert warehouse["use"]["minutes_high"] == pytest.approx(warehouse["use"]["minutes_saved"] * 2)
    assert (warehouse["use"]["coverage"], warehouse["use"]["expired"]) == (1, 0)
    cost = warehouse["cost"]
    assert (cost["result_tokens"], cost["tokens_a_call"]) == (1_000 * warehouse["use"]["calls"], 1_000)
    assert cost["definition_tokens"] == sum(tool["token_weight"] for tool in warehouse["tools"])
    assert (cost["currency"], cost["results"], cost["a_call"], cost["thousand_turns"]) == (None, None, None, None)
    assert (spark["cost"]["result_tokens"], spark["cost"]["tokens_a_call"]) == (0, None)
    assert {tool["minutes"]["valid_until"] for tool in warehouse["tools"]} == {"2027-05-05T11:06:40.000Z"}
    assert warehouse["use"]["last_call_at"].startswith("2026-")


async def test_what_teams_cost_is_told_to_those_who_answer_for_a_server(program: Program) -> None:
    world, path = program.world, "/api/v1/servers/warehouse"
    world.records.rows[:] = called_by_teams(world.records.rows)
    assert (await program.ask("frank", "GET", path)).json()["cost"]["showback"] is None
    object.__setattr__(world.site, "teams", ("data-eng", "ads"))
    object.__setattr__(world.site, "price", Price(3.0, "EUR"))
    cost = (await program.ask("frank", "GET", path)).json()["cost"]
    assert [(row["of"], row["team"], row["people"]) for row in cost["showback"]] == [
        ("team", "data-eng", 6),
        ("others", None, 6),
        ("programs", None, 0),
    ]
    assert sum(row["result_tokens"] for row in cost["showback"]) == cost["result_tokens"]
    assert sum(row["results"] for row in cost["showback"]) == pytest.approx(cost["results"])
    assert (await program.ask("bob", "GET", path)).json()["cost"]["showback"] is None


async def test_a_server_tells_what_vouches_for_it(program: Program) -> None:
    vouched = (await program.ask("alice", "GET", "/api/v1/servers/warehouse")).json()["integrity"]
    listed = (await program.ask("alice", "GET", "/api/v1/servers/warehouse/versions")).json()["versions"]
    current = next(each for each in listed if each["is_current"])
    assert vouched["digests"] == current["digests"]
    assert vouched["checked_at"].startswith("2026-")
    assert vouched["is_as_signed"] in {True, False}
    assert (vouched["artefact"], vouched["sbom"], vouched["signature"]) == (None, None, None)


async def test_a_server_tells_what_is_promised_beside_what_was_measured(program: Program) -> None:
    plain = (await program.ask("alice", "GET", "/api/v1/servers/warehouse")).json()
    declare(
        program.world,
        "warehouse",
        on_call="https://pager.example/data",
        slo={"p95_ms": 1, "success_rate": 0.5},
        autonomous=True,
        egress=["api.example"],
    )
    told = (await program.ask("alice", "GET", "/api/v1/servers/warehouse")).json()

    assert plain["operation"]["slo"] is None
    assert plain["declared"]["on_call"] is None
    assert told["operation"]["slo"] == {"p95_ms": 1, "success_rate": 0.5, "is_met": False}
    assert told["operation"]["p95_ms"] > 1
    assert 0 < told["operation"]["success_rate"] <= 1
    assert sorted(told["operation"]["protocol_revisions"]) == sorted(SUPPORTED_PROTOCOL_VERSIONS)
    assert told["declared"]["on_call"] == "https://pager.example/data"
    assert (told["declared"]["autonomous"], told["declared"]["egress"]) == (True, ["api.example"])
    assert told["declared"]["highest_effect"] in {"read", "write", "destructive"}


async def test_fleet_health_is_of_the_servers_that_the_caller_may_know(program: Program) -> None:
    told = (await program.ask("alice", "GET", "/api/v1/fleet-health")).json()
    shown = {each["name"] for each in (await program.ask("alice", "GET", "/api/v1/servers")).json()["servers"]}
    assert told["count"] == len(told["concerns"]) > 0
    assert {each["server"] for each in told["concerns"]} <= shown
    assert all(each["must_act"] for each in told["concerns"])
    kind = told["concerns"][0]["trouble"]
    some = (await program.ask("alice", "GET", f"/api/v1/fleet-health?trouble={kind}&limit=1")).json()
    assert len(some["concerns"]) == 1
    assert some["concerns"][0]["trouble"] == kind
    for none in ("boredom", ""):
        assert (await program.ask("alice", "GET", f"/api/v1/fleet-health?trouble={none}")).status_code == 400
