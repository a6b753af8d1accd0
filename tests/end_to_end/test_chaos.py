"""Processes are killed while callers call: the others go on, the killed one comes back, and the record stays whole.

Eight callers send calls that each differ by a byte, so that every intent in a journal can be told from every other.
One platform and one load serve all rounds; what the journals must say is checked once, when everything has stopped.
"""

import asyncio
import hashlib
import json
import os
import secrets
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.running_platform import WITHIN_S, Up, eventually, pierhead, up

from pierhead.adapters.journal.reader import read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CALLERS = {"warehouse": 4, "time": 4}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "chaos", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
#: Pairs of flights: more than any engine counts within its minute.
ENDLESS = "select count(*) as pairs from flights a, flights b where a.distance + b.distance < {number}"
#: How many calls must be seen to succeed before, while and after a process is away.
ENOUGH = 5


@dataclass
class Sent:
    """One call as its client saw it. `digest` is what the gateway's intent names it by."""

    server: str
    digest: str
    is_slow: bool = False
    succeeded: bool = False
    ended: bool = False


@dataclass
class Load:
    """Callers in a thread of their own, until `stopping`. A call that fails is never sent again: the next one is."""

    platform: Up
    token: str
    sent: list[Sent] = field(default_factory=list[Sent])
    stopping: threading.Event = field(default_factory=threading.Event)
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def succeeded(self, server: str) -> int:
        return sum(1 for one in list(self.sent) if one.server == server and one.succeeded)

    def more(self, server: str, what: str) -> None:
        """Wait until that server has answered several calls sent from now on."""
        start = len(self.sent)
        eventually(
            lambda: sum(1 for one in self.sent[start:] if one.server == server and one.succeeded) >= ENOUGH,
            f"{server} answers {what}",
        )

    async def run(self) -> None:
        limits = httpx2.Limits(max_connections=sum(CALLERS.values()))
        headers = {"authorization": f"Bearer {self.token}"}
        async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=WITHIN_S, limits=limits) as http:
            callers = [self._caller(http, server) for server, number in CALLERS.items() for _ in range(number)]
            await asyncio.gather(*callers)

    async def _caller(self, http: httpx2.AsyncClient, server: str) -> None:
        while not self.stopping.is_set():
            await self.call(http, server)
            await asyncio.sleep(0.02)  # the pace of the load: this machine has other work too

    async def call(self, http: httpx2.AsyncClient, server: str, *, is_slow: bool = False) -> None:
        number = next(self.numbers)
        tool, arguments = _asked(server, number, is_slow=is_slow)
        params = {"name": tool, "arguments": arguments, "_meta": META}
        body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode()
        one = Sent(server, hashlib.sha256(body).hexdigest(), is_slow)
        self.sent.append(one)
        try:
            answer = await http.post(self.platform.mcp(server), content=body, headers=_headers(tool))
            one.succeeded = answer.status_code == 200 and answer.json().get("result", {}).get("isError") is False
        except (httpx2.HTTPError, ValueError):
            pass
        finally:
            one.ended = True

    def start_slow(self) -> Sent:
        """A query that does not end by itself, sent by a client of its own."""

        async def ask() -> None:
            async with httpx2.AsyncClient(headers={"authorization": f"Bearer {self.token}"}, trust_env=False) as http:
                http.timeout = httpx2.Timeout(WITHIN_S)
                await self.call(http, "warehouse", is_slow=True)

        known = len([one for one in list(self.sent) if one.is_slow])
        threading.Thread(target=asyncio.run, args=(ask(),), daemon=True).start()
        return eventually(lambda: [one for one in list(self.sent) if one.is_slow][known:], "the query is sent")[0]


def _asked(server: str, number: int, *, is_slow: bool) -> tuple[str, dict[str, object]]:
    if is_slow:
        return "run_query", {"sql": ENDLESS.format(number=-number), "timeout_s": 60}
    if server == "warehouse":
        return "run_query", {"sql": f"select count(*) as n, {number} as call from airlines"}
    return "get_current_time", {"timezone": "UTC"}


def _headers(tool: str) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }


@contextmanager
def load_on(platform: Up) -> Iterator[Load]:
    load = Load(platform, platform.token("alice"))
    thread = threading.Thread(target=asyncio.run, args=(load.run(),), daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stopping.set()
        thread.join(WITHIN_S)
    assert not thread.is_alive()


@contextmanager
def watching(platform: Up) -> Iterator[set[tuple[str, str]]]:
    """Every (server, state) that the servers page shows meanwhile."""
    seen: set[tuple[str, str]] = set()
    ended = threading.Event()

    def watch() -> None:
        with platform.browsing("frank") as browser:
            while not ended.is_set():
                try:
                    listed = browser.get("/servers.json").json()["servers"]
                except (httpx2.HTTPError, ValueError, KeyError):
                    continue  # gateway or registry is away: that is what this test does
                finally:
                    ended.wait(0.05)
                seen.update((line["name"], line["process"]["state"]) for line in listed)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join(WITHIN_S)


def facts(data: Path, writer: str) -> list[dict[str, Any]]:
    return [json.loads(record.payload) for record in read(data / "journal" / writer)]


def is_begun(platform: Up, writer: str, sent: Sent) -> bool:
    """Whether that writer's intent of a call is on disk."""
    ids = {fact["call_id"] for fact in facts(platform.data, "gateway") if fact.get("arguments_digest") == sent.digest}
    begun = {fact["call_id"] for fact in facts(platform.data, writer) if fact["kind"] == "call-started"}
    return bool(ids & begun)


def kill(platform: Up, role: str) -> int:
    """SIGKILL; the process that was."""
    pid = platform.children()[role]
    os.kill(pid, signal.SIGKILL)
    return pid


def until_back(platform: Up, role: str, killed: int) -> None:
    eventually(lambda: platform.children().get(role, killed) != killed, f"{role} is started again")


def random_moment(load: Load) -> None:
    """Some calls later, and nobody knows how many."""
    wanted = len(load.sent) + 10 + secrets.randbelow(50)
    eventually(lambda: len(load.sent) >= wanted, "the load goes on")


def round_of_a_server(platform: Up, load: Load, seen: set[tuple[str, str]]) -> None:
    slow = load.start_slow()
    eventually(lambda: is_begun(platform, "server-warehouse", slow), "the slow query has begun")
    random_moment(load)
    killed = kill(platform, "server warehouse")
    load.more("time", "while the warehouse is away")
    assert said(platform, "server-warehouse", "running") == 1
    eventually(lambda: slow.ended, "its caller is told")
    assert not slow.succeeded
    until_back(platform, "server warehouse", killed)
    load.more("warehouse", "again")
    eventually(lambda: ("warehouse", "restarting") in seen, "the page shows that it restarts")
    eventually(lambda: said(platform, "server-warehouse", "running") == 2, "and that it runs")


def round_of_the_gateway(platform: Up, load: Load, seen: set[tuple[str, str]]) -> None:
    slow = load.start_slow()
    eventually(lambda: is_begun(platform, "server-warehouse", slow), "the slow query has begun")
    servers = {role: pid for role, pid in platform.children().items() if role != "gateway"}
    random_moment(load)
    killed = kill(platform, "gateway")
    eventually(lambda: slow.ended, "its caller is told")
    until_back(platform, "gateway", killed)
    load.more("warehouse", "through the new gateway")
    load.more("time", "through the new gateway")
    assert servers.items() <= platform.children().items()


def round_of_the_registry(platform: Up, load: Load, seen: set[tuple[str, str]]) -> None:
    random_moment(load)
    killed = kill(platform, "registry")
    load.more("warehouse", "without the registry")
    load.more("time", "without the registry")
    assert said(platform, "registry", "running") == 1
    until_back(platform, "registry", killed)
    eventually(lambda: said(platform, "registry", "running") == 2, "the registry is back")
    load.more("warehouse", "with the new registry")


def round_of_a_server_and_the_registry(platform: Up, load: Load, seen: set[tuple[str, str]]) -> None:
    """The server may be back before the registry that should hear of it."""
    server = kill(platform, "server warehouse")
    eventually(lambda: states(platform).get("warehouse") == "restarting", "the page shows that it restarts")
    registry = kill(platform, "registry")
    load.more("time", "meanwhile")
    until_back(platform, "server warehouse", server)
    until_back(platform, "registry", registry)
    load.more("warehouse", "again")
    eventually(lambda: states(platform).get("warehouse") == "running", "the page shows that it runs")


def round_of_the_guest(platform: Up, load: Load, seen: set[tuple[str, str]]) -> None:
    guard, guest = platform.children()["server time"], platform.guest("time")
    assert guest
    random_moment(load)
    os.kill(guest, signal.SIGKILL)
    load.more("warehouse", "while the guest is away")
    eventually(lambda: platform.guest("time") not in {0, guest}, "the guest is started again")
    load.more("time", "again")
    assert platform.children()["server time"] == guard
    eventually(lambda: ("time", "restarting") in seen, "the page shows that it restarts")


def states(platform: Up) -> dict[str, str]:
    """What the servers page shows now; nothing while the registry is away."""
    try:
        with platform.browsing("frank") as browser:
            listed = browser.get("/servers.json").json()["servers"]
    except (httpx2.HTTPError, AssertionError):
        return {}
    return {line["name"]: line["process"]["state"] for line in listed}


def said(platform: Up, name: str, state: str) -> int:
    """How often the terminal said so."""
    lines = [line.split() for line in platform.log.read_text().splitlines()]
    return sum(1 for words in lines if words[2:4] == [name, state])


ROUNDS = (
    round_of_a_server,
    round_of_the_gateway,
    round_of_the_registry,
    round_of_a_server_and_the_registry,
    round_of_the_guest,
)


def test_whatever_is_killed_under_load_nothing_runs_unrecorded_or_twice(tmp_path: Path) -> None:
    with up(tmp_path / "data") as platform:
        with load_on(platform) as load, watching(platform) as seen:
            for one_round in ROUNDS:
                one_round(platform, load, seen)
        assert platform.stop() == 0, platform.log.read_text()
    for name, times in {"server-warehouse": 2, "registry": 2, "gateway": 1}.items():
        assert said(platform, name, "restarting") == times
    verified = platform.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr

    gateway = _Told(facts(platform.data, "gateway"))
    servers = {name: _Told(facts(platform.data, f"server-{name}")) for name in CALLERS}
    _check_each_call(load, gateway, servers)
    slow_by_server, slow_by_gateway = [gateway.ids[one.digest][0] for one in load.sent if one.is_slow]
    assert servers["warehouse"].ends[slow_by_server] == ["lost"]
    assert gateway.ends[slow_by_server] == ["upstream_error"]
    assert gateway.ends[slow_by_gateway] == ["lost"]
    assert servers["warehouse"].ends[slow_by_gateway] == ["cancelled"]
    _check_that_a_changed_byte_shows(platform, tmp_path / "copy")


class _Told:
    """What one journal says: calls by what was sent, intents in order, and how each ended."""

    def __init__(self, told: list[dict[str, Any]]) -> None:
        self.ids: dict[str, list[str]] = {}
        self.begun: Counter[str] = Counter()
        self.ends: dict[str, list[str]] = {}
        for fact in told:
            call_id = fact.get("call_id", "")
            if fact["kind"] == "call-started":
                self.begun[call_id] += 1
                self.ids.setdefault(fact["arguments_digest"], []).append(call_id)
            elif fact["kind"] in {"call-finished", "call-lost"}:
                assert call_id in self.begun, f"{call_id} ended, and never began"
                self.ends.setdefault(call_id, []).append(fact.get("outcome", "lost"))


def _check_each_call(load: Load, gateway: _Told, servers: dict[str, _Told]) -> None:
    """One intent and one end a call, in every journal; whoever saw a success finds it on the server's."""
    for told in (gateway, *servers.values()):
        assert set(told.begun.values()) == {1}
        assert told.begun.keys() == told.ends.keys()
        assert {len(ends) for ends in told.ends.values()} == {1}
    for one in load.sent:
        calls = gateway.ids.get(one.digest, [])
        assert len(calls) <= 1, "the gateway took one request twice"
        if one.succeeded:
            assert servers[one.server].ends[calls[0]] == ["ok"]
    for told in servers.values():
        assert told.begun.keys() <= gateway.begun.keys(), "a server ran what the gateway never sent"
    assert min(load.succeeded(server) for server in CALLERS) > ENOUGH * len(ROUNDS)


def _check_that_a_changed_byte_shows(platform: Up, copy: Path) -> None:
    shutil.copytree(platform.data / "journal", copy / "journal")
    file = copy / "journal" / "server-warehouse" / "00000001.jsonl"
    content = bytearray(file.read_bytes())
    place = content.rindex(b'"run_query"')
    content[place + 1] ^= 1
    file.write_bytes(content)
    number = content[:place].count(b"\n") + 1
    broken = pierhead("audit", "verify", "--data", str(copy))
    assert broken.returncode == 8, broken.stdout + broken.stderr
    assert f"server-warehouse/00000001.jsonl line {number}: record {number} does not match its hash" in broken.stderr
