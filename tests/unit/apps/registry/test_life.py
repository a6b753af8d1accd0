"""A server's life by REST: registered, published, reviewed, moved; what each caller may do, and what nobody is told."""

from typing import Any

import httpx2
import pytest
from tests.openapi_answers import validator
from tests.unit.samples import TOOL_FORM
from tests.web_registry import SPARK_REVIEW
from tests.web_site import PUBLIC_URL, TestSite, build

from pierhead.apps.registry import openapi
from pierhead.core.audit import ServerMoved
from pierhead.usecases.grant_tokens import Grant, issue
from pierhead.usecases.wire_forms import manifest_from_form

pytestmark = pytest.mark.anyio

DOCUMENT = openapi.document(PUBLIC_URL)
CLOCK = {
    "kind": "http",
    "url": "https://clock.example/mcp",
    "owner": "web",
    "support": "#web",
    "description": "Tells the time.",
    "access": "group:data-eng",
}
MANIFEST = {"version": "1", "description": "Tells the time.", "tools": [TOOL_FORM]}
WHY = {"reason": "as agreed"}


class Program:
    """A program before one site; every answer is held to the document."""

    def __init__(self) -> None:
        self.world: TestSite = build()

    async def ask(self, person: str, route: str, body: object = None, query: str = "", **names: str) -> httpx2.Response:
        token, _ = await issue(Grant(person, f"{PUBLIC_URL}/api/v1", "p", "f", 600), self.world.site.tokens)
        method, _, path = route.partition(" ")
        sent = {"authorization": f"Bearer {token}"}
        if "if_match" in names:
            sent["if-match"] = names.pop("if_match")
        transport = httpx2.ASGITransport(app=self.world.app)
        async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
            url = f"/api/v1{path.format(**names)}{query}"
            answer = await client.request(method, url, json=body, headers=sent)
        listed = DOCUMENT["paths"][f"/api/v1{path}"][method.lower()]["responses"]
        assert str(answer.status_code) in listed, (route, answer.status_code, answer.text)
        validator(DOCUMENT, f"{method} /api/v1{path}", answer.status_code).validate(answer.json())
        return answer

    async def done(self, person: str, route: str, body: object = None, **names: str) -> Any:
        answer = await self.ask(person, route, body, **names)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def step(self, person: str, step: str, version: str = "1", **said: object) -> httpx2.Response:
        route = "POST /servers/{name}/versions/{version}/{step}"
        return await self.ask(person, route, {**WHY, **said}, name="clock", version=version, step=step)

    async def register(self) -> None:
        await self.done("bob", "POST /servers", {"name": "clock", "entry": CLOCK})
        await self.done("bob", "POST /servers/{name}/versions", {"manifest": MANIFEST}, name="clock")

    async def review(self, person: str = "carol") -> Any:
        found = await self.done(person, "GET /reviews", query="?server=clock")
        return found["reviews"][0]

    async def sign(self, person: str, gate: str, **said: object) -> httpx2.Response:
        body = {"gate": gate, "verdict": "approve", **WHY, **said}
        return await self.ask(person, "POST /reviews/{id}/decisions", body, id=(await self.review(person))["id"])

    async def deploy(self) -> None:
        await self.register()
        assert (await self.step("bob", "submit")).status_code == 200
        assert (await self.sign("carol", "security")).status_code == 200
        assert (await self.step("bob", "deploy")).status_code == 200


@pytest.fixture
def program() -> Program:
    return Program()


async def test_a_server_goes_from_registration_to_its_end_by_rest_alone(program: Program) -> None:
    registered = await program.ask("bob", "POST /servers", {"name": "clock", "entry": CLOCK})
    assert registered.status_code == 201
    assert registered.headers["location"] == "/api/v1/servers/clock"
    assert (registered.json()["origin"], registered.json()["current"]) == ("registered", None)
    version = await program.done("bob", "POST /servers/{name}/versions", {"manifest": MANIFEST}, name="clock")
    assert (version["stage"], version["steps"]) == ("registered", ["submit", "retire"])

    assert (await program.step("bob", "submit")).json()["stage"] == "in-review"
    review = await program.review()
    assert [(gate["gate"], gate["state"], gate["may_decide"]) for gate in review["gates"]] == [
        ("security", "pending", True)
    ]
    decided = (await program.sign("carol", "security", evidence=["https://tickets.example/1"])).json()
    assert decided["closed_at"]
    assert decided["decisions"][0]["by"] == "carol"
    assert (await program.step("bob", "deploy")).json()["is_current"] is True
    assert (await program.done("alice", "GET /servers/{name}", name="clock"))["stage"] == "deployed"

    assert (await program.step("carol", "quarantine")).json()["steps"] == ["resume", "deprecate"]
    assert (await program.step("bob", "resume")).status_code == 403
    assert (await program.step("carol", "resume")).status_code == 200
    ended = await program.step(
        "bob", "deprecate", message="use time", successor="time", sunset_at="2027-03-31T00:00:00Z"
    )
    assert ended.json()["sunset_at"] == "2027-03-31T00:00:00.000Z"
    assert "use time" in (await program.done("alice", "GET /servers/{name}", name="clock"))["notice"]
    assert (await program.step("bob", "retire")).json()["stage"] == "retired"
    moves = (await program.done("bob", "GET /servers/{name}/versions", name="clock"))["moves"]
    assert [move["step"] for move in reversed(moves)] == [
        *("submit", "approve", "deploy", "quarantine", "resume", "deprecate", "retire")
    ]


async def test_what_was_never_deployed_is_hidden_from_all_but_those_it_concerns(program: Program) -> None:
    await program.register()
    routes = ["GET /servers/{name}", "GET /servers/{name}/versions", "GET /servers/{name}/entry"]
    for route in routes:
        absent = await program.ask("alice", route, name="nothing-here")
        concealed = await program.ask("alice", route, name="clock")
        assert (concealed.status_code, concealed.content) == (404, absent.content)
        for person in ("bob", "carol", "dave", "erin", "frank"):
            assert (await program.ask(person, route, name="clock")).status_code == 200
    assert (await program.step("alice", "submit")).status_code == 404


async def test_lists_hold_what_is_on_its_way_for_those_it_concerns(program: Program) -> None:
    await program.register()
    of_alice = await program.done("alice", "GET /servers", query="?stage=any&limit=200")
    of_bob = await program.done("bob", "GET /servers", query="?stage=registered")

    assert "clock" not in {each["name"] for each in of_alice["servers"]}
    assert [each["name"] for each in of_bob["servers"]] == ["clock"]
    assert (await program.ask("bob", "GET /servers", query="?stage=done")).status_code == 400


async def test_a_live_servers_entry_is_for_its_owners_alone(program: Program) -> None:
    await program.deploy()

    assert (await program.ask("bob", "GET /servers/{name}/entry", name="clock")).json()["entry"] == CLOCK
    assert (await program.ask("alice", "GET /servers/{name}/entry", name="clock")).status_code == 404


async def test_a_change_says_which_state_it_was_made_from(program: Program) -> None:
    await program.register()
    tag = (await program.ask("bob", "GET /servers/{name}/entry", name="clock")).headers["etag"]
    changed = {**CLOCK, "support": "#clock"}
    put = "PUT /servers/{name}"
    without = await program.ask("bob", put, {"entry": changed}, name="clock")
    first = await program.ask("bob", put, {"entry": changed}, name="clock", if_match=tag)
    second = await program.ask("bob", put, {"entry": CLOCK}, name="clock", if_match=tag)
    garbled = await program.ask("bob", put, {"entry": CLOCK}, name="clock", if_match="*")

    assert (without.status_code, without.json()["code"]) == (428, "precondition-required")
    assert (first.status_code, first.json()["entry"]["support"]) == (200, "#clock")
    assert first.headers["etag"] != tag
    assert (second.status_code, second.json()["code"]) == (412, "precondition-failed")
    assert garbled.status_code == 400


@pytest.mark.parametrize("person", ["alice", "carol"])
async def test_only_owners_change_publish_and_move(program: Program, person: str) -> None:
    await program.deploy()
    put = await program.ask(person, "PUT /servers/{name}", {"entry": CLOCK}, name="clock", if_match='"1"')
    publish = await program.ask(person, "POST /servers/{name}/versions", {"manifest": MANIFEST}, name="clock")
    back = await program.ask(person, "POST /servers/{name}/rollback", {"version": "1", **WHY}, name="clock")

    assert {put.status_code, publish.status_code, back.status_code} == {403}
    assert (await program.step(person, "suspend")).json()["code"] == "not-yours"


async def test_nobody_reviews_their_own_nor_for_a_gate_that_is_not_theirs(program: Program) -> None:
    await program.done("carol", "POST /servers", {"name": "clock", "entry": CLOCK})
    await program.done("carol", "POST /servers/{name}/versions", {"manifest": MANIFEST}, name="clock")
    await program.step("carol", "submit")

    assert (await program.sign("carol", "security")).status_code == 403
    assert (await program.sign("dave", "security")).status_code == 403
    assert (await program.sign("dave", "legal")).status_code == 403
    assert not (await program.review("carol"))["gates"][0]["may_decide"]


async def test_reviews_are_hidden_with_their_server(program: Program) -> None:
    await program.register()
    await program.step("bob", "submit")
    review = await program.review()
    absent = await program.ask("alice", "GET /reviews/{id}", id="nothing-here")

    assert (await program.ask("alice", "GET /reviews/{id}", id=review["id"])).content == absent.content
    assert (await program.done("alice", "GET /reviews", query="?server=clock"))["reviews"] == []
    assert (
        await program.ask("alice", "POST /reviews/{id}/comments", {"text": "x"}, id=review["id"])
    ).status_code == 404
    said = await program.done("dave", "POST /reviews/{id}/comments", {"text": "which zone?"}, id=review["id"])
    assert [(each["by"], each["text"]) for each in said["comments"]] == [("dave", "which zone?")]


async def test_a_rejection_closes_the_review_and_the_state_says_so(program: Program) -> None:
    await program.register()
    await program.step("bob", "submit")
    review = await program.review()
    await program.sign("carol", "security", verdict="reject")
    again = await program.ask(
        "carol", "POST /reviews/{id}/decisions", {"gate": "security", "verdict": "approve", **WHY}, id=review["id"]
    )

    assert (again.status_code, again.json()["code"]) == (409, "review-closed")
    closed = await program.done("carol", "GET /reviews", query="?server=clock&state=closed")
    assert closed["reviews"][0]["gates"][0]["state"] == "rejected"
    assert (await program.step("bob", "deploy")).json()["code"] == "wrong-stage"


async def test_reviews_come_page_by_page(program: Program) -> None:
    first = await program.done("carol", "GET /reviews", query="?limit=1&state=any")
    second = await program.done("carol", "GET /reviews", query=f"?limit=1&state=any&cursor={first['next']}")

    assert first["reviews"][0]["id"] != second["reviews"][0]["id"]
    assert SPARK_REVIEW in {first["reviews"][0]["id"], second["reviews"][0]["id"]}


async def test_two_versions_are_compared(program: Program) -> None:
    await program.deploy()
    program.world.clock.seconds += 60
    changed = {**TOOL_FORM, "description": "The time now, exactly."}
    manifest = {**MANIFEST, "version": "2", "tools": [changed, {**TOOL_FORM, "name": "zones"}]}
    await program.done("bob", "POST /servers/{name}/versions", {"manifest": manifest}, name="clock")
    found = await program.done("bob", "GET /servers/{name}/diff", name="clock")
    whole = await program.done("bob", "GET /servers/{name}/versions/{version}", name="clock", version="2")

    assert (found["from"], found["to"]) == ("1", "2")
    assert [tool["name"] for tool in found["added"]] == ["zones"]
    assert [(each["name"], each["members"]) for each in found["changed"]] == [("now", ["description"])]
    assert "upstream" not in whole["manifest"]
    assert (await program.ask("bob", "GET /servers/{name}/diff", query="?from=9", name="clock")).status_code == 404


async def test_clients_get_an_earlier_version_back(program: Program) -> None:
    await program.deploy()
    manifest = {**MANIFEST, "version": "2", "description": "Tells the time, better."}
    await program.done("bob", "POST /servers/{name}/versions", {"manifest": manifest}, name="clock")
    submitted = (await program.step("bob", "submit", "2")).json()
    if submitted["stage"] == "in-review":
        for gate in (await program.review())["gates"]:
            person = {"security": "carol", "legal": "dave", "genai": "erin"}[gate["gate"]]
            await program.sign(person, gate["gate"])
    assert (await program.step("bob", "deploy", "2")).json()["is_current"] is True
    back = await program.done("bob", "POST /servers/{name}/rollback", {"version": "1", **WHY}, name="clock")

    assert back["current"] == "1"


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("POST /servers", {"name": "Clock!", "entry": CLOCK}),
        ("POST /servers", {"name": "clock", "entry": {"kind": "http"}}),
        ("POST /servers", {"name": "clock", "entry": {**CLOCK, "acess": "everyone"}}),
        ("POST /servers", {"name": "clock", "entry": []}),
        ("POST /servers", {"name": "clock"}),
        ("POST /servers/{name}/versions", {"manifest": {"version": "1"}}),
        ("POST /servers/{name}/versions", {"manifest": {**MANIFEST, "surprise": 1}}),
        ("POST /servers/{name}/versions", {"manifest": {**MANIFEST, "tools": [{**TOOL_FORM, "effect": "none"}]}}),
        ("POST /servers/{name}/versions", {"manifest": {**MANIFEST, "tools": [TOOL_FORM, TOOL_FORM]}}),
        ("POST /servers/{name}/versions/{version}/{step}", {}),
        ("POST /servers/{name}/versions/{version}/{step}", {"reason": ""}),
        ("POST /servers/{name}/versions/{version}/{step}", {"reason": "a\u202eb"}),
        ("POST /servers/{name}/versions/{version}/{step}", {"reason": "a\x00b"}),
        ("POST /servers/{name}/versions/{version}/{step}", {"reason": "a", "sunset_at": "soon"}),
        ("POST /servers/{name}/versions/{version}/{step}", {"reason": "a", "sunset_at": "2027-03-31"}),
        ("POST /servers/{name}/rollback", {"reason": "a"}),
    ],
)
async def test_what_cannot_be_taken_in_is_refused_with_what_is_wrong(
    program: Program, route: str, body: dict[str, object]
) -> None:
    if route != "POST /servers":
        await program.register()
    names = {"name": "clock"} if "{name}" in route else {}
    names |= {"version": "1", "step": "submit"} if "{step}" in route else {}
    answer = await program.ask("bob", route, body, **names)

    assert answer.status_code == 400
    assert answer.json()["message"]


async def test_a_name_that_is_taken_conflicts(program: Program) -> None:
    await program.register()
    answer = await program.ask("alice", "POST /servers", {"name": "clock", "entry": CLOCK})

    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")


@pytest.mark.parametrize("step", ["approve", "reject", "promote"])
async def test_what_follows_from_signatures_is_no_step_to_take(program: Program, step: str) -> None:
    await program.register()

    assert (await program.step("bob", step)).status_code == 404


@pytest.mark.parametrize(
    "said",
    [{"gate": "quality"}, {"verdict": "maybe"}, {"reason": " "}, {"expires_at": "never"}, {"conditions": [""]}],
)
async def test_a_decision_that_cannot_be_read_is_refused(program: Program, said: dict[str, object]) -> None:
    await program.register()
    await program.step("bob", "submit")
    body = {"gate": "security", "verdict": "approve", **WHY, **said}
    answer = await program.ask("carol", "POST /reviews/{id}/decisions", body, id=(await program.review())["id"])

    assert answer.status_code == 400


async def test_a_candidate_tells_what_publishing_would_give_and_keeps_nothing(program: Program) -> None:
    await program.done("bob", "POST /servers", {"name": "clock", "entry": CLOCK})
    route = "GET /servers/{name}/candidate"
    unknown = await program.ask("bob", route, name="clock")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "no-definitions")

    form = {**MANIFEST, "instructions": "", "upstream": "http://127.0.0.1:9001/mcp"}
    await program.world.site.registry.manifests.keep("clock", manifest_from_form(form), 0, ServerMoved(*[""] * 7))
    offered = await program.done("bob", route, name="clock")
    assert (offered["is_new"], offered["to"], offered["stage"], offered["from"]) == (True, "1", None, None)
    assert [tool["name"] for tool in offered["added"]] == ["now"]
    assert (await program.done("bob", "GET /servers/{name}/versions", name="clock"))["versions"] == []

    await program.done("bob", "POST /servers/{name}/versions", {}, name="clock")
    kept = await program.done("bob", route, name="clock")
    assert (kept["is_new"], kept["stage"], kept["run"]) == (False, "registered", offered["run"])
    assert (await program.ask("carol", route, name="clock")).status_code == 403
    assert (await program.ask("alice", route, name="clock")).status_code == 404


async def test_a_mask_is_not_taken_for_a_secret(program: Program) -> None:
    hidden = {**CLOCK, "url": "https://reader:***@clock.example/mcp"}
    refused = await program.ask("bob", "POST /servers", {"name": "clock", "entry": hidden})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad-entry")
    await program.register()
    tag = (await program.ask("bob", "GET /servers/{name}/entry", name="clock")).headers["etag"]
    refused = await program.ask("bob", "PUT /servers/{name}", {"entry": hidden}, name="clock", if_match=tag)
    assert "url" in refused.json()["message"]
