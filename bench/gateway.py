"""What the gateway costs: CPU per call, calls a second and latency, beside a floor, a bare relay and two peers.

Measured programs stand on core 0; wrk and everything behind a relay on core 1. Rounds go over all programs in turn,
so that a noisy minute disturbs all alike; each figure is the least disturbed window's. The answers come from nginx
(a constant), and once more from one `mcp` server, before which gateway and FastMCP's proxy are compared.
"""

import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench import components
from bench.issuer import Issuer, signing_in
from bench.load import Endpoint, Flawed, Request, Window, check, tools_call, window
from bench.policy import GROUP
from bench.processes import MEASURED_CORE, OTHER_CORE, NotStarted, free_port, started
from bench.programs.floor import ANSWER
from bench.results import Results, Target

CONNECTIONS: Final = (1, 16, 64)
ROUNDS: Final = 3
SECONDS: Final = 2
_SLOW_SECONDS: Final = 6
"""For a peer that answers some 30 calls a second: a shorter window would end before 64 connections had one answer."""
_CPU: Final = "cpu_per_call_c16"
_PATH: Final = "/mcp/warehouse"
_UVICORN: Final = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "error")
TARGETS: Final = (
    Target("gateway.governed", _CPU, None, at_most=150.0),
    Target("gateway.governed", _CPU, "gateway.ungoverned", at_most=2.0),
    Target("gateway.governed", _CPU, "gateway.envoy", at_most=1.0),
    Target("gateway.fastmcp_proxy_before_mcp", _CPU, "gateway.governed_before_mcp", at_least=30.0),
)
_COMPARED: Final = (
    ("gateway.ungoverned", "gateway.floor"),
    ("gateway.governed", "gateway.floor"),
    ("gateway.governed", "gateway.ungoverned"),
    ("gateway.governed", "gateway.envoy"),
    ("gateway.fastmcp_proxy_before_mcp", "gateway.governed_before_mcp"),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """What all programs of one run share."""

    folder: Path
    stack: ExitStack
    issuer: Issuer
    results: Results
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One program under load."""

    name: str
    endpoint: Endpoint
    request: Request
    seconds: int = SECONDS
    windows: dict[int, list[Window]] = field(default_factory=dict[int, list[Window]])


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Start every program, check one answer of each, then the rounds."""
    with ExitStack() as stack:
        stage = Stage(folder, stack, stack.enter_context(signing_in()), results, say)
        contestants = _contestants(stage)
        for round_number in range(ROUNDS):
            for connections in CONNECTIONS:
                say(f"gateway: round {round_number + 1} of {ROUNDS}, {connections} connections")
                round_of(contestants, connections, results)
    for contestant in contestants:
        report(results, contestant)
    for name, to in _COMPARED:
        results.compare(name, _CPU, to)
        results.compare(name, "calls_per_s_c16", to)


def _contestants(stage: Stage) -> list[Contestant]:
    """Everybody who can be started; the others are named in the results."""
    constant = constant_upstream(stage)
    mcp = _mcp_server(stage)
    makers: Mapping[str, Callable[[str], Contestant]] = {
        "gateway.floor": lambda name: _floor(stage, name),
        "gateway.ungoverned": lambda name: _relay(stage, name, "bench.programs.relay", constant),
        "gateway.governed": lambda name: _relay(stage, name, "bench.programs.governed", constant),
        "gateway.envoy": lambda name: _envoy(stage, name, constant),
        "gateway.governed_before_mcp": lambda name: _relay(stage, name, "bench.programs.governed", mcp),
        "gateway.fastmcp_proxy_before_mcp": lambda name: _fastmcp(stage, name, mcp),
    }
    found: list[Contestant] = []
    for name, make in makers.items():
        stage.say(f"gateway: starting {name}")
        try:
            contestant = make(name)
            check(contestant.endpoint, contestant.request)
            window(contestant.endpoint, contestant.request, CONNECTIONS[0], 1)
        except (components.Absent, NotStarted, Flawed) as failed:
            stage.results.miss(name, str(failed))
        else:
            found.append(contestant)
    return found


def round_of(contestants: Sequence[Contestant], connections: int, results: Results) -> None:
    """One window each. Where one refuses or breaks a call, or answers none, the results say so."""
    for contestant in contestants:
        try:
            measured = window(contestant.endpoint, contestant.request, connections, contestant.seconds)
        except Flawed as failed:
            results.miss(f"{contestant.name}, {connections} connections", str(failed))
        else:
            contestant.windows.setdefault(connections, []).append(measured)


def report(results: Results, contestant: Contestant) -> None:
    """The least disturbed window of each figure, by number of connections."""
    for connections, windows in contestant.windows.items():
        calls, name = sum(each.calls for each in windows), contestant.name
        results.add(name, f"cpu_per_call_c{connections}", min(each.cpu_us_per_call for each in windows), "us", calls)
        results.add(name, f"calls_per_s_c{connections}", max(each.calls_per_s for each in windows), "1/s", calls)
        results.add(name, f"p50_c{connections}", min(each.p50_us for each in windows), "us", calls)
        results.add(name, f"p99_c{connections}", min(each.p99_us for each in windows), "us", calls)


def echo_request(token: str = "") -> Request:
    return Request("echo", tools_call("echo", {"text": "pierhead"}), '"result":"pierhead"', token)


def constant_upstream(stage: Stage) -> str:
    """nginx, answering a constant: the cheapest server there is. Errors: Absent, NotStarted."""
    nginx, port = components.program("nginx", "nginx-light"), free_port()
    folder = stage.folder / "nginx"
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX % {"folder": folder, "port": port, "answer": ANSWER.decode().replace("\\", "\\\\")})
    command = [nginx, "-p", folder, "-e", folder / "error.log", "-c", configuration]
    stage.stack.enter_context(started("nginx", command, port, stage.folder, core=OTHER_CORE))
    return f"http://127.0.0.1:{port}/mcp"


def _mcp_server(stage: Stage) -> str:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "bench.programs.mcp_server:app", *_UVICORN]
    command += ["--host", "127.0.0.1", "--port", str(port), "--timeout-keep-alive", "75"]
    stage.stack.enter_context(started("mcp-server", command, port, stage.folder, core=OTHER_CORE))
    return f"http://127.0.0.1:{port}/mcp"


def _floor(stage: Stage, name: str) -> Contestant:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.programs.floor:app", *_UVICORN, "--port", str(port)]
    program = stage.stack.enter_context(started(name, command, port, stage.folder, core=MEASURED_CORE))
    return Contestant(name, Endpoint(program, _PATH), echo_request())


def _relay(stage: Stage, name: str, module: str, upstream: str) -> Contestant:
    """The gateway, or the relay without governance, before `upstream`."""
    port, folder = free_port(), stage.folder / name
    folder.mkdir()
    public_url = f"http://127.0.0.1:{port}"
    asked = {
        "port": port,
        "issuer_url": stage.issuer.url,
        "upstream": upstream,
        "assertion_key": secrets.token_hex(32),
    }
    (folder / "gateway.json").write_text(json.dumps(asked))
    command = [sys.executable, "-m", module, folder]
    program = stage.stack.enter_context(started(name, command, port, stage.folder, core=MEASURED_CORE))
    token = stage.issuer.token(public_url, public_url + _PATH, "alice", [GROUP])
    return Contestant(name, Endpoint(program, _PATH), echo_request(token))


def _envoy(stage: Stage, name: str, upstream: str) -> Contestant:
    """Envoy as a plain proxy: it parses HTTP and passes it on, and decides nothing."""
    envoy, port = components.envoy(), free_port()
    configuration = stage.folder / "envoy.json"
    configuration.write_text(json.dumps(_envoy_configuration(port, urlsplit(upstream).port or 0)))
    base_id = str(secrets.randbelow(30_000) + 1000)
    command = [envoy, "-c", configuration, "--concurrency", "1", "--base-id", base_id, "-l", "warn"]
    program = stage.stack.enter_context(started(name, command, port, stage.folder, core=MEASURED_CORE))
    return Contestant(name, Endpoint(program, "/mcp"), echo_request())


def _fastmcp(stage: Stage, name: str, upstream: str) -> Contestant:
    python, port = components.environment("fastmcp"), free_port()
    command = [python, "bench/programs/fastmcp_proxy.py", upstream, str(port)]
    program = stage.stack.enter_context(started(name, command, port, stage.folder, core=MEASURED_CORE))
    return Contestant(name, Endpoint(program, "/mcp"), echo_request(), _SLOW_SECONDS)


_NGINX: Final = """daemon off; worker_processes 1; pid %(folder)s/pid; error_log %(folder)s/error.log;
events { worker_connections 1024; }
http {
  access_log off; server_tokens off; keepalive_requests 100000000; keepalive_timeout 75s; tcp_nodelay on;
  client_body_temp_path %(folder)s; proxy_temp_path %(folder)s; fastcgi_temp_path %(folder)s;
  uwsgi_temp_path %(folder)s; scgi_temp_path %(folder)s;
  server { listen 127.0.0.1:%(port)d; default_type application/json; location / { return 200 '%(answer)s'; } }
}
"""


def _envoy_configuration(port: int, upstream: int) -> dict[str, object]:
    type_url = "type.googleapis.com/envoy.extensions.filters"
    router = {"name": "router", "typed_config": {"@type": f"{type_url}.http.router.v3.Router"}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "timeout": "30s"}}
    manager = {
        "@type": f"{type_url}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [router],
    }
    listener = {
        "address": _address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}]
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": endpoints},
    }
    return {
        "node": {"id": "bench", "cluster": "bench"},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
