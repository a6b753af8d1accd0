"""The whole life of a server that its team runs: its own program, its own credential, behind the same gateway.

Registered, enrolled, started, reviewed by three people, found, called, asked for approval, changed by a restart,
withheld, reviewed again, deprecated, retired; and its record tells all of it. One test for each chapter, in order. At
the end a database is registered beside it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
import orjson
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from tests.galleries import listed, status
from tests.own_servers import OwnServer, own_server
from tests.running_platform import WITHIN_S, Up, eventually, up
from tests.towns import fleet_of

from pierhead.bootstrap.running import free_ports
from pierhead.core.enrolment import Enrolment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ENTRY = """
servers:
  lunch:
    kind: python
    url: http://127.0.0.1:%d/mcp
    title: Lunch
    description: What is cooked.
    owner: kitchen
    support: "#lunch"
    data_class: internal
    personal_data: true
    untrusted_results: true
    access: everyone
    approvers: [platform-admin]
"""
SHOP = {
    "kind": "sql",
    "url": {"env": "PIERHEAD_GUEST__SHOP__URL"},
    "owner": "kitchen",
    "support": "#shop",
    "access": "everyone",
    "roles": {"analyst": {"tables": ["orders"], "operations": ["read"]}},
}
GATES = {"security": "carol", "legal": "dave", "genai": "erin"}


@dataclass
class Town:
    """A platform, and a server that a team of the town runs."""

    platform: Up
    own: OwnServer
    tokens: dict[str, str] = field(default_factory=dict[str, str])

    def token(self, person: str) -> str:
        if person not in self.tokens:
            self.tokens[person] = self.platform.token(person)
        return self.tokens[person]

    def api(self, person: str, method: str, path: str, body: object = None) -> Any:
        headers = {"authorization": f"Bearer {self.token(person)}"}
        url = f"{self.platform.url}/api/v1{path}"
        answer = httpx2.request(method, url, json=body, headers=headers, trust_env=False, timeout=WITHIN_S)
        assert answer.is_success, answer.text
        return answer.json()

    def own_api(self, method: str, path: str, body: object = None) -> httpx2.Response:
        """What the server's own process may ask, asked by hand."""
        bearer = Enrolment.read(self.own.credential.read_text()).bearer
        headers = {"authorization": f"Bearer {bearer}"}
        url = f"{self.platform.url}/enrolled/v1{path}"
        return httpx2.request(method, url, json=body, headers=headers, trust_env=False, timeout=WITHIN_S)

    def call(self, person: str, tool: str, server: str = "lunch", **arguments: Any) -> str:
        """What a client of the official SDK is told, through the gateway: the answer, or why there is none."""

        async def asked() -> str:
            headers = {"authorization": f"Bearer {self.token(person)}"}
            async with (
                httpx2.AsyncClient(headers=headers, trust_env=False, timeout=WITHIN_S) as http,
                Client(streamable_http_client(self.platform.mcp(server), http_client=http), mode="legacy") as client,
            ):
                try:
                    answer = await client.call_tool(tool, arguments)
                except MCPError as refused:
                    return f"refused: {refused}"
                return str(answer.structured_content or answer.content)

        told = ""
        try:
            told = anyio.run(asked)
        except* (MCPError, httpx2.HTTPError) as refused:
            told = f"refused: {refused.exceptions}"
        return told

    def publishes(self, server: str = "lunch") -> str:
        """A version of what its process shows now; empty while nobody knows that."""
        headers = {"authorization": f"Bearer {self.token('bob')}"}
        url = f"{self.platform.url}/api/v1/servers/{server}/versions"
        answer = httpx2.post(url, json={}, headers=headers, trust_env=False, timeout=WITHIN_S)
        return str(answer.json()["version"]) if answer.is_success else ""

    def step(self, version: str, step: str, server: str = "lunch", **said: str) -> Any:
        return self.api("bob", "POST", f"/servers/{server}/versions/{version}/{step}", {"reason": "the story", **said})

    def signs(self, version: str, server: str = "lunch") -> set[str]:
        """Every gate of the open review decides; which those were."""
        self.step(version, "submit", server)
        (review,) = self.api("carol", "GET", "/reviews")["reviews"]
        waiting = {gate["gate"] for gate in review["gates"] if gate["state"] == "pending"}
        for gate in waiting:
            decision = {"gate": gate, "verdict": "approve", "reason": "read and fine"}
            self.api(GATES[gate], "POST", f"/reviews/{review['id']}/decisions", decision)
        return waiting

    def health(self) -> Any:
        return self.api("bob", "GET", "/servers/lunch/health?limit=1")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("own")
    fleet = folder / "fleet.yaml"
    fleet.write_text(fleet_of("kitchen"))
    (port,) = free_ports(1)
    (folder / "lunch.yaml").write_text(ENTRY % port)
    with closing(sqlite3.connect(folder / "shop.db")) as connection:
        connection.executescript("CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (4711);")
    quick = {"registry__probe_s": "0.5", "registry__allowed_hosts": "127.0.0.1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIERHEAD_GUEST__SHOP__URL", f"sqlite:///{folder / 'shop.db'}")
        with up(folder / "data", fleet, **quick) as platform, own_server(folder / "lunch", port) as own:
            yield Town(platform, own)


def test_1_it_is_registered_enrolled_and_started_and_is_not_callable_by_that(town: Town) -> None:
    town.platform.tell("server", "register", str(town.own.folder.parent / "lunch.yaml"), "--as", "bob")
    credential = ("server", "enrol", "lunch", "--to", str(town.own.credential))
    assert town.platform.run(*credential, "--as", "alice").returncode == 4
    town.platform.tell(*credential, "--as", "bob")
    assert town.own.credential.stat().st_mode & 0o077 == 0
    town.own.writes("What is cooked on a day of the week.")
    town.own.start()
    assert eventually(town.publishes, "its definitions are known") == "1.0.0"
    eventually(lambda: town.health()["condition"] == "up", "it is looked at like the others")
    assert "menu" not in town.call("alice", "menu", day="friday")
    assert listed(town.platform.url, "lunch") is None
    assert "server lunch" not in town.platform.children(), "the platform runs a process of it"


def test_2_three_people_sign_it_and_it_is_found_and_called(town: Town) -> None:
    assert town.signs("1.0.0") == {"security", "legal", "genai"}
    town.step("1.0.0", "deploy")
    eventually(lambda: "soup" in town.call("alice", "menu", day="friday"), "it can be called")
    shown = listed(town.platform.url, "lunch")
    assert shown["server"]["remotes"] == [{"type": "streamable-http", "url": town.platform.mcp("lunch")}]
    assert status(shown) == "active"


def test_3_it_decides_by_itself_who_may_use_what_and_asks_people(town: Town) -> None:
    assert "Unknown tool: stock" in town.call("alice", "stock")
    asked = town.call("alice", "cater", people=12)
    assert "approval" in asked
    (waiting,) = town.api("frank", "GET", "/approvals?state=pending")["approvals"]
    shown = town.api("frank", "GET", f"/approvals/{waiting['id']}")
    answer = {"digest": shown["digest"], "verdict": "approve", "comment": "go"}
    town.api("frank", "POST", f"/approvals/{waiting['id']}/decisions", answer)
    assert "soup for 12" in town.call("alice", "cater", people=12)


def test_4_its_credential_opens_nothing_that_is_not_its_own(town: Town) -> None:
    seen = orjson.loads(town.own_api("GET", "/snapshot").json()["payload"])
    assert [server["name"] for server in seen["servers"]] == ["lunch"]
    assert {row["server"] for row in seen["rows"]} == {"lunch"}
    for method, path in (("GET", "/entries"), ("GET", "/audit"), ("POST", "/tokens"), ("GET", "/servers/states")):
        assert town.own_api(method, path).status_code in {404, 405}
    manifest = {"version": "9", "description": "", "upstream": "", "instructions": "", "tools": []}
    assert town.own_api("POST", "/servers/time/manifest", manifest).status_code == 403
    assert town.own_api("POST", "/facts", {"writer": "server-time", "records": []}).status_code == 403
    assert town.own_api("POST", "/facts", {"writer": "gateway", "records": []}).status_code == 403
    wrong = httpx2.get(f"{town.platform.url}/enrolled/v1/snapshot", headers={"authorization": "Bearer ps_lunch"})
    assert wrong.status_code == 401


def test_5_what_it_says_otherwise_after_a_restart_is_withheld_until_it_is_signed(town: Town) -> None:
    town.own.end()
    eventually(lambda: town.health()["condition"] == "down", "somebody saw that it is gone")
    town.own.writes("What is cooked, and what else you ate.", "1.1.0")
    town.own.start()
    shown = eventually(lambda: town.api("bob", "GET", "/servers/lunch")["withheld"], "its changed tool is withheld")
    assert shown == ["menu"]
    assert "soup" not in town.call("alice", "menu", day="friday")
    changed = eventually(town.publishes, "the other version is there")
    assert changed == "1.1.0"
    assert "genai" in town.signs(changed)
    town.step(changed, "deploy")
    eventually(lambda: "soup" in town.call("alice", "menu", day="friday"), "it can be called again")
    town.step("1.0.0", "deprecate")
    town.step("1.0.0", "retire")


def test_6_another_credential_ends_the_first_at_both_ends(town: Town) -> None:
    town.platform.tell("server", "enrol", "lunch", "--to", str(town.own.credential), "--as", "bob")
    eventually(lambda: "soup" not in town.call("alice", "menu", day="friday"), "the old one is worth nothing")
    town.own.end()
    town.own.start()
    eventually(lambda: "soup" in town.call("alice", "menu", day="friday"), "the new one is")


def test_7_its_end_is_announced_and_comes_and_ends_its_credential(town: Town) -> None:
    town.step("1.1.0", "deprecate", message="use time")
    eventually(lambda: status(listed(town.platform.url, "lunch")) == "deprecated", "the gallery says so")
    assert "soup" in town.call("alice", "menu", day="friday")
    town.step("1.1.0", "retire")
    eventually(lambda: "soup" not in town.call("alice", "menu", day="friday"), "it is gone")
    eventually(lambda: listed(town.platform.url, "lunch") is None, "it is gone from the gallery")
    assert town.own_api("GET", "/snapshot").status_code == 401


def test_8_the_record_tells_the_whole_story(town: Town) -> None:
    lines = [orjson.loads(line) for line in town.platform.tell("audit", "export").splitlines()]
    facts = [line["record"]["fact"] for line in lines]
    ours = [fact for fact in facts if fact.get("server") == "lunch"]
    assert {"entry-changed", "server-enrolled", "server-published", "review-opened", "definitions-drifted"} <= {
        fact["kind"] for fact in ours
    }
    decided = {(fact["gate"], fact["by"]) for fact in ours if fact["kind"] == "review-decided"}
    assert set(GATES.items()) <= decided
    own = [line["record"]["fact"] for line in lines if line["writer"] == "server-lunch"]
    assert {(fact["kind"], fact.get("tool", "")) for fact in own} >= {
        ("call-started", "menu"),
        ("call-refused", "stock"),
        ("call-started", "cater"),
        ("call-finished", ""),
    }
    assert town.platform.run("audit", "verify").returncode == 0


def test_9_a_database_that_the_operator_set_aside_is_registered_reviewed_and_asked(town: Town) -> None:
    town.api("bob", "POST", "/servers", {"name": "shop", "entry": SHOP})
    version = eventually(lambda: town.publishes("shop"), "its definitions are known")
    assert "shop.db" not in str(town.api("bob", "GET", "/servers/shop/entry"))
    town.signs(version, "shop")
    town.step(version, "deploy", "shop")
    town.tokens.clear()  # those of before name the servers that there were then
    query = "select id from orders"
    eventually(lambda: "4711" in town.call("alice", "run_query", "shop", sql=query), "it can be asked")
