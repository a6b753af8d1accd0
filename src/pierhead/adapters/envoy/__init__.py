"""Envoy before the gateway, or before one server: its whole configuration, made from settings and reach rows.

Pure: a plan in, a JSON document out. The gateway's Envoy repeats layer 1 as far as rows say it (`rules`) and then asks
Pierhead (`ext_authz`), failing closed; Pierhead verifies every proof again. A server's Envoy admits the gateway alone:
the client's token ends there. Below: `filters`, `rules`, `transport`. Not here: running Envoy, making certificates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pierhead.adapters.envoy import filters, rules, transport
from pierhead.adapters.envoy.shape import Shape
from pierhead.adapters.envoy.transport import cluster, listener, overload
from pierhead.core.reach import Row
from pierhead.core.workload import Registration

__all__ = ["BeforeGateway", "BeforeServer", "Place", "render"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one Envoy stands. `upstream` is `unix:/PATH` or HOST:PORT.

    `secrets` is the folder of `svid.json` and `trust.json`, Envoy secrets that are replaced by rename.
    """

    name: str
    host: str
    port: int
    admin_port: int
    upstream: str
    secrets: Path
    requests_per_s: int


@dataclass(frozen=True, slots=True)
class BeforeGateway:
    """Who arrives there without a workload stands on `surface` in `environment`, as in the gateway's settings."""

    place: Place
    public_url: str
    authz: str
    authz_timeout_s: float
    rows: Mapping[str, tuple[Row, ...]]
    registered: Mapping[str, Registration]
    surface: str
    environment: str


@dataclass(frozen=True, slots=True)
class BeforeServer:
    """`gateway` is the SPIFFE ID of the only workload that may connect."""

    place: Place
    gateway: str


def render(plan: BeforeGateway | BeforeServer) -> Shape:
    """Envoy's configuration, as JSON."""
    if isinstance(plan, BeforeServer):
        return _whole(plan.place, _before_server(plan), ())
    authz = cluster("authz", plan.authz)
    return _whole(plan.place, _before_gateway(plan), (authz,))


def _whole(place: Place, front: Shape, more: tuple[Shape, ...]) -> Shape:
    return {
        "node": {"id": place.name, "cluster": "pierhead"},
        "admin": {"address": transport.address("127.0.0.1", place.admin_port)},
        "overload_manager": overload(),
        "static_resources": {"listeners": [front], "clusters": [cluster("pierhead", place.upstream), *more]},
    }


def _before_gateway(plan: BeforeGateway) -> Shape:
    """People arrive with a token, workloads with a certificate, people through workloads with both."""
    place = plan.place
    chain = [
        filters.rate_limit(place.requests_per_s),
        filters.jwt(plan.public_url, tuple(plan.rows)),
        filters.rbac(rules.policies(plan.rows, plan.registered, plan.surface, plan.environment)),
        filters.ext_authz(plan.public_url, plan.authz_timeout_s),
        filters.router(),
    ]
    governed = [filters.route("/mcp"), filters.route("/data/")]
    manager = filters.connection_manager([*governed, filters.route("/", asks=False)], chain)
    return listener(place.host, place.port, manager, transport.tls(place.secrets))


def _before_server(plan: BeforeServer) -> Shape:
    place = plan.place
    only = rules.only_workload(plan.gateway)
    chain = [filters.rate_limit(place.requests_per_s), filters.rbac(only), filters.router()]
    manager = filters.connection_manager([filters.route("/")], chain)
    return listener(place.host, place.port, manager, transport.tls(place.secrets, plan.gateway))
