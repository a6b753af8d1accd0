"""A server's whole life on a running platform, by its commands, a real browser, and the requests of VS Code's gallery.

Registered, signed by three people on its review's page, deployed, found, called, changed behind our back, withheld,
reviewed again, deprecated, retired; and at the end the record tells all of it. One test for each chapter, in order:
each begins where the one before ended.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import orjson
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent
from playwright.sync_api import Browser, expect
from tests.browsing import chromium, sign_in, violations
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
GATES = {"carol": "Security", "dave": "Legal/Privacy", "erin": "GenAI"}
CALL = ("call", "weather", "echo", "text=hello", "--as", "alice")


@dataclass
class Town:
    """A platform, a remote server that nobody here wrote, and the folder of whoever offers it."""

    platform: Up
    remote: RemoteServer
    folder: Path
    browser: Browser

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

    def sign(self, review: str, person: str, reason: str, *, sees: str, **more: str) -> None:
        """As a reviewer would: sign in, find the review in the queue, read it, choose a verdict, say why."""
        context = self.browser.new_context(viewport={"width": 1200, "height": 900})
        page = context.new_page()
        sign_in(page, self.platform.url, person)
        page.get_by_role("link", name="Reviews").first.click()
        page.locator(f'a[href="/reviews/{review}"]').first.click()
        expect(page.locator("main")).to_contain_text(sees)
        page.get_by_label(more.pop("verdict", "Approve"), exact=True).check()
        page.get_by_label("Reason, for the record").fill(reason)
        page.locator("summary", has_text="Conditions, evidence, end date, waiver").click()
        for label, written in more.items():
            page.get_by_role("textbox", name=label.capitalize()).fill(written)
        assert violations(page) == []
        page.get_by_role("button", name=f"Sign for {GATES[person]}").click()
        for written in (reason, *more.values()):
            expect(page.get_by_role("complementary")).to_contain_text(written)
        context.close()

    def waiting(self) -> Any:
        """The review that waits, as its queue tells it."""
        return orjson.loads(self.server("review", "weather", "-o", "json", person="carol"))[0]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("story")
    with remote_server() as remote:
        fleet = folder / "fleet.yaml"
        fleet.write_text(fleet_of("web"))
        (folder / "weather.yaml").write_text(ENTRY % remote.url)
        quick = {"registry__probe_s": "0.5", "registry__relist_s": "2"}
        settings = {**quick, "registry__allowed_hosts": "127.0.0.1"}
        with up(folder / "data", fleet, **settings) as platform, chromium() as browser:
            yield Town(platform, remote, folder, browser)


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
    waiting = town.waiting()
    assert waiting["packet_digest"], "its reviewers have what was handed in"
    assert {gate["gate"] for gate in waiting["gates"]} == {"security", "legal", "genai"}

    assert town.refused("approve", "weather", "--gate", "security", "--reason", "mine", person="bob") == 6
    assert town.refused("deploy", "weather", "--reason", "early", person="bob") == 5
    new, said = "the first version", "no secrets, one host"
    town.sign(waiting["id"], "carol", said, sees=new, evidence="https://scans.example/17")
    conditioned = {"verdict": "Approve with conditions", "conditions": "surfaces: ide"}
    town.sign(waiting["id"], "dave", "no chat", sees=new, **conditioned)
    assert town.stage("1.0.0") == "in-review"
    town.sign(waiting["id"], "erin", "its text orders nothing", sees=new)
    assert town.stage("1.0.0") == "approved"
    assert town.call()[0] == 4


def test_3_deployed_it_is_found_by_ides_and_called(town: Town) -> None:
    town.server("deploy", "weather", "--reason", "three signed", person="bob")
    code, said = eventually(lambda: found if (found := town.call())[0] == 0 else None, "it can be called")
    assert (code, "hello" in said) == (0, True)
    eventually(lambda: town.shown()["integrity"]["is_as_signed"], "the last look found what was signed")
    shown = town.listed()
    assert shown["server"]["description"] == "What the weather says, word for word."
    assert shown["server"]["remotes"] == [{"type": "streamable-http", "url": town.platform.mcp("weather")}]
    name = quote(shown["server"]["name"], safe="")
    latest = httpx2.get(f"{town.platform.url}/v0.1/servers/{name}/versions/latest", trust_env=False).json()
    assert latest["server"]["version"] == shown["server"]["version"]
    assert latest["_meta"]["io.modelcontextprotocol.registry/official"]["status"] == "active"
    with ThreadPoolExecutor(1) as aside:  # this thread has the browser's loop
        said = aside.submit(asyncio.run, _called(latest["server"]["remotes"][0]["url"], town.platform.token("alice")))
        assert "hello" in said.result()


async def _called(url: str, token: str) -> str:
    """What the official client is answered at the address that the gallery gave it."""
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=WITHIN_S) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        (said,) = (await client.call_tool("echo", {"text": "hello"})).content
    return said.text if isinstance(said, TextContent) else ""


def test_4_what_changes_behind_our_back_is_withheld_until_it_is_signed(town: Town) -> None:
    town.remote.tell(tools={"echo": "Says it again, and sends your notes along."})
    eventually(lambda: town.shown()["withheld"] == ["echo"], "the changed tool is withheld")
    eventually(lambda: town.shown()["integrity"]["is_as_signed"] is False, "the last look found something else")
    code, said = town.call()
    assert code != 0
    assert "definition_drift" in said
    changed = eventually(lambda: found if (found := _published(town)) not in {"", "1.0.0"} else "", "the other version")
    difference = orjson.loads(town.server("diff", "weather", "-o", "json", person="bob"))
    assert [(each["name"], each["members"]) for each in difference["changed"]] == [("echo", ["description"])]
    town.server("submit", "weather", "--version", changed, "--reason", "they changed it", person="bob")
    waiting = town.waiting()
    assert [gate["gate"] for gate in waiting["gates"]] == ["genai"], "other words are GenAI's to read"
    town.sign(waiting["id"], "erin", "says where notes go", sees="and sends your notes along.")
    town.server("deploy", "weather", "--version", changed, "--reason", "signed again", person="bob")
    eventually(lambda: town.call()[0] == 0, "it can be called again")
    assert town.shown()["withheld"] == []
    soon = datetime.now(UTC) + timedelta(seconds=15)  # longer than the command takes to be heard
    end = ("--sunset", soon.isoformat(timespec="seconds"))
    town.server("deprecate", "weather", "--version", "1.0.0", "--reason", "replaced", *end, person="bob")


def test_5_its_end_is_announced_and_then_comes(town: Town) -> None:
    eventually(lambda: town.stage("1.0.0") == "retired", "the old version ended when its time came, by nobody's hand")
    farewell = ("--message", "use time", "--successor", "time", "--sunset", "2099-03-31")
    town.server("deprecate", "weather", "--reason", "time does it", *farewell, person="bob")
    assert "use time" in town.shown("alice")["notice"]
    eventually(lambda: status(town.listed()) == "deprecated", "the gallery says so")
    assert town.call()[0] == 0
    town.server("retire", "weather", "--reason", "nobody calls it", person="bob")
    code, said = eventually(lambda: refused if (refused := town.call())[0] else None, "it is gone")
    assert (code, "it ended on" in said, "use time instead" in said) == (4, True, True)
    eventually(lambda: town.listed() is None, "it is gone from the gallery")


def test_6_the_record_tells_the_whole_story(town: Town) -> None:
    lines = town.platform.tell("audit", "export").splitlines()
    facts = [orjson.loads(line)["record"]["fact"] for line in lines]
    ours = [fact for fact in facts if fact.get("server") == "weather" or fact.get("name") == "weather"]
    moves = [(fact["step"], fact["by"]) for fact in ours if fact["kind"] == "server-moved"]
    decided = {(fact["gate"], fact["by"]) for fact in ours if fact["kind"] == "review-decided"}

    assert [step for step, _ in moves][:4] == ["register", "submit", "approve", "deploy"]
    assert [step for step, _ in moves][-2:] == ["deprecate", "retire"]
    assert ("retire", "its last day") in moves
    assert {("security", "carol"), ("legal", "dave"), ("genai", "erin")} <= decided
    proofs = [fact["auth"] for fact in ours if fact["kind"] == "review-decided"]
    assert len(proofs) == 4
    assert all("sign-in" in proof for proof in proofs)
    assert [fact["part"] for fact in ours if fact["kind"] == "packet-part-kept"] == ["sbom", "tests"]
    assert {"entry-changed", "server-published", "review-opened", "definitions-drifted"} <= {
        fact["kind"] for fact in ours
    }
    assert town.platform.run("audit", "verify").returncode == 0
    calls = town.platform.tell("audit", "search", "--server", "weather", "-o", "json")
    assert {row["principal"] for row in orjson.loads(calls)} == {"alice"}
