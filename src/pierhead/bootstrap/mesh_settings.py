"""The section `mesh`: which workloads are known, whose word on certificates is taken, and how Envoy stands before us.

Everything is off until it is said. What is said in part does not start. Not here: reading settings (`settings`).
"""

import json
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pierhead.bootstrap.scope_settings import Scopes
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.scope import ALL, WHOLE
from pierhead.core.workload import Registration, is_trust_domain, trust_domain_of

SOCKET: Final = "unix:"
AGENT: Final = "agent"
"""The surface of a workload that the fleet file lists and the settings do not place."""


class WorkloadSettings(BaseModel):
    """Where one workload stands, whatever its requests say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    surface: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="surface of every call through the workload")
    environment: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="environment of every call through it")
    interactive: bool = Field(False, description="whether a person sits before it who can answer in their own name")
    scopes: Scopes = Field((ALL,), description="what its proofs are good for: `mcp`, `mcp.read`, or scopes of servers")


def _table(given: object) -> object:
    """A table; from the environment its JSON."""
    return json.loads(given) if isinstance(given, str) else given


class MeshSettings(BaseModel):
    """Workload identity, and Envoy before gateway and servers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trust_domain: str = Field("", description="the SPIFFE trust domain whose workloads are known; empty: none are")
    bundle: Path | None = Field(None, description="the trust bundle, a JWKS file, that JWT-SVIDs are verified with")
    workloads: Annotated[dict[str, WorkloadSettings], BeforeValidator(_table)] = Field(
        {}, description="the workloads by SPIFFE ID, and where each stands; from the environment as JSON"
    )
    sidecar: str = Field(
        "", description="who may say which certificate a client showed: `unix:/PATH` or an address; empty: nobody"
    )
    authz: str = Field("", description="where ext_authz is answered: `unix:/PATH` or 127.0.0.1:PORT; empty: nowhere")
    envoy_host: str = Field("127.0.0.1", description="the address that Envoy listens on before the gateway")
    envoy_port: int = Field(8443, ge=1, le=65535, description="its port")
    envoy_admin_port: int = Field(9901, ge=1, le=65535, description="its admin port, on loopback always")
    secrets: Path = Field(Path("/run/pierhead/mesh"), description="the folder of Envoy's `svid.json` and `trust.json`")
    gateway_id: str = Field("", description="the gateway's SPIFFE ID: the one workload that a server's Envoy admits")
    authz_timeout_s: float = Field(0.2, gt=0, le=30, description="how long Envoy waits for Pierhead's word; then 503")
    envoy: Path | None = Field(None, description="Envoy's executable; empty: of the extra `mesh`, or on the PATH")
    svid_life_s: int = Field(3600, ge=60, le=604_800, description="the longest life of an X.509-SVID that is taken")
    jwt_svid_life_s: int = Field(300, ge=30, le=86_400, description="the longest life of a JWT-SVID that is taken")
    requests_per_s: int = Field(2000, ge=1, le=1_000_000, description="requests a second that one Envoy passes on")

    @property
    def registered(self) -> dict[str, Registration]:
        """The workloads by SPIFFE ID."""
        return {
            name: Registration(place.surface, place.environment, place.interactive, frozenset(place.scopes))
            for name, place in self.workloads.items()
        }

    @property
    def sidecar_socket(self) -> Path | None:
        """The Unix socket that the sidecar has for itself."""
        return Path(self.sidecar.removeprefix(SOCKET)) if self.sidecar.startswith(SOCKET) else None

    @property
    def authz_socket(self) -> Path | None:
        """The Unix socket that decisions are asked for at, by the sidecar alone."""
        return Path(self.authz.removeprefix(SOCKET)) if self.authz.startswith(SOCKET) else None

    @property
    def sidecar_addresses(self) -> frozenset[str]:
        return frozenset() if not self.sidecar or self.sidecar_socket else frozenset({self.sidecar})


def registered(mesh: MeshSettings, listed: Iterable[str], environment: str) -> dict[str, Registration]:
    """Where every workload stands: as the settings say, and a fleet file's others as agents where this platform is."""
    return {**dict.fromkeys(listed, Registration(AGENT, environment, scopes=WHOLE)), **mesh.registered}


def refuse_half_meshed(mesh: MeshSettings) -> None:
    """Errors: Misconfigured (`half-secured`, `bad-setting`)."""
    needs = [name for name in ("bundle", "workloads", "sidecar", "authz", "gateway_id") if getattr(mesh, name)]
    if needs and not mesh.trust_domain:
        message = f"mesh.{needs[0]} is set, but mesh.trust_domain is not"
        raise Misconfigured(message, hint="say whose workloads are meant", code="half-secured")
    if mesh.trust_domain and not is_trust_domain(mesh.trust_domain):
        message = f"mesh.trust_domain: {mesh.trust_domain!r} names no trust domain"
        raise Misconfigured(message, hint="write it like corp.example", code="bad-setting")
    for name in [*mesh.workloads, *filter(None, [mesh.gateway_id])]:
        _check_workload(name, mesh.trust_domain)
    _check_places(mesh)


def mesh_flags(file: Path | None) -> dict[tuple[str, str], object]:
    """The section `mesh` that `up --mesh` wrote for its gateway. Errors: Misconfigured."""
    if file is None:
        return {}
    try:
        return {("mesh", name): value for name, value in json.loads(file.read_text("utf-8")).items()}
    except (OSError, ValueError):
        message = f"{file} does not hold the settings of a mesh"
        raise Misconfigured(message, hint="start the platform again", code="bad-setting") from None


def _check_workload(name: str, trust_domain: str) -> None:
    try:
        domain = trust_domain_of(name)
    except Invalid as invalid:
        raise Misconfigured(f"mesh: {invalid.message}", hint=invalid.hint, code="bad-setting") from None
    if domain != trust_domain:
        message = f"mesh: {name} is not of the trust domain {trust_domain}"
        raise Misconfigured(message, hint="name workloads of your own trust domain", code="bad-setting")


def _check_places(mesh: MeshSettings) -> None:
    if mesh.sidecar and not _is_place(mesh.sidecar_socket, mesh.sidecar):
        message = f"mesh.sidecar: {mesh.sidecar!r} is neither unix:/PATH nor an address"
        raise Misconfigured(message, hint="write unix:/run/pierhead/sidecar.sock or 10.0.0.7", code="bad-setting")
    if mesh.sidecar_socket and mesh.authz and not mesh.authz_socket:
        message = "mesh.sidecar is a socket, but mesh.authz is a port that all of this machine reach"
        raise Misconfigured(message, hint="make mesh.authz a socket too: unix:/PATH", code="half-secured")
    host, _, port = mesh.authz.rpartition(":")
    is_socket = mesh.authz.startswith(f"{SOCKET}/")
    if mesh.authz and not is_socket and not (host == "127.0.0.1" and port.isdigit() and 0 < int(port) <= 65535):  # noqa: PLR2004
        message = f"mesh.authz: {mesh.authz!r} is neither unix:/PATH nor 127.0.0.1:PORT"
        raise Misconfigured(message, hint="decisions are answered on this machine only", code="bad-setting")


def _is_place(socket: Path | None, text: str) -> bool:
    if socket is not None:
        return socket.is_absolute()
    try:
        return not ip_address(text).is_unspecified
    except ValueError:
        return False
