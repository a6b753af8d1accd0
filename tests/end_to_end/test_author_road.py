"""An author's road on the real platform: from nothing to a governed call, and to a version before its reviewers.

One project, one platform. The parts are tested where they live: templates (`integration/test_templates`), the plug-in
(`unit/sdk/test_pytest_plugin`), what is handed in (`unit/bootstrap/test_publish`).
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.running_platform import PIERHEAD, Up, up

from pierhead.adapters.publisher_key import PublisherKey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass
class Road:
    project: Path
    running: Up

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        flags = ("--data", str(self.running.data))
        return subprocess.run(
            [*PIERHEAD, *arguments, *flags], cwd=self.project, capture_output=True, text=True, timeout=120, check=False
        )


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    place = tmp_path_factory.mktemp("road")
    new = ("new", "lunch", "--owner", "kitchen", "--support", "#lunch")
    subprocess.run([*PIERHEAD, *new], cwd=place, check=True, capture_output=True)
    project = place / "lunch"
    key = PublisherKey.at(project / "publisher.key")
    settings = {"registry__allowed_hosts": "127.0.0.1", "review__keys": f"kitchen={key.public}"}
    with up(place / "data", project / "fleet.yaml", **settings) as running:
        yield Road(project, running)


def test_the_new_tool_is_called_under_the_platform(road: Road) -> None:
    done = road.run("call", "lunch", "add_note", "text=Lunch moves to noon.", "--as", "alice")
    assert json.loads(done.stdout)["by"] == "alice", done.stderr
    refused = road.run("call", "lunch", "list_notes", "--as", "bob")
    assert refused.returncode != 0
    waiting = road.run("call", "lunch", "delete_note", "number=1", "--as", "alice")
    assert "approval_required" in waiting.stdout


def test_a_server_is_registered_handed_in_and_submitted_by_one_command(road: Road) -> None:
    """As a server that its team runs elsewhere: the same project under another name."""
    for name in ("pyproject.toml", "fleet.yaml", "lunch/server.py"):
        file = road.project / name
        file.write_text(file.read_text().replace("  lunch:", "  dinner:").replace('"lunch",', '"dinner",'))
    (road.project / "tests.xml").write_text('<testsuites><testsuite><testcase name="a"/></testsuite></testsuites>')
    tested = ("publish", "--tests", "tests.xml", "--as", "alice")
    unknown = road.run(*tested)
    assert "cause: not-registered" in unknown.stderr
    assert not (road.project / "packet").exists(), "something was made before the registry was asked"
    first = road.run(*tested, "--url", "http://127.0.0.1:9876/mcp", "--reason", "first version")
    assert "dinner 0.1.0: in-review" in first.stdout, first.stderr
    again = road.run(*tested)
    assert "dinner 0.1.0: in-review" in again.stdout, again.stderr
    path = f"{road.running.url}/api/v1/servers/dinner/versions/0.1.0/packet"
    headers = {"authorization": f"Bearer {road.running.token('alice')}"}
    packet = httpx2.get(path, headers=headers, trust_env=False).json()
    assert {name for name, part in packet["parts"].items() if part} == {"tests", "sbom", "signature"}
    assert packet["parts"]["sbom"]["told"]["components"] > 20, packet
    assert packet["signature"]["key"] == "kitchen", packet
    assert packet["signature"]["over"] == ["tools"], packet
