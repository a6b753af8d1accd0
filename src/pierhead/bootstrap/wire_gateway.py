"""What the gateway program needs of the outside, put together from adapters.

The command line hands over what other roles share (snapshots, journal, clock, ids); this adds what only the
gateway has: connections to servers, assertions, token verification. `apps/gateway` makes the program of it.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pierhead.adapters.assertion import Minter
from pierhead.adapters.oidc import Tokens
from pierhead.adapters.own_tls import OwnTls, TlsFiles
from pierhead.adapters.spiffe import Workloads
from pierhead.adapters.upstream import Deadlines, Origin, Pools
from pierhead.bootstrap.mesh_settings import MeshSettings
from pierhead.bootstrap.settings import Settings
from pierhead.bootstrap.sign_in_settings import SignInSettings
from pierhead.bootstrap.tls_settings import TlsSettings
from pierhead.bootstrap.wire_peers import Secured, require_secured_url
from pierhead.bootstrap.wire_sign_in import company_issuer, own_issuer
from pierhead.bootstrap.wire_workloads import workloads_of
from pierhead.core.errors import Misconfigured, UpstreamUnreachable
from pierhead.core.peer import REGISTRY
from pierhead.usecases.ports import Audit, Clock, Ids, Snapshots

_KEYS_PATH = "/oauth/jwks"
_KEYS_FIRST_BYTE_S = 3.0
_KEYS_LARGEST = 256 * 1024
_SHORTEST_KEY = 32
NO_MESH = MeshSettings()  # pyright: ignore[reportCallIssue] - defaults fill every field
NO_TLS = TlsSettings()  # pyright: ignore[reportCallIssue]


@dataclass(frozen=True, slots=True)
class GatewaySetting:
    """Where the gateway stands. `surface` and `environment` are those of all who arrive at its public port."""

    public_url: str
    registry_url: str
    surface: str
    environment: str
    assertion_key: bytes = field(repr=False)
    mesh: MeshSettings = NO_MESH
    tls: TlsSettings = NO_TLS
    sign_in: SignInSettings = field(default_factory=lambda: Settings().sign_in)


@dataclass(frozen=True, slots=True)
class GatewayAdapters:
    """Ports, filled."""

    setting: GatewaySetting
    registry: Origin
    snapshots: Snapshots
    audit: Audit
    clock: Clock
    ids: Ids
    upstreams: Pools
    minter: Minter
    tokens: Tokens
    workloads: Workloads | None
    """None where the settings name no trust domain: then no workload is anybody."""
    tls: OwnTls | None
    """None where the public port speaks plain HTTP."""


def gateway_adapters(
    setting: GatewaySetting,
    *,
    snapshots: Snapshots,
    audit: Audit,
    clock: Clock,
    ids: Ids,
    secured: Secured | None = None,
) -> GatewayAdapters:
    """Everything the gateway needs of the outside; raises Misconfigured rather than start half-secured.

    `secured` is its TLS with registry and servers; None where they all are on one machine.
    """
    if len(setting.assertion_key) < _SHORTEST_KEY:
        raise Misconfigured("the assertion key is shorter than 32 bytes", hint="delete it; a new one is made at start")
    public = urlsplit(setting.public_url)
    if public.scheme not in {"http", "https"} or not public.netloc or public.path:
        raise Misconfigured(f"no public address: {setting.public_url!r}", hint="set it like http://127.0.0.1:8420")
    require_secured_url(setting.registry_url, secured)
    registry, upstreams = _origin(setting.registry_url), Pools(Deadlines(), secured)

    async def fetch_keys() -> bytes:
        return await _fetch(upstreams, registry, _KEYS_PATH)

    issuer = own_issuer(setting.public_url, setting.sign_in, fetch_keys)
    return GatewayAdapters(
        setting=setting,
        registry=registry,
        snapshots=snapshots,
        audit=audit,
        clock=clock,
        ids=ids,
        upstreams=upstreams,
        minter=Minter(setting.assertion_key, clock),
        workloads=workloads_of(setting.mesh, clock),
        tls=_own_tls(setting.tls, clock),
        tokens=Tokens(issuer, clock, snapshots, company_issuer(setting.sign_in, clock)),
    )


def _own_tls(tls: TlsSettings, clock: Clock) -> OwnTls | None:
    if tls.certificate is None or tls.key is None:
        return None
    return OwnTls(TlsFiles(tls.certificate, tls.key, tls.bundle), clock)


def _origin(url: str) -> Origin:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.port:
        raise Misconfigured(f"no registry address: {url!r}", hint="set it like http://127.0.0.1:8421")
    return parts.hostname, parts.port, REGISTRY if parts.scheme == "https" else ""


async def _fetch(upstreams: Pools, origin: Origin, path: str) -> bytes:
    """A small document of the registry."""
    host = f"{origin[0]}:{origin[1]}"
    request = f"GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\n\r\n".encode("ascii")
    answer = await upstreams.send(origin, request, first_byte_s=_KEYS_FIRST_BYTE_S, repeatable=True)
    document = b""
    try:
        while not answer.complete and len(document) <= _KEYS_LARGEST:
            document += answer.take()
            await answer.more()
        document += answer.take()
    finally:
        answer.close()
    if answer.status != 200 or len(document) > _KEYS_LARGEST:  # noqa: PLR2004 - OK
        raise UpstreamUnreachable("the registry did not give its keys", hint="try again in a few seconds")
    return document
