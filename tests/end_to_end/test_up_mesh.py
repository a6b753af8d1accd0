"""`pierhead up --mesh`: one server, reached from an IDE, through a chat surface, and by a workload alone."""

import json
import os
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.components import envoy, free_port
from tests.rigs.gateway import headers, message
from tests.running_platform import Up, eventually, family, pierhead, until_gone, up

from pierhead.bootstrap.wire_commands import console

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DOMAIN = "spiffe://demo.pierhead.local"
AGENT, CHAT = f"{DOMAIN}/agent/incident", f"{DOMAIN}/chat/assistant"
FLEET = f"""
people:
  alice: {{groups: [data-eng]}}
  bob: {{groups: [ads]}}
  frank: {{groups: [platform-admin]}}
workloads: ["{AGENT}", "{CHAT}"]
servers:
  time:
    kind: stdio
    command: [mcp-server-time, --local-timezone, UTC]
    owner: platform
    support: "#platform-help"
    access: {{groups: [data-eng], workloads: ["{AGENT}", "{CHAT}"]}}
    tools:
      get_current_time: {{policy: "group:data-eng or workload:{AGENT}", effect: read, minutes_saved: 1}}
      convert_time: {{policy: "group:data-eng or workload:{CHAT}", effect: read, minutes_saved: 1}}
"""


@dataclass(frozen=True)
class Meshed:
    """A platform behind its own Envoy."""

    up: Up
    url: str

    def post(self, method: str, body: bytes, *, workload: str = "", token: str = "", name: str = "") -> httpx2.Response:
        folder = self.up.data / "run" / "mesh"
        context = ssl.create_default_context(cafile=folder / "trust.pem")
        if workload:
            context.load_cert_chain(folder / "workloads" / f"{workload}.pem")
        sent = headers(method, name) | ({"authorization": f"Bearer {token}"} if token else {})
        with httpx2.Client(verify=context, trust_env=False, timeout=30) as client:
            return client.post(f"{self.url}/mcp/time", content=body, headers=sent)

    def explained(self, token: str, **who: str) -> dict[str, set[tuple[str, str]]]:
        """Which of its tools that caller may use, by which rules in which words, as an administrator is told it."""
        names = ("convert_time", "get_current_time")
        asked = {"questions": [{"server": "time", "tool": tool, **who} for tool in names]}
        context = ssl.create_default_context(cafile=self.up.data / "run" / "mesh" / "trust.pem")
        with httpx2.Client(verify=context, trust_env=False, timeout=30) as client:
            sent = {"authorization": f"Bearer {token}"}
            answer = client.post(f"{self.url}/api/v1/authorize/batch", json=asked, headers=sent)
        told = zip(names, answer.json()["decisions"], strict=True)
        return {
            tool: {(each["policy"], each["text"]) for each in one["reasons"]}
            for tool, one in told
            if one["decision"] == "permit"
        }

    def recorded(self, tool: str, **proofs: str) -> set[tuple[str, str]]:
        """By which rules in which words that tool was then permitted, as the record has it."""
        arguments = CONVERT if tool == "convert_time" else {"timezone": "UTC"}
        call = message("tools/call", {"name": tool, "arguments": arguments})
        assert "error" not in self.post("tools/call", call, name=tool, **proofs).json()
        lines = [json.loads(line) for line in self.up.tell("audit", "export").splitlines()]
        facts = [each["record"]["fact"] for each in lines if each["writer"] == "server-time"]
        started = [fact for fact in facts if fact["kind"] == "call-started" and fact["tool"] == tool]
        return {(reason["rule"], reason["sentence"]) for reason in started[-1]["reasons"]}

    def tools(self, **proofs: str) -> list[str]:
        answer = self.post("tools/list", message("tools/list"), **proofs)
        assert answer.status_code == 200, answer.text
        return sorted(tool["name"] for tool in answer.json()["result"]["tools"])


@contextmanager
def meshed(folder: Path) -> Iterator[Meshed]:
    (folder / "fleet.yaml").write_text(FLEET)
    port, admin = free_port(), free_port()
    place = f'{{"{CHAT}": {{"surface": "chat", "environment": "production"}}}}'
    settings = {"envoy": str(envoy()), "envoy_port": str(port), "envoy_admin_port": str(admin), "workloads": place}
    settings |= {"trust_domain": "demo.pierhead.local", "authz_timeout_s": "30"}
    given = {f"mesh__{name}": value for name, value in settings.items()}
    with up(folder / "data", folder / "fleet.yaml", "--mesh", **given) as running:
        yield Meshed(running, f"https://127.0.0.1:{port}")


def test_a_person_a_chat_surface_and_a_workload_reach_one_server_with_different_tools(tmp_path: Path) -> None:
    with meshed(tmp_path) as at:
        here = console(at.up.data)
        alice, bob = here.token("alice", "time", 3600), here.token("bob", "time", 3600)
        assert at.tools(token=alice) == ["convert_time", "get_current_time"]
        assert at.tools(token=alice, workload="chat-assistant") == ["convert_time"]
        assert at.tools(workload="agent-incident") == ["get_current_time"]
        assert at.post("tools/list", message("tools/list")).status_code == 401
        for workload in ("", "chat-assistant", "agent-incident"):
            assert at.post("tools/list", message("tools/list"), token=bob, workload=workload).status_code == 403

        faces = {
            "a person from an IDE": ({"token": alice}, {"user": "alice", "surface": "ide"}),
            "a person through a chat": (
                {"token": alice, "workload": "chat-assistant"},
                {"user": "alice", "workload": CHAT},
            ),
            "a workload alone": ({"workload": "agent-incident"}, {"workload": AGENT}),
        }
        for face, (proofs, who) in faces.items():
            explained = at.explained(at.up.token("frank"), **who)
            assert sorted(explained) == at.tools(**proofs), face
            for tool, rules in explained.items():
                assert at.recorded(tool, **proofs) == rules, (face, tool)

        call = message("tools/call", {"name": "convert_time", "arguments": CONVERT})
        done = at.post("tools/call", call, token=alice, workload="chat-assistant", name="convert_time")
        assert "Asia/Tokyo" in done.text
        record = at.up.tell("audit", "export")
        assert f'"principal":"alice via {CHAT}"' in record
        assert '"surface":"chat"' in record
        assert "Europe" in at.up.tell("call", "time", "get_current_time", "timezone=Europe/Berlin", "--as", "alice")

        def reached() -> str:
            return at.post("tools/list", message("tools/list"), workload="agent-incident").text

        at.up.tell("server", "suspend", "time", "--as", "frank", "--reason", "a test of what Envoy follows")
        eventually(lambda: reached() == "RBAC: access denied", "Envoy closes what was suspended")

        everyone = family(at.up.process.pid)
        os.kill(at.up.process.pid, signal.SIGKILL)
        until_gone(everyone)


CONVERT = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}


def test_without_an_envoy_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "pierhead.toml").write_text(f'[mesh]\nenvoy = "{tmp_path}/absent"\n')
    done = pierhead("up", "--mesh", "--data", str(tmp_path / "data"), "--config", str(tmp_path / "pierhead.toml"))
    assert done.returncode == 2
    assert "cause: no-envoy" in done.stderr
