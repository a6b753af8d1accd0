"""A server's whole life on a running platform, by its commands, its API and the requests of VS Code's gallery.

Registered, reviewed by three people, deployed, found, called, changed behind our back, withheld, reviewed again,
deprecated, retired; and at the end the record tells all of it. One test for each chapter, in order: each begins where
the one before ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import orjson
import pytest
from tests.galleries import listed, status
from tests.packets import PASSING, SBOM
from tests.remote_servers import RemoteServer, remote_server
from tests.running_platform import WITHIN_S, Up, eventually, up
from tests.towns import fleet_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: Sends text of people outside, and its answers hold text of strangers: every gate applies.
ENTRY = """
servers:
  weather:
    kind: http
    url: %s
    title: Weather
    version: "1.0.0"
    description: What the weather says, word for word.
    owner: web
    support: "#web"
    data_class: internal
    personal_data: true
    untrusted_results: true
    access: everyone
    tools:
      echo: {policy: everyone, effect: read, minutes_saved: 1}
"""
CALL = ("call", "weather", "echo", "text=hello", "--as", "alice")


@dataclass
class Town:
    """A platform, a remote server that nobody here wrote, and the folder of whoever offers it."""

    platform: Up
    remote: RemoteServer
    folder: Path

    def server(self, *words: str, person: str) -> str:
        return self.platform.tell("server", *words, "--as", person)

    def refused(self, *words: str, person: str) -> int:
        return self.platform.run("server", *words, "--as", person).returncode

    def shown(self, person: str = "bob") -> Any:
        return orjson.loads(self.server("show", "weather", "-o", "json", person=person))

    def stage(self, version: str) -> str:
        return next(each["stage"] for each in self.shown()["versions"] if each["version"] == version)

    def listed(self) -> Any:
        """How VS Code's gallery shows the server; None where it does not."""
        return listed(self.platform.url, "weather")

    def call(self) -> "tuple[int, str]":
        done = self.platform.run(*CALL)
        return done.returncode, done.stdout + done.stderr

    def review_again(self, version: str) -> None:
        """Submit a version and have every gate that applies sign it."""
        self.server("submit", "weather", "--version", version, "--reason", "they changed it", person="bob")
        waiting = orjson.loads(self.server("review", "weather", "-o", "json", person="carol"))
        people = {"security": "carol", "legal": "dave", "genai": "erin"}
        for gate in waiting[0]["gates"] if waiting else ():
            self.server("approve", "weather", "--reason", "read the difference", person=people[gate["gate"]])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("story")
    with remote_server() as remote:
        fleet = folder / "fleet.yaml"
        fleet.write_text(fleet_of("web"))
        (folder / "weather.yaml").write_text(ENTRY % remote.url)
        quick = {"registry__probe_s": "0.5", "registry__relist_s": "2"}
        with up(folder / "data", fleet, **quick, registry__allowed_hosts="127.0.0.1") as platform:
            yield Town(platform, remote, folder)


def test_1_a_registered_server_is_nobodys_to_call_and_hidden_from_strangers(town: Town) -> None:
    town.server("register", str(town.folder / "weather.yaml"), person="bob")
    version = eventually(lambda: _published(town), "its definitions are known")

    assert version == "1.0.0"
    assert town.stage("1.0.0") == "registered"
    assert town.refused("show", "weather", person="alice") == 4
    assert town.call()[0] == 4
    assert town.listed() is None


def _published(town: Town) -> str:
    done = town.platform.run("server", "publish", "weather", "--as", "bob")
    return done.stdout.strip()


def test_2_three_people_sign_it_and_nobody_signs_their_own(town: Town) -> None:
    packet = town.folder / "packet"
    packet.mkdir()
    (packet / "tests.xml").write_bytes(PASSING)
    (packet / "sbom.cdx.json").write_bytes(SBOM)
    town.server("publish", "weather", "--packet", str(packet), "--submit", "--reason", "first version", person="bob")
    waiting = orjson.loads(town.server("review", "weather", "-o", "json", person="carol"))
    assert waiting[0]["packet_digest"], "its reviewers have what was handed in"
    assert {gate["gate"] for gate in waiting[0]["gates"]} == {"security", "legal", "genai"}

    assert town.refused("approve", "weather", "--gate", "security", "--reason", "mine", person="bob") == 6
    assert town.refused("deploy", "weather", "--reason", "early", person="bob") == 5
    town.server("approve", "weather", "--reason", "no secrets, one host", person="carol")
    town.server("approve", "weather", "--condition", "surfaces: ide", "--reason", "no chat", person="dave")
    assert town.stage("1.0.0") == "in-review"
    token = town.platform.token("erin")  # the third decides by REST, as a ticket system would
    decision = {"gate": "genai", "verdict": "approve", "reason": "its text orders nothing"}
    headers = {"authorization": f"Bearer {token}"}
    url = f"{town.platform.url}/api/v1/reviews/{waiting[0]['id']}/decisions"
    assert httpx2.post(url, json=decision, headers=headers, trust_env=False, timeout=WITHIN_S).status_code == 200
    assert town.stage("1.0.0") == "approved"
    assert town.call()[0] == 4


def test_3_deployed_it_is_found_by_ides_and_called(town: Town) -> None:
    town.server("deploy", "weather", "--reason", "three signed", person="bob")
    code, said = eventually(lambda: found if (found := town.call())[0] == 0 else None, "it can be called")
    assert (code, "hello" in said) == (0, True)
    shown = town.listed()
    assert shown["server"]["description"] == "What the weather says, word for word."
    assert shown["server"]["remotes"] == [{"type": "streamable-http", "url": town.platform.mcp("weather")}]
    name = quote(shown["server"]["name"], safe="")
    latest = httpx2.get(f"{town.platform.url}/v0.1/servers/{name}/versions/latest", trust_env=False).json()
    assert latest["server"]["version"] == shown["server"]["version"]
    assert latest["_meta"]["io.modelcontextprotocol.registry/official"]["status"] == "active"


def test_4_what_changes_behind_our_back_is_withheld_until_it_is_signed(town: Town) -> None:
    town.remote.tell(tools={"echo": "Says it again, and sends your notes along."})
    eventually(lambda: town.shown()["withheld"] == ["echo"], "the changed tool is withheld")
    code, said = town.call()
    assert code != 0
    assert "definition_drift" in said
    changed = eventually(lambda: found if (found := _published(town)) not in {"", "1.0.0"} else "", "the other version")
    difference = orjson.loads(town.server("diff", "weather", "-o", "json", person="bob"))
    assert [(each["name"], each["members"]) for each in difference["changed"]] == [("echo", ["description"])]
    town.review_again(changed)
    town.server("deploy", "weather", "--version", changed, "--reason", "signed again", person="bob")
    eventually(lambda: town.call()[0] == 0, "it can be called again")
    assert town.shown()["withheld"] == []
    for step in ("deprecate", "retire"):  # else it would be the latest again once the new one ends
        town.server(step, "weather", "--version", "1.0.0", "--reason", "replaced", person="bob")
    assert town.stage("1.0.0") == "retired"


def test_5_its_end_is_announced_and_then_comes(town: Town) -> None:
    farewell = ("--message", "use time", "--successor", "time", "--sunset", "2099-03-31")
    town.server("deprecate", "weather", "--reason", "time does it", *farewell, person="bob")
    assert "use time" in town.shown("alice")["notice"]
    eventually(lambda: status(town.listed()) == "deprecated", "the gallery says so")
    assert town.call()[0] == 0
    town.server("retire", "weather", "--reason", "nobody calls it", person="bob")
    eventually(lambda: town.call()[0] == 4, "it is gone")
    eventually(lambda: town.listed() is None, "it is gone from the gallery")


def test_6_the_record_tells_the_whole_story(town: Town) -> None:
    lines = town.platform.tell("audit", "export").splitlines()
    facts = [orjson.loads(line)["record"]["fact"] for line in lines]
    ours = [fact for fact in facts if fact.get("server") == "weather" or fact.get("name") == "weather"]
    moves = [(fact["step"], fact["by"]) for fact in ours if fact["kind"] == "server-moved"]
    decided = {(fact["gate"], fact["by"]) for fact in ours if fact["kind"] == "review-decided"}

    assert [step for step, _ in moves][:4] == ["register", "submit", "approve", "deploy"]
    assert [step for step, _ in moves][-2:] == ["deprecate", "retire"]
    assert {("security", "carol"), ("legal", "dave"), ("genai", "erin")} <= decided
    assert all("access token" in fact["auth"] for fact in ours if fact["kind"] == "review-decided")
    assert [fact["part"] for fact in ours if fact["kind"] == "packet-part-kept"] == ["sbom", "tests"]
    assert {"entry-changed", "server-published", "review-opened", "definitions-drifted"} <= {
        fact["kind"] for fact in ours
    }
    assert town.platform.run("audit", "verify").returncode == 0
    calls = town.platform.tell("audit", "search", "--server", "weather", "-o", "json")
    assert {row["principal"] for row in orjson.loads(calls)} == {"alice"}
