"""What Envoy in front costs: mTLS, token, rules and ext_authz, beside the gateway alone and Envoy alone.

All three are asked through one more Envoy on the other core, the caller's sidecar: it speaks mTLS for wrk, which has no
certificate. CPU is that of the measured programs, latency holds the sidecar's hop in all three alike. A call is that of
a person through a workload: both proofs are checked by both programs.
"""

import json
import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from typing_extensions import override

from bench import components
from bench.gateway import Contestant, Stage, constant_upstream, echo_request, report, round_of
from bench.issuer import signing_in
from bench.load import Endpoint, Flawed, check
from bench.policy import GROUP, everyday_snapshot
from bench.processes import MEASURED_CORE, OTHER_CORE, NotStarted, Program, cpu_ns, free_port, started
from bench.programs.governed import workload_row
from bench.results import Results, Target
from pierhead.adapters.envoy import BeforeGateway, BeforeServer, Place, render
from pierhead.adapters.local_authority import Authority, Svid, write_secrets
from pierhead.adapters.system import SystemClock
from pierhead.core.workload import Registration

CONNECTIONS: Final = (1, 16)
ROUNDS: Final = 3
TARGETS: Final[tuple[Target, ...]] = ()
"""None was set: the ratios are the finding."""

_DOMAIN: Final = "bench.pierhead.local"
_CALLER: Final = f"spiffe://{_DOMAIN}/chat"
_GATEWAY: Final = f"spiffe://{_DOMAIN}/gateway"
_PATH: Final = "/mcp/warehouse"
_UNLIMITED: Final = 1_000_000
_COMPARED: Final = (("mesh.whole", "mesh.gateway_alone"), ("mesh.whole", "mesh.envoy_alone"))
_TYPE: Final = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True, slots=True)
class Together(Program):
    """Programs that serve one call together: their CPU is one figure. `port` is where the sidecar takes the call."""

    pids: tuple[int, ...]

    @override
    def cpu_ns(self) -> int:
        return sum(cpu_ns(pid) for pid in self.pids)


@dataclass(frozen=True, slots=True)
class Way:
    """Where the sidecar sends what it takes at `port`."""

    name: str
    port: int
    to: int
    public: str
    speaks_tls: bool


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Start everything, check one answer of each, then the rounds."""
    with ExitStack() as stack:
        stage = Stage(folder, stack, stack.enter_context(signing_in()), results, say)
        try:
            contestants = _contestants(stage)
        except (components.Absent, NotStarted, Flawed) as failed:
            results.miss("mesh", str(failed))
            return
        for number in range(ROUNDS):
            for connections in CONNECTIONS:
                say(f"mesh: round {number + 1} of {ROUNDS}, {connections} connections")
                round_of(contestants, connections, results)
    for contestant in contestants:
        report(results, contestant)
    for name, to in _COMPARED:
        for connections in CONNECTIONS:
            for metric in ("cpu_per_call", "calls_per_s", "p50"):
                results.compare(name, f"{metric}_c{connections}", to)


def _contestants(stage: Stage) -> list[Contestant]:
    """Errors: Absent, NotStarted, Flawed."""
    constant, authority = constant_upstream(stage), Authority.new(_DOMAIN, SystemClock())
    place = stage.folder / "secrets"
    place.mkdir()
    write_secrets(place, authority.svid(_GATEWAY, ["127.0.0.1"]), authority.bundle)
    names = ("gateway_alone", "envoy_alone", "whole")
    ways = {name: free_port() for name in names}
    fronts = {name: free_port() for name in names}
    alone = _gateway(stage, "gateway_alone", constant, fronts["gateway_alone"])
    behind = _gateway(stage, "whole", constant, free_port(), f"https://127.0.0.1:{fronts['whole']}")
    plain = Place(
        "alone", "127.0.0.1", fronts["envoy_alone"], free_port(), urlsplit(constant).netloc, place, _UNLIMITED
    )
    only = _envoy(stage, "envoy_alone", render(BeforeServer(plain, _CALLER)), fronts["envoy_alone"], MEASURED_CORE)
    full = _envoy(stage, "whole", _front(stage, place, fronts["whole"]), fronts["whole"], MEASURED_CORE)
    sent = [Way(name, ways[name], fronts[name], f"127.0.0.1:{fronts[name]}", name != "gateway_alone") for name in names]
    _envoy(stage, "sidecar", _sidecar(sent, authority.svid(_CALLER), authority.bundle), ways["whole"], OTHER_CORE)
    pids = {"gateway_alone": (alone.pid,), "envoy_alone": (only.pid,), "whole": (full.pid, behind.pid)}
    issuers = {"gateway_alone": "http", "envoy_alone": "", "whole": "https"}
    found = [
        _contestant(stage, Together(f"mesh.{name}", 0, ways[name], pids[name]), issuers[name], fronts[name])
        for name in names
    ]
    for contestant in found:
        check(contestant.endpoint, contestant.request)
    return found


def _contestant(stage: Stage, programs: Together, scheme: str, front: int) -> Contestant:
    """With the token that its gateway takes, if there is a gateway."""
    public = f"{scheme}://127.0.0.1:{front}"
    token = stage.issuer.token(public, public + _PATH, "alice", [GROUP]) if scheme else ""
    return Contestant(programs.name, Endpoint(programs, _PATH), echo_request(token))


def _gateway(stage: Stage, name: str, upstream: str, port: int, public_url: str = "") -> Program:
    """The governed gateway; behind Envoy, if it has another public address than its own."""
    folder = stage.folder / f"gateway-{name}"
    folder.mkdir()
    workloads = {_CALLER: {"surface": "chat", "environment": "production"}}
    sockets = {"sidecar": f"unix:{stage.folder}/sidecar.sock", "authz": f"unix:{stage.folder}/authz.sock"}
    asked: dict[str, Any] = {
        "port": port,
        "issuer_url": stage.issuer.url,
        "upstream": upstream,
        "assertion_key": secrets.token_hex(32),
        "public_url": public_url,
        "mesh": {"trust_domain": _DOMAIN, "workloads": workloads, **sockets} if public_url else {},
    }
    (folder / "gateway.json").write_text(json.dumps(asked))
    command = [sys.executable, "-m", "bench.programs.governed", folder]
    label = f"mesh-gateway-{name}"
    return stage.stack.enter_context(started(label, command, port, stage.folder, core=MEASURED_CORE))


def _front(stage: Stage, secrets_folder: Path, port: int) -> Mapping[str, Any]:
    """Envoy before the gateway, as `pierhead mesh render gateway` writes it, with the rules of the whole fleet."""
    rows = dict(everyday_snapshot("").rows)
    rows["warehouse"] = (*rows["warehouse"], workload_row(_CALLER))
    upstream = f"unix:{stage.folder}/sidecar.sock"
    return render(
        BeforeGateway(
            place=Place("gateway", "127.0.0.1", port, free_port(), upstream, secrets_folder, _UNLIMITED),
            public_url=f"https://127.0.0.1:{port}",
            authz=f"unix:{stage.folder}/authz.sock",
            authz_timeout_s=0.2,
            rows=rows,
            registered={_CALLER: Registration("chat", "production")},
            surface="ide",
            environment="local",
        )
    )


def _envoy(stage: Stage, name: str, configuration: Mapping[str, Any], port: int, core: int) -> Program:
    file = stage.folder / f"envoy-{name}.json"
    file.write_text(json.dumps(configuration))
    options = ["--concurrency", "1", "--use-dynamic-base-id", "-l", "warn"]
    command = [components.envoy(), "-c", file, *options]
    return stage.stack.enter_context(started(f"mesh-envoy-{name}", command, port, stage.folder, core=core))


def _sidecar(ways: list[Way], svid: Svid, bundle: str) -> Mapping[str, Any]:
    """The caller's Envoy: plain in, mTLS out, connections kept."""
    clusters = [_cluster(way, svid, bundle) for way in ways]
    return {
        "node": {"id": "caller", "cluster": "bench"},
        "static_resources": {"listeners": [_listener(way) for way in ways], "clusters": clusters},
    }


def _listener(way: Way) -> dict[str, object]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": way.name, "host_rewrite_literal": way.public}}
    manager = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": way.name,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"}}],
    }
    return {
        "name": way.name,
        "address": _address(way.port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _cluster(way: Way, svid: Svid, bundle: str) -> dict[str, object]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(way.to)}}]}]
    found: dict[str, object] = {
        "name": way.name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": way.name, "endpoints": endpoints},
    }
    if not way.speaks_tls:
        return found
    pair = {"certificate_chain": {"inline_string": svid.certificate}, "private_key": {"inline_string": svid.key}}
    context = {
        "@type": f"{_TYPE}.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            "tls_certificates": [pair],
            "validation_context": {"trusted_ca": {"inline_string": bundle}},
        },
    }
    return {**found, "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context}}


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
