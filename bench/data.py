"""The data layer: `pierhead serve` on PostgreSQL beside a bare program, Google's Toolbox and DBHub, in one run.

One row by its key and a hundred rows by governed SQL, at 16 connections, by REST and by MCP; the peers decide,
record and limit nothing, and answer by MCP alone. Besides: what a verdict costs, and what many rows take in memory.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench import components, verdicts
from bench.load import ERA, Endpoint, Flawed, Request, Window, check, tools_call, window
from bench.processes import NotStarted, Program, free_port, peak_bytes, started
from bench.results import Results, Target
from bench.sql import as_postgres, database

CONNECTIONS: Final = 16
ROUNDS: Final = 3
SECONDS: Final = 2
KEYS: Final = 1_000
_PEER_ERA: Final = "2025-06-18"
_ROW: Final = "SELECT * FROM measurements WHERE id = KEY"
_ROWS: Final = "SELECT * FROM measurements WHERE id > 4711 ORDER BY id LIMIT 100"
_SHAPES: Final = {"row": (_ROW, 1), "100-rows": (_ROWS, 100)}
_UVICORN: Final = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "error")
_ROLES: Final = {"roles": {"local": {"tables": ["measurements", "many"], "operations": ["read"]}}}
_MANY: Final = """
create unlogged table many as select n as id, n % 1000 as kind, 'a text of some length, number ' || n as text
  from generate_series(1, 3000000) n;
analyze many;
"""
_MOST_STREAMED: Final = 100_000
TARGETS: Final = (
    Target("data.rest.row", "calls_per_s_c16", "data.floor.row", at_least=0.6),
    Target("data.rest.100-rows", "calls_per_s_c16", "data.floor.100-rows", at_least=0.7),
    Target("data.verdict", "cold_p95", None, at_most=2000.0),
    Target("data.verdict", "warm_p95", None, at_most=50.0),
    Target("data.memory", "peak", None, at_most=300.0),
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to the rows. `requests` by shape: where to ask, and what."""

    name: str
    requests: Mapping[str, tuple[Endpoint, Request]]
    windows: dict[str, list[Window]] = field(default_factory=dict[str, list[Window]])


@dataclass(frozen=True, slots=True)
class Stage:
    """What all programs of one run share."""

    folder: Path
    stack: ExitStack
    url: str


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Verdicts first, since they need no database; then every program in turn, and the memory of ours."""
    say("data: verdicts")
    verdicts.measure(results, folder)
    try:
        with ExitStack() as stack:
            say("data: starting PostgreSQL")
            stage = Stage(folder, stack, stack.enter_context(database(folder)))
            served, key = _serve(stage)
            contestants = _contestants(stage, served, key, results, say)
            _rounds(contestants, results, say)
            say("data: three million rows")
            _memory(results, served, key)
    except (components.Absent, NotStarted, Flawed, OSError, subprocess.SubprocessError) as failed:
        for target in TARGETS:
            if results.value(target.name, target.metric) is None:
                results.miss(target.name, str(failed))


def _contestants(
    stage: Stage, served: Program, key: str, results: Results, say: Callable[[str], None]
) -> Sequence[Contestant]:
    """Everybody who can be started; the others are named in the results."""
    makers: Mapping[str, Callable[[], Contestant]] = {
        "data.floor": lambda: _floor(stage),
        "data.rest": lambda: Contestant("data.rest", _rest(served, key)),
        "data.mcp": lambda: Contestant("data.mcp", _mcp(served, "run_query", key)),
        "data.toolbox": lambda: _toolbox(stage),
        "data.dbhub": lambda: _dbhub(stage),
    }
    found: list[Contestant] = []
    for name, make in makers.items():
        say(f"data: starting {name}")
        try:
            found.append(make())
        except (components.Absent, NotStarted) as failed:
            results.miss(name, str(failed))
    return found


def _rounds(contestants: Sequence[Contestant], results: Results, say: Callable[[str], None]) -> None:
    """A window to warm up, then three that count; who answers wrongly in one shape is left out of that shape."""
    for shape in _SHAPES:
        ready = [each for each in contestants if _is_right(each, shape, results)]
        for number in range(ROUNDS):
            say(f"data: {shape}, round {number + 1} of {ROUNDS}")
            for each in ready:
                _window(each, shape, results)
        for each in ready:
            _report(results, each, shape)
        _compare(results, shape)


def _compare(results: Results, shape: str) -> None:
    """Everybody beside the floor, and ours beside the peers."""
    for name in ("data.rest", "data.mcp", "data.toolbox", "data.dbhub"):
        results.compare(f"{name}.{shape}", "calls_per_s_c16", f"data.floor.{shape}")
    for peer in ("data.toolbox", "data.dbhub"):
        results.compare(f"data.mcp.{shape}", "cpu_per_call_c16", f"{peer}.{shape}")


def _is_right(each: Contestant, shape: str, results: Results) -> bool:
    endpoint, request = each.requests[shape]
    try:
        check(endpoint, request)
        window(endpoint, request, CONNECTIONS, SECONDS)
    except (Flawed, OSError) as failed:
        results.miss(f"{each.name}.{shape}", str(failed))
        return False
    return True


def _window(each: Contestant, shape: str, results: Results) -> None:
    try:
        each.windows.setdefault(shape, []).append(window(*each.requests[shape], CONNECTIONS, SECONDS))
    except Flawed as failed:
        results.miss(f"{each.name}.{shape}", str(failed))


def _report(results: Results, each: Contestant, shape: str) -> None:
    """The least disturbed window of each figure."""
    windows, name = each.windows.get(shape, []), f"{each.name}.{shape}"
    if windows:
        calls = sum(one.calls for one in windows)
        results.add(name, "calls_per_s_c16", max(one.calls_per_s for one in windows), "1/s", calls)
        results.add(name, "cpu_per_call_c16", min(one.cpu_us_per_call for one in windows), "us", calls)
        results.add(name, "p50_c16", min(one.p50_us for one in windows), "us", calls)


def _expected(count: int) -> str:
    """What stands in every right answer: the station of the last row."""
    return "station-1" if count == 1 else "station-11"


def _floor(stage: Stage) -> Contestant:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.programs.data_floor:app", *_UVICORN, "--port", str(port)]
    program = stage.stack.enter_context(
        started("data-floor", command, port, stage.folder, environment={"DATABASE_URL": stage.url})
    )
    return Contestant("data.floor", _by_http(program, "/measurements/KEY", "/rows", ""))


def _rest(served: Program, key: str) -> Mapping[str, tuple[Endpoint, Request]]:
    return _by_http(served, "/api/v1/measurements/KEY", "/api/v1/_sql", key)


def _by_http(program: Program, row: str, rows: str, key: str) -> Mapping[str, tuple[Endpoint, Request]]:
    statement = json.dumps({"sql": _ROWS, "max_rows": 100})
    return {
        "row": (Endpoint(program, row), Request("", "", _expected(1), key, KEYS, method="GET")),
        "100-rows": (Endpoint(program, rows), Request("", statement, _expected(100), key)),
    }


def _mcp(program: Program, tool: str, key: str = "", era: str = ERA) -> Mapping[str, tuple[Endpoint, Request]]:
    """By MCP: ours takes a limit, peers only the text."""
    requests: dict[str, tuple[Endpoint, Request]] = {}
    for shape, (sql, count) in _SHAPES.items():
        body = tools_call(tool, {"sql": sql} if era != ERA else {"sql": sql, "max_rows": count}, era)
        keys = KEYS if "KEY" in sql else 0
        requests[shape] = (Endpoint(program, "/mcp"), Request(tool, body, _expected(count), key, keys, era=era))
    return requests


def _serve(stage: Stage) -> tuple[Program, str]:
    """`pierhead serve` with its journal on this disk, and the key that it prints."""
    own, port = stage.folder / "serve", free_port()
    own.mkdir()
    (own / "roles.yaml").write_text(json.dumps(_ROLES))
    as_postgres(["psql", "-q", "-v", "ON_ERROR_STOP=1", stage.url, "-c", _MANY])
    pierhead = Path(sys.executable).with_name("pierhead")
    command = [pierhead, "serve", "--db", stage.url, "--port", str(port), "--roles", own / "roles.yaml"]
    program = stage.stack.enter_context(started("serve", [*command, "--data", own / "data", "--json"], port, own))
    return program, _printed_key(own / "serve.log")


def _printed_key(log: Path) -> str:
    """Errors: NotStarted, if nothing was printed in time."""
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        for line in log.read_text().splitlines():
            if line.startswith("{"):
                return json.loads(line)["key"]
        time.sleep(0.05)
    raise NotStarted(f"pierhead serve printed no key: {log.read_text()[-300:]}")


def _toolbox(stage: Stage) -> Contestant:
    """Google's Toolbox, by the tool that runs any statement."""
    binary = components.node_packages() / "@toolbox-sdk" / "server-linux-x64" / "bin" / "toolbox"
    address, port = urlsplit(stage.url), free_port()
    source = {"kind": "postgres", "host": address.hostname, "port": address.port, "database": "postgres"}
    tool = {"kind": "postgres-execute-sql", "source": "bench", "description": "Runs a statement."}
    asked = {
        "sources": {"bench": {**source, "user": address.username, "password": "unused"}},
        "tools": {"execute_sql": tool},
    }
    configuration = stage.folder / "toolbox.yaml"
    configuration.write_text(json.dumps(asked))
    command = [binary, "--config", configuration, "--address", "127.0.0.1", "--port", str(port)]
    command += ["--disable-version-check", "--disable-reload", "--log-level", "ERROR"]
    program = stage.stack.enter_context(started("toolbox", command, port, stage.folder))
    return Contestant("data.toolbox", _mcp(program, "execute_sql", era=_PEER_ERA))


def _dbhub(stage: Stage) -> Contestant:
    """DBHub, by its tool that runs any statement."""
    script = components.node_packages() / "@bytebase" / "dbhub" / "dist" / "index.js"
    node, port = Path(sys.executable).with_name("node"), free_port()
    environment = {"DSN": f"{stage.url}?sslmode=disable", "DBHUB_HOST": "127.0.0.1"}
    command = [node, script, "--transport", "http", "--port", str(port)]
    program = stage.stack.enter_context(started("dbhub", command, port, stage.folder, environment=environment))
    return Contestant("data.dbhub", _mcp(program, "execute_sql", era=_PEER_ERA))


def _memory(results: Results, served: Program, key: str) -> None:
    """Ask for all of three million rows, whole and as a stream; the limits decide what comes. Errors: Flawed."""
    rows = 0
    for accept, most in (("application/json", 1_000), ("application/x-ndjson", _MOST_STREAMED)):
        connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
        headers = {"content-type": "application/json", "accept": accept, "authorization": f"Bearer {key}"}
        body = json.dumps({"sql": "SELECT * FROM many ORDER BY kind, id", "max_rows": most})
        connection.request("POST", "/api/v1/_sql", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise Flawed(f"many rows as {accept}: {answer.status} {text[:200]!r}")
        rows = max(rows, text.count(b"\n"))
    results.add("data.memory", "peak", peak_bytes(served.pid) / 2**20, "MB", rows)
