"""A registry of 2,000 servers with 20,000 tools, on SQLite and on PostgreSQL, as its clients meet it.

Real processes: a registry and two gateways. Pages, lists and pre-flight go through the first gateway, as everybody's
do; pre-flight is asked at a fixed rate by another process (`programs/open_loop`). A change, or a group that is taken
from somebody, counts from when its answer is here until a call through each gateway is decided by it. CPU stands beside
each latency: it is the part of it that other programs on the machine do not move. Not here: how that registry is filled
and started (`large_fleet`).
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import httpx2

from bench import components
from bench.large_fleet import CHANGING, SERVERS, TOOLS, WAITING, Place, Running, filled, running
from bench.load import Flawed, Request, tools_call
from bench.policy import percentile
from bench.processes import ROOT, NotStarted, Program, free_port, started
from bench.results import Results, Target
from bench.sql import postgresql

DATABASES: Final = ("sqlite", "postgresql")
LOOKS: Final = 60
LISTS: Final = 100
RATE: Final = 500
SECONDS: Final = 10
WARM_S: Final = 2
PAGES: Final = {
    "list": "/servers",
    "far": "/servers?page=30",
    "search": "/servers?search=server-12",
    "tool": "/servers?search=tool_7_of_1234",
    "stage": "/servers?stage=registered",
}
OFFICIAL: Final = {
    "page": "/v0.1/servers",
    "large": "/v0.1/servers?limit=100&version=latest",
    "search": "/v0.1/servers?search=server-19",
}
_WITHIN_S: Final = 20.0
_LOOKING_S: Final = 8.0
"""As long as one page is looked at, at most: on a busy machine fewer looks must do."""
_PAUSE_S: Final = 0.005
_BUSY_RATE: Final = 100
_BUSY_S: Final = 8
_BY_GROUP: Final = CHANGING[1]
"""A server that a group reaches: who may use its tools its own process decides, and here stands none behind it."""
WITHDRAWALS: Final = 50


def _targets(database: str) -> tuple[Target, ...]:
    name = f"registry.{database}"
    return (
        *(Target(f"{name}.catalogue.{page}", "p95", None, at_most=100.0) for page in PAGES),
        *(Target(f"{name}.official.{page}", "p95", None, at_most=20.0) for page in OFFICIAL),
        Target(f"{name}.authorize", "p99", None, at_most=5.0),
        Target(f"{name}.change", "p99", None, at_most=2000.0),
        Target(f"{name}.change_under_load", "p99", None, at_most=2000.0),
        Target(f"{name}.withdrawal", "p99", None, at_most=2000.0),
    )


TARGETS: Final = tuple(target for database in DATABASES for target in _targets(database))


@dataclass(frozen=True, slots=True)
class Stage:
    """One running registry, and where its figures go."""

    name: str
    at: Running
    folder: Path
    results: Results
    say: Callable[[str], None]

    def cpu_ms(self) -> dict[str, float]:
        """Time on a core so far, by role."""
        programs = {"registry": self.at.registry, "gateway": self.at.gateways[0]}
        return {role: program.cpu_ns() / 1e6 for role, program in programs.items()}

    @contextmanager
    def spending(self, what: str, unit: str) -> Generator[list[int]]:
        """CPU of each role while the block runs, over as many as the block puts into the list."""
        before, counted = self.cpu_ms(), list[int]()
        yield counted
        for role, now in self.cpu_ms().items():
            each = (now - before[role]) / max(1, sum(counted))
            self.results.add(f"{self.name}.{what}", f"cpu_{role}_per_{unit}", each, "ms", sum(counted))

    def add(self, what: str, times: Sequence[float], *shares: float) -> None:
        """The median, and these percentiles of times in milliseconds."""
        self.results.add(f"{self.name}.{what}", "p50", median(times), "ms", len(times))
        for share in shares:
            value = percentile(times, share)
            self.results.add(f"{self.name}.{what}", f"p{share * 100:g}", value, "ms", len(times))


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Everything on each database in turn. What cannot be started, or answers wrongly, is named in the results."""
    for database in DATABASES:
        try:
            with on_database(database, folder) as url, _floor(folder) as upstream:
                say(f"registry: filling {database}; load average {os.getloadavg()[0]:.1f}")
                place = filled(folder / f"registry-{database}", url, upstream)
                with running(place) as at:
                    _measure(Stage(f"registry.{database}", at, place.folder, results, say))
        except (components.Absent, NotStarted, Flawed, OSError, subprocess.SubprocessError) as failed:
            results.miss(f"registry.{database}", str(failed))


@contextmanager
def on_database(name: str, folder: Path) -> Generator[str]:
    """Its URL; empty for the file of SQLite in a registry's own data directory."""
    if name == "sqlite":
        yield ""
        return
    with postgresql(folder) as url:
        yield url


@contextmanager
def _floor(folder: Path) -> Generator[str]:
    """What stands behind the servers that change: a constant answer."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.programs.floor:app", "--log-level", "error", "--port", str(port)]
    with started("behind", command, port, folder):
        yield f"http://127.0.0.1:{port}/mcp"


def _measure(stage: Stage) -> None:
    place = stage.at.place
    with httpx2.Client(base_url=place.url, timeout=60) as http:
        until_ready(http)
        sign_in(http, place.url, "alice")
        for name, path in PAGES.items():
            looks(stage, http, f"catalogue.{name}", path, LOOKS)
        for name, path in OFFICIAL.items():
            looks(stage, http, f"official.{name}", path, LISTS)
    sections: dict[str, Callable[[], None]] = {
        "authorize": lambda: _authorize(stage, "authorize", place.port),
        "authorize_at_registry": lambda: _authorize(stage, "authorize_at_registry", stage.at.registry.port),
        "change": lambda: _changes(stage, "change", CHANGING),
        "change_under_load": lambda: _changes_under_load(stage),
        "withdrawal": lambda: withdrawals(stage),
    }
    for name, section in sections.items():
        stage.say(f"{stage.name} {name}; load average {os.getloadavg()[0]:.1f}")
        try:
            section()
        except Flawed as flawed:  # one void figure voids no other
            stage.results.miss(f"{stage.name}.{name}", str(flawed))


def until_ready(http: httpx2.Client) -> None:
    """The registry composes every server before it answers. Errors: Flawed."""
    limit = time.monotonic() + _WITHIN_S
    while http.get("/v0.1/servers?limit=1").status_code != 200:
        if time.monotonic() > limit:
            raise Flawed(f"the registry did not answer within {_WITHIN_S:.0f} s")
        time.sleep(0.1)


def sign_in(http: httpx2.Client, url: str, person: str) -> None:
    """As a browser does."""
    page = http.get("/sign-in").text
    token = page.partition('name="token" value="')[2].partition('"')[0]
    http.post("/sign-in", data={"token": token, "next": "/servers", "person": person}, headers={"origin": url})


def looks(stage: Stage, http: httpx2.Client, what: str, path: str, count: int) -> None:
    """One page, once afresh and then many times."""
    stage.say(f"{stage.name} {what}")
    first = _timed(http, path)
    limit = time.monotonic() + _LOOKING_S
    with stage.spending(what, "look") as counted:
        times = [_timed(http, path) for _ in range(count) if time.monotonic() < limit]
        counted.append(len(times))
    stage.results.add(f"{stage.name}.{what}", "first", first, "ms", 1)
    stage.add(what, times, 0.95)


def _timed(http: httpx2.Client, path: str) -> float:
    began = time.perf_counter()
    answer = http.get(path)
    took = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise Flawed(f"{path} answered {answer.status_code}")
    return took


def _authorize(stage: Stage, what: str, port: int) -> None:
    """At the public port; and at the registry's own, which shows what the gateway adds. Errors: Flawed."""
    with stage.spending(what, "request") as counted, _load(stage, port, RATE, SECONDS) as process:
        times = _answers(process)
        counted.append(RATE * (SECONDS + WARM_S))
    stage.add(what, times, 0.95, 0.99, 0.999)


@contextmanager
def _load(stage: Stage, port: int, rate: int, seconds: int) -> Generator["subprocess.Popen[str]"]:
    asked = {"port": port, "rate": rate, "seconds": seconds, "warm_s": WARM_S, "requests": _questions(stage.at.place)}
    file = stage.folder / "load.json"
    file.write_text(json.dumps(asked))
    command = [sys.executable, "-m", "bench.programs.open_loop", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def _answers(process: "subprocess.Popen[str]") -> list[float]:
    """The latencies in milliseconds. Errors: Flawed, if a request was not answered."""
    said, _ = process.communicate(timeout=120)
    found: dict[str, list[float]] = json.loads(said)
    if found["failed"]:
        raise Flawed(f"{len(found['failed'])} requests failed, the first: {found['failed'][0]}")
    return found["latencies"]


def _questions(place: Place) -> list[str]:
    """A thousand: half of them alice's own, half an administrator's about alice, as an internal service asks."""
    return [_question(place, number) for number in range(1000)]


def _question(place: Place, number: int) -> str:
    server = WAITING + 100 + number * 7 % (SERVERS - WAITING - 100)
    asked = {"server": f"server-{server}", "tool": f"tool_{number % TOOLS}_of_{server}", "arguments": {"question": "?"}}
    person = "alice" if number % 2 else "frank"
    body = json.dumps(asked if number % 2 else {**asked, "user": "alice"})
    token = place.tokens[person, "/api/v1"]
    return (
        f"POST /api/v1/authorize HTTP/1.1\r\nhost: 127.0.0.1:{place.port}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    )


def _changes(stage: Stage, what: str, servers: Sequence[int]) -> None:
    """Each server suspended, then resumed."""
    with stage.spending(what, "change") as counted:
        times = asyncio.run(_Changing(stage.at).all(servers))
        counted.append(2 * len(servers))
    stage.add(what, [gateway for each in times for gateway in each.seen_ms], 0.99)
    stage.add(f"{what}.answer", [each.answer_ms for each in times], 0.99)


def _changes_under_load(stage: Stage) -> None:
    with _load(stage, stage.at.place.port, _BUSY_RATE, _BUSY_S) as process:
        _changes(stage, "change_under_load", CHANGING[: len(CHANGING) // 2])
        stage.add("authorize_amid_changes", _answers(process), 0.99)


def withdrawals(stage: Stage) -> None:
    """A group taken from somebody, until both gateways refuse the token that was good before; then given back."""
    times = asyncio.run(_Changing(stage.at).withdrawn(WITHDRAWALS))
    stage.add("withdrawal", [gateway for each in times for gateway in each.seen_ms], 0.5, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Changed:
    """One change: how long its answer took, and how long after that each gateway decided by it."""

    answer_ms: float
    seen_ms: tuple[float, ...]


@dataclass(slots=True)
class _Changing:
    """Changes, and calls through each gateway until they are decided by them."""

    at: Running
    clients: list[httpx2.AsyncClient] = field(default_factory=list[httpx2.AsyncClient])

    async def all(self, servers: Sequence[int]) -> list[Changed]:
        self.clients = [_client(program) for program in (*self.at.gateways, self.at.registry)]
        try:
            return [await self._one(server, step) for server in servers for step in ("suspend", "resume")]
        finally:
            for client in self.clients:
                await client.aclose()

    async def withdrawn(self, rounds: int) -> list[Changed]:
        """Only what is taken away counts: nobody is waiting for what is given back."""
        self.clients = [_client(program) for program in (*self.at.gateways, self.at.registry)]
        body = {"person": "alice", "groups": ["data-eng"], "reason": "measured"}
        found = list[Changed]()
        try:
            for _ in range(rounds):
                found.append(await self._asked("/api/v1/people/revoke", body, _BY_GROUP, runs=False))
                await self._asked("/api/v1/people/restore", body, _BY_GROUP, runs=True)
        finally:
            for client in self.clients:
                await client.aclose()
        return found

    async def _one(self, server: int, step: str) -> Changed:
        path = f"/api/v1/servers/server-{server}/versions/1.0.0/{step}"
        return await self._asked(path, {"reason": "measured"}, server, runs=step == "resume")

    async def _asked(self, path: str, body: object, server: int, *, runs: bool) -> Changed:
        """One change, until calls of that server run, or are refused, at each gateway."""
        place = self.at.place
        headers = {"authorization": f"Bearer {place.tokens['frank', '/api/v1']}", "host": f"127.0.0.1:{place.port}"}
        began = time.perf_counter()
        answer = await self.clients[0].post(path, json=body, headers=headers)
        answered = time.perf_counter()
        if answer.status_code != 200:
            raise Flawed(f"{path} answered {answer.status_code}: {answer.text[:200]}")
        seen = [self._seen(number, server, answered, runs=runs) for number in range(2)]
        return Changed((answered - began) * 1000, tuple(await asyncio.gather(*seen)))

    async def _seen(self, gateway: int, server: int, since: float, *, runs: bool) -> float:
        """Milliseconds from `since` until a call there runs, or is refused. Errors: Flawed."""
        place, tool = self.at.place, f"tool_0_of_{server}"
        request = Request(tool, tools_call(tool, {"question": "?"}), "", place.tokens["alice", f"/mcp/server-{server}"])
        headers = {**request.headers(), "host": f"127.0.0.1:{place.port}"}
        said = ""
        while time.perf_counter() - since < _WITHIN_S:
            answer = await self.clients[gateway].post(f"/mcp/server-{server}", content=request.body, headers=headers)
            if _ran(answer) == runs:
                return (time.perf_counter() - since) * 1000
            said = answer.text[:200]
            await asyncio.sleep(_PAUSE_S)
        raise Flawed(f"gateway {gateway} does not decide by the change after {_WITHIN_S:.0f} s: {said}")


def _client(program: Program) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{program.port}", timeout=60)


def _ran(answer: httpx2.Response) -> bool:
    """Whether the call ran; if not, it must read as refused, or as one of a server that is gone. Errors: Flawed."""
    said: Mapping[str, object] = answer.json()
    if "result" in said:
        return True
    if answer.status_code not in {401, 404} and "cannot-reach" not in answer.text:
        raise Flawed(f"a call was answered {answer.status_code}: {answer.text[:200]}")
    return False
