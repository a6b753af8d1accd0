"""The section `peers`: TLS between gateway, servers and registry, each of which proves its role with its X.509-SVID.

Empty, they speak plain HTTP and listen on loopback alone. What is said in part does not start. Not here: the gateway's
public port (`tls`), Envoy's certificates (`mesh`).
"""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from pierhead.bootstrap.mesh_settings import MeshSettings
from pierhead.core.errors import Invalid, Misconfigured
from pierhead.core.peer import NAME, PeerIds, role_of_server
from pierhead.core.workload import trust_domain_of

_HINT: Final = "see docs/how-to/spread-over-machines.md"


class PeerSettings(BaseModel):
    """This process's own certificate, and the SPIFFE IDs of those that it speaks with; the gateway's is of `mesh`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: Path | None = Field(None, description="this process's X.509-SVID with its chain, PEM; empty: no TLS")
    key: Path | None = Field(None, description="its key, PEM")
    bundle: Path | None = Field(None, description="the X.509 bundle of mesh.trust_domain, PEM")
    registry_id: str = Field("", description="the registry's SPIFFE ID")
    server_id: str = Field("", description="the servers' SPIFFE IDs: a pattern with {server} where the name stands")

    @property
    def are_used(self) -> bool:
        return self.certificate is not None


def peer_ids(peers: PeerSettings, mesh: MeshSettings) -> PeerIds:
    """Who is who."""
    return PeerIds(peers.registry_id, mesh.gateway_id, peers.server_id)


def refuse_half_peered(peers: PeerSettings, mesh: MeshSettings) -> None:
    """Errors: Misconfigured (`half-secured`, `bad-setting`)."""
    given = {name: bool(getattr(peers, name)) for name in PeerSettings.model_fields}
    if not any(given.values()):
        return
    missing = [f"peers.{name}" for name, is_given in given.items() if not is_given]
    missing += [] if mesh.gateway_id else ["mesh.gateway_id"]
    if missing:
        message = f"the section peers is set in part: {', '.join(missing)} is not"
        raise Misconfigured(message, hint=_HINT, code="half-secured")
    if peers.server_id.count(NAME) != 1:
        message = f"peers.server_id: {peers.server_id!r} has not one {NAME}, so two servers would be one"
        raise Misconfigured(message, hint=_HINT, code="bad-setting")
    ids = peer_ids(peers, mesh)
    _check("peers.registry_id", ids.registry, mesh.trust_domain)
    _check("peers.server_id", ids.id_of(role_of_server("name")), mesh.trust_domain)
    if ids.registry == ids.gateway or any(
        PeerIds("", "", ids.servers).role_of(each) for each in (ids.registry, ids.gateway)
    ):
        message = "peers: one SPIFFE ID is that of two programs"
        raise Misconfigured(message, hint="give registry, gateway and servers IDs of their own", code="bad-setting")


def _check(name: str, spiffe_id: str, trust_domain: str) -> None:
    try:
        domain = trust_domain_of(spiffe_id)
    except Invalid as invalid:
        raise Misconfigured(f"{name}: {invalid.message}", hint=invalid.hint, code="bad-setting") from None
    if domain != trust_domain:
        message = f"{name}: {spiffe_id} is not of the trust domain {trust_domain}"
        raise Misconfigured(message, hint="name programs of your own trust domain", code="bad-setting")
