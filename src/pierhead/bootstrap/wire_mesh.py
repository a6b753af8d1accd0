"""What `pierhead mesh render` needs of the outside: settings, and the rows in force or those of a fleet file.

Not here: what Envoy's configuration looks like (`adapters/envoy`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pierhead.adapters.envoy import BeforeGateway, BeforeServer, Place, render
from pierhead.adapters.envoy.shape import Shape
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.settings import Settings
from pierhead.bootstrap.wire_commands import console
from pierhead.core.errors import Misconfigured, NotFound
from pierhead.core.reach import Row
from pierhead.core.snapshot import Snapshot

GATEWAY: Final = "gateway"
_Rows = Mapping[str, tuple[Row, ...]]


def listening_on(settings: Settings, port: int | None) -> Settings:
    """The same settings, with another port for Envoy if one is given."""
    mesh = settings.mesh if port is None else settings.mesh.model_copy(update={"envoy_port": port})
    return settings.model_copy(update={"mesh": mesh})


def gateway_configuration(settings: Settings, rows: _Rows) -> Shape:
    """Envoy before the gateway. Errors: Misconfigured (`half-secured`), for what a mesh cannot do without."""
    mesh, place = settings.mesh, settings.platform
    _require(settings, "trust_domain", "sidecar", "authz")
    if not place.url.startswith("https://"):
        message = f"platform.public_url is {place.url}, and Envoy speaks TLS"
        raise Misconfigured(message, hint="set it to the https address that clients use", code="half-secured")
    socket = mesh.sidecar_socket
    upstream = f"unix:{socket}" if socket else f"{place.host}:{place.port}"
    return render(
        BeforeGateway(
            place=_place(settings, GATEWAY, upstream),
            public_url=place.url,
            authz=mesh.authz,
            authz_timeout_s=mesh.authz_timeout_s,
            rows=rows,
            registered=mesh.registered,
            surface=place.surface,
            environment=place.environment,
        )
    )


def server_configuration(settings: Settings, name: str, upstream: str) -> Shape:
    """Envoy before one server, which listens at the URL `upstream`. Errors: Misconfigured (`half-secured`)."""
    _require(settings, "trust_domain", "gateway_id")
    at = urlsplit(upstream)
    if not at.hostname or not at.port:
        message = f"nobody knows where {name} listens: {upstream!r}"
        raise Misconfigured(message, hint="name it: --upstream http://127.0.0.1:8501", code="bad-setting")
    place = _place(settings, name, f"{at.hostname}:{at.port}")
    return render(BeforeServer(place, settings.mesh.gateway_id))


def rows_of(fleet: Path) -> _Rows:
    """The rows that a fleet file declares. Errors: Misconfigured."""
    return {name: server.rows for name, server in fleet_file.load(fleet).servers.items()}


def rows_in_force(data: Path) -> _Rows:
    """The rows of the running platform's policy. Errors: UpstreamUnreachable."""
    return rows_in(console(data).policy().current())


def rows_in(snapshot: Snapshot) -> _Rows:
    """The rows of every server that can be called."""
    return {name: tuple(snapshot.rows.get(name, ())) for name, server in snapshot.servers.items() if server.is_callable}


def upstream_of(data: Path, name: str) -> str:
    """Where a server of the running platform listens. Errors: NotFound; UpstreamUnreachable."""
    server = console(data).policy().current().servers.get(name)
    if server is None:
        raise NotFound(f"no server {name!r}", hint="see: pierhead server list")
    return server.upstream


def _require(settings: Settings, *names: str) -> None:
    for name in names:
        if not getattr(settings.mesh, name):
            message = f"mesh.{name} is not set, and Envoy cannot be set up without it"
            raise Misconfigured(message, hint="see docs/how-to/put-envoy-in-front.md", code="half-secured")


def _place(settings: Settings, name: str, upstream: str) -> Place:
    mesh = settings.mesh
    return Place(
        name=name,
        host=mesh.envoy_host,
        port=mesh.envoy_port,
        admin_port=mesh.envoy_admin_port,
        upstream=upstream,
        secrets=mesh.secrets,
        requests_per_s=mesh.requests_per_s,
    )
