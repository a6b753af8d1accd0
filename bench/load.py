"""Load on one program: wrk windows of a bounded time, with the program's CPU read before and after.

Every window must be flawless: a refused or broken call would be cheap, and the figure a lie.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from bench.processes import OTHER_CORE, Program, cores

SCRIPT: Final = Path(__file__).with_name("call.lua")
ERA: Final = "2026-07-28"
META: Final = {
    "io.modelcontextprotocol/protocolVersion": ERA,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Flawed(Exception):
    """A window in which a call was refused or broken, or a first answer that is wrong."""


@dataclass(frozen=True, slots=True)
class Request:
    """The one request of a run; `expect` must stand in the answer. Without a tool it is no MCP."""

    tool: str
    body: str
    expect: str
    token: str = ""
    keys: int = 0
    """Where body or path has a KEY, each request asks for another of that many; `check` asks for the first."""
    method: str = "POST"
    era: str = ERA

    def headers(self) -> dict[str, str]:
        fixed = {"content-type": "application/json", "accept": "application/json"}
        if self.tool:
            fixed |= {"accept": "application/json, text/event-stream", "mcp-protocol-version": self.era}
        if self.tool and self.era == ERA:
            fixed |= {"mcp-method": "tools/call", "mcp-name": self.tool}
        return {**fixed, "authorization": f"Bearer {self.token}"} if self.token else fixed


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A program and the path it answers on."""

    program: Program
    path: str


@dataclass(frozen=True, slots=True)
class Window:
    """What one window showed. Units: microseconds, calls a second."""

    calls: int
    calls_per_s: float
    cpu_us_per_call: float
    p50_us: float
    p99_us: float


def tools_call(tool: str, arguments: dict[str, object], era: str = ERA) -> str:
    """The body of a tools/call; a modern one says in itself who sends it."""
    params: dict[str, object] = {"name": tool, "arguments": arguments}
    if era == ERA:
        params["_meta"] = META
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, separators=(",", ":"))


def check(endpoint: Endpoint, request: Request) -> None:
    """Make one real call and look at its answer.

    Errors: Flawed, with status and the answer's beginning.
    """
    connection = HTTPConnection("127.0.0.1", endpoint.program.port, timeout=30)
    try:
        path, body = endpoint.path.replace("KEY", "1"), request.body.replace("KEY", "1")
        connection.request(request.method, path, body, request.headers())
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    finally:
        connection.close()
    if answer.status != 200 or request.expect not in text:
        raise Flawed(f"{endpoint.program.name} answered {answer.status}: {text[:300]}")


def window(endpoint: Endpoint, request: Request, connections: int, seconds: int) -> Window:
    """One window of load. Errors: Flawed."""
    program = endpoint.program
    before = program.cpu_ns()
    said = _wrk(endpoint, request, connections, seconds)
    used = program.cpu_ns() - before
    if said["refused"] or said["broken"] or not said["requests"]:
        raise Flawed(f"{program.name}: {said} at {connections} connections")
    return read_window(said, used)


def read_window(said: dict[str, int], cpu_ns: int) -> Window:
    """Wrk's figures and the CPU time of the same stretch, per call."""
    calls = said["requests"]
    return Window(
        calls=calls,
        calls_per_s=calls / (said["duration_us"] / 1e6),
        cpu_us_per_call=cpu_ns / 1000 / calls,
        p50_us=said["p50_us"],
        p99_us=said["p99_us"],
    )


def _wrk(endpoint: Endpoint, request: Request, connections: int, seconds: int) -> dict[str, int]:
    url = f"http://127.0.0.1:{endpoint.program.port}/"
    pinned = ["taskset", "-c", str(OTHER_CORE)] if cores() > 1 else []
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT), url]
    environment = {
        **os.environ,
        "BENCH_METHOD": request.method,
        "BENCH_PATH": endpoint.path,
        "BENCH_BODY": request.body,
        "BENCH_HEADERS": "\n".join(f"{name}: {value}" for name, value in request.headers().items()),
        "BENCH_KEYS": str(request.keys),
    }
    ended = subprocess.run(
        [*pinned, *command], env=environment, capture_output=True, text=True, timeout=seconds + 30, check=False
    )
    for line in ended.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    raise Flawed(f"wrk said nothing about {url}{endpoint.path}: {(ended.stdout + ended.stderr)[-300:]}")
