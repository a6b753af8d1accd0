"""A real gateway whose registry is killed: it decides by the last signed policy up to the age limit, then refuses."""

import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from tests.web_site import tool

from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.running import free_ports
from pierhead.core.catalog import Effect
from pierhead.usecases.wire_forms import Manifest, manifest_to_form

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PIERHEAD = (sys.executable, "-m", "pierhead.apps.cli")
#: Long enough that a slow machine makes its first calls in time, short enough to wait for.
AGES = {"PIERHEAD__POLICY__STALE_S": "12", "PIERHEAD__POLICY__EXPIRED_S": "16"}
WITHIN_S = 60.0
#: What becomes of a call that is permitted, its server being away; of one that is refused; of any, under an old policy.
PERMITTED, REFUSED, TOO_OLD = 502, 403, 503
FLEET = """
people: {alice: {groups: [data-eng]}, mallory: {groups: [ads]}}
servers:
  clock:
    kind: stdio
    command: [mcp-server-time]
    owner: data-platform
    support: "#help"
    access: {groups: [data-eng]}
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
"""
MANIFEST = Manifest("1", "", "http://127.0.0.1:1/mcp", (tool("now", "everyone", Effect.READ, 1, "The time."),))
GRANT = {"server": "clock", "ttl_s": 3600}
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "now",
        "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}


@contextmanager
def role(log: Path, *words: str, environment: Mapping[str, str]) -> Generator["subprocess.Popen[bytes]"]:
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*PIERHEAD, "run", *words], stdout=said, stderr=said, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(WITHIN_S)


def ready(url: str) -> None:
    """Once it answers at all."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            httpx2.get(f"{url}/healthz", timeout=WITHIN_S)
        except httpx2.TransportError:
            assert time.monotonic() < deadline, url
            time.sleep(0.1)
        else:
            return


def told(registry: str, data: Path, path: str, content: object) -> httpx2.Response:
    """What the registry's internal API answers."""
    key = (data / "keys" / "internal.key").read_text()
    headers = {"authorization": f"Bearer {key}"}
    answer = httpx2.post(f"{registry}/internal/v1{path}", json=content, headers=headers, timeout=WITHIN_S)
    assert answer.is_success, answer.text
    return answer


def decided(url: str, bearer: str) -> int:
    """What becomes of a call."""
    headers = {
        "authorization": f"Bearer {bearer}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "now",
    }
    return httpx2.post(f"{url}/mcp/clock", json=CALL, headers=headers, timeout=WITHIN_S).status_code


def until(wanted: int, url: str, bearer: str) -> set[int]:
    """Call until that becomes of it; what became of the calls before."""
    deadline, seen = time.monotonic() + WITHIN_S, set[int]()
    while (found := decided(url, bearer)) != wanted:
        assert time.monotonic() < deadline, (wanted, found)
        seen.add(found)
        time.sleep(0.1)
    return seen


def test_a_gateway_decides_without_its_registry_up_to_the_age_limit_and_then_refuses_everything(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    Keys.at(tmp_path).ensure(("clock",))
    ports = free_ports(3)
    registry, url = (f"http://127.0.0.1:{port}" for port in ports[:2])
    common = ("--data", str(tmp_path), "--public-url", url)
    at = ("--port", str(ports[1]), "--diagnostics-port", str(ports[2]), "--registry", registry)
    source = ("--fleet", str(tmp_path / "fleet.yaml"), "--port", str(ports[0]))
    with role(tmp_path / "gateway.log", "gateway", *at, *common, environment=AGES):
        with role(tmp_path / "registry.log", "registry", *source, *common, environment={}):
            ready(registry)
            told(registry, tmp_path, "/servers/clock/manifest", manifest_to_form(MANIFEST))
            people = {
                person: str(told(registry, tmp_path, "/tokens", {**GRANT, "person": person}).json()["token"])
                for person in ("alice", "mallory")
            }
            until(PERMITTED, url, people["alice"])
            assert decided(url, people["mallory"]) == REFUSED
        assert [decided(url, people[person]) for person in people] == [PERMITTED, REFUSED]
        assert until(TOO_OLD, url, people["alice"]) <= {PERMITTED}
        assert decided(url, people["mallory"]) == TOO_OLD
        with role(tmp_path / "again.log", "registry", *source, *common, environment={}):
            until(PERMITTED, url, people["alice"])
            assert decided(url, people["mallory"]) == REFUSED
